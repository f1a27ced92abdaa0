import type { Builder, I64, Reg, V128 } from "../ir/builder.ts";
import { ACC_ALIGNED } from "../ir/guest-ops.ts";
import { baseAddress, baseVariant, offsetText } from "./address.ts";
import { signed } from "./bits.ts";
import { gpr, insn } from "./format.ts";
import { noSuchLoad, setLoaded } from "./load-store-reg.ts";
import { type Row, row } from "./row.ts";

// Load/store exclusive and ordered (Arm ARM C4.1.94). S is log2 of the size in bytes; Z the size of one register of a pair.
// One host thread runs all PEs and no access is reordered, so acquire and release (o, "o0") ask for nothing more.
//
// CONSTRAINED UNPREDICTABLE cases: equal registers are treated as different ones, operands read first, status written last.

const ALIGNED = { acc: ACC_ALIGNED };

const SUFFIXES = ["b", "h", "", ""];

function text(name: string, f: { S: number; t: number; n: number }, ...before: string[]): string {
  return insn(`${name}${SUFFIXES[f.S]}`, ...before, gpr(f.S === 3 ? 1 : 0, f.t), offsetText(f.n, 0));
}

function pairText(name: string, f: { Z: number; t: number; u: number; n: number }, ...before: string[]): string {
  return insn(name, ...before, gpr(f.Z, f.t), gpr(f.Z, f.u), offsetText(f.n, 0));
}

function orderedStore(b: Builder, t: Reg, address: I64, size: number): void {
  b.store(address, b.getX(t), 1 << size, ALIGNED);
}

function orderedLoad(b: Builder, t: Reg, address: I64, size: number): void {
  b.setX(t, b.load(address, 1 << size, ALIGNED));
}

function lowWord(b: Builder, v: I64): I64 {
  return b.w.to64(b.i32.wrap_i64(v));
}

