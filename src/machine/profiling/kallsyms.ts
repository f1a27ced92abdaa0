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

/** Guests may make memory look like many tables: so many places are tried, and so many names read. */
const MOST_TRIES = 64;
const MOST_NAMES_READ = 20_000_000;
/** Characters of a token. */
const LONGEST_TOKEN = 64;

/** Code, by the type that nm(1) prints. */
const CODE = /[tw]/i;

/** The symbols that the tables in `memory` hold, given the bytes from the start of the kernel or before to its end or beyond. */
export function readKallsyms(memory: Uint8Array): GuestSymbol[] | undefined {
  // TextDecoder takes no shared memory, and nothing may change while it is read.
  const bytes = memory.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = find(bytes, DIGITS, 0);
  for (let tries = 0; at >= 0 && tries < MOST_TRIES; tries++, at = find(bytes, DIGITS, at + 1)) {
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
    for (start--; start > 0 && bytes[start - 1] !== 0; start--) if (++length > LONGEST_TOKEN) return undefined;
    if (start <= 0) return undefined;
  }
  const strings: string[] = [];
  const offsets: number[] = [];
  let at = start;
  for (let i = 0; i < TOKENS; i++) {
    const end = bytes.subarray(0, at + LONGEST_TOKEN + 1).indexOf(0, at);
    if (end < 0) return undefined;
    offsets.push(at - start);
    strings.push(String.fromCharCode(...bytes.subarray(at, end)));
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
  let left = MOST_NAMES_READ;
  for (let at = end - (end % 8) - 8; at >= 0 && left > 0; at -= 8) {
    const count = view.getUint32(at, true);
    if (count < FEWEST || count > MOST || view.getUint32(at + 4, true) !== 0) continue;
    const start = at + 8;
    const { names, marked, next } = passNames(bytes, start, Math.min(count, left), end);
    left -= names;
    if (names < count) continue;
    const markers = align8(next);
    const marks = (m: number, i: number): boolean => view.getUint32(markers + 4 * i, true) === m;
    if (markers + 4 * marked.length <= end && marked.every(marks)) return { count, start };
  }
  return undefined;
}

/** Passes `count` names from `start` on, fewer where one is empty or goes beyond `end`: how many, where every 256th was, where they end. */
function passNames(bytes: Uint8Array, start: number, count: number, end: number) {
  const marked: number[] = [];
  let next = start;
  let names = 0;
  for (; names < count; names++) {
    const { first, length } = nameAt(bytes, next);
    if (length === 0 || first + length >= end) break;
    if (names % MARKED === 0) marked.push(next - start);
    next = first + length;
  }
  return { names, marked, next };
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
