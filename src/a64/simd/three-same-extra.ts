import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { complexAdd, complexMultiplyAdd, type FloatElements } from "./complex.ts";
import { dotProduct } from "./dot-product.ts";
import { arrangement, esizeOf, type Form, fill, inForm, titled, undefinedShape, vector } from "./encoding.ts";
import { write } from "./lanes.ts";
import { doublingHigh } from "./saturate.ts";
import * as text from "./text.ts";

// Advanced SIMD three-register extension, and scalar three same extra.

const CLASS = "0Q-01110ZZ0mmmmm1----1nnnnnddddd";

/** SQRDMLAH, SQRDMLSH. */
function doublingAccumulate(mnemonic: string, opcode: string, subtract: boolean, form: Form): Row {
  return row({
    ...titled(mnemonic, form),
    bits: inForm(fill(CLASS, `1${opcode}`), form),
    feat: "RDM",
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    decode: (f) => (f.Z === 1 || f.Z === 2 ? {} : "unallocated"),
    execute(b, o, s) {
      if (s.Z !== 1 && s.Z !== 2) return undefinedShape(b);
      const a = arrangement(form, s.Q, esizeOf(s.Z));
      const accumulate = { d: b.getV(o.d), subtract };
      write(b, o.d, doublingHigh(b, a, b.getV(o.n), b.getV(o.m), true, accumulate), a.datasize);
    },
    text(f) {
      const a = arrangement(form, f.Q, esizeOf(f.Z));
      return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), text.v(f.m, a));
    },
  });
}

function dot(mnemonic: string, u: string, signed: boolean): Row {
  return row({
    id: `${mnemonic}_vec`,
    asm: `${mnemonic} (vector)`,
    bits: fill("0Q-01110100mmmmm1 0010 1nnnnnddddd", u),
    feat: "DotProd",
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    execute: (b, o, s) => write(b, o.d, dotProduct(b, b.getV(o.d), b.getV(o.n), b.getV(o.m), signed), s.Q ? 128 : 64),
    text(f) {
      const bytes = vector(f.Q, 8);
      return insn(mnemonic.toLowerCase(), text.v(f.d, vector(f.Q, 32)), text.v(f.n, bytes), text.v(f.m, bytes));
    },
  });
}

interface ComplexFields {
  readonly Q: number;
  readonly Z: number;
}

/** Bytes have no complex numbers, and half a vector has no pair of doublewords. */
function complexReserved(f: ComplexFields): boolean {
  return f.Z === 0 || (f.Z === 3 && !f.Q);
}

function complexElements(f: ComplexFields): FloatElements {
  return vector(f.Q, esizeOf(f.Z)) as FloatElements;
}

const FCMLA = row({
  id: "FCMLA_vec",
  asm: "FCMLA",
  bits: "0Q101110ZZ0mmmmm110RR1nnnnnddddd",
  feat: "FCMA",
  fp: true,
  ops: { d: "v", n: "v", m: "v" },
  decode: (f) => (complexReserved(f) ? "unallocated" : {}),
  execute(b, o, s) {
    if (complexReserved(s)) return undefinedShape(b);
    const a = complexElements(s);
    write(b, o.d, complexMultiplyAdd(b, a, b.getV(o.d), b.getV(o.n), b.getV(o.m), s.R), a.datasize);
  },
  text(f) {
    const a = complexElements(f);
    return insn("fcmla", text.v(f.d, a), text.v(f.n, a), text.v(f.m, a), `#${90 * f.R}`);
  },
});

const FCADD = row({
  id: "FCADD",
  asm: "FCADD",
  bits: "0Q101110ZZ0mmmmm111R01nnnnnddddd",
  feat: "FCMA",
  fp: true,
  ops: { d: "v", n: "v", m: "v" },
  decode: (f) => (complexReserved(f) ? "unallocated" : {}),
  execute(b, o, s) {
    if (complexReserved(s)) return undefinedShape(b);
    const a = complexElements(s);
    write(b, o.d, complexAdd(b, a, b.getV(o.n), b.getV(o.m), s.R), a.datasize);
  },
  text(f) {
    const a = complexElements(f);
    return insn("fcadd", text.v(f.d, a), text.v(f.n, a), text.v(f.m, a), `#${f.R ? 270 : 90}`);
  },
});

const FORMS: readonly Form[] = ["vector", "scalar"];

export const THREE_SAME_EXTRA: readonly Row[] = [
  ...FORMS.map((form) => doublingAccumulate("SQRDMLAH", "0000", false, form)),
  ...FORMS.map((form) => doublingAccumulate("SQRDMLSH", "0001", true, form)),
  dot("SDOT", "0", true),
  dot("UDOT", "1", false),
  FCMLA,
  FCADD,
];