export const LOAD_STORE_ORDERED_ROWS: readonly Row[] = [
  row({
    id: "STXR",
    asm: "STXRB, STXRH, STXR, STLXRB, STLXRH, STLXR",
    bits: "SS 001000 000 sssss o ----- nnnnn ttttt",
    ops: { s: "xw", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const status = b.call<"i32">("storeExclusive", address, b.const32(1 << s.S), b.getX(o.t), b.const64(0));
      b.w.set(o.s, status);
    },
    text: (f) => text(f.o ? "stlxr" : "stxr", f, gpr(0, f.s)),
  }),
  row({
    id: "LDXR",
    asm: "LDXRB, LDXRH, LDXR, LDAXRB, LDAXRH, LDAXR",
    bits: "SS 001000 010 ----- o ----- nnnnn ttttt",
    ops: { n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const v = b.load(address, 1 << s.S, ALIGNED);
      b.call("setExclusive", address, b.const32(1 << s.S), v, b.const64(0));
      b.setX(o.t, v);
    },
    text: (f) => text(f.o ? "ldaxr" : "ldxr", f),
  }),
  row({
    id: "STXP",
    asm: "STXP, STLXP",
    bits: "1Z 001000 001 sssss o uuuuu nnnnn ttttt",
    ops: { s: "xw", n: "sp", t: "xr", u: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      const first = b.getX(o.t);
      const second = b.getX(o.u);
      const status = s.Z
        ? b.call<"i32">("storeExclusive", address, b.const32(16), first, second)
        : b.call<"i32">(
            "storeExclusive",
            address,
            b.const32(8),
            b.i64.or(lowWord(b, first), b.i64.shl(second, b.const64(32))),
            b.const64(0),
          );
      b.w.set(o.s, status);
    },
    text: (f) => pairText(f.o ? "stlxp" : "stxp", f, gpr(0, f.s)),
  }),
  row({
    id: "LDXP",
    asm: "LDXP, LDAXP",
    bits: "1Z 001000 011 ----- o uuuuu nnnnn ttttt",
    ops: { n: "sp", t: "xw", u: "xw" },
    variants: 2,
    decode: baseVariant,
    execute(b, o, s) {
      const address = baseAddress(b, o.n, s.variant);
      if (s.Z) {
        const v: V128 = b.loadV(address, ALIGNED);
        const first = b.lane("i64x2.extract_lane", v, 0) as I64;
        const second = b.lane("i64x2.extract_lane", v, 1) as I64;
        b.call("setExclusive", address, b.const32(16), first, second);
        b.setX(o.t, first);
        b.setX(o.u, second);
      } else {
        const v = b.load(address, 8, ALIGNED);
        b.call("setExclusive", address, b.const32(8), v, b.const64(0));
        b.setX(o.t, lowWord(b, v));
        b.setX(o.u, b.i64.shr_u(v, b.const64(32)));
      }
    },
    text: (f) => pairText(f.o ? "ldaxp" : "ldxp", f),
  }),
  row({
    id: "STLR",
    asm: "STLRB, STLRH, STLR",
    bits: "SS 001000 100 ----- 1 ----- nnnnn ttttt",
    ops: { n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { n, t }, s) => orderedStore(b, t, baseAddress(b, n, s.variant), s.S),
    text: (f) => text("stlr", f),
  }),
  row({
    id: "LDAR",
    asm: "LDARB, LDARH, LDAR",
    bits: "SS 001000 110 ----- 1 ----- nnnnn ttttt",
    ops: { n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { n, t }, s) => orderedLoad(b, t, baseAddress(b, n, s.variant), s.S),
    text: (f) => text("ldar", f),
  }),
  row({
    id: "STLLR",
    asm: "STLLRB, STLLRH, STLLR",
    bits: "SS 001000 100 ----- 0 ----- nnnnn ttttt",
    feat: "LOR",
    ops: { n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { n, t }, s) => orderedStore(b, t, baseAddress(b, n, s.variant), s.S),
    text: (f) => text("stllr", f),
  }),
  row({
    id: "LDLAR",
    asm: "LDLARB, LDLARH, LDLAR",
    bits: "SS 001000 110 ----- 0 ----- nnnnn ttttt",
    feat: "LOR",
    ops: { n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { n, t }, s) => orderedLoad(b, t, baseAddress(b, n, s.variant), s.S),
    text: (f) => text("ldlar", f),
  }),
  row({
    id: "LDAPR",
    asm: "LDAPRB, LDAPRH, LDAPR",
    bits: "SS 111000 101 ----- 1 100 00 nnnnn ttttt",
    feat: "LRCPC",
    ops: { n: "sp", t: "xw" },
    variants: 2,
    decode: baseVariant,
    execute: (b, { n, t }, s) => orderedLoad(b, t, baseAddress(b, n, s.variant), s.S),
    text: (f) => text("ldapr", f),
  }),
  row({
    id: "STLUR",
    asm: "STLURB, STLURH, STLUR",
    bits: "SS 011001 00 0 iiiiiiiii 00 nnnnn ttttt",
    feat: "LRCPC2",
    ops: { i: "s32", n: "sp", t: "xr" },
    variants: 2,
    decode: baseVariant,
    execute(b, { i, n, t }, s) {
      orderedStore(b, t, b.i64.add(baseAddress(b, n, s.variant), b.i64.extend_i32_s(i)), s.S);
    },
    text: (f) => insn(`stlur${SUFFIXES[f.S]}`, gpr(f.S === 3 ? 1 : 0, f.t), offsetText(f.n, signed(f.i, 9))),
  }),
  row({
    id: "LDAPUR",
    asm: "LDAPURB, LDAPURH, LDAPUR, LDAPURSB, LDAPURSH, LDAPURSW",
    // O: opc as in load-store-reg.ts
    bits: "SS 011001 OO 0 iiiiiiiii 00 nnnnn ttttt",
    feat: "LRCPC2",
    ops: { i: "s32", n: "sp", t: "xw" },
    variants: 2,
    decode: (f) => (noSuchLoad(f) ? "unallocated" : baseVariant(f)),
    execute(b, { i, n, t }, s) {
      const address = b.i64.add(baseAddress(b, n, s.variant), b.i64.extend_i32_s(i));
      setLoaded(b, t, b.load(address, 1 << s.S, ALIGNED), s);
    },
    text(f) {
      const name = f.O === 1 ? `ldapur${SUFFIXES[f.S]}` : `ldapurs${f.S === 2 ? "w" : SUFFIXES[f.S]}`;
      return insn(name, gpr(f.O === 2 || (f.O === 1 && f.S === 3) ? 1 : 0, f.t), offsetText(f.n, signed(f.i, 9)));
    },
  }),
];
