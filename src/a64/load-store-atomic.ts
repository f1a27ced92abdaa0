import { type Access, Builder, type I32, type I64 } from "../ir/builder.ts";
import { ACC_ALIGNED } from "../ir/guest-ops.ts";
import { baseAddress, baseVariant, offsetText } from "./address.ts";
import { gpr, insn } from "./format.ts";
import { type Row, row } from "./row.ts";

// Atomic memory operations and compare and swap (FEAT_LSE; Arm ARM C4.1.94). S is log2 of the size in bytes. Acquire (a) and release (r)
// ask for nothing more: see load-store-ordered.ts.

/** The store of a read-modify-write: its load has made sure that it cannot fault. */
const STORE: Access = { acc: ACC_ALIGNED };

const OPERATIONS = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"];
const SUFFIXES = ["b", "h", "", ""];

/** Extends the low 8 << size bits. */
function extend(b: Builder, v: I64, size: number, isSigned: boolean): I64 {
  const { i64 } = b;
  if (size === 3) return v;
  if (!isSigned) return i64.and(v, b.const64([0xff, 0xffff, -1][size] as number, 0));
  return size === 0 ? i64.extend8_s(v) : size === 1 ? i64.extend16_s(v) : i64.extend32_s(v);
}

/** MemAtomic()'s new value. Bits above the size do not matter. */
function combine(b: Builder, op: number, size: number, old: I64, operand: I64): I64 {
  const { i64 } = b;
  switch (op) {
    case 0:
      return i64.add(old, operand);
    case 1:
      return i64.and(old, b.x.not(operand));
    case 2:
      return i64.xor(old, operand);
    case 3:
      return i64.or(old, operand);
  }
  const isSigned = op < 6;
  const x = extend(b, old, size, isSigned);
  const y = extend(b, operand, size, isSigned);
  const greater: I32 = isSigned ? i64.gt_s(x, y) : i64.gt_u(x, y);
  return op % 2 === 0 ? b.select(greater, x, y) : b.select(greater, y, x);
}

function ordering(f: { readonly a: number; readonly r: number }): string {
  return `${f.a ? "a" : ""}${f.r ? "l" : ""}`;
}

interface PairFields {
  readonly Z: number;
  readonly a: number;
  readonly r: number;
  readonly s: number;
  readonly t: number;
  readonly n: number;
}

export const LOAD_STORE_ATOMIC_ROWS: readonly Row[] = [
  row({
    id: "LDADD",
    asm: "LDADD, LDCLR, LDEOR, LDSET, LDSMAX, LDSMIN, LDUMAX, LDUMIN (all sizes and orders)",
    bits: "SS 111000 a r 1 sssss 0 OOO 00 nnnnn ttttt",
    feat: "LSE",
    ops: { s: "xr", n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const operand = b.getX(o.s);
      const old = b.load(address, 1 << s.S, Builder.RMW);
      b.store(address, combine(b, s.O, s.S, old, operand), 1 << s.S, STORE);
      b.setX(o.t, old);
    },
    text(f) {
      const wide = f.S === 3 ? 1 : 0;
      const name = (stem: string): string => `${stem}${OPERATIONS[f.O]}${ordering(f)}${SUFFIXES[f.S]}`;
      if (f.t === 31 && !f.a) return insn(name("st"), gpr(wide, f.s), offsetText(f.n, 0));
      return insn(name("ld"), gpr(wide, f.s), gpr(wide, f.t), offsetText(f.n, 0));
    },
  }),
  row({
    id: "SWP",
    asm: "SWPB, SWPH, SWP (all orders)",
    bits: "SS 111000 a r 1 sssss 1 000 00 nnnnn ttttt",
    feat: "LSE",
    ops: { s: "xr", n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const v = b.getX(o.s);
      const old = b.load(address, 1 << s.S, Builder.RMW);
      b.store(address, v, 1 << s.S, STORE);
      b.setX(o.t, old);
    },
    text(f) {
      const wide = f.S === 3 ? 1 : 0;
      return insn(`swp${ordering(f)}${SUFFIXES[f.S]}`, gpr(wide, f.s), gpr(wide, f.t), offsetText(f.n, 0));
    },
  }),
  row({
    id: "CAS",
    asm: "CASB, CASH, CAS (all orders)",
    bits: "SS 001000 1 a 1 sssss r 11111 nnnnn ttttt",
    feat: "LSE",
    // The register that is compared is the one that receives the old value.
    ops: { s: "xw", c: "xr:s", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const compared = extend(b, b.getX(o.c), s.S, false);
      const v = b.getX(o.t);
      const old = b.load(address, 1 << s.S, Builder.RMW);
      b.if(b.i64.eq(old, compared), () => b.store(address, v, 1 << s.S, STORE));
      b.setX(o.s, old);
    },
    text(f) {
      const wide = f.S === 3 ? 1 : 0;
      return insn(`cas${ordering(f)}${SUFFIXES[f.S]}`, gpr(wide, f.s), gpr(wide, f.t), offsetText(f.n, 0));
    },
  }),
  row({
    id: "CASP",
    asm: "CASP, CASPA, CASPAL, CASPL",
    bits: "0Z 001000 0 a 1 sssss r 11111 nnnnn ttttt",
    feat: "LSE",
    ops: { s: "xw", s2: "xw:s", c: "xr:s", c2: "xr:s", n: "sp", t: "xr", t2: "xr:t" },
    variants: 2,
    // Odd registers are unallocated, so the second of a pair is XZR when the first is X30.
    decode: (f) => (f.s & 1 || f.t & 1 ? "unallocated" : { s2: f.s + 1, c2: f.s + 1, t2: f.t + 1, ...baseVariant(f) }),
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      if (s.Z) {
        const [c, c2, v, v2] = [b.getX(o.c), b.getX(o.c2), b.getX(o.t), b.getX(o.t2)];
        const old = b.loadV(address, Builder.RMW);
        const low = b.lane("i64x2.extract_lane", old, 0) as I64;
        const high = b.lane("i64x2.extract_lane", old, 1) as I64;
        b.if(b.i32.and(b.i64.eq(low, c), b.i64.eq(high, c2)), () => {
          b.storeV(address, b.lane("i64x2.replace_lane", b.i64x2.splat(v), 1, v2) as typeof old, STORE);
        });
        b.setX(o.s, low);
        b.setX(o.s2, high);
      } else {
        const join = (low: I64, high: I64): I64 =>
          b.i64.or(b.w.to64(b.i32.wrap_i64(low)), b.i64.shl(high, b.const64(32)));
        const compared = join(b.getX(o.c), b.getX(o.c2));
        const v = join(b.getX(o.t), b.getX(o.t2));
        const old = b.load(address, 8, Builder.RMW);
        b.if(b.i64.eq(old, compared), () => b.store(address, v, 8, STORE));
        b.setX(o.s, b.w.to64(b.i32.wrap_i64(old)));
        b.setX(o.s2, b.i64.shr_u(old, b.const64(32)));
      }
    },
    text(f: PairFields) {
      const next = (n: number): string => gpr(f.Z, n + 1);
      const pairs = [gpr(f.Z, f.s), next(f.s), gpr(f.Z, f.t), next(f.t)];
      return insn(`casp${ordering(f)}`, ...pairs, offsetText(f.n, 0));
    },
  }),
];
