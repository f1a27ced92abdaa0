import assert from "node:assert/strict";
import { test } from "node:test";
import { deliverableInterrupt, LINE_FIQ, LINE_IRQ, physicalInterrupts } from "./interrupts.ts";
import { SCR_NS } from "./levels.ts";
import { PeState } from "./pe-state.ts";
import { LINE_NONSECURE_GROUP1, LINE_SECURE_GROUP1 } from "./ports.ts";
import { CPU_STRIDE, EL, LINES } from "./state-layout.ts";
import { FEATURE_EL3, PE_FEATURES, SCR_EL3 } from "./sysreg-layout.ts";

// IHI0069 table 4-6, interrupt signals for two Security states: EL, SCR_EL3.NS, and what Secure and Non-secure Group 1 are then.
const SIGNALS = [
  [1, 0, LINE_IRQ, LINE_FIQ],
  [1, SCR_NS, LINE_FIQ, LINE_IRQ],
  [0, 0, LINE_IRQ, LINE_FIQ],
  [2, SCR_NS, LINE_FIQ, LINE_IRQ],
  [3, 0, LINE_FIQ, LINE_FIQ],
  [3, SCR_NS, LINE_FIQ, LINE_FIQ],
] as const;

test("a GICv3's Group 1 is IRQ in its own Security state, FIQ in the other and at EL3", () => {
  for (const [el, ns, secure, nonSecure] of SIGNALS) {
    const state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
    state.setWord(PE_FEATURES, FEATURE_EL3);
    state.setWord(EL, el);
    state.setWord(SCR_EL3, ns);
    assert.equal(physicalInterrupts(state), 0);
    state.setWord(LINES, LINE_SECURE_GROUP1);
    assert.equal(physicalInterrupts(state), secure, `Secure Group 1 at EL${el}, NS ${ns}`);
    state.setWord(LINES, LINE_NONSECURE_GROUP1);
    assert.equal(physicalInterrupts(state), nonSecure, `Non-secure Group 1 at EL${el}, NS ${ns}`);
    if (el < 2) assert.equal(deliverableInterrupt(state), nonSecure);
  }
});
