import assert from "node:assert/strict";
import { test } from "node:test";
import { atoll } from "../../test/support/atoll.ts";
import { EXIT_STATUS } from "./exit-status.ts";

test("atoll isa audit prints tables", async () => {
  const { status, stdout } = await atoll("isa", "audit", "--cpu", "cortex-a72");
  assert.equal(status, EXIT_STATUS.ok);
  assert.match(stdout, /^MSR SCTLR_EL1 +- +EL1\+ +privileged +control +HCR_EL2\.TVM$/m);
  assert.doesNotMatch(stdout, /^PACGA/m);
});

test("atoll isa audit --run ends with a status of its own when a trap is missing", async () => {
  const good = await atoll("isa", "audit", "--cpu", "cortex-a72", "--run");
  assert.equal(good.status, EXIT_STATUS.ok);
  assert.match(good.stdout, /^Nothing else that is sensitive executed/m);
  const bad = await atoll("isa", "audit", "--cpu", "cortex-a72", "--run", "--without", "HCR_EL2.TTLB", "--json");
  assert.equal(bad.status, EXIT_STATUS.auditFailed);
  const { items } = JSON.parse(bad.stdout) as { items: { name: string; problems: string[] }[] };
  const found = items.filter(({ problems }) => problems.length > 0).map(({ name }) => name);
  assert.ok(found.includes("TLBI VAE1") && found.every((name) => name.startsWith("TLBI")), found.join());
});

const BAD: readonly (readonly [readonly string[], string])[] = [
  [["isa"], "give audit, as in atoll isa audit; atoll isa --help tells more"],
  [["isa", "audit", "--cpu", "x"], "--cpu x: give cortex-a72 or max"],
  [
    ["isa", "audit", "--run", "--without", "HCR_EL2.VM"],
    "--without HCR_EL2.VM: HCR_EL2.VM is no trap of EL2's; give names such as HCR_EL2.TTLB",
  ],
];
for (const [args, line] of BAD) {
  test(`atoll ${args.join(" ")} fails in one line`, async () => {
    const { status, stderr } = await atoll(...args);
    assert.equal(status, EXIT_STATUS.badInput);
    assert.equal(stderr, `atoll: ${line}\n`);
  });
}
