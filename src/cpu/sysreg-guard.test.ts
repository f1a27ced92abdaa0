import assert from "node:assert/strict";
import { test } from "node:test";
import { sysregId } from "../arch/sysreg-names.ts";
import { PLAIN_SYSREGS } from "../arch/sysreg-plain.ts";
import { EL, SPSEL } from "./state-layout.ts";
import { updateGuard } from "./sysreg-guard.ts";
import * as r from "./sysreg-layout.ts";
import { READ_TRAPS, WRITE_TRAPS } from "./sysregs/fine-grained.ts";
import { SYSREG_ROWS } from "./sysregs/index.ts";
import { Bench } from "./sysregs/test-host.ts";

const NAMES = new Map(SYSREG_ROWS.map((row) => [sysregId(row.name), row.name]));
const NS_API = 1 | (3 << 16) | (1 << 27);
const APK_API = (1 << 8) | (1 << 9);
const E2H = 1 << 2;
const NV = 1 << 10;
const NV2 = 1 << 13;
const TGE = 1 << 27;
const KEYS = ["APIAKEYLO_EL1", "APIAKEYHI_EL1", "APDBKEYLO_EL1", "APGAKEYHI_EL1"];

type Change = (pe: Bench) => void;
const set =
  (slot: number, low: number, high = 0): Change =>
  (pe) =>
    pe.state.set64(slot, pe.state.word(slot) | low, pe.state.high(slot) | high);

const CHANGES: readonly Change[] = [
  () => {},
  set(r.HCR_EL2, 1 << 26),
  set(r.HCR_EL2, 1 << 30),
  set(r.HCR_EL2, 0, E2H),
  set(r.HCR_EL2, TGE, E2H),
  set(r.HCR_EL2, 0, NV),
  set(r.HCR_EL2, 0, NV | NV2),
  (pe) => pe.state.set64(r.HCR_EL2, 0, 0),
  (pe) => pe.state.setWord(r.SCR_EL3, NS_API & ~(1 << 16)),
  ...[...READ_TRAPS.values(), ...WRITE_TRAPS.values()].map(
    ({ word, mask }): Change =>
      (pe) =>
        pe.state.setWord(word, mask),
  ),
];

/** Whether running code may access the register as a slot: the access is what the processing element would do. */
function isPlain(pe: Bench, name: string, write: boolean, slot: number): boolean {
  const { state } = pe;
  state.set64(slot, 0x12340, 0x5678);
  const result = write ? pe.msr(name, 0x98760, 0x54) : pe.mrs(name);
  if (write) return result === "" && state.word(slot) === 0x98760 && state.high(slot) === 0x54;
  return result === "0000567800012340";
}

test("where SYSREG_GUARD has no bit of it, an access is a plain one, whatever is trapped or redirected", () => {
  let guarded = 0;
  for (const change of CHANGES) {
    for (const el of [0, 1, 2, 3]) {
      const accesses = [
        ...[...PLAIN_SYSREGS].map(
          ([id, { minEL, offset, writable }]) => [NAMES.get(id), offset, 1 << minEL, writable] as const,
        ),
        ...KEYS.map((name) => [name, r[name as "APIAKEYLO_EL1"], r.GUARD_KEYS, true] as const),
      ];
      for (const [name = "", slot, bit, writable] of accesses) {
        for (const write of writable ? [false, true] : [false]) {
          const pe = new Bench({ model: "max", el2: true, el3: true });
          pe.state.setWord(r.SCR_EL3, NS_API);
          pe.state.set64(r.HCR_EL2, 0, APK_API);
          change(pe);
          pe.state.setWord(EL, el);
          pe.state.setWord(SPSEL, 1);
          updateGuard(pe.state);
          if (pe.state.word(r.SYSREG_GUARD) & bit) guarded++;
          else if (name !== "HCR_EL2" && !(write && MASKED.has(name))) {
            assert.ok(isPlain(pe, name, write, slot), `${write ? "MSR" : "MRS"} ${name} at EL${el}, ${String(change)}`);
          }
        }
      }
    }
  }
  assert.ok(guarded > 1000);
});

/** Registers with RES0 bits, which keep what a direct access writes. */
const MASKED = new Set(["SPSR_EL1", "SPSR_EL2"]);

test("cleaning of data cache lines is guarded where one of the instructions traps, and nowhere else", () => {
  const hfgitr = [7, 8, 9, 10].map((bit) => set(r.HFGITR_EL2, 1 << bit));
  const changes = [
    ...CHANGES,
    ...hfgitr,
    set(r.HFGITR_EL2, 0, 1 << (54 - 32)),
    set(r.HFGITR_EL2, ~(0xf << 7), ~(1 << (54 - 32))),
    ...[23, 24].map((bit) => set(r.HCR_EL2, 1 << bit)),
    set(r.HCR_EL2, TGE | (1 << 23), E2H),
    set(r.HCR_EL2, 0, 1 << (52 - 32)),
  ];
  const seen = new Set<string>();
  for (const change of changes) {
    for (const el of [0, 1, 2, 3]) {
      for (const uci of [0, 1 << 26]) {
        const pe = new Bench({ model: "max", el2: true, el3: true });
        pe.state.setWord(r.SCR_EL3, NS_API);
        pe.state.set64(r.HCR_EL2, 0, APK_API);
        pe.state.setWord(r.SCTLR_EL1, uci);
        pe.state.setWord(r.SCTLR_EL2, (1 << 26) ^ uci);
        change(pe);
        pe.state.setWord(EL, el);
        updateGuard(pe.state);
        const guarded = (pe.state.word(r.SYSREG_GUARD) & r.GUARD_CLEAN) !== 0;
        const trapped = [10, 11, 12, 13, 14].some((crm) => pe.sys(3, 7, crm, 1) !== "");
        assert.equal(guarded, trapped, `EL${el}, SCTLR_EL1 ${uci}, ${String(change)}`);
        seen.add(`${el} ${trapped}`);
      }
    }
  }
  assert.deepEqual([...seen].sort(), ["0 false", "0 true", "1 false", "1 true", "2 false", "3 false"]);
});

test("nothing is guarded at the level that may access it, where there are no EL2 and EL3", () => {
  const pe = new Bench({ model: "max" });
  const at = (el: number): number => {
    pe.state.setWord(EL, el);
    updateGuard(pe.state);
    return pe.state.word(r.SYSREG_GUARD);
  };
  assert.equal(at(1), r.GUARD_EL2);
  assert.equal(at(0), r.GUARD_EL1 | r.GUARD_EL2 | r.GUARD_KEYS | r.GUARD_ZVA | r.GUARD_CLEAN);
  pe.state.setWord(r.SCTLR_EL1, (1 << 14) | (1 << 26));
  assert.equal(at(0), r.GUARD_EL1 | r.GUARD_EL2 | r.GUARD_KEYS);
});
