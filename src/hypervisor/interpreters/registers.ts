import type { PeState } from "../../cpu/pe-state.ts";
import { SLOT_ZR, X } from "../../cpu/state-layout.ts";

// The guest's general registers as the syndromes name them: 31 is XZR.

export function registerLow(s: PeState, n: number): number {
  return n === SLOT_ZR ? 0 : s.word(X + 8 * n);
}

export function registerHigh(s: PeState, n: number): number {
  return n === SLOT_ZR ? 0 : s.high(X + 8 * n);
}

export function setRegister(s: PeState, n: number, low: number, high: number): void {
  if (n !== SLOT_ZR) s.set64(X + 8 * n, low, high);
}
