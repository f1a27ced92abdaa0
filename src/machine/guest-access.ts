// Guest memory as what is outside of the guest reaches it: a debugger, semihosting.

import { physical } from "../base/addresses.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { ARG0, RESULT } from "../cpu/state-layout.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { NativeOutside } from "../vmsa/native.ts";

/** How an address is translated: `look` whatever the permissions, without the guest's noticing; the others as the PE's own accesses are. */
export type Manner = "look" | "read" | "write";
const ACCESS: Readonly<Record<Manner, number>> = { look: 0, read: 1, write: 2 };

const PAGE = 4096;

export interface GuestAccessOptions {
  readonly memory: Pick<GuestMemory, "read" | "write" | "linearOf">;
  readonly native: NativeOutside;
  /** `bytes` from linear address `start` have changed, which may be code. */
  readonly codeChanged: (start: number, bytes: number) => void;
}

/** A piece of an access: it is in one page. */
export interface Piece {
  readonly pa: number;
  /** Where it is in the access. */
  readonly offset: number;
  readonly length: number;
}

type State = Pick<PeState, "cpu" | "word" | "high" | "set64" | "number">;

export class GuestAccess {
  readonly #options: GuestAccessOptions;

  constructor(options: GuestAccessOptions) {
    this.#options = options;
  }

  /** The physical address of a virtual one in the PE's current regime; undefined: there is none. */
  translate(state: State, va: bigint, manner: Manner): number | undefined {
    const argument = [state.word(ARG0), state.high(ARG0)] as const;
    const result = [state.word(RESULT), state.high(RESULT)] as const;
    state.set64(ARG0, Number(va & 0xffff_ffffn) | 0, Number((va >> 32n) & 0xffff_ffffn) | 0);
    const found = this.#options.native.outsideAddress(state.cpu, ACCESS[manner]) !== 0;
    const pa = state.number(RESULT);
    state.set64(ARG0, ...argument);
    state.set64(RESULT, ...result);
    return found ? pa : undefined;
  }

  /** The pieces of [va, va + length) up to the first page without a translation. `state` undefined: the address is physical. */
  *pieces(state: State | undefined, va: bigint, length: number, manner: Manner): Generator<Piece> {
    let offset = 0;
    while (offset < length) {
      const at = BigInt.asUintN(64, va + BigInt(offset));
      const size = Math.min(length - offset, PAGE - Number(at & 0xfffn));
      const pa = state === undefined ? Number(at) : this.translate(state, at, manner);
      if (pa === undefined) return;
      yield { pa, offset, length: size };
      offset += size;
    }
  }

  /** Reads memory up to the first byte that is not there. */
  read(state: State | undefined, va: bigint, length: number, manner: Manner): Uint8Array {
    const bytes = new Uint8Array(length);
    let have = 0;
    for (const piece of this.pieces(state, va, length, manner)) {
      const part = this.readPhysical(piece.pa, piece.length);
      if (part === undefined) break;
      bytes.set(part, have);
      have += part.length;
    }
    return bytes.subarray(0, have);
  }

  /** Writes memory: all of it, or nothing. */
  write(state: State | undefined, va: bigint, bytes: Uint8Array, manner: Manner): boolean {
    const pieces = [...this.pieces(state, va, bytes.length, manner)];
    const last = pieces.at(-1);
    if ((last ? last.offset + last.length : 0) !== bytes.length) return false;
    if (
      pieces.some(({ pa }) => !Number.isSafeInteger(pa) || this.#options.memory.linearOf(physical(pa)) === undefined)
    ) {
      return false;
    }
    for (const { pa, offset, length } of pieces) this.writePhysical(pa, bytes.subarray(offset, offset + length));
    return true;
  }

  /** Undefined: not all of it is memory. */
  readPhysical(pa: number, length: number): Uint8Array | undefined {
    return Number.isSafeInteger(pa) ? this.#options.memory.read(physical(pa), length) : undefined;
  }

  writePhysical(pa: number, bytes: Uint8Array): boolean {
    if (!Number.isSafeInteger(pa) || !this.#options.memory.write(physical(pa), bytes)) return false;
    const start = this.#options.memory.linearOf(physical(pa));
    if (start !== undefined) this.#options.codeChanged(start, bytes.length);
    return true;
  }
}
