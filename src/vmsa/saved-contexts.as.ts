// What is derived of the system registers, kept for each exception level with its PSTATE.PAN and PSTATE.UAO: an exception, and the return
// from it, go back to what was there, unless a system register has changed in between.

import {
  ALIGN_CHECK,
  BRANCH_TBI,
  CTX,
  CTX_CHECKED,
  CTX_UNPRIV,
  EL,
  FP_TRAP,
  PAC_ENABLED,
  PAC_FIELDS,
  PAN,
  UAO,
} from "../cpu/state-layout";
import { SYSREG_GUARD } from "../cpu/sysreg-layout";
import { renewContexts } from "./contexts.as";
import { SAVED, SAVED_BYTES, SAVED_COUNT } from "./tlb-layout.as";

// In a slot: CTX (0: nothing is kept; STALE: all but the three numbers), CTX_UNPRIV, CTX_CHECKED, ALIGN_CHECK to BRANCH_TBI, FP_TRAP, PAC_FIELDS to PAC_ENABLED, SYSREG_GUARD.
const STALE: u64 = ~(<u64>0);
const CHECKS: usize = 24;
const TRAP: usize = 36;
const PAC: usize = 40;
const PAC_BYTES: usize = PAC_ENABLED + 4 - PAC_FIELDS;
const GUARD: usize = PAC + PAC_BYTES;

assert(GUARD + 4 <= SAVED_BYTES && BRANCH_TBI == ALIGN_CHECK + 8);

@inline
function slotOf(cpu: usize, el: i32, pan: i32, uao: i32): usize {
  return cpu + SAVED + <usize>((el << 2) | (pan << 1) | uao) * SAVED_BYTES;
}

@inline
function currentSlot(cpu: usize): usize {
  return slotOf(cpu, load<i32>(cpu, EL), load<i32>(cpu, PAN), load<i32>(cpu, UAO));
}

/** Is there what restoreContext() needs for this state? */
@inline
export function isContextSaved(cpu: usize, el: i32, pan: i32, uao: i32): bool {
  return load<u64>(slotOf(cpu, el, pan, uao)) != 0;
}

function saveNumbers(cpu: usize, slot: usize): void {
  store<u64>(slot, load<u64>(cpu, CTX));
  store<u64>(slot, load<u64>(cpu, CTX_UNPRIV), 8);
  store<u64>(slot, load<u64>(cpu, CTX_CHECKED), 16);
}

/** Keeps what has been derived for the current EL, PAN and UAO. */
export function saveContext(cpu: usize): void {
  const slot = currentSlot(cpu);
  saveNumbers(cpu, slot);
  memory.copy(slot + CHECKS, cpu + ALIGN_CHECK, 12);
  store<i32>(slot, load<i32>(cpu, FP_TRAP), TRAP);
  memory.copy(slot + PAC, cpu + PAC_FIELDS, PAC_BYTES);
  store<u32>(slot, load<u32>(cpu, SYSREG_GUARD), GUARD);
}

/** After a change of EL, PAN or UAO alone: derives anew by what was kept. False: nothing was. */
export function restoreContext(cpu: usize): bool {
  const slot = currentSlot(cpu);
  const context = load<u64>(slot);
  if (context == 0) return false;
  memory.copy(cpu + ALIGN_CHECK, slot + CHECKS, 12);
  store<i32>(cpu, load<i32>(slot, TRAP), FP_TRAP);
  memory.copy(cpu + PAC_FIELDS, slot + PAC, PAC_BYTES);
  store<u32>(cpu, load<u32>(slot, GUARD), SYSREG_GUARD);
  if (context == STALE) {
    renewContexts(cpu);
    saveNumbers(cpu, slot);
    return true;
  }
  store<u64>(cpu, context, CTX);
  store<u64>(cpu, load<u64>(slot, 8), CTX_UNPRIV);
  store<u64>(cpu, load<u64>(slot, 16), CTX_CHECKED);
  return true;
}

/** Something that was derived holds no longer. */
export function forgetContexts(cpu: usize): void {
  for (let i: usize = 0; i < SAVED_COUNT; i++) store<u64>(cpu + SAVED + i * SAVED_BYTES, 0);
}

/** The context numbers of what was kept hold no longer; the rest does. */
export function forgetNumbers(cpu: usize): void {
  for (let i: usize = 0; i < SAVED_COUNT; i++) {
    const slot = cpu + SAVED + i * SAVED_BYTES;
    if (load<u64>(slot) != 0) store<u64>(slot, STALE);
  }
}
