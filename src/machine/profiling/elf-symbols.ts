// The symbol table of an ELF64 file: System V ABI (gABI 4.1), chapters Sections and Symbol Table.

import { latin1 } from "../../base/text.ts";
import { Reader } from "../boot/kinds.ts";
import { type GuestSymbol, isName } from "./symbols.ts";

const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SHF_EXECINSTR = 4;
const STT_NOTYPE = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
/** Bytes of a name; mangled ones of C++ and Rust can be hundreds. */
const LONGEST_NAME = 4096;
/** Section numbers from here on stand for no section. */
const SHN_LORESERVE = 0xff00;

interface Section {
  readonly type: number;
  readonly executable: boolean;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

export function isElf(bytes: Uint8Array): boolean {
  return new Reader(bytes).has(0, "\x7fELF");
}

/** The functions and objects of a little-endian ELF64 file: of its symbol table, or of the dynamic one if it is stripped; possibly none. */
export function readElfSymbols(bytes: Uint8Array): GuestSymbol[] {
  const file = new Reader(bytes);
  if (bytes[4] !== 2 || bytes[5] !== 1) return [];
  const sections = sectionsOf(file);
  const table = sections.find((s) => s.type === SHT_SYMTAB) ?? sections.find((s) => s.type === SHT_DYNSYM);
  const strings = table && sections[table.link];
  if (!table || !strings) return [];
  const symbols: GuestSymbol[] = [];
  const end = Math.min(table.offset + table.size, bytes.length);
  for (let at = table.offset; at + SYMBOL_BYTES <= end; at += SYMBOL_BYTES) {
    const type = (bytes[at + 4] as number) & 15;
    const number = file.u16(at + 6);
    if (number === 0 || number >= SHN_LORESERVE || !(type <= STT_FUNC || type === STT_GNU_IFUNC)) continue;
    const name = stringAt(bytes, strings, file.u32(at));
    if (!isName(name)) continue;
    const code = type === STT_NOTYPE ? sections[number]?.executable === true : type !== STT_OBJECT;
    symbols.push({ address: u64(file, at + 8), size: u64(file, at + 16), name, code });
  }
  return symbols;
}

function sectionsOf(file: Reader): Section[] {
  const start = file.u64(40);
  const count = file.u16(58) === SECTION_BYTES ? file.u16(60) : 0;
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * SECTION_BYTES;
    return {
      type: file.u32(at + 4),
      executable: (file.u32(at + 8) & SHF_EXECINSTR) !== 0,
      offset: file.u64(at + 24),
      size: file.u64(at + 32),
      link: file.u32(at + 40),
    };
  });
}

function stringAt(bytes: Uint8Array, { offset, size }: Section, index: number): string {
  const start = offset + index;
  const end = bytes.indexOf(0, start);
  if (end < start || end > offset + size || end - start > LONGEST_NAME) return "";
  return latin1(bytes.subarray(start, end));
}

function u64(file: Reader, at: number): bigint {
  return (BigInt(file.u32(at + 4)) << 32n) | BigInt(file.u32(at));
}
