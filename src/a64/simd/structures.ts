import { SP_CHECK } from "../../cpu/state-layout.ts";
import type { Builder, I32, I64, Reg, V128, Value } from "../../ir/builder.ts";
import { gpr, gprSp, insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { esizeOf, fill, vector } from "./encoding.ts";
import { type Arrangement, type Esize, extractAt, range, replaceAt, splat, write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD load/store structures: LD1 to LD4, ST1 to ST4, LD1R to LD4R (Arm ARM C4.1.88).
// All loads, and the check that all stores will do, come before the first write of a register.

/** Operands of every row: base, post-index register (XZR when the amount is the number of bytes), that number, Vt onwards. */
const OPS = { n: "sp", m: "xr", bytes: "u8", t: "v", t2: "v", t3: "v", t4: "v" } as const;
type Ops = { readonly n: Reg; readonly m: Reg; readonly bytes: I32 } & Readonly<Record<"t" | "t2" | "t3" | "t4", Reg>>;

/** Offset forms have no m: their operand is not looked at. */
function decodeOps(f: { readonly n: number; readonly t: number; readonly m?: number }, bytes: number) {
  const [t2, t3, t4] = [1, 2, 3].map((i) => (f.t + i) % 32) as [number, number, number];
  const m = f.m ?? 31;
  return { m, bytes: m === 31 ? bytes : 0, t2, t3, t4, variant: f.n === 31 ? 1 : 0 };
}

function registers(o: Ops, n: number): Reg[] {
  return [o.t, o.t2, o.t3, o.t4].slice(0, n);
}

/** The base address. Variant 1: the base is SP, whose alignment is checked. */
function address(b: Builder, o: Ops, s: { readonly variant: number }): I64 {
  const base = b.getX(o.n);
  if (s.variant === 1) {
    const misaligned = b.i64.ne(b.i64.and(base, b.const64(15)), b.const64(0));
    b.trapIf(b.i32.and(misaligned, b.i32.ne(b.getWord(SP_CHECK), b.const32(0))), 0x26);
  }
  return base;
}

function postIndex(b: Builder, o: Ops, base: I64): void {
  b.setX(o.n, b.i64.add(base, b.i64.add(b.getX(o.m), b.i64.extend_i32_u(o.bytes))));
}

function at(b: Builder, base: I64, offset: number): I64 {
  return offset === 0 ? base : b.i64.add(base, b.const64(offset));
}

/** The vector whose byte i is byte lanes[i] of all sources in a row, or zero for -1. */
function gather(b: Builder, sources: readonly V128[], lanes: readonly number[]): V128 {
  const pair = (x: V128, y: V128, first: number) =>
    b.shuffle(
      x,
      y,
      lanes.map((l, i) => (l >= first && l < first + 32 ? l - first : i)),
    );
  const zero = () => b.zeroV();
  const low = pair(sources[0] ?? zero(), sources[1] ?? zero(), 0);
  const inHigh = lanes.map((l) => l >= 32);
  let r = low;
  if (inHigh.includes(true)) {
    const high = pair(sources[2] ?? zero(), sources[3] ?? zero(), 32);
    r = b.shuffle(
      low,
      high,
      inHigh.map((is, i) => (is ? 16 + i : i)),
    );
  }
  if (!lanes.includes(-1)) return r;
  return b.shuffle(
    r,
    zero(),
    lanes.map((l, i) => (l < 0 ? 16 : i)),
  );
}

/** Where the bytes of an operation's registers are in memory: for each register, byte i is at the i-th number, -1: nowhere. */
function memoryOrder(a: Arrangement, selem: number): number[][] {
  const ebytes = a.esize / 8;
  return range(selem).map((r) =>
    range(16).map((i) => {
      if (i * 8 >= a.datasize) return -1;
      const element = Math.floor(i / ebytes);
      return (element * selem + r) * ebytes + (i % ebytes);
    }),
  );
}

function loadMultiple(b: Builder, base: I64, a: Arrangement, rpt: number, selem: number): V128[] {
  const bytes = (rpt * selem * a.datasize) / 8;
  const align = a.esize / 8;
  const chunks: V128[] = [];
  for (let offset = 0; offset < bytes; offset += 16) {
    if (bytes - offset >= 16) chunks.push(b.loadV(at(b, base, offset), { align }));
    else {
      const last = b.load(at(b, base, offset), 8, { align });
      chunks.push(b.lane("i64x2.replace_lane", b.zeroV(), 0, last) as V128);
    }
  }
  if (selem > 1) return memoryOrder(a, selem).map((lanes) => gather(b, chunks, lanes));
  if (a.datasize === 128 || rpt === 1) return chunks;
  return range(rpt).map((r) =>
    gather(b, chunks, [...range(8).map((i) => r * 8 + i), ...new Array<number>(8).fill(-1)]),
  );
}

function storeMultiple(b: Builder, base: I64, a: Arrangement, selem: number, values: readonly V128[]): void {
  const bytes = (values.length * a.datasize) / 8;
  const align = a.esize / 8;
  // The inverse of memoryOrder: where in the registers, 16 bytes each, the bytes of memory are.
  const from = new Array<number>(bytes).fill(-1);
  if (selem > 1) {
    memoryOrder(a, selem).forEach((lanes, r) => {
      lanes.forEach((l, i) => {
        if (l >= 0) from[l] = r * 16 + i;
      });
    });
  } else {
    for (let i = 0; i < bytes; i++) from[i] = Math.floor((i * 8) / a.datasize) * 16 + (i % (a.datasize / 8));
  }
  const stores: (() => void)[] = [];
  for (let offset = 0; offset < bytes; offset += 16) {
    const lanes = [...from.slice(offset, offset + 16), ...new Array<number>(16).fill(-1)].slice(0, 16);
    const whole = lanes.every((l, i) => l < 0 || l === offset + i);
    const chunk = whole
      ? (values[offset / 16] as V128)
      : gather(
          b,
          values,
          lanes.map((l) => Math.max(l, 0)),
        );
    const target = at(b, base, offset);
    stores.push(() => {
      if (bytes - offset >= 16) b.storeV(target, chunk, { align });
      else b.store(target, b.lane("i64x2.extract_lane", chunk, 0) as I64, 8, { align });
    });
  }
  if (stores.length > 1) b.probeWrite(base, bytes, { align });
  for (const store of stores) store();
}

interface Multiple {
  readonly rpt: number;
  readonly selem: number;
  readonly opcode: string;
}

const MULTIPLE: readonly Multiple[] = [
  { rpt: 1, selem: 1, opcode: "0111" },
  { rpt: 2, selem: 1, opcode: "1010" },
  { rpt: 3, selem: 1, opcode: "0110" },
  { rpt: 4, selem: 1, opcode: "0010" },
  { rpt: 1, selem: 2, opcode: "1000" },
  { rpt: 1, selem: 3, opcode: "0100" },
  { rpt: 1, selem: 4, opcode: "0000" },
];

interface Direction {
  readonly mnemonic: string;
  readonly load: boolean;
  readonly bit: string;
}
const DIRECTIONS: readonly Direction[] = [
  { mnemonic: "LD", load: true, bit: "1" },
  { mnemonic: "ST", load: false, bit: "0" },
];

/** The operand that follows the registers: the base, and the post-index amount. */
function baseText(f: { readonly n: number; readonly m?: number }, bytes: number): string {
  if (f.m === undefined) return `[${gprSp(1, f.n)}]`;
  return `[${gprSp(1, f.n)}], ${f.m === 31 ? `#${bytes}` : gpr(1, f.m)}`;
}

function multipleRows({ rpt, selem, opcode }: Multiple, { mnemonic, load, bit }: Direction): Row[] {
  const n = rpt * selem;
  const name = `${mnemonic}${selem}`;
  const bytes = (q: number) => (n * (q ? 128 : 64)) / 8;
  const common = {
    asm: `${name} (multiple structures)`,
    fp: true,
    ops: OPS,
    variants: 2,
  } as const;
  const isReserved = (f: { readonly Z: number; readonly Q: number }) => f.Z === 3 && !f.Q && selem > 1;
  const execute = (b: Builder, o: Ops, s: { Q: number; Z: number; variant: number }, post: boolean) => {
    const base = address(b, o, s);
    const a = vector(s.Q, esizeOf(s.Z));
    if (load) {
      const values = loadMultiple(b, base, a, rpt, selem);
      registers(o, n).forEach((r, i) => {
        b.setV(r, values[i] as V128);
      });
    } else {
      storeMultiple(
        b,
        base,
        a,
        selem,
        registers(o, n).map((r) => b.getV(r)),
      );
    }
    if (post) postIndex(b, o, base);
  };
  const operands = (f: { Q: number; Z: number; t: number; n: number; m?: number }) =>
    insn(name.toLowerCase(), text.list(f.t, n, text.suffix(vector(f.Q, esizeOf(f.Z)))), baseText(f, bytes(f.Q)));
  return [
    row({
      ...common,
      id: `${name}_mult${selem === 1 ? `_${n}` : ""}`,
      bits: fill("0Q0011000-000000----ZZnnnnnttttt", bit + opcode),
      decode: (f) => (isReserved(f) ? "unallocated" : decodeOps(f, bytes(f.Q))),
      execute: (b, o, s) => execute(b, o, s, false),
      text: operands,
    }),
    row({
      ...common,
      id: `${name}_mult${selem === 1 ? `_${n}` : ""}_post`,
      bits: fill("0Q0011001-0mmmmm----ZZnnnnnttttt", bit + opcode),
      decode: (f) => (isReserved(f) ? "unallocated" : decodeOps(f, bytes(f.Q))),
      execute: (b, o, s) => execute(b, o, s, true),
      text: operands,
    }),
  ];
}

/** Element i of a structure in memory. */
function loadElement(b: Builder, base: I64, e: Esize, i: number): Value {
  const v = b.load(at(b, base, (i * e) / 8), e / 8);
  return e === 64 ? v : b.i32.wrap_i64(v);
}

function storeElement(b: Builder, base: I64, e: Esize, i: number, value: Value): void {
  b.store(at(b, base, (i * e) / 8), e === 64 ? (value as I64) : b.i64.extend_i32_u(value as I32), e / 8);
}

// Dashes: L, R, opcode<0>. The index is Q:S:size without the bits that are fixed for the size of the element.
const SINGLE = {
  8: "0q0011010--0000000-szznnnnnttttt",
  16: "0q0011010--0000001-sz0nnnnnttttt",
  32: "0q0011010--0000010-s00nnnnnttttt",
  64: "0q0011010--0000010-001nnnnnttttt",
} as const;
const SINGLE_POST = {
  8: "0q0011011--mmmmm00-szznnnnnttttt",
  16: "0q0011011--mmmmm01-sz0nnnnnttttt",
  32: "0q0011011--mmmmm10-s00nnnnnttttt",
  64: "0q0011011--mmmmm10-001nnnnnttttt",
} as const;

interface SingleFields {
  readonly q: number;
  readonly s?: number;
  readonly z?: number;
  readonly n: number;
  readonly t: number;
  readonly m?: number;
}

function laneOf(f: SingleFields, esize: Esize): number {
  const sBits = esize < 64 ? 1 : 0;
  const zBits = { 8: 2, 16: 1, 32: 0, 64: 0 }[esize];
  return (((f.q << sBits) | (f.s ?? 0)) << zBits) | (f.z ?? 0);
}

function singleRows(selem: number, esize: Esize, { mnemonic, load, bit }: Direction): Row[] {
  const name = `${mnemonic}${selem}`;
  const bytes = (selem * esize) / 8;
  const selector = `${bit}${(selem - 1) & 1}${(selem - 1) >> 1}`;
  const common = {
    asm: `${name} (single structure)`,
    fp: true,
    ops: { ...OPS, lane: "u8" },
    variants: 2,
    decode: (f: SingleFields) => ({ ...decodeOps(f, bytes), lane: (laneOf(f, esize) * esize) / 8 }),
    text: (f: SingleFields) =>
      insn(name.toLowerCase(), `${text.list(f.t, selem, text.letter(esize))}[${laneOf(f, esize)}]`, baseText(f, bytes)),
  } as const;
  const execute = (b: Builder, o: Ops & { readonly lane: I32 }, s: { readonly variant: number }, post: boolean) => {
    const base = address(b, o, s);
    const regs = registers(o, selem);
    if (load) {
      const values = regs.map((_, i) => loadElement(b, base, esize, i));
      regs.forEach((r, i) => {
        b.setV(r, replaceAt(b, esize, b.getV(r), o.lane, values[i] as Value));
      });
    } else {
      if (selem > 1) b.probeWrite(base, bytes, { align: esize / 8 });
      regs.forEach((r, i) => {
        storeElement(b, base, esize, i, extractAt(b, esize, b.getV(r), o.lane));
      });
    }
    if (post) postIndex(b, o, base);
  };
  return [
    row({
      ...common,
      id: `${name}_single_${esize}`,
      bits: fill(SINGLE[esize], selector),
      execute: (b, o, s) => execute(b, o, s, false),
    }),
    row({
      ...common,
      id: `${name}_single_${esize}_post`,
      bits: fill(SINGLE_POST[esize], selector),
      execute: (b, o, s) => execute(b, o, s, true),
    }),
  ];
}

function replicateRows(selem: number): Row[] {
  const name = `LD${selem}R`;
  const bytes = (z: number) => selem << z;
  const selector = `${(selem - 1) & 1}${(selem - 1) >> 1}`;
  type F = { readonly Q: number; readonly Z: number; readonly n: number; readonly t: number; readonly m?: number };
  const common = {
    asm: name,
    fp: true,
    ops: OPS,
    variants: 2,
    decode: (f: F) => decodeOps(f, bytes(f.Z)),
    text: (f: F) =>
      insn(name.toLowerCase(), text.list(f.t, selem, text.suffix(vector(f.Q, esizeOf(f.Z)))), baseText(f, bytes(f.Z))),
  } as const;
  const execute = (b: Builder, o: Ops, s: { Q: number; Z: number; variant: number }, post: boolean) => {
    const base = address(b, o, s);
    const a = vector(s.Q, esizeOf(s.Z));
    const regs = registers(o, selem);
    const values = regs.map((_, i) => loadElement(b, base, a.esize, i));
    regs.forEach((r, i) => {
      write(b, r, splat(b, a.esize, values[i] as Value), a.datasize);
    });
    if (post) postIndex(b, o, base);
  };
  return [
    row({
      ...common,
      id: name,
      bits: fill("0Q00110101-0000011-0ZZnnnnnttttt", selector),
      execute: (b, o, s) => execute(b, o, s, false),
    }),
    row({
      ...common,
      id: `${name}_post`,
      bits: fill("0Q00110111-mmmmm11-0ZZnnnnnttttt", selector),
      execute: (b, o, s) => execute(b, o, s, true),
    }),
  ];
}

const SELEM = [1, 2, 3, 4] as const;
const ESIZES = [8, 16, 32, 64] as const;

export const STRUCTURES: readonly Row[] = [
  ...DIRECTIONS.flatMap((d) => MULTIPLE.flatMap((m) => multipleRows(m, d))),
  ...DIRECTIONS.flatMap((d) => SELEM.flatMap((selem) => ESIZES.flatMap((esize) => singleRows(selem, esize, d)))),
  ...SELEM.flatMap(replicateRows),
];
