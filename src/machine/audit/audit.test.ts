import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CPU_MODELS, modelFeatures } from "../../arch/cpu-models.ts";
import { encodeSysreg } from "../../arch/sysreg-names.ts";
import { SYSREG_ROWS } from "../../cpu/sysregs/index.ts";
import type { Trap } from "../../cpu/sysregs/row.ts";
import { SYSTEM_ROWS } from "../../cpu/sysregs/system.ts";
import type { CpuModel, MachineParts } from "../runnable.ts";
import { audit, type Finding, outcomeText } from "./audit.ts";
import { auditItems, type Item } from "./items.ts";
import { auditJson, tablesText, verdictText } from "./report.ts";

const build = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, "../../../build", name));
const artifacts: MachineParts["artifacts"] = {
  native: build("native.wasm"),
  interpreter: build("interpreter.wasm"),
  handlers: new TextDecoder().decode(build("interpreter.json")),
};
const itemsOf = (cpu: CpuModel): Item[] =>
  auditItems(cpu, modelFeatures(CPU_MODELS[cpu], { el2: true, el3: true, gicv3: true }));

/** Runs some items. */
function run(cpu: CpuModel, names: readonly string[], without: readonly string[] = []): Finding[] {
  const items = itemsOf(cpu).filter(({ name }) => names.includes(name));
  assert.equal(items.length, names.length);
  return audit({ cpu, artifacts, items, without });
}
const told = ({ item, outcomes, problems }: Finding): string =>
  [item.name, ...outcomes.map(outcomeText), ...problems].join("; ");

for (const cpu of ["cortex-a72", "max"] as const) {
  test(`on ${cpu} all that is sensitive traps, is refused, or is virtualized; and the controls trap what they are said to`, () => {
    const findings = audit({ cpu, artifacts });
    assert.ok(findings.length > 1000);
    assert.deepEqual(findings.filter(({ problems }) => problems.length > 0).map(told), []);
    assert.match(verdictText(findings), /Nothing else that is sensitive executed/);
  });
}

test("outcomes are what the machine did", () => {
  const names = [
    "MSR SCTLR_EL1",
    "MRS CURRENTEL",
    "HVC",
    "WFI",
    "MSR HCR_EL2",
    "TLBI VAE1",
    "ADRP",
    "HLT",
    "MRS TPIDR_EL0",
  ];
  assert.deepEqual(run("cortex-a72", names).map(told).sort(), [
    "ADRP; executed; executed",
    "HLT; undefined; undefined",
    "HVC; undefined; to EL2, EC 0x16",
    "MRS CURRENTEL; undefined; executed",
    "MRS TPIDR_EL0; executed; executed",
    "MSR HCR_EL2; undefined; undefined",
    "MSR SCTLR_EL1; undefined; to EL2, EC 0x18",
    "TLBI VAE1; undefined; to EL2, EC 0x18",
    "WFI; to EL2, EC 0x1; to EL2, EC 0x1",
  ]);
});

test("a trap that a hypervisor leaves out lets something sensitive through", () => {
  assert.deepEqual(run("cortex-a72", ["TLBI VAE1"], ["HCR_EL2.TTLB"]).map(told), [
    "TLBI VAE1; undefined; executed; control-sensitive, and executed at EL1",
  ]);
  // With FEAT_FGT there is a second control.
  assert.deepEqual(run("max", ["TLBI VAE1"], ["HCR_EL2.TTLB"]).map(told), ["TLBI VAE1; undefined; to EL2, EC 0x18"]);
});

/** With the traps of a row taken away, behind the back of a list that was made before. */
function broken(row: { readonly traps?: readonly Trap[] | undefined }, name: string): string[] {
  const items = itemsOf("cortex-a72").filter((item) => item.name === name);
  const traps = row.traps as Trap[];
  const whole = traps.splice(0);
  try {
    return audit({ cpu: "cortex-a72", artifacts, items }).map(told);
  } finally {
    traps.push(...whole);
  }
}

test("a trap that the machine has lost is found", () => {
  const tlbi = SYSTEM_ROWS.find(({ id }) => id === encodeSysreg(1, 0, 8, 7, 1));
  assert.ok(tlbi);
  assert.deepEqual(broken(tlbi, "TLBI VAE1"), [
    "TLBI VAE1; undefined; executed; HCR_EL2.TTLB alone does not trap it; control-sensitive, and executed at EL1",
  ]);
  const pfr0 = SYSREG_ROWS.find(({ name }) => name === "ID_AA64PFR0_EL1");
  assert.ok(pfr0);
  assert.deepEqual(broken(pfr0, "MRS ID_AA64PFR0_EL1"), [
    "MRS ID_AA64PFR0_EL1; undefined; executed; HCR_EL2.TID3 alone does not trap it; behaviour-sensitive, and executed at EL1",
  ]);
});

test("a wrong description is found", () => {
  const [tpidr, adrp] = ["MRS TPIDR_EL0", "ADRP"].map((name) => itemsOf("cortex-a72").find((i) => i.name === name));
  assert.ok(tpidr && adrp);
  const items: Item[] = [
    { ...tpidr, controls: ["HCR_EL2.TRVM"] },
    { ...tpidr, el: 1 },
    { ...adrp, sensitive: "control" },
  ];
  assert.deepEqual(
    audit({ cpu: "cortex-a72", artifacts, items }).map(({ problems }) => problems),
    [
      ["HCR_EL2.TRVM alone does not trap it"],
      ["executed at EL0, where it does not exist"],
      ["control-sensitive, and executed at EL0", "control-sensitive, and executed at EL1"],
    ],
  );
});

test("tables and JSON hold every item", () => {
  const items = itemsOf("max");
  const text = tablesText(items);
  assert.match(text, /^MSR SCTLR_EL1 +- +EL1\+ +privileged +control +HCR_EL2\.TVM HFGWTR_EL2\.SCTLR_EL1$/m);
  assert.match(text, /^FADD \(vector\) +FP16 +EL0\+ +- +- +CPACR_EL1\.FPEN CPTR_EL2\.TFP CPTR_EL3\.TFP$/m);
  assert.equal(text.split("\n").filter((line) => / (EL[0-3]\+|none) /.test(line)).length, items.length);
  const json = JSON.parse(JSON.stringify(auditJson("max", items))) as {
    items: { name: string; lowestLevel: number }[];
  };
  assert.deepEqual(
    json.items.map(({ name }) => name),
    items.map(({ name }) => name),
  );
});
