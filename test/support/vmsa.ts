// One processing element over native.wasm with memory, translation tables and a bus, for tests of src/vmsa.

import {
  ARG0,
  ARG1,
  CTX,
  DTLB,
  DTLB_ADDEND,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  DTLB_READ,
  DTLB_WRITE,
  EL,
  EXC_EC,
  EXC_FAR,
  EXC_ISS,
  EXC_STAGE2,
  EXIT,
  EXIT_EXCEPTION,
  RESULT,
} from "../../src/cpu/state-layout.ts";
import {
  ID_AA64MMFR0_EL1,
  MAIR_EL1,
  PE_FEATURES,
  SCTLR_EL1,
  TCR_EL1,
  TTBR0_EL1,
  TTBR1_EL1,
} from "../../src/cpu/sysreg-layout.ts";
import {
  CPU_BASE,
  PHYS_REGION_BASE,
  PHYS_REGION_BYTES,
  PHYS_REGION_FLAGS,
  PHYS_REGION_PA,
  PHYS_REGION_READ_ONLY,
  PHYS_REGION_SECURE,
  PHYS_REGION_SIZE,
  PHYS_REGIONS,
} from "../../src/memory/linear-layout.ts";
import { loadNative, type Native } from "./native.ts";

/** Guest physical memory: data from RAM, tables from TABLES. */
export const RAM = 0x4000_0000n;
export const RAM_BYTES = 0x40_0000n;
export const TABLES = RAM + 0x10_0000n;
/** Nothing but the bus is there. */
export const DEVICE_PA = 0x0900_0000n;
export const ROM = 0x0100_0000n;
export const ROM_BYTES = 0x1_0000n;
/** Memory that only Secure accesses reach. */
export const SECURE_PA = 0x0e00_0000n;
const SECURE_BYTES = 0x1_0000n;
const RAM_LINEAR = 0x20_0000;
const ROM_LINEAR = RAM_LINEAR + Number(RAM_BYTES);
const SECURE_LINEAR = ROM_LINEAR + Number(ROM_BYTES);

// Descriptor fields.
export const VALID = 1n;
export const USER = 1n << 6n;
export const READ_ONLY = 1n << 7n;
export const AF = 1n << 10n;
export const NG = 1n << 11n;
export const GP = 1n << 50n;
export const DBM = 1n << 51n;
export const CONTIGUOUS = 1n << 52n;
export const PXN = 1n << 53n;
export const UXN = 1n << 54n;
/** AttrIndx 1: Device-nGnRnE. */
export const DEVICE = 1n << 2n;

export interface Fault {
  readonly ec: number;
  readonly iss: number;
  readonly far: bigint;
}

export interface BusAccess {
  readonly kind: "read" | "write";
  readonly pa: bigint;
  readonly bytes: number;
  readonly value?: bigint;
}

export type Granule = 12 | 14 | 16;

export class Pe {
  readonly cpu = CPU_BASE;
  readonly bus: BusAccess[] = [];
  /** What the bus says: 1 is an external abort. */
  busResult = 0;
  busValue = 0n;
  nanoseconds = 0;
  readonly #native: Native;
  #granule: Granule = 12;
  #nextTable = TABLES;

