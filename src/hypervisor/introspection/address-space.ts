// Stage 1 of a guest's EL1&0 regime (Arm ARM D8.2, D8.3), walked from outside. The machine's own walker (vmsa/) is not asked: it works for a PE
// that has the guest's and the hypervisor's registers, takes stage 2 faults at pages that were never touched or are watched, and sets access flags.
// This one needs nothing but a vCPU's saved registers, changes nothing, and checks no permissions.

import type { PeState } from "../../cpu/pe-state.ts";
import { SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1 } from "../../cpu/sysreg-layout.ts";
import type { DomainMemory } from "../domain-memory.ts";

type Registers = Pick<PeState, "word" | "high">;

/** A 64-bit register, unsigned. */
export function bits64(state: Registers, offset: number): bigint {
  return (BigInt(state.high(offset) >>> 0) << 32n) | BigInt(state.word(offset) >>> 0);
}

const VALID = 1n;
const TABLE = 2n;
/** SCTLR_EL1.M. */
const TRANSLATES = 1;
/** TCR_EL1. */
const TBI0 = 37n;
const TBI1 = 38n;
const DS = 59n;
const PAGE = 0x1000;
/** An IPA that no domain has RAM beyond. */
const MOST_IPA = 2n ** 48n;

const field = (value: bigint, at: bigint, width: bigint): number => Number((value >> at) & ((1n << width) - 1n));

/** Log2 of the granule: TG0 and TG1 have encodings of their own. */
const granuleOf = (tcr: bigint, high: boolean): number => {
  if (high) return [12, 14, 12, 16][field(tcr, 30n, 2n)] as number;
  return [12, 16, 14, 12][field(tcr, 14n, 2n)] as number;
};

/** The virtual memory of a guest as one vCPU's registers say, by addresses of 64 bits, and its memory by IPA. To be made anew when the guest has run. */
export class GuestAddressSpace {
  readonly memory: Pick<DomainMemory, "read">;
  readonly #sctlr: number;
  readonly #tcr: bigint;
  readonly #ttbr: readonly [bigint, bigint];
  /** IPAs of pages that were looked up; undefined: not mapped. */
  readonly #pages = new Map<bigint, number | undefined>();

  constructor(registers: Registers, memory: Pick<DomainMemory, "read">) {
    this.memory = memory;
    this.#sctlr = registers.word(SCTLR_EL1);
    this.#tcr = bits64(registers, TCR_EL1);
    this.#ttbr = [bits64(registers, TTBR0_EL1), bits64(registers, TTBR1_EL1)];
  }

  /** The IPA of a virtual address, as for EL1, whatever its permissions; undefined: stage 1 does not translate it. */
  translate(va: bigint): number | undefined {
    const offset = va & BigInt(PAGE - 1);
    const page = BigInt.asUintN(64, va - offset);
    let ipa = this.#pages.get(page);
    if (ipa === undefined && !this.#pages.has(page)) {
      ipa = this.#walk(page);
      this.#pages.set(page, ipa);
    }
    return ipa === undefined ? undefined : ipa + Number(offset);
  }

  /** A copy; undefined where a part is not mapped, or is no RAM. */
  read(va: bigint, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const address = BigInt.asUintN(64, va + BigInt(at));
      const size = Math.min(length - at, PAGE - Number(address & BigInt(PAGE - 1)));
      const ipa = this.translate(address);
      const piece = ipa === undefined ? undefined : this.memory.read(ipa, size);
      if (piece === undefined) return undefined;
      bytes.set(piece, at);
      at += size;
    }
    return bytes;
  }

  /** A number of 1, 2, 4 or 8 bytes. */
  number(va: bigint, bytes: number): bigint | undefined {
    const piece = this.read(va, bytes);
    return piece && littleEndian(piece);
  }

  #walk(given: bigint): number | undefined {
    const tcr = this.#tcr;
    if (!(this.#sctlr & TRANSLATES)) return given < MOST_IPA ? Number(given) : undefined;
    const high = ((given >> 55n) & 1n) === 1n;
    const tagged = ((tcr >> (high ? TBI1 : TBI0)) & 1n) === 1n;
    const size = field(tcr, high ? 16n : 0n, 6n);
    // Outside of the two ranges there is nothing; smaller than 39 - 16 bits or greater than 52 no range is.
    if (size < 12 || size > 48) return undefined;
    const bits = BigInt(64 - size);
    const top = tagged ? 56n : 64n;
    const upper = BigInt.asUintN(Number(top), given) >> bits;
    if (upper !== (high ? (1n << (top - bits)) - 1n : 0n)) return undefined;
    // EPD0, EPD1.
    if ((tcr >> (high ? 23n : 7n)) & 1n) return undefined;
    const va = given & ((1n << bits) - 1n);
    const grain = granuleOf(tcr, high);
    const stride = grain - 3;
    // The level at which the walk starts has what bits are left.
    const levels = Math.ceil((64 - size - grain) / stride);
    const ds = ((tcr >> DS) & 1n) === 1n && grain !== 16;
    let table = this.#ttbr[high ? 1 : 0] & 0x0000_ffff_ffff_fffen & ~((1n << 6n) - 1n);
    for (let left = levels - 1; left >= 0; left--) {
      const shift = BigInt(grain + stride * left);
      const width = left === levels - 1 ? bits - shift : BigInt(stride);
      const index = (va >> shift) & ((1n << width) - 1n);
      const descriptor = this.#descriptor(table + 8n * index);
      if (descriptor === undefined || !(descriptor & VALID)) return undefined;
      const address = addressIn(descriptor, grain, ds);
      if (left > 0 && descriptor & TABLE) {
        table = address;
        continue;
      }
      // A block; at the last level it has to say that it is a page.
      if (left === 0 && !(descriptor & TABLE)) return undefined;
      if (left > (grain === 12 ? 3 : 2)) return undefined;
      const output = (address & ~((1n << shift) - 1n)) | (va & ((1n << shift) - 1n));
      return output < MOST_IPA ? Number(output) : undefined;
    }
    return undefined;
  }

  #descriptor(ipa: bigint): bigint | undefined {
    if (ipa >= MOST_IPA) return undefined;
    const bytes = this.memory.read(Number(ipa), 8);
    return bytes && littleEndian(bytes);
  }
}

/** Without bits 51:48, which are elsewhere and lead outside of all RAM: then they are set here, too. */
function addressIn(descriptor: bigint, grain: number, ds: boolean): bigint {
  const low = descriptor & 0x0000_ffff_ffff_f000n & ~((1n << BigInt(grain)) - 1n);
  const above = ds
    ? (descriptor >> 48n) & 3n || (descriptor >> 8n) & 3n
    : grain === 16
      ? (descriptor >> 12n) & 15n
      : 0n;
  return above === 0n ? low : MOST_IPA;
}

export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
