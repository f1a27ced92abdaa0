import type { MachineParts } from "./runnable.ts";

/** Which exception levels the PEs of a machine have above EL1, and who owns them. */
export interface Levels {
  readonly el2: boolean;
  readonly el3: boolean;
  /** Where the guest starts. */
  readonly entry: 1 | 2 | 3;
  /**
   * The instruction that calls the machine's own firmware, which owns the level above the guest's. Undefined: the guest has the highest
   * level itself, and its firmware (started on every PE at the reset vector) does what the machine's would.
   */
  readonly conduit: "hvc" | "smc" | undefined;
}

/**
 * As QEMU's `virt` has it: without EL3, the machine's firmware is called as if it were there. Firmware that the user gives gets the highest
 * level that there is.
 */
export function levelsOf({
  virtualization = false,
  secure = false,
  bios,
}: Partial<Pick<MachineParts, "virtualization" | "secure" | "bios">>): Levels {
  const levels = { el2: virtualization, el3: secure };
  if (secure && bios !== undefined) return { ...levels, entry: 3, conduit: undefined };
  return { ...levels, entry: virtualization ? 2 : 1, conduit: virtualization || secure ? "smc" : "hvc" };
}
