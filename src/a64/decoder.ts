import type { Feature } from "../arch/features.ts";
import {
  encodingOf,
  type Field,
  type FixedBits,
  fieldsOf,
  fixedBits,
  insertField,
  type RecordOperand,
  type ShapeValues,
  shapeAt,
  shapeCount,
  shapeIndex,
} from "./encoding.ts";
import { PreparedRow } from "./prepared-row.ts";
import { type Imm64, operandField, type Row } from "./row.ts";

/** A decoded instruction, for the translator and for tools. */
export interface DecodedInsn {
  readonly row: Row;
  /** All fields, by letter. */
  readonly fields: Readonly<Record<string, number>>;
  /** Uppercase fields and `variant`. */
  readonly shape: ShapeValues;
  /** Number of (row, shape) among all rows of the decoder. */
  readonly handlerKey: number;
  /** In the order of `layout`. Registers are slots (X) or numbers (V); i32 and s32 are signed 32-bit numbers. */
  readonly operands: readonly (number | Imm64)[];
  readonly layout: readonly RecordOperand[];
}

/** Finds the row of an instruction word. Handler keys depend on the rows alone, not on the features. */
export interface Decoder {
  /** Undefined: the encoding is unallocated, the UNDEFINED exception. */
  decode(word: number): DecodedInsn | undefined;
  /** The row whose pattern the word matches, although its `decode` may find it unallocated. */
  rowOf(word: number): Row | undefined;
  /**
   * Writes the operands of `word` to bytes 4..15 of the record at `address` (a multiple of 4) and returns its handler key, or -1
   * for an unallocated encoding. Bytes 0..3 are left to the caller. Both views are of the same memory.
   */
  decodeInto(word: number, bytes: Uint8Array, words: Int32Array, address: number): number;
  /** Handler keys are below this. */
  readonly handlerCount: number;
  /** The words that were decoded last and what they are decoded to, RECENT_BYTES of it: for a decoder of the same rows. */
  readonly recent: Int32Array;
  /** Whether it is one of these. */
  knows(word: number): boolean;
  /** Words that were not in it. */
  readonly misses: number;
  /** The row and shape of a handler key. Throws RangeError for no such key. */
  handlerOf(key: number): { readonly row: Row; readonly shape: ShapeValues };
  /** The handler key of a row's shape number 0. Throws RangeError for a row that is not in the decoder. */
  firstKey(row: Row): number;
}

/**
 * Instruction words that were decoded last, each with its key and record: most words of a program are in it more than once. A boot of Linux decodes
 * 250,000 words, 81,000 different ones. A word has two places, the one that its hash says and its neighbour.
 */
export const RECENT_SHIFT = 17;
export const RECENT_WORDS = 5;
/** A word's place is the upper bits of its product with this. */
export const RECENT_FACTOR = 0x9e37_79b1;
/** What a decoder's table of them takes. */
export const RECENT_BYTES = 2 ** RECENT_SHIFT * RECENT_WORDS * 4;

/** One row that words are compared with. What else decoding takes is prepared at its first word: most rows have none. */
class Candidate {
  readonly row: Row;
  readonly mask: number;
  readonly value: number;
  readonly fixedBits: number;
  readonly firstKey: number;
  #prepared: PreparedRow | undefined;

  constructor(row: Row, { mask, value }: FixedBits, firstKey: number) {
    this.row = row;
    this.mask = mask;
    this.value = value;
    this.fixedBits = popcount(mask);
    this.firstKey = firstKey;
  }

  get prepared(): PreparedRow {
    this.#prepared ??= new PreparedRow(this.row, this.firstKey);
    return this.#prepared;
  }
}

/** Candidates for words with the same bits [31:21]: all, and by bits [15:10]. */
interface Bucket {
  readonly all: readonly Candidate[];
  readonly byLow: (readonly Candidate[] | undefined)[];
}

/**
 * Builds a decoder of the rows whose feature is present. `base` is always present. `without`: rows to do without. `recent`: the table of another
 * decoder of the same rows, which becomes this one's.
 */
