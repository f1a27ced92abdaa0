import assert from "node:assert/strict";
import { test } from "node:test";
import { PeState } from "../cpu/pe-state.ts";
import { CPU_STRIDE, DAIF, EL, NF, PC, SECURE, SPSEL, X, ZF } from "../cpu/state-layout.ts";
import { FEATURE_EL2, FEATURE_EL3, HCR_EL2, PE_FEATURES } from "../cpu/sysreg-layout.ts";
import { memoryMapOf, registersOf } from "./report.ts";

test("registers show PC, PSTATE and general registers", () => {
  const state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  state.set64(PC, 0x4008_0000, -1);
  state.set64(X + 8, -2, 1);
  state.setWord(NF, -1);
  state.setWord(ZF, 1);
  state.setWord(DAIF, 0x80);
  state.setWord(EL, 1);
  state.setWord(SPSEL, 1);
  const text = registersOf(state, 3);
  assert.match(text, /^CPU 3\nPC=ffffffff40080000 N--- --I- EL1h\n/);
  assert.match(text, / X1=00000001fffffffe /);
  assert.match(text, /SCTLR_EL1=0{16}/);
  assert.doesNotMatch(text, /EL2=|EL3=|ecure/);
});

test("registers of EL2 and EL3 are shown where there are such levels", () => {
  const state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  state.setWord(PE_FEATURES, FEATURE_EL2);
  state.set64(HCR_EL2, 1, 2);
  assert.match(registersOf(state, 0), / HCR_EL2=0000000200000001 /);
  state.setWord(PE_FEATURES, FEATURE_EL2 | FEATURE_EL3);
  state.setWord(SECURE, 1);
  assert.match(registersOf(state, 0), / EL0t Secure\n(.*\n)*.*SCR_EL3=0{16}/);
});

test("the memory map is by address", () => {
  const map = memoryMapOf([
    { name: "ram", base: 0x4000_0000, size: 0x1000 },
    { name: "flash", base: 0, size: 0x10, note: "read-only" },
  ]);
  assert.equal(map, "000000000000-00000000000f flash (read-only)\n000040000000-000040000fff ram");
});
