import { SLOT_DISCARD, SLOT_SP } from "../cpu/state-layout.ts";
import { type OperandKind, operandBytes, operandField, operandKind, type Row } from "./row.ts";

// What follows from a row's bit pattern and operands: masks, fields, the layout of a record, the numbering of shapes.

/** A field of an encoding: `width` bits gathered from `parts`, most significant part first. */
export interface Field {
  readonly name: string;
  readonly width: number;
  readonly parts: readonly { readonly shift: number; readonly width: number }[];
}

export interface Encoding {
  /** 1 for each fixed bit, as a signed 32-bit number. */
  readonly mask: number;
  /** The fixed bits, as a signed 32-bit number. */
  readonly value: number;
  /** In order of their most significant bit. */
  readonly fields: readonly Field[];
  /** The uppercase ones. */
  readonly shapeFields: readonly Field[];
}

/** Values of the uppercase fields, and `variant`. */
export type ShapeValues = Readonly<Record<string, number>>;

const encodings = new WeakMap<Row, Encoding>();

export function encodingOf(row: Row): Encoding {
  const known = encodings.get(row);
  if (known) return known;
  const encoding = parsePattern(row.bits);
  encodings.set(row, encoding);
  return encoding;
}

function parsePattern(bits: string): Encoding {
  let mask = 0;
  let value = 0;
  const all: { name: string; width: number; parts: { shift: number; width: number }[] }[] = [];
  for (let i = 0; i < 32; i++) {
    const c = bits[i] as string;
    const shift = 31 - i;
    if (c === "0" || c === "1") {
      mask |= 1 << shift;
      if (c === "1") value |= 1 << shift;
    } else if ((c >= "a" && c <= "z") || (c >= "A" && c <= "Z")) {
      let field = all.find(({ name }) => name === c);
      if (field === undefined) {
        field = { name: c, width: 0, parts: [] };
        all.push(field);
      }
      field.width++;
      if (bits[i - 1] === c) {
        const last = field.parts.at(-1) as { shift: number; width: number };
        last.shift = shift;
        last.width++;
      } else field.parts.push({ shift, width: 1 });
    } else if (c !== "-") throw new TypeError(`pattern ${bits}: unexpected ${c}`);
  }
  return { mask, value, fields: all, shapeFields: all.filter((f) => f.name < "a") };
}

/** The value of a field in an instruction word. */
export function extractField({ parts }: Field, word: number): number {
  let v = 0;
  for (let i = 0; i < parts.length; i++) {
    const { shift, width } = parts[i] as Field["parts"][number];
    v = (v << width) | ((word >>> shift) & ((1 << width) - 1));
  }
  return v;
}

/** An instruction word with a field set to `v`. */
export function insertField(field: Field, word: number, v: number): number {
  let rest = v;
  let out = word;
  for (let i = field.parts.length - 1; i >= 0; i--) {
    const { shift, width } = field.parts[i] as Field["parts"][number];
    const ones = (1 << width) - 1;
    out = (out & ~(ones << shift)) | ((rest & ones) << shift);
    rest >>>= width;
  }
  return out;
}

/** All fields of an instruction word, by letter. */
export function fieldsOf(row: Row, word: number): Record<string, number> {
  const out: Record<string, number> = {};
  for (const field of encodingOf(row).fields) out[field.name] = extractField(field, word);
  return out;
}

/** Where an operand is in a decoded record: bytes 0..3 hold the handler, 4..15 the operands. */
export interface RecordOperand {
  readonly name: string;
  readonly kind: OperandKind;
  /** The field that it comes from unless the row's `decode` gives it. */
  readonly field: string;
  readonly offset: number;
  readonly bytes: number;
}

/** The operands of a row in the order of its record: the largest first, then as declared. */
export function recordLayout(row: Row): readonly RecordOperand[] {
  const operands = Object.entries(row.ops).map(([name, spec]) => {
    const kind = operandKind(spec);
    return { name, kind, field: operandField(name, spec), bytes: operandBytes(kind) };
  });
  operands.sort((a, b) => b.bytes - a.bytes);
  let offset = 4;
  return operands.map((operand) => {
    const at = offset;
    offset += operand.bytes;
    return { ...operand, offset: at };
  });
}

/** The slot that a register number means (cpu/state-layout.ts): 31 is XZR, the discarded XZR, or SP. */
export function registerSlot(kind: OperandKind, number: number): number {
  if (number !== 31) return number;
  if (kind === "xw") return SLOT_DISCARD;
  if (kind === "sp") return SLOT_SP;
  return number;
}

/** How many shapes a row could have: shape indices are below it. */
export function shapeCount(row: Row): number {
  return encodingOf(row).shapeFields.reduce((n, f) => n * 2 ** f.width, row.variants);
}

/** A dense number for a shape: uppercase fields in order of the pattern, then `variant`, as digits of mixed radix. */
export function shapeIndex(row: Row, shape: ShapeValues): number {
  let index = 0;
  for (const field of encodingOf(row).shapeFields) index = index * 2 ** field.width + (shape[field.name] as number);
  return index * row.variants + (shape.variant as number);
}

/** The inverse of shapeIndex. */
export function shapeAt(row: Row, index: number): ShapeValues {
  const shape: Record<string, number> = { variant: index % row.variants };
  let rest = Math.floor(index / row.variants);
  for (const field of encodingOf(row).shapeFields.toReversed()) {
    shape[field.name] = rest % 2 ** field.width;
    rest = Math.floor(rest / 2 ** field.width);
  }
  return shape;
}
