// The registers of one PE by the numbers that the target description gives them.

import { sysregId } from "../../arch/sysreg-names.ts";
import { haveEL } from "../../cpu/levels.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { changeStack, DAIF_ALL, packPSTATE, SPSR_AARCH32, SPSR_IL, SPSR_SS, setNZCV } from "../../cpu/pstate.ts";
import {
  BTYPE,
  DAIF,
  DIT,
  EL,
  FPCR,
  FPSR,
  HALTED,
  PAN,
  PC,
  PSTATE_IL,
  PSTATE_SS,
  SLOT_SP,
  SPSEL,
  SSBS,
  UAO,
  V,
  X,
} from "../../cpu/state-layout.ts";

/** The system registers of a PE as a debugger reaches them: whatever the exception level and traps. */
export interface DebuggedSysregs {
  /** Signed halves. Undefined: no such register, or it cannot be read without the guest's noticing. */
  inspect(id: number): readonly [low: number, high: number] | undefined;
  /** False: it cannot be written. */
  modify(id: number, low: number, high: number): boolean;
}

/** What of native.wasm has to know of changed registers. */
export interface RegisterNative {
  contextChanged(cpu: number): void;
  fpUpdateFast(cpu: number): void;
}

export const REG_SP = 31;
export const REG_PC = 32;
export const REG_CPSR = 33;
export const REG_V0 = 34;
export const REG_FPSR = 66;
export const REG_FPCR = 67;
/** The first system register: they follow in the order of the list of their ids. */
export const REG_SYSTEM = 68;

export class PeRegisters {
  readonly state: PeState;
  readonly #sysregs: DebuggedSysregs;
  readonly #ids: readonly number[];
  readonly #native: RegisterNative;

  /** `ids`: of the system registers, in the order of the target description. */
  constructor(state: PeState, sysregs: DebuggedSysregs, ids: readonly number[], native: RegisterNative) {
    this.state = state;
    this.#sysregs = sysregs;
    this.#ids = ids;
    this.#native = native;
  }

  /** Bytes of a register; 0: there is none of that number. */
  size(n: number): number {
    if (n < 0 || n >= REG_SYSTEM + this.#ids.length) return 0;
    if (n === REG_CPSR || n === REG_FPSR || n === REG_FPCR) return 4;
    return n >= REG_V0 && n < REG_FPSR ? 16 : 8;
  }

  /** The value, little-endian. Undefined: there is none of that number, or it cannot be read now. */
  read(n: number): Uint8Array | undefined {
    const s = this.state;
    if (n < 0 || n >= REG_SYSTEM + this.#ids.length) return undefined;
    if (n === REG_CPSR) return words(packPSTATE(s));
    if (n === REG_FPSR) return words(s.word(FPSR));
    if (n === REG_FPCR) return words(s.word(FPCR));
    if (n >= REG_V0 && n < REG_FPSR) {
      const at = V + 16 * (n - REG_V0);
      return words(s.word(at), s.high(at), s.word(at + 8), s.high(at + 8));
    }
    if (n >= REG_SYSTEM) {
      const value = this.#sysregs.inspect(this.#ids[n - REG_SYSTEM] as number);
      return value && words(...value);
    }
    const at = slotOf(n);
    return words(s.word(at), s.high(at));
  }

  /** False: no such register, the wrong number of bytes, or it cannot be written. */
  write(n: number, bytes: Uint8Array): boolean {
    const s = this.state;
    if (bytes.length !== this.size(n) || bytes.length === 0) return false;
    const [low = 0, high = 0, low2 = 0, high2 = 0] = wordsOf(bytes);
    if (n === REG_CPSR) this.#writePstate(low);
    else if (n === REG_FPSR || n === REG_FPCR) {
      s.setWord(n === REG_FPSR ? FPSR : FPCR, low);
      this.#native.fpUpdateFast(s.cpu);
    } else if (n >= REG_V0 && n < REG_FPSR) {
      s.set64(V + 16 * (n - REG_V0), low, high);
      s.set64(V + 16 * (n - REG_V0) + 8, low2, high2);
    } else if (n >= REG_SYSTEM) return this.#sysregs.modify(this.#ids[n - REG_SYSTEM] as number, low, high);
    else {
      s.set64(slotOf(n), low, high);
      // Who sets PC wants execution there, and not after an interrupt.
      if (n === REG_PC) s.setWord(HALTED, 0);
    }
    return true;
  }

  /** A mode that the PE does not have leaves the exception level and the stack pointer as they are. */
  #writePstate(value: number): void {
    const s = this.state;
    setNZCV(s, value);
    s.setWord(DAIF, value & DAIF_ALL);
    s.setWord(BTYPE, (value >>> 10) & 3);
    s.setWord(PSTATE_SS, value & SPSR_SS ? 1 : 0);
    s.setWord(PSTATE_IL, value & SPSR_IL ? 1 : 0);
    for (const [word, bit, id] of FIELDS) {
      if (this.#sysregs.inspect(id) !== undefined) s.setWord(word, (value >>> bit) & 1);
    }
    const el = (value >>> 2) & 3;
    const isMode = (value & (SPSR_AARCH32 | 2)) === 0 && (el !== 0 || (value & 1) === 0) && haveEL(s, el);
    if (isMode && (el !== s.word(EL) || (value & 1) !== s.word(SPSEL))) changeStack(s, el, value & 1);
    this.#native.contextChanged(s.cpu);
  }
}

/** Fields of PSTATE that are there with a feature: word, bit of SPSR_ELx, and the register that is there where the field is. */
const FIELDS: readonly (readonly [word: number, bit: number, id: number])[] = [
  [SSBS, 12, sysregId("SSBS")],
  [PAN, 22, sysregId("PAN")],
  [UAO, 23, sysregId("UAO")],
  [DIT, 24, sysregId("DIT")],
];

function slotOf(n: number): number {
  return n === REG_PC ? PC : X + 8 * (n === REG_SP ? SLOT_SP : n);
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setInt32(4 * i, value, true);
  return bytes;
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getInt32(4 * i, true));
}
