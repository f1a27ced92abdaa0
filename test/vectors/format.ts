// The stored form of instruction vectors: the word, the seed its inputs come from (inputs.ts), and what the oracle said changed.
// Stored by columns, because bytes of one kind compress well together.

import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { FPCR_AT, FPSR_AT, NZCV_AT, SP_AT, V_AT } from "./inputs.ts";

/**
 * How an instruction's inputs are made: "memory": its base register points into the memory page; "placed": its result depends on its address
 * (a branch, a literal), so it must run at SLOT_ADDRESS; "plain": the rest.
 */
export type Kind = "plain" | "memory" | "placed";
const KINDS: readonly Kind[] = ["plain", "memory", "placed"];

export interface Vector {
  readonly word: number;
  readonly seed: number;
  readonly kind: Kind;
  /** The oracle took the UNDEFINED exception: nothing else is stored. */
  readonly undefined: boolean;
  /** Registers that differ from the input: [offset in the state, bytes]. */
  readonly state: readonly (readonly [number, Uint8Array])[];
  /** Runs of bytes of the memory page that differ: [offset, bytes]. */
  readonly memory: readonly (readonly [number, Uint8Array])[];
}

/** Registers as the units of comparison: [offset in the state, bytes]. */
export const UNITS: readonly (readonly [number, number])[] = [
  ...Array.from({ length: 32 }, (_, i) => [i * 8, 8] as const),
  ...Array.from({ length: 32 }, (_, i) => [V_AT + i * 16, 16] as const),
  [NZCV_AT, 8],
  [FPCR_AT, 8],
  [FPSR_AT, 8],
];

export function unitName(offset: number): string {
  if (offset === SP_AT) return "SP";
  if (offset < SP_AT) return `X${offset / 8}`;
  if (offset < NZCV_AT) return `V${(offset - V_AT) / 16}`;
  return offset === NZCV_AT ? "NZCV" : offset === FPCR_AT ? "FPCR" : "FPSR";
}

/** What differs between two states, by register. */
export function difference(before: Uint8Array, after: Uint8Array): [number, Uint8Array][] {
  return UNITS.filter(([at, n]) => {
    for (let i = at; i < at + n; i++) if (before[i] !== after[i]) return true;
    return false;
  }).map(([at, n]) => [at, after.slice(at, at + n)]);
}

/** A column of bytes that is written, then read. */
class Column {
  #bytes: Uint8Array;
  #at = 0;
  constructor(bytes = new Uint8Array(1024)) {
    this.#bytes = bytes;
  }
  put(...values: number[]): void {
    this.append(values);
  }
  append(values: ArrayLike<number>): void {
    if (this.#at + values.length > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2 + values.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(values, this.#at);
    this.#at += values.length;
  }
  take(): number {
    return this.#bytes[this.#at++] as number;
  }
  slice(n: number): Uint8Array {
    this.#at += n;
    return this.#bytes.subarray(this.#at - n, this.#at);
  }
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

// word (a column for each byte), seed step, kind and counts, register numbers, values of 8 and of 16 bytes, memory runs, memory bytes
const COLUMNS = 11;
const unitIndex = new Map(UNITS.map(([at], i) => [at, i]));

/** Compressed form of a list of vectors. */
export function pack(vectors: readonly Vector[]): Uint8Array {
  const columns = Array.from({ length: COLUMNS }, () => new Column());
  const [b0, b1, b2, b3, steps, counts, units, values, wide, runs, bytes] = columns as Column[] & { length: 11 };
  let seed = 0;
  for (const v of vectors) {
    [b0, b1, b2, b3].forEach((column, i) => {
      (column as Column).put((v.word >>> (8 * i)) & 0xff);
    });
    // A step of 0 to 254, or 255 and the seed.
    const step = v.seed - seed;
    if (step >= 0 && step < 255) steps?.put(step);
    else steps?.put(255, ...[0, 8, 16, 24].map((s) => (v.seed >>> s) & 0xff));
    seed = v.seed;
    counts?.put(KINDS.indexOf(v.kind) | (v.undefined ? 0x80 : 0), v.state.length, v.memory.length);
    for (const [at, value] of v.state) {
      units?.put(unitIndex.get(at) as number);
      (value.length === 8 ? values : wide)?.append(value);
    }
    for (const [at, value] of v.memory) {
      runs?.put(at & 0xff, at >>> 8, value.length);
      bytes?.append(value);
    }
  }
  const written = columns.map((c) => c.written());
  const head = new Uint8Array(Uint32Array.from([vectors.length, ...written.map((c) => c.length)]).buffer);
  return brotliCompressSync(Buffer.concat([head, ...written]), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}

export function unpack(packed: Uint8Array): Vector[] {
  const all = new Uint8Array(brotliDecompressSync(packed));
  const head = new DataView(all.buffer, all.byteOffset, 4 * (COLUMNS + 1));
  let p = head.byteLength;
  const columns = Array.from({ length: COLUMNS }, (_, i) => {
    const n = head.getUint32(4 * (i + 1), true);
    p += n;
    return new Column(all.subarray(p - n, p));
  });
  const [b0, b1, b2, b3, steps, counts, units, values, wide, runs, bytes] = columns as [Column, ...Column[]] & Column[];
  const read = (column: Column | undefined): number => (column as Column).take();
  const read4 = (a: Column, b = a, c = a, d = a): number =>
    (read(a) | (read(b) << 8) | (read(c) << 16) | (read(d) << 24)) >>> 0;
  let seed = 0;
  return Array.from({ length: head.getUint32(0, true) }, (): Vector => {
    const word = read4(b0 as Column, b1, b2, b3);
    const step = read(steps);
    seed = step < 255 ? seed + step : read4(steps as Column);
    const [flags, states, changes] = [read(counts), read(counts), read(counts)];
    const state = Array.from({ length: states }, (): [number, Uint8Array] => {
      const [at, size] = UNITS[read(units)] as readonly [number, number];
      return [at, ((size === 8 ? values : wide) as Column).slice(size)];
    });
    const memory = Array.from({ length: changes }, (): [number, Uint8Array] => {
      const at = read(runs) | (read(runs) << 8);
      return [at, (bytes as Column).slice(read(runs))];
    });
    return { word, seed, kind: KINDS[flags & 0x7f] as Kind, undefined: flags >= 0x80, state, memory };
  });
}
