import { physical } from "../../base/addresses.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { ARG0, EL } from "../../cpu/state-layout.ts";
import { PAR_EL1 } from "../../cpu/sysreg-layout.ts";
import type { GuestMemory } from "../../memory/guest-memory.ts";
import type { Native } from "../../vmsa/native.ts";

/** A 64-bit slot, unsigned. */
export function bits64(state: Pick<PeState, "word" | "high">, offset: number): bigint {
  return (BigInt(state.high(offset) >>> 0) << 32n) | BigInt(state.word(offset) >>> 0);
}

type State = Pick<PeState, "cpu" | "word" | "high" | "set64">;

/** Reads a guest's virtual memory as a PE sees it, without the guest's noticing: nothing faults, no register or descriptor changes. */
export class GuestView {
  readonly #state: State;
  readonly #memory: Pick<GuestMemory, "view">;
  readonly #native: Pick<Native, "addressTranslate">;
  /** The page that was looked up last. */
  #page = -1n;
  #bytes: DataView | undefined;

  constructor(state: State, memory: Pick<GuestMemory, "view">, native: Pick<Native, "addressTranslate">) {
    this.#state = state;
    this.#memory = memory;
    this.#native = native;
  }

  /** To be called when the guest has run: translations may have changed. */
  forget(): void {
    this.#page = -1n;
  }

  /** The aligned doubleword at an address. */
  readonly read = (address: bigint): bigint | undefined => {
    const offset = Number(address & 0xfffn);
    const page = address - BigInt(offset);
    if (page !== this.#page) {
      this.#page = page;
      const pa = this.physical(page);
      const view = pa === undefined ? undefined : this.#memory.view(pa, 4096, false);
      this.#bytes = view && new DataView(view.buffer, view.byteOffset, view.length);
    }
    return offset > 4088 ? undefined : this.#bytes?.getBigUint64(offset, true);
  };

  /** The physical address of a virtual one, for a read at the exception level `el`; undefined: it would fault. */
  physical(address: bigint, el = this.#state.word(EL)): number | undefined {
    const s = this.#state;
    const argument = [s.word(ARG0), s.high(ARG0)] as const;
    const result = [s.word(PAR_EL1), s.high(PAR_EL1)] as const;
    s.set64(ARG0, Number(address & 0xffff_ffffn) | 0, Number(address >> 32n) | 0);
    this.#native.addressTranslate(s.cpu, Math.max(el, 1), el, 0, 0, 0);
    const par = bits64(s, PAR_EL1);
    s.set64(ARG0, ...argument);
    s.set64(PAR_EL1, ...result);
    if (par & 1n) return undefined;
    return physical(Number((par & 0x000f_ffff_ffff_f000n) | (address & 0xfffn)));
  }
}
