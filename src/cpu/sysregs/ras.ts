import { HCR_AMO, SCR_EA } from "../levels.ts";
import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow } from "./row.ts";
import { HCR, hcr, scr } from "./traps.ts";

// FEAT_RAS (Arm ARM D19.11, the RAS Extension's registers): deferred SErrors. There are no error records (ERRIDR_EL1.NUM is 0), so that the
// registers of the selected one read as zero.

const RAS = { feature: "RAS" } as const;
const errorRecord = { ...RAS, traps: [hcr(HCR.TERR), scr("TERR")] } as const;

/** A, IDS, ISS. */
const DEFERRED_BITS = "31 24:0";

/** DISR_EL1: a virtual machine's own where EL2 has the physical SErrors; nothing where EL3 has them. */
function deferred(a: Access): number {
  if (a.el === 1 && a.el2Enabled && a.state.word(slots.HCR_EL2) & HCR_AMO) return slots.VDISR_EL2;
  if (a.el < 3 && a.host.options.el3 && a.state.word(slots.SCR_EL3) & SCR_EA) return 0;
  return slots.DISR_EL1;
}

export const RAS_ROWS: readonly SysregRow[] = [
  ro("ERRIDR_EL1", 1, errorRecord),
  ro("ERXFR_EL1", 1, errorRecord),
  ...["ERRSELR_EL1", "ERXCTLR_EL1", "ERXSTATUS_EL1", "ERXADDR_EL1", "ERXMISC0_EL1", "ERXMISC1_EL1"].map((name) =>
    rw(name, 1, errorRecord),
  ),
  rw("DISR_EL1", 1, {
    ...RAS,
    slot: slots.DISR_EL1,
    bits: DEFERRED_BITS,
    get(a) {
      const slot = deferred(a);
      if (slot === 0) a.give(0);
      else a.giveSlot(slot);
    },
    set(a, low, high) {
      const slot = deferred(a);
      if (slot !== 0) a.state.set64(slot, low, high);
    },
  }),
  rw("VDISR_EL2", 2, { ...RAS, slot: slots.VDISR_EL2, bits: DEFERRED_BITS }),
  rw("VSESR_EL2", 2, { ...RAS, slot: slots.VSESR_EL2, bits: "24:0" }),
];
