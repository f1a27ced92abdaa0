// What of a PE's block is its state, for snapshots. The rest is derived from that, scratch, TLBs, or a debugger's.

import { crc32 } from "../snapshot/crc32.ts";
import { damaged, SnapshotError } from "../snapshot/error.ts";
import type { PeState } from "./pe-state.ts";
import { highestLevel } from "./reset.ts";
import * as S from "./state-layout.ts";
import * as R from "./sysreg-layout.ts";

/** First and end of offsets. Between slices the flags are settled, and no exception is pending. */
const RANGES: readonly (readonly [number, number])[] = [
  [S.X, S.FPSR + 4],
  [S.HALTED, S.INSTRUCTIONS + 8],
  [S.EXCL_ADDR, S.ARG0],
  [S.COUNTERS, S.COUNT_EXCEPTIONS + 64 * 8],
  [S.SYSREGS, R.TRANSLATION_EPOCH],
  [R.TRANSLATION_EPOCH + 8, R.SYSREG_GUARD],
];
const WORDS = RANGES.reduce((sum, [first, end]) => sum + (end - first) / 4, 0);

/** Words that have but few values, and the largest; the least is 0. */
const SMALL: readonly (readonly [number, number])[] = [
  ...[S.SPSEL, S.PAN, S.UAO, S.PSTATE_SS, S.PSTATE_IL, S.DIT, S.SSBS, S.TCO, S.SECURE, S.CF].map(
    (o) => [o, 1] as const,
  ),
  ...[S.HALTED, S.EVENT_REGISTER].map((offset) => [offset, 1] as const),
  [S.BTYPE, 3],
  [S.POWER, 2],
];

/** Of the layout: snapshots of another one mean something else. */
export const STATE_FINGERPRINT = fingerprint(S, R);

/** A number that is another one, most likely, when a name or a value is. */
export function fingerprint(...layouts: readonly Readonly<Record<string, unknown>>[]): number {
  // Loops, as this is computed whenever the program starts: with functions for each name and character it took twice as long.
  const lines: string[] = [];
  for (const layout of layouts) for (const name in layout) lines.push(`${name}=${layout[name]}`);
  const text = lines.sort().join();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return crc32(bytes, 0);
}

export function savePe(s: PeState): Uint8Array {
  const words = new Int32Array(WORDS);
  let at = 0;
  for (const [first, end] of RANGES) for (let offset = first; offset < end; offset += 4) words[at++] = s.word(offset);
  return new Uint8Array(words.buffer);
}

/** Into a PE that was reset; the caller then has what is derived made anew. @throws SnapshotError, before anything is changed or after. */
export function restorePe(s: PeState, saved: Uint8Array): void {
  if (saved.length !== WORDS * 4) throw damaged("a processing element's state has another size");
  const words = new Int32Array(saved.slice().buffer);
  const index = s.word(S.CPU_INDEX);
  const features = s.word(R.PE_FEATURES);
  const highest = highestLevel(s);
  let at = 0;
  for (const [first, end] of RANGES) {
    for (let offset = first; offset < end; offset += 4) s.setWord(offset, words[at++] as number);
  }
  if (s.word(R.PE_FEATURES) !== features || s.word(S.CPU_INDEX) !== index)
    throw new SnapshotError("other", "the snapshot is of another kind of processor");
  const level = s.word(S.EL);
  const possible = level >= 0 && level <= highest && SMALL.every(([offset, most]) => s.word(offset) >>> 0 <= most);
  if (!possible) throw damaged("a processing element has no possible state");
}
