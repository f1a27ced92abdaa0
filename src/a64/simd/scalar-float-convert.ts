import type { Builder, I32, I64, Reg, Value } from "../../ir/builder.ts";
import { gpr, insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { fill } from "./encoding.ts";
import { type Fsize, getFp, precisions, ROUNDING, setFp } from "./float.ts";
import * as text from "./text.ts";

// Conversion between floating-point and integer, and between floating-point and fixed-point.

/** FPToFixed() to a general register of 32 (sf = 0) or 64 bits. */
function toRegister(b: Builder, sf: number, d: Reg, e: Fsize, x: Value, fbits: I32, unsigned: number, mode: number) {
  const r = b.call(`fpToFixed${e}to${sf ? 64 : 32}`, x, fbits, b.const32(unsigned), b.const32(mode));
  b.int(sf).set(d, r as I32 & I64);
}

/** FixedToFP() of a general register. */
function fromRegister(b: Builder, sf: number, n: Reg, e: Fsize, fbits: I32, unsigned: number): Value {
  return b.call(`fixed${sf ? 64 : 32}toFp${e}`, b.int(sf).get(n), fbits, b.const32(unsigned));
}

/** FCVT<mode>S and FCVT<mode>U; the opcode is rmode:opcode, without its last bit, which says unsigned. */
function toInteger(mode: "N" | "P" | "M" | "Z" | "A", opcode: string): Row[] {
  return [0, 1].flatMap((unsigned) => {
    const mnemonic = `FCVT${mode}${unsigned ? "U" : "S"}`;
    return precisions((p) =>
      row({
        ...p.named(`${mnemonic}_float`),
        asm: `${mnemonic} (scalar)`,
        bits: p.bits(fill("S00111100P1-----000000nnnnnddddd", opcode + unsigned)),
        fp: true,
        ops: { d: "xw", n: "v" },
        execute(b, o, s) {
          const e = p.esize(s);
          toRegister(b, s.S, o.d, e, getFp(b, e, o.n), b.const32(0), unsigned, ROUNDING[mode]);
        },
        text: (f) => insn(mnemonic.toLowerCase(), gpr(f.S, f.d), text.s(f.n, p.esize(f))),
      }),
    );
  });
}

/** SCVTF and UCVTF. */
const FROM_INTEGER = [0, 1].flatMap((unsigned) => {
  const mnemonic = unsigned ? "UCVTF" : "SCVTF";
  return precisions((p) =>
    row({
      ...p.named(`${mnemonic}_float_int`),
      asm: `${mnemonic} (scalar, integer)`,
      bits: p.bits(fill("S00111100P1-----000000nnnnnddddd", `0001${unsigned}`)),
      fp: true,
      ops: { d: "v", n: "xr" },
      execute(b, o, s) {
        const e = p.esize(s);
        setFp(b, e, o.d, fromRegister(b, s.S, o.n, e, b.const32(0), unsigned));
      },
      text: (f) => insn(mnemonic.toLowerCase(), text.s(f.d, p.esize(f)), gpr(f.S, f.n)),
    }),
  );
});

/** fbits = 64 - scale; a 32-bit integer has no more than 32. */
function decodeFixed(f: { readonly S: number; readonly f: number }) {
  return !f.S && f.f < 32 ? "unallocated" : { fbits: 64 - f.f };
}

const FIXED = [0, 1].flatMap((unsigned) => {
  const to = unsigned ? "FCVTZU" : "FCVTZS";
  const from = unsigned ? "UCVTF" : "SCVTF";
  return [
    ...precisions((p) =>
      row({
        ...p.named(`${to}_float_fix`),
        asm: `${to} (scalar, fixed-point)`,
        bits: p.bits(fill("S00111100P0-----ffffffnnnnnddddd", `1100${unsigned}`)),
        fp: true,
        ops: { d: "xw", n: "v", fbits: "u8" },
        decode: decodeFixed,
        execute(b, o, s) {
          const e = p.esize(s);
          toRegister(b, s.S, o.d, e, getFp(b, e, o.n), o.fbits, unsigned, ROUNDING.Z);
        },
        text: (f) => insn(to.toLowerCase(), gpr(f.S, f.d), text.s(f.n, p.esize(f)), `#${64 - f.f}`),
      }),
    ),
    ...precisions((p) =>
      row({
        ...p.named(`${from}_float_fix`),
        asm: `${from} (scalar, fixed-point)`,
        bits: p.bits(fill("S00111100P0-----ffffffnnnnnddddd", `0001${unsigned}`)),
        fp: true,
        ops: { d: "v", n: "xr", fbits: "u8" },
        decode: decodeFixed,
        execute(b, o, s) {
          const e = p.esize(s);
          setFp(b, e, o.d, fromRegister(b, s.S, o.n, e, o.fbits, unsigned));
        },
        text: (f) => insn(from.toLowerCase(), text.s(f.d, p.esize(f)), gpr(f.S, f.n), `#${64 - f.f}`),
      }),
    ),
  ];
});

/** FJCVTZS: Z tells whether the conversion was exact; N, C and V are 0. */
const FJCVTZS = row({
  id: "FJCVTZS",
  asm: "FJCVTZS",
  bits: "00011110 01 1 11 110 000000 nnnnn ddddd",
  feat: "JSCVT",
  fp: true,
  ops: { d: "xw", n: "v" },
  execute(b, o) {
    const r = b.call<"i64">("fpToJS", b.getD(o.n));
    b.setX(o.d, b.i64.and(r, b.const64(-1, 0)));
    b.setNZCV(b.i32.shl(b.i32.wrap_i64(b.i64.shr_u(r, b.const64(32))), b.const32(30)));
  },
  text: (f) => insn("fjcvtzs", gpr(0, f.d), text.s(f.n, 64)),
});

/** FMOV (general): the bits, unchanged. */
function moveGeneral(sf: number, e: Fsize): Row[] {
  const type = { 16: "11", 32: "00", 64: "01" }[e];
  const id = `FMOV_${sf ? "x" : "w"}${text.letter(e)}`;
  const spec = { asm: "FMOV (general)", fp: true, feat: e === 16 ? "FP16" : "base" } as const;
  return [
    row({
      ...spec,
      id: `${id}_to`,
      bits: fill("-0011110--100110000000nnnnnddddd", sf + type),
      ops: { d: "xw", n: "v" },
      execute(b, o) {
        const v = getFp(b, e, o.n);
        b.setX(o.d, e === 64 ? (v as I64) : b.i64.extend_i32_u(v as I32));
      },
      text: (f) => insn("fmov", gpr(sf, f.d), text.s(f.n, e)),
    }),
    row({
      ...spec,
      id: `${id}_from`,
      bits: fill("-0011110--100111000000nnnnnddddd", sf + type),
      ops: { d: "v", n: "xr" },
      execute(b, o) {
        const v = b.getX(o.n);
        setFp(b, e, o.d, e === 64 ? v : b.i32.wrap_i64(v));
      },
      text: (f) => insn("fmov", text.s(f.d, e), gpr(sf, f.n)),
    }),
  ];
}

const MOVE_TOP: readonly Row[] = [
  row({
    id: "FMOV_top_to",
    asm: "FMOV (general)",
    bits: "1 0 011110 10 1 01 110 000000 nnnnn ddddd",
    fp: true,
    ops: { d: "xw", n: "v" },
    execute: (b, o) => b.setX(o.d, b.lane("i64x2.extract_lane", b.getV(o.n), 1) as I64),
    text: (f) => insn("fmov", gpr(1, f.d), text.element(f.n, 64, 1)),
  }),
  row({
    id: "FMOV_top_from",
    asm: "FMOV (general)",
    bits: "1 0 011110 10 1 01 111 000000 nnnnn ddddd",
    fp: true,
    ops: { d: "v", n: "xr" },
    execute: (b, o) =>
      b.setV(o.d, b.emit("lane", "v128", [b.getV(o.d), b.getX(o.n)], { name: "i64x2.replace_lane", lane: 1 })),
    text: (f) => insn("fmov", text.element(f.d, 64, 1), gpr(1, f.n)),
  }),
];

export const SCALAR_FLOAT_CONVERT: readonly Row[] = [
  ...toInteger("N", "0000"),
  ...toInteger("A", "0010"),
  ...toInteger("P", "0100"),
  ...toInteger("M", "1000"),
  ...toInteger("Z", "1100"),
  ...FROM_INTEGER,
  ...FIXED,
  FJCVTZS,
  ...moveGeneral(0, 32),
  ...moveGeneral(1, 64),
  ...moveGeneral(0, 16),
  ...moveGeneral(1, 16),
  ...MOVE_TOP,
];
