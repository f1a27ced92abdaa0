import * as slots from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow, type Trap, trap, wo } from "./row.ts";
import { MDCR, mdcr } from "./traps.ts";

// Self-hosted debug registers (Arm ARM D19.3). No debugger is connected from outside: DCC transmits to nobody and never receives.

const BREAKPOINTS = 6;
const WATCHPOINTS = 4;

const TDRA = [mdcr(MDCR.TDRA, MDCR.TDA, true)];
const TDOSA = [mdcr(MDCR.TDOSA, MDCR.TDOSA, true)];
const TDA = [mdcr(MDCR.TDA, MDCR.TDA, true)];
/** The communications channel. */
const DCC = [mdcr(MDCR.TDA, undefined, true), mdcr(MDCR.TDCC, MDCR.TDCC, false), ...TDA];

const MDSCR_TDCC = 12;
/** MDSCR_EL1.TXfull and RXfull, where MDCCSR_EL0 shows them. */
const DCC_STATUS = 0x60000000;

const OSLSR_OSLK = 2;
/** OSLM: the OS lock is implemented. */
const OSLSR_OSLM = 8;

/** MDSCR_EL1 bits that are writable while the OS lock is clear: SS, TDCC, KDE, MDE; the others, to save and restore, need it. */
const MDSCR_UNLOCKED = 0xb001;

const dcc: Trap = trap("MDSCR_EL1.TDCC", (a) => (a.el === 0 && a.bit(slots.MDSCR_EL1, MDSCR_TDCC) ? 1 : 0));
const locked = (a: Access): boolean => (a.state.word(slots.OSLSR_EL1) & OSLSR_OSLK) !== 0;

function debugChanged(a: Access): void {
  a.host.contextChanged();
  a.host.debugChanged?.();
}

const CLAIM_TAGS = 0xff;

function series(count: number, name: string, slot: number, extra: Pick<SysregRow, "bits" | "res1">): SysregRow[] {
  return Array.from({ length: count }, (_, n) =>
    rw(`${name}${n}_EL1`, 1, { ...extra, slot: slot + 8 * n, traps: TDA, changed: debugChanged }),
  );
}

export const DEBUG_ROWS: readonly SysregRow[] = [
  rw("MDSCR_EL1", 1, {
    slot: slots.MDSCR_EL1,
    // SS, ERR, TDCC, KDE, HDE, MDE, TDA, INTdis, TXU, RXO, TXfull, RXfull.
    bits: "0 6 15:12 23:21 27:26 30:29",
    traps: TDA,
    set(a, low) {
      const writable = locked(a) ? -1 : MDSCR_UNLOCKED;
      const old = a.state.word(slots.MDSCR_EL1);
      a.state.set64(slots.MDSCR_EL1, (old & ~writable) | (low & writable), 0);
      debugChanged(a);
    },
  }),
  rw("MDCCINT_EL1", 1, { slot: slots.MDCCINT_EL1, bits: "30:29", traps: DCC }),
  rw("OSDTRRX_EL1", 1, { slot: slots.OSDTRRX_EL1, bits: "31:0", traps: DCC }),
  rw("OSDTRTX_EL1", 1, { slot: slots.OSDTRTX_EL1, bits: "31:0", traps: DCC }),
  rw("OSECCR_EL1", 1, {
    bits: "31:0",
    traps: TDA,
    get: (a) => a.give(locked(a) ? a.state.word(slots.OSECCR_EL1) : 0),
    set: (a, low) => {
      if (locked(a)) a.state.set64(slots.OSECCR_EL1, low, 0);
    },
  }),
  ro("MDRAR_EL1", 1, { traps: TDRA }),
  wo("OSLAR_EL1", 1, {
    bits: "0",
    traps: TDOSA,
    set(a, low) {
      a.state.set64(slots.OSLSR_EL1, OSLSR_OSLM | (low ? OSLSR_OSLK : 0), 0);
      debugChanged(a);
    },
  }),
  ro("OSLSR_EL1", 1, { slot: slots.OSLSR_EL1, reset: [OSLSR_OSLM | OSLSR_OSLK, 0], traps: TDOSA }),
  rw("OSDLR_EL1", 1, { slot: slots.OSDLR_EL1, bits: "0", traps: TDOSA, changed: debugChanged }),
  rw("DBGPRCR_EL1", 1, { slot: slots.DBGPRCR_EL1, bits: "0", traps: TDOSA }),
  rw("DBGCLAIMSET_EL1", 1, {
    bits: "7:0",
    traps: TDA,
    get: (a) => a.give(CLAIM_TAGS),
    set: (a, low) => a.state.set64(slots.DBGCLAIM_EL1, a.state.word(slots.DBGCLAIM_EL1) | low, 0),
  }),
  rw("DBGCLAIMCLR_EL1", 1, {
    bits: "7:0",
    traps: TDA,
    get: (a) => a.giveSlot(slots.DBGCLAIM_EL1),
    set: (a, low) => a.state.set64(slots.DBGCLAIM_EL1, a.state.word(slots.DBGCLAIM_EL1) & ~low, 0),
  }),
  // NSID, NSNID and, with EL3, SID, SNID: implemented, disabled.
  ro("DBGAUTHSTATUS_EL1", 1, { traps: TDA, get: (a) => a.give(a.host.options.el3 ? 0xaa : 0x0a) }),
  ro("MDCCSR_EL0", 0, { traps: [dcc, ...DCC], get: (a) => a.give(a.state.word(slots.MDSCR_EL1) & DCC_STATUS) }),
  rw("DBGDTR_EL0", 0, { traps: [dcc, ...DCC] }),
  rw("DBGDTRRX_EL0", 0, { traps: [dcc, ...DCC] }),
  // BT, LBN, SSC, HMC, PMC, E; BAS is RES1 without AArch32.
  ...series(BREAKPOINTS, "DBGBCR", slots.DBGBCR0_EL1, { bits: "23:13 2:0", res1: "8:5" }),
  ...series(BREAKPOINTS, "DBGBVR", slots.DBGBVR0_EL1, {}),
  ...series(WATCHPOINTS, "DBGWCR", slots.DBGWCR0_EL1, { bits: "28:24 20:0" }),
  ...series(WATCHPOINTS, "DBGWVR", slots.DBGWVR0_EL1, { bits: "63:2" }),
];
