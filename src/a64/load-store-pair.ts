import type { Builder, I64, Reg, V128 } from "../ir/builder.ts";
import { baseAddress, baseVariant, offsetText, postIndexText, preIndexText } from "./address.ts";
import { signed } from "./bits.ts";
import { gpr, insn, scalar } from "./format.ts";
import { type Row, row } from "./row.ts";

// Loads and stores of pairs of registers (Arm ARM C4.1.94). M is the addressing mode: 0 non-temporal, 1 post-index, 2 offset, 3 pre-index.
// A pair is one access of twice the size wherever there is one of that size: all or nothing, and one look at the TLB.
//
// CONSTRAINED UNPREDICTABLE cases: when both registers of a load are the same, the second value remains; when writeback meets a
// loaded register, the written-back address remains; a store stores the value from before the writeback.

const POST = 1;
const OFFSET = 2;

interface PairFields {
  readonly M: number;
  readonly i: number;
  readonly t: number;
  readonly u: number;
  readonly n: number;
}

/** Emits the access, and the writeback after it. */
function withAddress(
  b: Builder,
  o: { readonly n: Reg; readonly i: Parameters<Builder["i64"]["extend_i32_s"]>[0] },
  s: { readonly M: number; readonly variant: number },
  access: (address: I64) => void,
): void {
  const base = baseAddress(b, o.n, s.variant);
  const moved = b.i64.add(base, b.i64.extend_i32_s(o.i));
  access(s.M === POST ? base : moved);
  if (s.M === POST || s.M > OFFSET) b.setX(o.n, moved);
}

function pairText(f: PairFields, stem: string, size: number, register: (n: number) => string): string {
  const offset = signed(f.i, 7) << size;
  const address = f.M === POST ? postIndexText : f.M > OFFSET ? preIndexText : offsetText;
  const name = f.M === 0 ? stem.replace(/p$/, "np") : stem;
  return insn(name, register(f.t), register(f.u), address(f.n, offset));
}

function pairOfWords(b: Builder, low: I64, high: I64): I64 {
  return b.i64.or(b.w.to64(b.i32.wrap_i64(low)), b.i64.shl(high, b.const64(32)));
}

function pairOfDoublewords(b: Builder, low: I64, high: I64): V128 {
  return b.lane("i64x2.replace_lane", b.i64x2.splat(low), 1, high) as V128;
}

/** Bytes from one vector of a pair to the next. */
function next(b: Builder, address: I64): I64 {
  return b.i64.add(address, b.const64(16));
}

export const LOAD_STORE_PAIR_ROWS: readonly Row[] = [
  row({
    id: "STP",
    asm: "STP, STNP",
    bits: "Z0 101 0 0MM 0 iiiiiii uuuuu nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xr", u: "xr" },
    variants: 2,
    decode: (f) => ({ i: signed(f.i, 7) << (2 + f.Z), ...baseVariant(f) }),
    execute(b, o, s) {
      const low = b.getX(o.t);
      const high = b.getX(o.u);
      withAddress(b, o, s, (address) => {
        if (s.Z) b.storePair(address, low, high);
        else b.store(address, pairOfWords(b, low, high), 8, { align: 4 });
      });
    },
    text: (f) => pairText(f, "stp", 2 + f.Z, (n) => gpr(f.Z, n)),
  }),
  row({
    id: "LDP",
    asm: "LDP, LDNP",
    bits: "Z0 101 0 0MM 1 iiiiiii uuuuu nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw", u: "xw" },
    variants: 2,
    decode: (f) => ({ i: signed(f.i, 7) << (2 + f.Z), ...baseVariant(f) }),
    execute(b, o, s) {
      withAddress(b, o, s, (address) => {
        const [low, high] = b.loadPair(address, s.Z ? 8 : 4);
        b.setX(o.t, low);
        b.setX(o.u, high);
      });
    },
    text: (f) => pairText(f, "ldp", 2 + f.Z, (n) => gpr(f.Z, n)),
  }),
  row({
    id: "LDPSW",
    asm: "LDPSW",
    bits: "01 101 0 0MM 1 iiiiiii uuuuu nnnnn ttttt",
    ops: { i: "s32", n: "sp", t: "xw", u: "xw" },
    variants: 2,
    decode: (f) => (f.M === 0 ? "unallocated" : { i: signed(f.i, 7) << 2, ...baseVariant(f) }),
    execute(b, o, s) {
      withAddress(b, o, s, (address) => {
        const [low, high] = b.loadPair(address, 4);
        b.setX(o.t, b.i64.extend32_s(low));
        b.setX(o.u, b.i64.extend32_s(high));
      });
    },
    text: (f) => pairText(f, "ldpsw", 2, (n) => gpr(1, n)),
  }),
  row({
    id: "STP_fp",
    asm: "STP, STNP (SIMD&FP)",
    // Q: log2 of the size in units of 4 bytes
    bits: "QQ 101 1 0MM 0 iiiiiii uuuuu nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v", u: "v" },
    variants: 2,
    decode: (f) => (f.Q === 3 ? "unallocated" : { i: signed(f.i, 7) << (2 + f.Q), ...baseVariant(f) }),
    execute(b, o, s) {
      withAddress(b, o, s, (address) => {
        if (s.Q === 0) b.store(address, pairOfWords(b, b.getD(o.t), b.getD(o.u)), 8, { align: 4 });
        else if (s.Q === 1) b.storeV(address, pairOfDoublewords(b, b.getD(o.t), b.getD(o.u)), { align: 8 });
        else {
          b.probeWrite(address, 32, { align: 16 });
          b.storeV(address, b.getV(o.t));
          b.storeV(next(b, address), b.getV(o.u));
        }
      });
    },
    text: (f) => pairText(f, "stp", 2 + f.Q, (n) => scalar(2 + f.Q, n)),
  }),
  row({
    id: "LDP_fp",
    asm: "LDP, LDNP (SIMD&FP)",
    bits: "QQ 101 1 0MM 1 iiiiiii uuuuu nnnnn ttttt",
    fp: true,
    ops: { i: "s32", n: "sp", t: "v", u: "v" },
    variants: 2,
    decode: (f) => (f.Q === 3 ? "unallocated" : { i: signed(f.i, 7) << (2 + f.Q), ...baseVariant(f) }),
    execute(b, o, s) {
      withAddress(b, o, s, (address) => {
        if (s.Q < 2) {
          const [low, high] = b.loadPair(address, s.Q === 1 ? 8 : 4);
          b.setD(o.t, low);
          b.setD(o.u, high);
        } else {
          const low = b.loadV(address);
          const high = b.loadV(next(b, address));
          b.setV(o.t, low);
          b.setV(o.u, high);
        }
      });
    },
    text: (f) => pairText(f, "ldp", 2 + f.Q, (n) => scalar(2 + f.Q, n)),
  }),
];