export function createDecoder(
  rows: readonly Row[],
  features: ReadonlySet<Feature>,
  without: ReadonlySet<Row> = new Set(),
  recent = emptyTable(),
): Decoder {
  let misses = 0;
  const firstKeys: number[] = [];
  let handlerCount = 0;
  const candidates: Candidate[] = [];
  for (const row of rows) {
    const fixed = fixedBits(row.bits);
    if ((row.feat === "base" || features.has(row.feat)) && !without.has(row))
      candidates.push(new Candidate(row, fixed, handlerCount));
    firstKeys.push(handlerCount);
    handlerCount += row.variants * 2 ** fixed.shapeBits;
  }
  candidates.sort((a, b) => b.fixedBits - a.fixedBits);

  // Buckets by bits [28:25], which the main encoding table goes by (Arm ARM C4.1), then by [31:21] and by [15:10]; the last two are
  // filled when they are first used: most code needs few of them.
  const HIGH = 0xffe00000 | 0;
  const LOW = 0xfc00;
  const among = (list: readonly Candidate[], word: number, bits: number): Candidate[] =>
    list.filter((c) => ((word ^ c.value) & c.mask & bits) === 0);
  const groups = Array.from({ length: 16 }, (_, group) => among(candidates, group << 25, 0x1e000000));
  const buckets: (Bucket | undefined)[] = new Array(2048).fill(undefined);
  function fill(word: number): readonly Candidate[] {
    const bucket = buckets[word >>> 21] ?? {
      all: among(groups[(word >>> 25) & 15] as Candidate[], word, HIGH),
      byLow: new Array(64).fill(undefined),
    };
    buckets[word >>> 21] = bucket;
    const list = among(bucket.all, word, LOW);
    bucket.byLow[(word >>> 10) & 63] = list;
    return list;
  }
  function find(word: number): Candidate | undefined {
    const list = buckets[word >>> 21]?.byLow[(word >>> 10) & 63] ?? fill(word);
    for (let i = 0; i < list.length; i++) {
      const c = list[i] as Candidate;
      if ((word & c.mask) === c.value) return c;
    }
    return undefined;
  }

  function handlerOf(key: number): { row: Row; shape: ShapeValues } {
    let low = 0;
    let high = rows.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((firstKeys[middle] as number) <= key) low = middle;
      else high = middle;
    }
    const row = rows[low];
    if (!row || !(key >= 0 && key < handlerCount)) throw new RangeError(`no handler ${key}`);
    return { row, shape: shapeAt(row, key - (firstKeys[low] as number)) };
  }

  /** Where a word is in the table, or would be put. */
  function placeOf(word: number): number {
    const slot = Math.imul(word, RECENT_FACTOR) >>> (32 - RECENT_SHIFT);
    const first = slot * RECENT_WORDS;
    const second = (slot ^ 1) * RECENT_WORDS;
    if (recent[first] === word) return first;
    if (recent[second] === word) return second;
    if (recent[first] === 0) return first;
    if (recent[second] === 0) return second;
    // None is better than the other: in turns.
    return (misses & 1) === 0 ? first : second;
  }

  // For whoever wants operands by name rather than a record.
  const record = new DataView(new ArrayBuffer(16));
  const recordBytes = new Uint8Array(record.buffer);
  const recordWords = new Int32Array(record.buffer);
  function operandAt({ kind, offset, bytes }: RecordOperand): number | Imm64 {
    if (bytes === 1) return record.getUint8(offset);
    const lo = record.getInt32(offset, true);
    return kind === "i64" ? { lo, hi: record.getInt32(offset + 4, true) } : lo;
  }

  return {
    handlerCount,
    recent,
    get misses() {
      return misses;
    },
    handlerOf,
    rowOf: (word) => find(word)?.row,
    firstKey(row) {
      const key = firstKeys[rows.indexOf(row)];
      if (key === undefined) throw new RangeError(`${row.id} is not in the decoder`);
      return key;
    },
    knows: (word) => recent[placeOf(word)] === word,
    decodeInto(word, bytes, words, address) {
      const place = placeOf(word);
      const at = address >> 2;
      if (recent[place] !== word) {
        misses++;
        const found = find(word);
        const key = found ? found.prepared.decodeInto(word, bytes, words, address) : -1;
        recent[place] = word;
        recent[place + 1] = key;
        for (let i = 1; i < 4; i++) recent[place + 1 + i] = words[at + i] as number;
        return key;
      }
      words[at + 1] = recent[place + 2] as number;
      words[at + 2] = recent[place + 3] as number;
      words[at + 3] = recent[place + 4] as number;
      return recent[place + 1] as number;
    },
    decode(word) {
      const found = find(word)?.prepared;
      if (!found) return undefined;
      const handlerKey = found.decodeInto(word, recordBytes, recordWords, 0);
      if (handlerKey < 0) return undefined;
      const { row, layout, firstKey } = found;
      return {
        row,
        layout,
        operands: layout.map(operandAt),
        handlerKey,
        fields: fieldsOf(row, word),
        shape: shapeAt(row, handlerKey - firstKey),
      };
    },
  };
}

