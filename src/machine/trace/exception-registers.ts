import { LINE_FIQ, LINE_IRQ, LINE_SERROR, LINE_VFIQ, LINE_VIRQ, LINE_VSERROR } from "../../cpu/interrupts.ts";
import * as slots from "../../cpu/sysreg-layout.ts";

/** What interrupts are called, by their line. */
export const INTERRUPTS: Readonly<Record<number, string>> = {
  [LINE_IRQ]: "IRQ",
  [LINE_FIQ]: "FIQ",
  [LINE_SERROR]: "SError",
  [LINE_VIRQ]: "virtual IRQ",
  [LINE_VFIQ]: "virtual FIQ",
  [LINE_VSERROR]: "virtual SError",
};

// Of exception levels 0..3; 0 is never used.
export const ESR = [0, slots.ESR_EL1, slots.ESR_EL2, slots.ESR_EL3] as const;
export const ELR = [0, slots.ELR_EL1, slots.ELR_EL2, slots.ELR_EL3] as const;
