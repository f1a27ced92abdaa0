// The stored form of instruction vectors: the word, the seed its inputs come from (inputs.ts), and what the oracle said changed.

import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { FPSR_AT, NZCV_AT, SP_AT, STATE_BYTES, V_AT } from "./inputs.ts";

/** How an instruction's inputs are made. */
export type Kind = "plain" | "memory" | "branch";
const KINDS: readonly Kind[] = ["plain", "memory", "branch"];

export interface Vector {
  readonly word: number;
  readonly seed: number;
  readonly kind: Kind;
  /** The oracle took the UNDEFINED exception: nothing else is stored. */
  readonly undefined: boolean;
  /** (offset in the state, bytes) that differ from the input. */
  readonly state: readonly (readonly [number, Uint8Array])[];
  /** (offset in the memory page, byte) that differ. */
  readonly memory: readonly (readonly [number, number])[];
}

/** Registers as the units of comparison: [offset in the state, bytes]. */
const UNITS: readonly (readonly [number, number])[] = [
  ...Array.from({ length: 32 }, (_, i) => [i * 8, 8] as const),
  ...Array.from({ length: 32 }, (_, i) => [V_AT + i * 16, 16] as const),
  [NZCV_AT, 8],
  [FPSR_AT, 8],
];

export function unitName(offset: number): string {
  if (offset === SP_AT) return "SP";
  if (offset < SP_AT) return `X${offset / 8}`;
  if (offset < NZCV_AT) return `V${(offset - V_AT) / 16}`;
  return offset === NZCV_AT ? "NZCV" : "FPSR";
}

/** What differs between two states, by register. */
export function difference(before: Uint8Array, after: Uint8Array): [number, Uint8Array][] {
  return UNITS.filter(([at, n]) => {
    for (let i = at; i < at + n; i++) if (before[i] !== after[i]) return true;
    return false;
  }).map(([at, n]) => [at, after.slice(at, at + n)]);
}

/** Compressed form of a list of vectors. */
export function pack(vectors: readonly Vector[]): Uint8Array {
  const bytes: number[] = [];
  const u16 = (v: number) => bytes.push(v & 0xff, (v >>> 8) & 0xff);
  const u32 = (v: number) => bytes.push(v & 0xff, (v >>> 8) & 0xff, (v >>> 16) & 0xff, v >>> 24);
  for (const v of vectors) {
    u32(v.word);
    u32(v.seed);
    bytes.push(KINDS.indexOf(v.kind) | (v.undefined ? 0x80 : 0), v.state.length, v.memory.length);
    for (const [at, value] of v.state) {
      u16(at);
      bytes.push(...value);
    }
    for (const [at, value] of v.memory) {
      u16(at);
      bytes.push(value);
    }
  }
  return brotliCompressSync(Uint8Array.from(bytes), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}

export function unpack(packed: Uint8Array): Vector[] {
  const bytes = brotliDecompressSync(packed);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const vectors: Vector[] = [];
  for (let p = 0; p < bytes.length; ) {
    const word = view.getUint32(p, true);
    const seed = view.getUint32(p + 4, true);
    const flags = view.getUint8(p + 8);
    const [states, changes] = [view.getUint8(p + 9), view.getUint8(p + 10)];
    p += 11;
    const state: [number, Uint8Array][] = [];
    for (let i = 0; i < states; i++) {
      const at = view.getUint16(p, true);
      const size = at >= V_AT && at < NZCV_AT ? 16 : 8;
      state.push([at, bytes.subarray(p + 2, p + 2 + size)]);
      p += 2 + size;
    }
    const memory: [number, number][] = [];
    for (let i = 0; i < changes; i++) {
      memory.push([view.getUint16(p, true), view.getUint8(p + 2)]);
      p += 3;
    }
    vectors.push({ word, seed, kind: KINDS[flags & 0x7f] as Kind, undefined: flags >= 0x80, state, memory });
  }
  return vectors;
}

export { STATE_BYTES };
