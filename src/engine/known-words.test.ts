import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createDecoder, prepareRecent } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import { Code } from "../wasm/code.ts";
import { moduleFor } from "../wasm/instantiate.ts";
import { ModuleWriter } from "../wasm/module.ts";
import { HANDLER_DECODE, HANDLER_UNALLOCATED, RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import { DecodedPages } from "./decoded-pages.ts";
import { entryOf, KeptEntries, keysOf } from "./kept-entries.ts";
import { emitDecodeKnown, KNOWN_WORDS_BYTES, KnownWords } from "./known-words.ts";
import { DECODE_AHEAD, MAX_DECODED_PAGES } from "./limits.ts";

const PAGE = 0x10_1000;
const AREA = 0x20_0000;
const KNOWN = AREA + DecodedPages.bytes(MAX_DECODED_PAGES);
const HANDLER = 100;

function setUp() {
  const pages = Math.ceil((KNOWN + KNOWN_WORDS_BYTES) / 0x1_0000);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { buffer } = memory;
  const [bytes, words] = [new Uint8Array(buffer), new Int32Array(buffer)];
  const decoded = new DecodedPages(
    ...([buffer, AREA, MAX_DECODED_PAGES] as const),
    ...([() => {}, () => {}, () => 1] as const),
  );
  const known = new KnownWords(buffer, KNOWN);
  const decoder = createDecoder(ALL_ROWS, new Set(["base"]), undefined, known.recent);
  const writer = new ModuleWriter();
  writer.importMemory("env", "memory", 1);
  const type = { params: ["i32"], results: ["i32"] } as const;
  const f = writer.function(type);
  const code = new Code(type);
  emitDecodeKnown(code, (name) => code.op(PURE_OPS[name][0]));
  f.code = code;
  writer.export("f", f);
  const instance = new WebAssembly.Instance(moduleFor(memory, writer.finish()), { env: { memory } });
  return { bytes, words, decoded, known, decoder, decode: instance.exports.f as (record: number) => number };
}

const INSTRUCTION = fc.constantFrom(
  ...[0xd503201f, 0x910003fd, 0xa9bf7bfd, 0xf9400000, 0x14000001, 0x8b010000, 0xd65f03c0, 0, 0xffffffff, 0x9e3779b1],
);

test("generated code decodes what the decoder knows, as the decoder does, and leaves the rest and what may start a kept region", () => {
  const machine = setUp();
  const { bytes, words, decoded, known, decoder, decode } = machine;
  for (let key = 0; key < decoder.handlerCount; key++) known.setHandler(key, HANDLER + key);
  const scratch = 0x9_0000;
  const one = fc.record({
    code: fc.array(INSTRUCTION, { minLength: DECODE_AHEAD + 4, maxLength: DECODE_AHEAD + 4 }),
    told: fc.array(INSTRUCTION, { maxLength: 10 }),
    first: fc.oneof(fc.nat(RECORDS - 1), fc.constant(RECORDS - 3)),
    kept: fc.option(fc.nat(DECODE_AHEAD)),
    changed: fc.option(fc.nat(DECODE_AHEAD)),
    there: fc.option(fc.integer({ min: 1, max: DECODE_AHEAD })),
  });
  fc.assert(
    fc.property(one, ({ code, told, first, kept, changed, there }) => {
      known.recent.fill(0);
      prepareRecent(known.recent);
      for (const word of told) decoder.decodeInto(word | 0, bytes, words, scratch);
      for (const [i, word] of code.entries()) if (first + i < RECORDS) words[PAGE / 4 + first + i] = word | 0;
      const base = decoded.get(PAGE);
      const index = decoded.find(PAGE);
      decoded.reset(index, 0, RECORDS);
      if (changed !== null && first + changed < RECORDS) words[PAGE / 4 + first + changed] = 0xd503203f | 0;
      const at = (i: number): number => base + (first + i) * RECORD_BYTES;
      if (there !== null && first + there < RECORDS) decoded.setHandler(at(there), 77);
      const wordAt = (i: number): number => words[PAGE / 4 + i] as number;
      const starts = new KeptEntries(
        kept === null || first + kept >= RECORDS ? new Uint8Array() : entryOf(keysOf(first + kept, wordAt)),
      );
      known.setStarts(starts.starts);
      const before = known.decoded;
      let count = 0;
      for (; count < DECODE_AHEAD && first + count < RECORDS; count++) {
        const [i, word] = [first + count, wordAt(first + count)];
        const is = decoded.handler(at(count)) === HANDLER_DECODE && count !== changed;
        if (!is || !decoder.knows(word) || starts.startsWith(word, i)) break;
      }
      assert.equal(decode(at(0)), count > 0 ? 1 : 0);
      assert.equal(known.decoded - before, count);
      for (let i = 0; i < DECODE_AHEAD + 2 && first + i < RECORDS; i++) {
        if (i >= count) {
          assert.equal(decoded.handler(at(i)), i === there ? 77 : HANDLER_DECODE);
          continue;
        }
        const key = decoder.decodeInto(wordAt(first + i), bytes, words, scratch);
        assert.equal(decoded.handler(at(i)), key < 0 ? HANDLER_UNALLOCATED : HANDLER + key);
        const record = (address: number): Int32Array => words.slice(address / 4 + 1, address / 4 + 4);
        assert.deepEqual(record(at(i)), record(scratch));
      }
    }),
    { numRuns: 300 },
  );
});

test("nothing is known at first, not even word 0", () => {
  const { decoder, decoded, decode } = setUp();
  for (const word of [0, 0xffffffff | 0, 0xd503201f | 0]) assert.equal(decoder.knows(word), false);
  assert.equal(decode(decoded.get(PAGE)), 0);
});

test("a word that was decoded is known, whatever came before", () => {
  const { decoder, bytes, words } = setUp();
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 50 }), (list) => {
      for (const word of list) decoder.decodeInto(word, bytes, words, 0x9_0000);
      assert.ok(decoder.knows(list.at(-1) as number));
      const misses = decoder.misses;
      decoder.decodeInto(list.at(-1) as number, bytes, words, 0x9_0000);
      assert.equal(decoder.misses, misses);
    }),
  );
});
