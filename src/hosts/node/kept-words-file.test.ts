import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createDecoder, type Decoder } from "../../a64/decoder.ts";
import { ALL_ROWS } from "../../a64/index.ts";
import { KeptWordsFile } from "./kept-words-file.ts";

const bytes = new Uint8Array(16);
const words = new Int32Array(bytes.buffer);
const WORDS = Array.from({ length: 4000 }, (_, i) => Math.imul(i, 0x9e37_79b1));
const decodeAll = (decoder: Decoder): number[][] =>
  WORDS.map((word) => {
    bytes.fill(0);
    return [decoder.decodeInto(word, bytes, words, 0), ...words];
  });

function withFile(use: (path: string, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "atoll-words-"));
  try {
    use(join(folder, "cache", "words"), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("words that were decoded in one run are decoded to the same in the next, without being looked for", () => {
  withFile((path) => {
    const first = createDecoder(ALL_ROWS, new Set());
    const decoded = decodeAll(first);
    const file = new KeptWordsFile(path, 0);
    assert.equal(file.table, undefined);
    file.keep(first.recent, first.misses, 5000);
    const second = createDecoder(ALL_ROWS, new Set(), undefined, new KeptWordsFile(path).table);
    assert.deepEqual(decodeAll(second), decoded);
    assert.ok(second.misses < first.misses / 10, `${second.misses} of ${first.misses}`);
  });
});

test("the file is written when there are many new words, and seldom", () => {
  withFile((path) => {
    const table = createDecoder(ALL_ROWS, new Set()).recent;
    const file = new KeptWordsFile(path, 0);
    file.keep(table, 5000, 900);
    file.keep(table, 10, 10_000);
    assert.throws(() => readFileSync(path));
    file.keep(table, 5000, 10_000);
    rmSync(path);
    file.keep(table, 10_000, 10_500);
    assert.throws(() => readFileSync(path));
    file.keep(table, 10_000, 13_000);
    assert.ok(new KeptWordsFile(path).table);
    assert.deepEqual(readdirSync(join(path, "..")), ["words"]);
  });
});

test("a file that was damaged, cut off or added to is not taken, and one that cannot be written is none", () => {
  withFile((path, folder) => {
    const { recent } = createDecoder(ALL_ROWS, new Set());
    new KeptWordsFile(path, 0).keep(recent, 5000, 5000);
    const whole = readFileSync(path);
    const taken = (content: Uint8Array): boolean => {
      writeFileSync(path, content);
      return new KeptWordsFile(path).table !== undefined;
    };
    const damaged = Uint8Array.from(whole);
    damaged[5000] = 1;
    assert.ok(taken(whole));
    assert.ok(!taken(damaged));
    assert.ok(!taken(Buffer.concat([whole, whole.subarray(0, 4)])));
    truncateSync(path, 1000);
    assert.equal(new KeptWordsFile(path).table, undefined);
    writeFileSync(join(folder, "file"), "");
    new KeptWordsFile(join(folder, "file", "words"), 0).keep(recent, 5000, 5000);
  });
});
