// Stage 2 tables over the processing element of test/support/vmsa.ts, and what is seen from EL1 through them.

import assert from "node:assert/strict";
import { EXC_IPA, PC } from "../../src/cpu/state-layout.ts";
import {
  FEATURE_EL2,
  HCR_EL2,
  ID_AA64MMFR1_EL1,
  SCTLR_EL1,
  VSTCR_EL2,
  VSTTBR_EL2,
  VTCR_EL2,
  VTTBR_EL2,
} from "../../src/cpu/sysreg-layout.ts";
import { AF, type Granule, Pe, RAM, VALID } from "./vmsa.ts";

// Fields of stage 2 descriptors.
export const S2R = 1n << 6n;
export const S2W = 2n << 6n;
export const S2_XN = 2n << 53n;
/** MemAttr. */
export const memAttr = (value: number): bigint => BigInt(value) << 2n;
/** Normal Write-Back, accessed, to be read and written. */
export const S2_NORMAL = AF | S2R | S2W | memAttr(15);

export const HCR_VM = 1n;

export interface Stage2Options {
  readonly granule?: Granule;
  /** Bits of the IPA. */
  readonly bits?: number;
  /** Level of the first table. */
  readonly start?: number;
  /** More of VTCR_EL2 (VSTCR_EL2 for the Secure IPA space). */
  readonly control?: bigint;
  readonly ps?: number;
  readonly vmid?: bigint;
  /** The tables are those of the Secure IPA space. */
  readonly secure?: boolean;
}

/** One set of stage 2 tables; `use()` makes it current. */
export class Stage2 {
  readonly pe: Pe;
  readonly root: bigint;
  readonly control: bigint;
  readonly #granule: bigint;
  readonly #bits: bigint;
  readonly #start: number;
  readonly #vmid: bigint;
  readonly #secure: boolean;

  constructor(pe: Pe, options: Stage2Options = {}) {
    const { granule = 12, bits = 40, start = granule === 12 ? 1 : 2, control = 0n, ps = 5, vmid = 0n } = options;
    this.pe = pe;
    this.#granule = BigInt(granule);
    this.#bits = BigInt(bits);
    this.#start = start;
    this.#vmid = vmid;
    this.#secure = options.secure ?? false;
    const sl0 = BigInt((granule === 12 ? 2 : 3) - start);
    const tg0 = { 12: 0n, 14: 2n, 16: 1n }[granule];
    this.control = control | BigInt(64 - bits) | (sl0 << 6n) | (tg0 << 14n) | (this.#secure ? 0n : BigInt(ps) << 16n);
    this.root = pe.table(8n << (this.#bits - this.bottom(start)));
    this.use();
  }

  /** The first bit of an address that the table after `level` resolves. */
  bottom(level: number): bigint {
    return BigInt(3 - level) * (this.#granule - 3n) + this.#granule;
  }

  use(): void {
    this.pe.set(this.#secure ? VSTCR_EL2 : VTCR_EL2, this.control);
    this.pe.set(this.#secure ? VSTTBR_EL2 : VTTBR_EL2, this.root | (this.#vmid << 48n));
    this.pe.changed();
  }

  /** Where the descriptor of `ipa` at `level` is, tables above it made as needed. */
  descriptor(ipa: bigint, level = 3): bigint {
    let table = this.root;
    let top = this.#bits;
    for (let at = this.#start; ; at++) {
      const bottom = this.bottom(at);
      const entry = table + 8n * ((ipa >> bottom) & ((1n << (top - bottom)) - 1n));
      if (at === level) return entry;
      if ((this.pe.peek(entry) & VALID) === 0n) this.pe.poke(entry, this.pe.table(1n << this.#granule) | 3n);
      table = this.pe.peek(entry) & 0xffff_ffff_f000n;
      top = bottom;
    }
  }

  /** Maps `ipa` to `pa` by a page, or by a block of `level`. Invalidates nothing. */
  map(ipa: bigint, pa: bigint, flags = S2_NORMAL, level = 3): void {
    this.pe.poke(this.descriptor(ipa, level), pa | flags | (level === 3 ? 3n : 1n));
  }

  /** Maps all RAM to itself by blocks, for the tables of stage 1. */
  mapRAM(flags = S2_NORMAL): void {
    const block = 1n << this.bottom(2);
    for (let pa = RAM & -block; pa < RAM + 0x40_0000n; pa += block) this.map(pa, pa, flags, 2);
  }
}

/** EL1 with stage 1 (4 KB pages, unless it is `flat`: off) and stage 2 on, and all RAM mapped to itself at stage 2. */
export function guest(options: Stage2Options & { features?: number; hcr?: bigint; flat?: boolean } = {}): {
  pe: Pe;
  s2: Stage2;
} {
  const pe = new Pe(FEATURE_EL2 | (options.features ?? 0));
  pe.enable();
  if (options.flat) pe.set(SCTLR_EL1, 0n);
  pe.set(HCR_EL2, HCR_VM | (options.hcr ?? 0n));
  const s2 = new Stage2(pe, options);
  s2.mapRAM();
  return { pe, s2 };
}

export const FEATURE_XNX_ID = 1n << 28n;
export function withXNX(pe: Pe): void {
  pe.set(ID_AA64MMFR1_EL1, FEATURE_XNX_ID);
}

export type AccessKind = "read" | "write" | "fetch" | "swap";

export interface Abort {
  /** DFSC or IFSC. */
  readonly status: number;
  readonly stage: 1 | 2;
  readonly s1ptw: boolean;
  readonly wnr: boolean;
  readonly ipa: bigint;
}

/** What an access at the current exception level ends in: nothing, or an abort. */
export function attempt(pe: Pe, va: bigint, kind: AccessKind = "read"): Abort | undefined {
  if (kind === "fetch") {
    pe.set(PC, va);
    pe.call("translateFetch");
  } else if (kind === "read") pe.load(va);
  else pe.store(va, 1n, 8, kind === "swap" ? 2 : 0);
  return pending(pe, va, kind === "fetch" ? 0x20 : 0x24);
}

/** The pending abort at `va`. */
export function pending(pe: Pe, va: bigint, ec = 0x24): Abort | undefined {
  const stage = pe.isStage2 ? 2 : 1;
  const ipa = pe.get(EXC_IPA);
  const fault = pe.fault();
  if (!fault) return undefined;
  assert.equal(fault.ec, ec);
  assert.equal(fault.far, BigInt.asUintN(64, va), "FAR is the VA");
  return {
    status: fault.iss & 0x3f,
    stage,
    s1ptw: (fault.iss & 0x80) !== 0,
    wnr: (fault.iss & 0x40) !== 0,
    ipa,
  };
}

/** A stage 2 abort on the access itself. */
export function stage2Abort(status: number, ipa: bigint, wnr = false): Abort {
  return { status, stage: 2, s1ptw: false, wnr, ipa };
}
