import { SLOT_DISCARD, SLOT_SP } from "../cpu/state-layout.ts";
import { type OperandKind, operandBytes, operandField, operandKind, type Row } from "./row.ts";

// What follows from a row's bit pattern and operands: masks, fields, the layout of a record, the numbering of shapes.

/** A field of an encoding: `width` bits gathered from `parts`, most significant part first. */
export interface Field {
  readonly name: string;
  readonly width: number;
  readonly parts: readonly { readonly shift: number; readonly width: number }[];
}

/** The fixed bits of a pattern, as signed 32-bit numbers, and how many bits select the shape. */
export interface FixedBits {
  /** 1 for each fixed bit. */
  readonly mask: number;
  readonly value: number;
  /** Bits of uppercase fields. */
  readonly shapeBits: number;
}

export interface Encoding extends FixedBits {
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

const [ZERO, ONE, UPPER_A, UPPER_Z] = ["0", "1", "A", "Z"].map((c) => c.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
];

/** All that finding an instruction takes of its pattern: a machine that starts does this for every row, and for few rows more than this. */
export function fixedBits(bits: string): FixedBits {
  let mask = 0;
  let value = 0;
  let shapeBits = 0;
  for (let i = 0; i < 32; i++) {
    const c = bits.charCodeAt(i);
    mask <<= 1;
    value <<= 1;
    if (c === ZERO || c === ONE) {
      mask |= 1;
      value |= c - ZERO;
    } else if (c >= UPPER_A && c <= UPPER_Z) shapeBits++;
  }
  return { mask, value, shapeBits };
}

function parsePattern(bits: string): Encoding {
  const all: { name: string; width: number; parts: { shift: number; width: number }[] }[] = [];
  for (let i = 0; i < 32; i++) {
    const c = bits[i] as string;
    const shift = 31 - i;
    if ((c >= "a" && c <= "z") || (c >= "A" && c <= "Z")) {
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
    } else if (c !== "0" && c !== "1" && c !== "-") throw new TypeError(`pattern ${bits}: unexpected ${c}`);
  }
  return { ...fixedBits(bits), fields: all, shapeFields: all.filter((f) => f.name < "a") };
}

/** The value of a field in an instruction word. */
export function extractField({ parts }: Field, word: number): number {
  const first = parts[0] as Field["parts"][number];
  let v = (word >>> first.shift) & ((1 << first.width) - 1);
  for (let i = 1; i < parts.length; i++) {
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

const RECORD_OPERANDS_END = 16;

/** The operands of a row in the order of its record: the largest first, then as declared. Throws TypeError if they do not fit. */
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
    if (offset > RECORD_OPERANDS_END) throw new TypeError(`${row.id}: operands take ${offset - 4} bytes of 12`);
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
  return row.variants * 2 ** fixedBits(row.bits).shapeBits;
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
