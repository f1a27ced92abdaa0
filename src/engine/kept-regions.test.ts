import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../snapshot/crc32.ts";
import { KeptEntries } from "./kept-entries.ts";
import { type KeptRegion, KeptRegions } from "./kept-regions.ts";
import type { RegionObject } from "./region-object.ts";

const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const ints = (multiple: number): fc.Arbitrary<Int32Array> =>
  fc
    .array(i32, { maxLength: 20 * multiple })
    .map((list) => Int32Array.from(list.slice(0, list.length - (list.length % multiple))));

/** Regions whose instructions follow each other. */
const region: fc.Arbitrary<RegionObject> = fc
  .record({
    entry: fc.integer({ min: 0, max: 1023 }),
    aligned: fc.boolean(),
    instructions: fc.nat(256),
    content: fc.array(i32, { minLength: 1, maxLength: 40 }),
    body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    hints: ints(2),
    calls: ints(2),
    addresses: ints(3),
  })
  .map(({ entry, aligned, instructions, content, ...code }) => ({
    ...{ entry, aligned, instructions, code },
    words: Int32Array.from(content.flatMap((word, i) => [entry + i, word])),
  }));

const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const bytesOf = (kept: readonly KeptRegion[]): Uint8Array => joined(kept.map((one) => one.region));
const memoryOf = ({ words }: RegionObject): Map<number, number> => {
  const memory = new Map<number, number>();
  for (let i = 0; i < words.length; i += 2) memory.set(words[i] as number, words[i + 1] as number);
  return memory;
};
const add = (kept: KeptRegions, object: RegionObject): KeptRegion => {
  const memory = memoryOf(object);
  return kept.add(object, (i) => memory.get(i));
};
const found = (kept: KeptRegions, object: RegionObject): RegionObject | undefined => {
  const memory = memoryOf(object);
  return kept.find(object.entry, object.aligned, (i) => memory.get(i));
};

test("a region is found again by its words in what was kept, and in the same run", () => {
  fc.assert(
    fc.property(fc.array(region, { minLength: 1, maxLength: 8 }), (objects) => {
      const before = new KeptRegions(new Uint8Array(), crc32);
      const kept = objects.map((object) => add(before, object));
      const after = new KeptRegions(bytesOf(kept), crc32);
      assert.equal(after.wholeBytes, bytesOf(kept).length);
      const [first] = objects as [RegionObject];
      assert.equal(found(before, first), first);
      assert.deepEqual(found(after, first), first);
    }),
  );
});

test("where a word is another, where memory is not to be had, or for the other alignment, it is not found", () => {
  fc.assert(
    fc.property(region, fc.nat(), (object, at) => {
      const kept = new KeptRegions(new Uint8Array(), crc32);
      add(kept, object);
      const index = object.words[(at % (object.words.length / 2)) * 2] as number;
      const memory = memoryOf(object);
      const other = (word: number | undefined) => (i: number) => (i === index ? word : memory.get(i));
      assert.equal(kept.find(object.entry, object.aligned, other((memory.get(index) as number) ^ 1)), undefined);
      assert.equal(kept.find(object.entry, object.aligned, other(undefined)), undefined);
      assert.equal(
        kept.find(object.entry, !object.aligned, (i) => memory.get(i)),
        undefined,
      );
    }),
  );
});

test("of what was cut off the whole regions remain, and one that was damaged is not found", () => {
  fc.assert(
    fc.property(region, region, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, two, at, change) => {
      fc.pre(one.entry !== two.entry);
      const keep = new KeptRegions(new Uint8Array(), crc32);
      const [first, second] = [add(keep, one), add(keep, two)];
      const cut = bytesOf([first, second]).slice(0, first.region.length + (at % second.region.length));
      const rest = new KeptRegions(cut, crc32);
      assert.equal(rest.wholeBytes, first.region.length);
      assert.deepEqual(found(rest, one), one);
      assert.equal(found(rest, two), undefined);

      const damaged = bytesOf([first]);
      damaged[at % damaged.length] = (damaged[at % damaged.length] as number) ^ change;
      assert.equal(found(new KeptRegions(damaged, crc32), one), undefined);
    }),
  );
});

test("any bytes are none or some regions", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), region, (bytes, object) => {
      const kept = new KeptRegions(bytes, crc32);
      assert.ok(kept.wholeBytes <= bytes.length);
      assert.equal(found(kept, object), undefined);
    }),
  );
});

test("where a kept region starts is known, and seldom said of another place", () => {
  const objects = fc.sample(region, { numRuns: 1000, seed: 1 });
  const keep = new KeptRegions(new Uint8Array(), crc32);
  const entries = new KeptEntries(joined(objects.map((object) => add(keep, object).entry)));
  const says = (entry: number, wordAt: (i: number) => number): boolean =>
    entries.startsWith(wordAt(entry), entry) && entries.has(entry, wordAt);
  for (const object of objects) {
    const memory = memoryOf(object);
    assert.ok(says(object.entry, (i) => memory.get(i) ?? 0));
  }
  let wrong = 0;
  for (let i = 0; i < 100_000; i++) if (says(i & 1023, (n) => Math.imul(i + n, 0x2545_f491))) wrong++;
  assert.ok(wrong < 100, `${wrong} of 100000`);
});
