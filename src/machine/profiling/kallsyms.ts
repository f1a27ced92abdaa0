// The symbols that a running Linux kernel has of itself (CONFIG_KALLSYMS, scripts/kallsyms.c and kernel/kallsyms.c), found in its memory:
//
//   num_syms      u32, then the names: for each symbol a length (one byte, or two for 128 and more) and so many token numbers
//   markers       u32 for every 256th symbol: where its name is, from the start of the names
//   seqs_of_names 3 bytes for each symbol, here in Linux 6.2 and 6.3
//   token_table   256 strings, that tokens stand for; the first character of a name is the symbol's type
//   token_index   u16 for each token: where its string is
//   offsets       i32 for each symbol, from relative_base; here since Linux 6.4, before the names until then
//   relative_base u64
//
// Each starts at a multiple of 8. The kernel has relocated relative_base, so that addresses are those at which it runs.

import type { GuestSymbol } from "./symbols.ts";

const TOKENS = 256;
/** The strings of tokens '0' to '9' are those digits, as every digit is in some name. */
const DIGITS = Array.from("0123456789", (c) => [c.charCodeAt(0), 0]).flat();
const MARKED = 256;
/** A kernel has more symbols than this, and fewer than that. */
const FEWEST = 512;
const MOST = 2_000_000;

/** Code, by the type that nm(1) prints. */
const CODE = /[tw]/i;

/** The symbols that the tables in `memory` hold, given the bytes from the start of the kernel or before to its end or beyond. */
export function readKallsyms(memory: Uint8Array): GuestSymbol[] | undefined {
  // TextDecoder takes no shared memory, and nothing may change while it is read.
  const bytes = memory.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = find(bytes, DIGITS, 0); at >= 0; at = find(bytes, DIGITS, at + 1)) {
    const tokens = readTokens(bytes, view, at);
    const symbols = tokens && readSymbols(bytes, view, tokens);
    if (symbols) return symbols;
  }
  return undefined;
}

interface Tokens {
  readonly strings: readonly string[];
  /** Offsets of the table and of what comes after its index. */
  readonly start: number;
  readonly end: number;
}

/** The token table around the strings of the digits; undefined if there is no such thing. */
function readTokens(bytes: Uint8Array, view: DataView, digits: number): Tokens | undefined {
  let start = digits;
  // "0" is token 0x30: so many strings come before.
  for (let strings = "0".charCodeAt(0); strings > 0; strings--) {
    let length = 0;
    for (start--; start > 0 && bytes[start - 1] !== 0; start--) if (++length > 64) return undefined;
    if (start <= 0) return undefined;
  }
  const strings: string[] = [];
  const offsets: number[] = [];
  let at = start;
  for (let i = 0; i < TOKENS; i++) {
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    offsets.push(at - start);
    strings.push(String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 64))));
    at = end + 1;
  }
  // What is taken for strings may begin with padding: the index decides.
  const index = align8(at);
  if (index + 2 * TOKENS > bytes.length) return undefined;
  return offsets.every((offset, i) => view.getUint16(index + 2 * i, true) === offset)
    ? { strings, start, end: align8(index + 2 * TOKENS) }
    : undefined;
}

function readSymbols(bytes: Uint8Array, view: DataView, tokens: Tokens): GuestSymbol[] | undefined {
  const names = findNames(bytes, view, tokens.start);
  if (!names) return undefined;
  const { count, start } = names;
  const addresses = addressesAt(view, tokens.end, count) ?? addressesAt(view, start - 8 - 8 - align8(4 * count), count);
  if (!addresses) return undefined;
  const symbols: GuestSymbol[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const { first, length } = nameAt(bytes, at);
    let name = "";
    for (let j = 0; j < length; j++) name += tokens.strings[bytes[first + j] as number] as string;
    at = first + length;
    symbols.push({ address: addresses(i), size: 0n, name: name.slice(1), code: CODE.test(name[0] ?? "") });
  }
  return symbols;
}

/** Finds num_syms and the names before `end`, by where their count, their lengths and the markers agree. */
function findNames(bytes: Uint8Array, view: DataView, end: number): { count: number; start: number } | undefined {
  for (let at = end - (end % 8) - 8; at >= 0; at -= 8) {
    const count = view.getUint32(at, true);
    if (count < FEWEST || count > MOST || view.getUint32(at + 4, true) !== 0) continue;
    if (namesAt(bytes, view, at + 8, count, end)) return { count, start: at + 8 };
  }
  return undefined;
}

/** Whether `count` names start at `start`, and are followed by their markers, before `end`. */
function namesAt(bytes: Uint8Array, view: DataView, start: number, count: number, end: number): boolean {
  const marked: number[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (i % MARKED === 0) marked.push(at - start);
    const { first, length } = nameAt(bytes, at);
    if (length === 0) return false;
    at = first + length;
    if (at >= end) return false;
  }
  const markers = align8(at);
  return markers + 4 * marked.length <= end && marked.every((m, i) => view.getUint32(markers + 4 * i, true) === m);
}

function nameAt(bytes: Uint8Array, at: number): { first: number; length: number } {
  const low = bytes[at] as number;
  if (low < 0x80) return { first: at + 1, length: low };
  return { first: at + 2, length: (low & 0x7f) | ((bytes[at + 1] as number) << 7) };
}

/** The addresses of `count` symbols, if offsets and a base that is an address of a kernel are at `at`. */
function addressesAt(view: DataView, at: number, count: number): ((index: number) => bigint) | undefined {
  const end = at + align8(4 * count);
  if (at < 0 || end + 8 > view.byteLength) return undefined;
  const base = view.getBigUint64(end, true);
  if (base >> 48n !== 0xffffn || (base & 0xfffn) !== 0n) return undefined;
  // Symbols are in the order of their addresses.
  for (let i = 1; i < count; i++) {
    if (view.getUint32(at + 4 * i, true) < view.getUint32(at + 4 * (i - 1), true)) return undefined;
  }
  return (index) => base + BigInt(view.getUint32(at + 4 * index, true));
}

const align8 = (n: number): number => (n + 7) & ~7;

function find(bytes: Uint8Array, wanted: readonly number[], from: number): number {
  for (let at = bytes.indexOf(wanted[0] as number, from); at >= 0; at = bytes.indexOf(wanted[0] as number, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
