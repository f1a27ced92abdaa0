import { isNested } from "../levels.ts";
import { changeStack, DAIF_D, packPSTATE, setNZCV } from "../pstate.ts";
import { CF, DAIF, DIT, EL, NF, PAN, SPSEL, SSBS, UAO, VF, ZF } from "../state-layout.ts";
import { MDSCR_EL1 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ro, rw, type SysregRow } from "./row.ts";
import { sctlrEnable } from "./traps.ts";

// Fields of PSTATE as registers, and random numbers (Arm ARM C5.2).

const NZCV = 0xf0000000;
const SCTLR_UMA = 9;
/** MDSCR_EL1.SS and MDE. */
const MDSCR_DEBUG = (1 << 0) | (1 << 15);
const DAIF_BITS = "9:6";

/** A field of one bit. `word` is its word in the state. */
function field(
  name: string,
  el: 0 | 1,
  bit: number,
  word: number,
  extra: Pick<SysregRow, "feature" | "changed">,
): SysregRow {
  const { changed, ...rest } = extra;
  return rw(name, el, {
    ...rest,
    bits: `${bit}`,
    get: (a) => a.give(a.state.word(word) << bit),
    set(a, low) {
      a.state.setWord(word, (low >>> bit) & 1);
      changed?.(a, 0, 0);
    },
  });
}

const contextChanged = (a: Access): void => a.host.contextChanged();

const random = new Uint32Array(2);

/** RNDR: the host's entropy never runs dry, so PSTATE.NZCV becomes 0000, success. */
function randomNumber(a: Access): void {
  a.host.entropy.fill(new Uint8Array(random.buffer));
  a.give(random[0] as number, random[1] as number);
  a.state.setWord(NF, 0);
  a.state.setWord(ZF, 1);
  a.state.setWord(CF, 0);
  a.state.setWord(VF, 0);
}

export const PSTATE_ROWS: readonly SysregRow[] = [
  rw("NZCV", 0, {
    bits: "31:28",
    get: (a) => a.give(packPSTATE(a.state) & NZCV),
    set: (a, low) => setNZCV(a.state, low),
  }),
  rw("DAIF", 0, {
    bits: DAIF_BITS,
    traps: [sctlrEnable(SCTLR_UMA)],
    get: (a) => a.give(a.state.word(DAIF)),
    set(a, low) {
      const unmasked = a.state.word(DAIF) & ~low;
      a.state.setWord(DAIF, low);
      // Clearing D may let a debug exception in. The host looks for interrupts after every write.
      if (unmasked & DAIF_D && a.state.word(MDSCR_EL1) & MDSCR_DEBUG) a.host.contextChanged();
    },
  }),
  // A nested hypervisor finds itself at EL2.
  ro("CURRENTEL", 1, { get: (a) => a.give((isNested(a.state) ? 2 : a.el) << 2) }),
  rw("SPSEL", 1, {
    bits: "0",
    get: (a) => a.give(a.state.word(SPSEL)),
    set: (a, low) => changeStack(a.state, a.state.word(EL), low),
  }),
  field("PAN", 1, 22, PAN, { feature: "PAN", changed: contextChanged }),
  field("UAO", 1, 23, UAO, { feature: "UAO", changed: contextChanged }),
  field("DIT", 0, 24, DIT, { feature: "DIT" }),
  field("SSBS", 0, 12, SSBS, { feature: "SSBS" }),
  ro("RNDR", 0, { feature: "RNG", get: randomNumber }),
  ro("RNDRRS", 0, { feature: "RNG", get: randomNumber }),
];
