import type { Access } from "./access.ts";

// The CPU interface of a GICv3 (its architecture specification, chapter 12): which registers it has is the interrupt controller's matter;
// at which exception level they may be reached is ours.

const ICC_PMR_EL1 = 0xc230;

/** Whether a register number is in the CPU interface's part of the space. */
export function isInterruptRegister(id: number): boolean {
  if (id === ICC_PMR_EL1) return true;
  const op0 = id >> 14;
  const op1 = (id >> 11) & 7;
  const crn = (id >> 7) & 15;
  const crm = (id >> 3) & 15;
  if (op0 !== 3 || crn !== 12) return false;
  if (op1 === 0) return crm >= 8 && crm <= 12;
  if (op1 === 4) return (crm >= 8 && crm <= 9) || (crm >= 11 && crm <= 13);
  return op1 === 6 && crm === 12;
}

/** The lowest exception level that may access one. */
function lowestEL(id: number): number {
  const op1 = (id >> 11) & 7;
  return op1 === 0 ? 1 : op1 === 4 ? 2 : 3;
}

function available(a: Access): boolean {
  return a.el >= lowestEL(a.id) && isImplemented(a);
}

/** Whether the PE has the exception level that a register is of. */
function isImplemented(a: Access): boolean {
  const el = lowestEL(a.id);
  return el === 2 ? a.host.options.el2 : el === 3 ? a.host.options.el3 : true;
}

/** False: UNDEFINED. */
export function readInterruptRegister(a: Access): boolean {
  return available(a) && inspectInterruptRegister(a);
}

/** False: UNDEFINED. */
export function writeInterruptRegister(a: Access): boolean {
  return available(a) && modifyInterruptRegister(a);
}

/** For a debugger: as a read, from whatever exception level. */
export function inspectInterruptRegister(a: Access): boolean {
  const value = isImplemented(a) ? a.host.interrupts?.read(a.host.index, a.id) : undefined;
  if (value) a.give(value[0], value[1]);
  return value !== undefined;
}

/** For a debugger: as a write, from whatever exception level. */
export function modifyInterruptRegister(a: Access): boolean {
  return isImplemented(a) && (a.host.interrupts?.write(a.host.index, a.id, a.low >>> 0, a.high >>> 0) ?? false);
}
