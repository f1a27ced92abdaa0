import assert from "node:assert/strict";
import { test } from "node:test";
import { readElfSymbols } from "./elf-symbols.ts";
import { Symbolizer } from "./symbolizer.ts";
import { type GuestSymbol, readSystemMap, SymbolTable } from "./symbols.ts";

const symbol = (address: bigint, name: string, more: Partial<GuestSymbol> = {}): GuestSymbol => ({
  ...{ address, size: 0n, name, code: true },
  ...more,
});

test("an address is in the function that begins before it", () => {
  const table = new SymbolTable([
    symbol(0x2000n, "second"),
    symbol(0x1000n, "first", { size: 0x10n }),
    symbol(0x3000n, "data", { code: false }),
    symbol(0x4000n, "last"),
  ]);
  const found: [bigint, string | undefined][] = [
    [0xfffn, undefined],
    [0x1000n, "first"],
    [0x100fn, "first"],
    [0x1010n, undefined],
    [0x2000n, "second"],
    [0x2fffn, "second"],
    [0x3000n, undefined],
    [0x4fffn, "last"],
    [0x5_0000n, undefined],
    [0xffff_ffff_ffff_ffffn, undefined],
  ];
  for (const [address, name] of found) assert.equal(table.find(address)?.name, name, `0x${address.toString(16)}`);
  assert.equal(new SymbolTable([]).find(0n), undefined);
});

test("of several names of one address, code with a size counts, then code, then the first", () => {
  const table = new SymbolTable([
    symbol(0n, "object", { code: false, size: 4n }),
    symbol(0n, "label"),
    symbol(0n, "function", { size: 4n }),
    symbol(0n, "alias", { size: 4n }),
  ]);
  assert.equal(table.find(0n)?.name, "function");
});

test("System.map and /proc/kallsyms", () => {
  const text = "ffff800008000000 T _text\nffff800008010800 t vectors\n0000000000000000 A zero\nffff800008010810 t $x\n";
  const symbols = readSystemMap(`${text}ffff800009000000 D jiffies\nffff800001000000 t f\t[module]\n`);
  assert.deepEqual(symbols, [
    symbol(0xffff_8000_0800_0000n, "_text"),
    symbol(0xffff_8000_0801_0800n, "vectors"),
    symbol(0xffff_8000_0900_0000n, "jiffies", { code: false }),
    symbol(0xffff_8000_0100_0000n, "f"),
  ]);
  for (const bad of ["", "hello\n", "0 T a\n", "0000000000000000 T hidden\n"])
    assert.equal(readSystemMap(bad), undefined);
});

test("a kernel that has moved is found by its vectors, unless the slide is given", () => {
  const symbols = [symbol(0xffff_8000_0801_0800n, "vectors"), symbol(0xffff_8000_0802_0000n, "f")];
  const moved = 0xffff_8000_0801_0800n + 0x1234_0000n;
  const name = (slide: bigint | undefined, vectors: bigint | undefined, address: bigint): string | undefined =>
    new Symbolizer([{ symbols, slide }], vectors).name(address);
  assert.equal(name(undefined, moved, 0xffff_8000_0802_0004n + 0x1234_0000n), "f");
  assert.equal(name(undefined, undefined, 0xffff_8000_0802_0004n), "f");
  assert.equal(name(undefined, moved + 0x80n, 0xffff_8000_0802_0004n), "f", "no slide is less than a page");
  assert.equal(name(0x1000n, moved, 0xffff_8000_0802_1004n), "f");
  assert.equal(name(0xffff_ffff_ffff_f000n, moved, 0xffff_8000_0801_f004n), "f", "to a lower address");
});

test("whether two addresses are in one function", () => {
  const symbolizer = new Symbolizer([{ symbols: [symbol(0x1000n, "a"), symbol(0x2000n, "b")], slide: 0n }], undefined);
  assert.equal(symbolizer.sameFunction(0x1000n, 0x1ffcn), true);
  assert.equal(symbolizer.sameFunction(0x1000n, 0x2000n), false);
  assert.equal(symbolizer.sameFunction(0x1000n, 0x10n), undefined);
});

/** An ELF file with the sections: none, .text, .symtab, .strtab. */
function elf(
  symbols: readonly { name: string; info: number; section: number; value: bigint; size?: bigint }[],
): Uint8Array {
  const strings = `\0${symbols.map(({ name }) => `${name}\0`).join("")}`;
  const table = 64 + 4 * 64;
  const text = table + 24 * symbols.length;
  const bytes = new Uint8Array(text + strings.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint32(40, 64, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 4, true);
  const section = (i: number, type: number, flags: number, at: number, size: number, link: number): void => {
    const header = 64 + 64 * i;
    view.setUint32(header + 4, type, true);
    view.setUint32(header + 8, flags, true);
    view.setUint32(header + 24, at, true);
    view.setUint32(header + 32, size, true);
    view.setUint32(header + 40, link, true);
  };
  section(1, 1, 4, 0, 0, 0);
  section(2, 2, 0, table, 24 * symbols.length, 3);
  section(3, 3, 0, text, strings.length, 0);
  let string = 1;
  symbols.forEach(({ name, info, section: number, value, size }, i) => {
    const at = table + 24 * i;
    view.setUint32(at, string, true);
    bytes[at + 4] = info;
    view.setUint16(at + 6, number, true);
    view.setBigUint64(at + 8, value, true);
    view.setBigUint64(at + 16, size ?? 0n, true);
    string += name.length + 1;
  });
  bytes.set(new TextEncoder().encode(strings), text);
  return bytes;
}

test("an ELF file's functions, labels in code, and objects", () => {
  const file = elf([
    { name: "main", info: 0x12, section: 1, value: 0xffff_8000_0000_1000n, size: 64n },
    { name: "label", info: 0x00, section: 1, value: 0x2000n },
    { name: "$x", info: 0x00, section: 1, value: 0x2000n },
    { name: "table", info: 0x11, section: 3, value: 0x3000n, size: 8n },
    { name: "notCode", info: 0x10, section: 3, value: 0x4000n },
    { name: "undefined", info: 0x12, section: 0, value: 0n },
    { name: "absolute", info: 0x10, section: 0xfff1, value: 0x10n },
    { name: "file.c", info: 0x04, section: 1, value: 0n },
  ]);
  assert.deepEqual(readElfSymbols(file), [
    symbol(0xffff_8000_0000_1000n, "main", { size: 64n }),
    symbol(0x2000n, "label"),
    symbol(0x3000n, "table", { size: 8n, code: false }),
    symbol(0x4000n, "notCode", { code: false }),
  ]);
  // However it is cut off.
  for (let length = 0; length < file.length; length++) readElfSymbols(file.subarray(0, length));
});
