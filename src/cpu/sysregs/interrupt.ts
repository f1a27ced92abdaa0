import { SCR_FIQ, SCR_IRQ, SCR_NS } from "../levels.ts";
import { VIEW_EL3, VIEW_FIQ_TO_EL3, VIEW_IRQ_TO_EL3, VIEW_NONSECURE, VIEW_VIRTUAL } from "../ports.ts";
import { SCR_EL3 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { type InterruptRegister, interruptRegister, isVirtual } from "./interrupt-traps.ts";

// The CPU interface of a GICv3 (IHI0069 chapter 12): which registers it has, and what they do, is the interrupt controller's matter; from
// which exception level and in which Security state they are reached is ours.

/** Whether a register number is of the CPU interface. */
export function isInterruptRegister(id: number): boolean {
  return interruptRegister(id) !== undefined;
}

/** False: an exception is pending. */
export function readInterruptRegister(a: Access): boolean {
  const register = interruptRegister(a.id);
  const { interrupts, index } = a.host;
  if (!register || !interrupts || a.el < register.el) return a.undefinedInstruction();
  if (isOfAbsentLevel(a, register)) {
    a.give(0);
    return true;
  }
  if (trapped(a, register)) return false;
  if (!interrupts.read(index, a.id, view(a, register))) return a.undefinedInstruction();
  a.give(interrupts.low, interrupts.high);
  return true;
}

/** False: an exception is pending. */
export function writeInterruptRegister(a: Access): boolean {
  const register = interruptRegister(a.id);
  const { interrupts, index } = a.host;
  if (!register || !interrupts || a.el < register.el) return a.undefinedInstruction();
  if (isOfAbsentLevel(a, register)) return true;
  if (trapped(a, register)) return false;
  return interrupts.write(index, a.id, a.low, a.high, view(a, register)) || a.undefinedInstruction();
}

/** For a debugger: as a read, whatever the exception level and traps. False: the PE has no such register, or it cannot be read. */
export function inspectInterruptRegister(a: Access): boolean {
  const register = interruptRegister(a.id);
  const { interrupts, index } = a.host;
  if (!register || !interrupts || register.el > a.highestEL || isOfAbsentLevel(a, register)) return false;
  if (!interrupts.read(index, a.id, view(a, register))) return false;
  a.give(interrupts.low, interrupts.high);
  return true;
}

/** For a debugger: as a write, whatever the exception level and traps. False: the PE has no such register, or it cannot be written. */
export function modifyInterruptRegister(a: Access): boolean {
  const register = interruptRegister(a.id);
  const { interrupts, index } = a.host;
  if (!register || !interrupts || register.el > a.highestEL || isOfAbsentLevel(a, register)) return false;
  return interrupts.write(index, a.id, a.low, a.high, view(a, register));
}

/** EL3 finds zeros in EL2's registers where there is no EL2. */
function isOfAbsentLevel(a: Access, register: InterruptRegister): boolean {
  return register.el === 2 && !a.host.options.el2;
}

/** True with the exception pending. */
function trapped(a: Access, register: InterruptRegister): boolean {
  for (const trap of register.traps) {
    const target = trap(a);
    if (target !== 0) {
      a.trapped(target);
      return true;
    }
  }
  return false;
}

function view(a: Access, register: InterruptRegister): number {
  const virtual = isVirtual(a, register) ? VIEW_VIRTUAL : 0;
  if (!a.host.options.el3) return virtual | VIEW_NONSECURE;
  const scr = a.state.word(SCR_EL3);
  return (
    virtual |
    (a.el === 3 ? VIEW_EL3 : 0) |
    (scr & SCR_NS ? VIEW_NONSECURE : 0) |
    (scr & SCR_FIQ ? VIEW_FIQ_TO_EL3 : 0) |
    (scr & SCR_IRQ ? VIEW_IRQ_TO_EL3 : 0)
  );
}
