import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { readKallsyms } from "./kallsyms.ts";

const BASE = 0xffff_8000_0800_0000n;
const COUNT = 700;
const symbolName = (i: number): string => `t${i === 300 ? "a_rather_long_name_".repeat(8) : "function_"}${i}`;

/** Tables as scripts/kallsyms.c writes them; characters are tokens that stand for themselves, and "_" stands for "_0_". */
function tables(layout: "6.1" | "6.3" | "6.4", count = COUNT): Uint8Array {
  const out: number[] = [];
  const align = (): void => {
    while (out.length % 8 !== 0) out.push(0);
  };
  const u32 = (n: number): void => void out.push(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);
  const offsets = (): void => {
    align();
    for (let i = 0; i < count; i++) u32(i * 32);
    align();
    u32(Number(BASE & 0xffff_ffffn));
    u32(Number(BASE >> 32n));
  };
  const names = (): number[] => {
    u32(count);
    align();
    const start = out.length;
    const markers: number[] = [];
    for (let i = 0; i < count; i++) {
      if (i % 256 === 0) markers.push(out.length - start);
      const name = symbolName(i);
      if (name.length < 128) out.push(name.length);
      else out.push(0x80 | (name.length & 0x7f), name.length >> 7);
      for (const c of name) out.push(c.charCodeAt(0));
    }
    return markers;
  };
  const tokens = (): void => {
    align();
    const start = out.length;
    const index: number[] = [];
    for (let i = 0; i < 256; i++) {
      index.push(out.length - start);
      const text = i === 0x5f ? "_0_" : i >= 0x21 && i < 0x7f ? String.fromCharCode(i) : i < 0x20 ? "" : "xy";
      out.push(...Array.from(text, (c) => c.charCodeAt(0)), 0);
    }
    align();
    for (const at of index) out.push(at & 255, at >> 8);
  };
  for (let i = 0; i < 1000; i++) out.push(i & 0x7f);
  align();
  if (layout !== "6.4") offsets();
  const markers = names();
  align();
  for (const at of markers) u32(at);
  align();
  if (layout === "6.3") for (let i = 0; i < 3 * count; i++) out.push(i & 255);
  tokens();
  if (layout === "6.4") offsets();
  for (let i = 0; i < 1000; i++) out.push(i & 0x7f);
  return Uint8Array.from(out);
}

for (const layout of ["6.1", "6.3", "6.4"] as const) {
  test(`the symbols of a kernel in memory, as laid out by Linux ${layout}`, () => {
    const symbols = readKallsyms(tables(layout));
    assert.equal(symbols?.length, COUNT);
    assert.deepEqual(symbols?.[3], { address: BASE + 96n, size: 0n, name: "function_0_3", code: true });
    assert.equal(symbols?.[300]?.name, `${"a_rather_long_name_".repeat(8).replaceAll("_", "_0_")}300`);
    assert.equal(symbols?.[COUNT - 1]?.address, BASE + BigInt(32 * (COUNT - 1)));
  });
}

test("no tables, damaged ones, and memory that looks like many give no symbols and end soon", () => {
  assert.equal(readKallsyms(new Uint8Array(0)), undefined);
  assert.equal(readKallsyms(new Uint8Array(1 << 16)), undefined);
  const good = tables("6.1");
  for (let cut = 0; cut < good.length; cut += 997) readKallsyms(good.subarray(0, cut));
  assert.equal(readKallsyms(good.subarray(0, good.length - 2000)), undefined);
  const tokens = good.slice(-3000);
  // Before a token table, words that might all be the number of symbols, with names of every length after them.
  const hostile = new Uint8Array(8 << 20);
  const words = new Uint32Array(hostile.buffer);
  for (let i = 0; i < words.length; i += 2) words[i] = 0x1_0101 + (i % 977);
  hostile.set(tokens, hostile.length - tokens.length);
  const started = performance.now();
  assert.equal(readKallsyms(hostile), undefined);
  assert.ok(performance.now() - started < 5000);
});

test("the embedded kernel's", () => {
  const image = gunzipSync(readFileSync(join(import.meta.dirname, "../../../guests/embedded/Image.gz")));
  const symbols = readKallsyms(image) ?? [];
  assert.ok(symbols.length > 10_000);
  for (const name of ["vectors", "start_kernel", "__schedule"])
    assert.ok(symbols.some((s) => s.name === name && s.code));
});
