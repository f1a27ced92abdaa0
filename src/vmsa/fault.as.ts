// Pending synchronous exceptions of memory accesses (Arm ARM D24.2.37: ESR_ELx). They are written as if taken from a
// lower exception level to EL1; whoever takes them knows better.

import { EXC_EC, EXC_FAR, EXC_IPA, EXC_ISS, EXC_STAGE2, EXC_TARGET, EXIT, EXIT_EXCEPTION } from "../cpu/state-layout";
import { FAULT_STAGE2 } from "./attributes.as";
import { stage2FaultIPA } from "./stage2.as";

export const EC_SYSTEM: u32 = 0x18;
export const EC_PAUTH_FAILURE: u32 = 0x1c;
const EC_INSTRUCTION_ABORT: u32 = 0x20;
const EC_PC_ALIGNMENT: u32 = 0x22;
const EC_DATA_ABORT: u32 = 0x24;
const EC_WATCHPOINT: u32 = 0x34;

export const ISS_WNR: u32 = 1 << 6;
export const ISS_CM: u32 = 1 << 8;
const FAULT_DEBUG: u32 = 0x22;

export function raise(cpu: usize, ec: u32, iss: u32, far: u64): void {
  store<u32>(cpu, ec, EXC_EC);
  store<u32>(cpu, iss, EXC_ISS);
  store<u64>(cpu, far, EXC_FAR);
  store<u64>(cpu, 0, EXC_IPA);
  store<u32>(cpu, 0, EXC_TARGET);
  store<u32>(cpu, 0, EXC_STAGE2);
  store<i32>(cpu, EXIT_EXCEPTION, EXIT);
}

/** An abort for `fault` (attributes.as.ts). */
function abort(cpu: usize, ec: u32, va: u64, fault: i32, flags: u32): void {
  raise(cpu, ec, (<u32>fault & ~(<u32>FAULT_STAGE2)) | flags, va);
  if ((fault & FAULT_STAGE2) == 0) return;
  store<u32>(cpu, 1, EXC_STAGE2);
  store<u64>(cpu, stage2FaultIPA(), EXC_IPA);
}

/** `flags`: ISS_WNR, ISS_CM. */
export function dataAbort(cpu: usize, va: u64, fault: i32, flags: u32): void {
  abort(cpu, EC_DATA_ABORT, va, fault, flags);
}

export function instructionAbort(cpu: usize, va: u64, fault: i32): void {
  abort(cpu, EC_INSTRUCTION_ABORT, va, fault, 0);
}

export function pcAlignmentFault(cpu: usize, va: u64): void {
  raise(cpu, EC_PC_ALIGNMENT, 0, va);
}

export function watchpointException(cpu: usize, va: u64, flags: u32): void {
  raise(cpu, EC_WATCHPOINT, FAULT_DEBUG | flags, va);
}
