import { extractField } from "./encoding.ts";

const HINT = 0xd503201f | 0;
const HINT_NUMBER = { name: "hint", width: 7, parts: [{ shift: 5, width: 7 }] };

/**
 * BTypeCompatible: whether `word`, in a guarded page, may be the target of an indirect branch that left this PSTATE.BTYPE (1..3). It may
 * if it is a matching BTI, PACIASP or PACIBSP (for BTYPE 3 only while SCTLR_ELx.BT is 0), BRK or HLT (Arm ARM D8.4.4).
 */
export function branchTargetCompatible(word: number, btype: number, sctlrBT: boolean): boolean {
  if ((word & 0xffe0001f) >>> 0 === 0xd4200000 || (word & 0xffe0001f) >>> 0 === 0xd4400000) return true;
  if ((word & ~(0x7f << 5)) !== HINT) return false;
  switch (extractField(HINT_NUMBER, word)) {
    case 25:
    case 27:
      return btype !== 3 || !sctlrBT;
    case 34: // c
      return btype !== 3;
    case 36: // j
      return btype !== 2;
    case 38: // jc
      return true;
    default:
      return false;
  }
}