  constructor(features = 0) {
    const access = (kind: "read" | "write", bytes: number): number => {
      const value = kind === "write" ? { value: BigInt.asUintN(bytes * 8, this.get(ARG1)) } : {};
      this.bus.push({ kind, pa: this.get(ARG0), bytes, ...value });
      if (kind === "read") this.set(RESULT, this.busValue);
      return this.busResult;
    };
    this.#native = loadNative("src/cpu/native.as.ts", 128, {
      busRead: (_cpu, bytes) => access("read", bytes ?? 0),
      busWrite: (_cpu, bytes) => access("write", bytes ?? 0),
      now: () => this.nanoseconds,
    });
    const { view } = this.#native;
    view.setInt32(PHYS_REGIONS, 3, true);
    const region = (index: number, pa: bigint, bytes: bigint, base: number, flags: number): void => {
      const at = PHYS_REGIONS + PHYS_REGION_SIZE * (index + 1);
      view.setBigUint64(at + PHYS_REGION_PA, pa, true);
      view.setBigUint64(at + PHYS_REGION_BYTES, bytes, true);
      view.setUint32(at + PHYS_REGION_BASE, base, true);
      view.setUint32(at + PHYS_REGION_FLAGS, flags, true);
    };
    region(0, RAM, RAM_BYTES, RAM_LINEAR, 0);
    region(1, ROM, ROM_BYTES, ROM_LINEAR, PHYS_REGION_READ_ONLY);
    region(2, SECURE_PA, SECURE_BYTES, SECURE_LINEAR, PHYS_REGION_SECURE);
    this.set(PE_FEATURES, BigInt(features));
    this.set(ID_AA64MMFR0_EL1, 5n);
    this.setWord(EL, 1);
    this.changed();
  }

  /** The memory that the PE's block is in. */
  get buffer(): ArrayBufferLike {
    return this.#native.view.buffer;
  }

  get(offset: number): bigint {
    return this.#native.view.getBigUint64(this.cpu + offset, true);
  }
  set(offset: number, value: bigint): void {
    this.#native.view.setBigUint64(this.cpu + offset, value, true);
  }
  word(offset: number): number {
    return this.#native.view.getInt32(this.cpu + offset, true);
  }
  setWord(offset: number, value: number): void {
    this.#native.view.setInt32(this.cpu + offset, value, true);
  }
  linear(pa: bigint): number {
    if (pa >= RAM) return RAM_LINEAR + Number(pa - RAM);
    return pa >= SECURE_PA ? SECURE_LINEAR + Number(pa - SECURE_PA) : ROM_LINEAR + Number(pa - ROM);
  }
  peek(pa: bigint): bigint {
    return this.#native.view.getBigUint64(this.linear(pa), true);
  }
  poke(pa: bigint, value: bigint): void {
    this.#native.view.setBigUint64(this.linear(pa), value, true);
  }

  call(name: string, ...args: (number | bigint)[]): number | bigint {
    return this.#native.get(name)(this.cpu, ...args);
  }
  changed(): void {
    this.call("contextChanged");
  }
  enter(el: number): void {
    this.setWord(EL, el);
    this.changed();
  }

  /** The pending exception, which it takes away. */
  fault(): Fault | undefined {
    if (this.word(EXIT) !== EXIT_EXCEPTION) return undefined;
    this.setWord(EXIT, 0);
    return { ec: this.word(EXC_EC), iss: this.word(EXC_ISS), far: this.get(EXC_FAR) };
  }
  /** Does the pending exception go to EL2 because of stage 2? */
  get isStage2(): boolean {
    return this.word(EXC_STAGE2) !== 0;
  }

  // As generated code does, which has missed the data TLB (engine/memory-access.ts): what is faulted is 0, or not done.
  load(va: bigint, bytes = 8, acc = 0, align = bytes): bigint {
    const at = this.#slow("loadSlow", va, { bytes, align, acc });
    let value = 0n;
    for (let i = 0; i < bytes && at !== 0; i++) value |= BigInt(this.#native.view.getUint8(at + i)) << BigInt(8 * i);
    return value;
  }
  store(va: bigint, value: bigint, bytes = 8, acc = 0, align = bytes): void {
    const put = (at: number): void => {
      for (let i = 0; i < bytes; i++) this.#native.view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
    };
    put(this.cpu + ARG1);
    const at = this.#slow("storeSlow", va, { bytes, align, acc });
    if (at !== 0) put(at);
  }
  probe(va: bigint, bytes: number, align: number): void {
    this.#slow("probeSlow", va, { bytes, align, acc: 0 });
  }
  #slow(name: string, va: bigint, { bytes, align, acc }: { bytes: number; align: number; acc: number }): number {
    const BUDGET = 5;
    const answer = BigInt.asUintN(64, this.call(name, va, bytes | (align << 8) | (acc << 16), BUDGET) as bigint);
    return Number(answer & 0xffff_ffffn);
  }

  /** Can generated code reach `va` without a call? */
  isFast(va: bigint, write: boolean): boolean {
    const slot = DTLB + (Number((va >> 12n) & BigInt(DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT);
    const tag = BigInt.asUintN(64, (va & ~0xfffn) | this.get(CTX));
    return this.get(slot + (write ? DTLB_WRITE : DTLB_READ)) === tag;
  }
  /** The linear address that generated code would use. */
  fastAddress(va: bigint): number {
    const slot = DTLB + (Number((va >> 12n) & BigInt(DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT);
    return (Number(va & 0xffff_ffffn) + this.word(slot + DTLB_ADDEND)) >>> 0;
  }

  /** Turns translation at EL1 on: TTBR0 and TTBR1 with fresh tables, 48-bit addresses unless `tsz` says otherwise. */
  enable(granule: Granule = 12, tcr = 0n, tsz = 16n): void {
    this.#granule = granule;
    const tg0 = { 12: 0n, 14: 2n, 16: 1n }[granule];
    const tg1 = { 12: 2n, 14: 1n, 16: 3n }[granule];
    this.set(TCR_EL1, tcr | (5n << 32n) | (tg0 << 14n) | (tg1 << 30n) | tsz | (tsz << 16n));
    this.set(MAIR_EL1, 0x44_00_ffn);
    this.set(TTBR0_EL1, this.table());
    this.set(TTBR1_EL1, this.table());
    this.set(SCTLR_EL1, this.get(SCTLR_EL1) | 1n);
    this.call("tlbInvalidateAll");
    this.changed();
  }
  /** The address of fresh memory for tables: one by default. */
  table(bytes = 1n << BigInt(this.#granule)): bigint {
    const pa = (this.#nextTable + bytes - 1n) & -bytes;
    this.#nextTable = pa + bytes;
    return pa;
  }

  /** Physical address of the descriptor of `va` at `level`, tables above it made as needed. */
  descriptor(va: bigint, level = 3): bigint {
    const grain = BigInt(this.#granule);
    const stride = grain - 3n;
    const tcr = this.get(TCR_EL1);
    const isHigh = (va >> 55n) & 1n;
    const size = 64n - ((isHigh ? tcr >> 16n : tcr) & 63n);
    const first = 4 - Number((size - grain + stride - 1n) / stride);
    let table = this.get(isHigh ? TTBR1_EL1 : TTBR0_EL1) & 0xffff_ffff_fffen;
    for (let at = first; ; at++) {
      const bottom = BigInt(3 - at) * stride + grain;
      const bits = at === first ? size - bottom : stride;
      const entry = table + 8n * ((va >> bottom) & ((1n << bits) - 1n));
      if (at === level) return entry;
      if ((this.peek(entry) & VALID) === 0n) this.poke(entry, this.table() | 3n);
      table = this.peek(entry) & 0xffff_ffff_f000n;
    }
  }
  /** Maps `va` to `pa` by a page, or by a block of `level`. Invalidates nothing. */
  map(va: bigint, pa: bigint, flags = AF, level = 3): void {
    this.poke(this.descriptor(va, level), pa | flags | (level === 3 ? 3n : 1n));
  }
  /** TLBI by VA, all ASIDs. */
  forget(va: bigint): void {
    this.set(ARG0, va);
    this.call("tlbInvalidate", 1, 3);
  }
}
