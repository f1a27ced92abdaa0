// A row, prepared for decoding its words into records.

import { encodingOf, extractField, type Field, type RecordOperand, recordLayout, registerSlot } from "./encoding.ts";
import type { Row } from "./row.ts";

/** A field, ready to be taken from words: most are in one piece, and code that runs for the first times takes long for each step. */
interface Bits {
  readonly name: string;
  readonly width: number;
  /** Of the last piece. */
  readonly shift: number;
  readonly mask: number;
  /** A field of several pieces. */
  readonly split: Field | undefined;
}

/** Where an operand comes from and goes to. */
interface Source {
  readonly name: string;
  /** Undefined if `decode` always gives the operand. */
  readonly bits: Bits | undefined;
  /** Bits of the field above which its sign is repeated; 32: it has none. */
  readonly signBits: number;
  /** What register number 31 stands for. */
  readonly slotOf31: number;
  readonly offset: number;
  readonly bytes: number;
}

export class PreparedRow {
  readonly row: Row;
  readonly firstKey: number;
  readonly layout: readonly RecordOperand[];
  // Reused by every decode, so that decoding allocates nothing of its own.
  readonly #values: Record<string, number> = {};
  readonly #fields: readonly Bits[];
  readonly #shapeFields: readonly Bits[];
  readonly #sources: readonly Source[];

  constructor(row: Row, firstKey: number) {
    const { fields, shapeFields } = encodingOf(row);
    this.row = row;
    this.firstKey = firstKey;
    this.layout = recordLayout(row);
    this.#fields = fields.map(bitsOf);
    this.#shapeFields = shapeFields.map(bitsOf);
    this.#sources = this.layout.map(({ name, kind, field: letter, offset, bytes: size }) => {
      const bits = this.#fields.find((f) => f.name === letter);
      const signBits = kind === "s32" && bits ? 32 - bits.width : 0;
      return { name, bits, signBits, slotOf31: registerSlot(kind, 31), offset, bytes: size };
    });
    for (const field of fields) this.#values[field.name] = 0;
  }

  /** Writes the operands of `word` to bytes 4..15 of the record at `address`; returns the handler key, or -1 for an unallocated encoding. */
  decodeInto(word: number, bytes: Uint8Array, words: Int32Array, address: number): number {
    const { row } = this;
    const sources = this.#sources;
    const decoded = row.decode?.(this.#valuesOf(word), word);
    if (decoded === "unallocated") return -1;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as Source;
      const at = address + source.offset;
      const given = decoded?.[source.name];
      if (typeof given === "object") {
        words[at >> 2] = given.lo;
        words[(at >> 2) + 1] = given.hi;
        continue;
      }
      const value = given ?? (extract(source.bits as Bits, word) << source.signBits) >> source.signBits;
      if (source.bytes === 1) bytes[at] = value === 31 ? source.slotOf31 : value;
      else {
        words[at >> 2] = value;
        if (source.bytes === 8) words[(at >> 2) + 1] = 0;
      }
    }
    let shape = 0;
    const shapeFields = this.#shapeFields;
    for (let i = 0; i < shapeFields.length; i++) {
      const field = shapeFields[i] as Bits;
      shape = (shape << field.width) | extract(field, word);
    }
    return this.firstKey + shape * row.variants + (decoded?.variant ?? 0);
  }

  #valuesOf(word: number): Readonly<Record<string, number>> {
    const values = this.#values;
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as Bits;
      values[field.name] = extract(field, word);
    }
    return values;
  }
}

function bitsOf(field: Field): Bits {
  const { shift, width } = field.parts.at(-1) as Field["parts"][number];
  const split = field.parts.length > 1 ? field : undefined;
  return { name: field.name, width: field.width, shift, mask: (1 << width) - 1, split };
}

function extract(bits: Bits, word: number): number {
  return bits.split === undefined ? (word >>> bits.shift) & bits.mask : extractField(bits.split, word);
}
