// A row, prepared for decoding its words into records.

import { encodingOf, extractField, type Field, type RecordOperand, recordLayout, registerSlot } from "./encoding.ts";
import type { Row } from "./row.ts";

/** Where an operand comes from and goes to. */
interface Source {
  readonly name: string;
  /** Undefined if `decode` always gives the operand. */
  readonly field: Field | undefined;
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
  readonly #fields: readonly Field[];
  readonly #shapeFields: readonly Field[];
  readonly #sources: readonly Source[];

  constructor(row: Row, firstKey: number) {
    const { fields, shapeFields } = encodingOf(row);
    this.row = row;
    this.firstKey = firstKey;
    this.layout = recordLayout(row);
    this.#fields = fields;
    this.#shapeFields = shapeFields;
    this.#sources = this.layout.map(({ name, kind, field: letter, offset, bytes }) => {
      const field = fields.find((f) => f.name === letter);
      const signBits = kind === "s32" && field ? 32 - field.width : 0;
      return { name, field, signBits, slotOf31: registerSlot(kind, 31), offset, bytes };
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
      const { name, field, signBits, slotOf31, offset, bytes: size } = sources[i] as Source;
      const at = address + offset;
      const given = decoded?.[name];
      if (typeof given === "object") {
        words[at >> 2] = given.lo;
        words[(at >> 2) + 1] = given.hi;
        continue;
      }
      const value = given ?? (extractField(field as Field, word) << signBits) >> signBits;
      if (size === 1) bytes[at] = value === 31 ? slotOf31 : value;
      else {
        words[at >> 2] = value;
        if (size === 8) words[(at >> 2) + 1] = 0;
      }
    }
    let shape = 0;
    for (const field of this.#shapeFields) shape = (shape << field.width) | extractField(field, word);
    return this.firstKey + shape * row.variants + (decoded?.variant ?? 0);
  }

  #valuesOf(word: number): Readonly<Record<string, number>> {
    const values = this.#values;
    for (const field of this.#fields) values[field.name] = extractField(field, word);
    return values;
  }
}