function emptyTable(): Int32Array {
  const table = new Int32Array(RECENT_BYTES / 4);
  prepareRecent(table);
  return table;
}

/** Makes a table of zeros one in which no word is: the places of word 0 are not to have it, which is UDF. */
export function prepareRecent(table: Int32Array): void {
  table[0] = -1;
  table[RECENT_WORDS] = -1;
}

/** A shape that some instruction word has. */
export interface FoundShape {
  readonly index: number;
  readonly shape: ShapeValues;
  /** A word of that shape; undefined when none was found for this variant, though the fields are allocated. */
  readonly sample: number | undefined;
}

/**
 * The shapes of a row that are allocated, so that handlers for all of them can be made ahead of time. Lowercase fields are probed
 * with edge values and pseudo-random ones; a row whose allocation hangs on few values of them should make those its own pattern.
 */
export function shapesOf(row: Row): FoundShape[] {
  const { value, fields, shapeFields } = encodingOf(row);
  const free = fields.filter((f) => !shapeFields.includes(f));
  const found: FoundShape[] = [];
  const combinations = shapeCount(row) / row.variants;
  for (let i = 0; i < combinations; i++) {
    const shape = shapeAt(row, i * row.variants);
    let word = value;
    for (const field of shapeFields) word = insertField(field, word, shape[field.name] as number);
    const samples = probeVariants(row, word, free);
    if (!samples.some((s) => s !== undefined)) continue;
    for (let variant = 0; variant < row.variants; variant++) {
      const index = i * row.variants + variant;
      found.push({ index, shape: { ...shape, variant }, sample: samples[variant] });
    }
  }
  return found;
}

const PROBES = 256;

function probeVariants(row: Row, word: number, free: readonly Field[]): (number | undefined)[] {
  const samples: (number | undefined)[] = new Array(row.variants).fill(undefined);
  let missing = row.variants;
  const probe = (candidate: number): boolean => {
    const decoded = row.decode ? row.decode(fieldsOf(row, candidate), candidate) : undefined;
    if (decoded === "unallocated") return false;
    const variant = decoded?.variant ?? 0;
    if (samples[variant] === undefined) {
      samples[variant] = candidate;
      missing--;
    }
    return missing === 0;
  };
  let seed = 0x2545f491;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return seed >>> 8;
  };
  for (const pattern of edgeWords(word, free)) if (probe(pattern)) return samples;
  for (let i = 0; i < PROBES; i++) {
    let candidate = word;
    for (const field of free) candidate = insertField(field, candidate, random());
    if (probe(candidate)) return samples;
  }
  return samples;
}

/** All fields zero, all ones, and each field alone all ones, one, or its top bit. */
function* edgeWords(word: number, free: readonly Field[]): Generator<number> {
  yield word;
  yield free.reduce((w, f) => insertField(f, w, -1), word);
  for (const field of free) {
    for (const v of [1, -1, 1 << (field.width - 1)]) yield insertField(field, word, v);
  }
}

/** Pairs of rows that some word matches both of although neither is a strict refinement of the other. Must be empty. */
export function ambiguousRows(rows: readonly Row[]): [Row, Row][] {
  const out: [Row, Row][] = [];
  rows.forEach((a, i) => {
    const ea = encodingOf(a);
    for (const b of rows.slice(i + 1)) {
      const eb = encodingOf(b);
      if (((ea.value ^ eb.value) & ea.mask & eb.mask) !== 0) continue;
      const union = ea.mask | eb.mask;
      if (ea.mask === eb.mask || (union !== ea.mask && union !== eb.mask)) out.push([a, b]);
    }
  });
  return out;
}

/** What is wrong with a row by itself: operands of fields that it has not, or shape letters that are too many. */
export function rowProblems(row: Row): string[] {
  const names = new Set(encodingOf(row).fields.map((f) => f.name));
  const problems: string[] = [];
  for (const [name, spec] of Object.entries(row.ops)) {
    if (!names.has(operandField(name, spec)) && !row.decode) problems.push(`${row.id}: operand ${name} has no field`);
  }
  if (shapeCount(row) > 4096) problems.push(`${row.id}: ${shapeCount(row)} shapes`);
  return problems;
}

export { shapeIndex };

function popcount(v: number): number {
  let n = 0;
  for (let rest = v; rest !== 0; rest &= rest - 1) n++;
  return n;
}
