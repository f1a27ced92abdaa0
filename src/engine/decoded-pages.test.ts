import assert from "node:assert/strict";
import { test } from "node:test";
import { HANDLER_DECODE, RECORD_BYTES } from "./decoded-layout.ts";
import { DecodedPages } from "./decoded-pages.ts";
import { COMPARED_AT_ONCE } from "./limits.ts";

const PAGE = 0x10_0000;
const OTHER = 0x10_1000;
const BASE = 0x20_0000;
const COUNT = 16;
const DECODED = 7;

function setUp() {
  const buffer = new ArrayBuffer(BASE + DecodedPages.bytes(COUNT));
  const words = new Int32Array(buffer);
  const dropped: number[] = [];
  let flushes = 0;
  const pages = new DecodedPages(
    buffer,
    BASE,
    COUNT,
    (index) => dropped.push(index),
    () => flushes++,
    (a, b, bytes) => (Buffer.compare(new Uint8Array(buffer, a, bytes), new Uint8Array(buffer, b, bytes)) === 0 ? 1 : 0),
  );
  return {
    ...{ pages, dropped, flushes: () => flushes },
    store: (page: number, i: number, word: number) => {
      words[page / 4 + i] = word;
    },
    /** As the engine does: the word is read, its record becomes a handler. */
    decode: (page: number, i: number): number => {
      const index = pages.find(page);
      words[(pages.address(index) + i * RECORD_BYTES) >> 2] = DECODED;
      return pages.word(index, i);
    },
    record: (page: number, i: number): number => words[(pages.get(page) + i * RECORD_BYTES) >> 2] as number,
  };
}

test("few pages are compared at once: none is in doubt where all are what they were", () => {
  const { pages, dropped, flushes, store, decode, record } = setUp();
  store(PAGE, 3, 0x1234);
  pages.get(PAGE);
  pages.get(OTHER);
  decode(PAGE, 3);
  assert.equal(pages.doubt(), false);
  assert.equal(flushes(), 0);
  assert.notEqual(pages.find(PAGE), -1);
  store(OTHER, 1023, 1);
  assert.equal(pages.doubt(), true);
  assert.equal(flushes(), 1, "nothing points to them any more");
  assert.equal(pages.find(PAGE), -1);
  assert.equal(pages.find(OTHER), -1);
  assert.equal(record(PAGE, 3), DECODED);
  assert.deepEqual(dropped, []);
});

test("a page in doubt is what it was when its memory is", () => {
  const { pages, dropped, flushes, store, decode, record } = setUp();
  store(PAGE, 3, 0x1234);
  const address = pages.get(PAGE);
  assert.equal(decode(PAGE, 3), 0x1234);
  for (let i = 1; i <= COMPARED_AT_ONCE; i++) pages.get(PAGE + i * 0x1000);
  assert.equal(pages.doubt(), true);
  assert.equal(flushes(), 1, "nothing points to it any more");
  assert.equal(pages.find(PAGE), -1);
  assert.equal(pages.get(PAGE), address);
  assert.equal(record(PAGE, 3), DECODED);
  assert.deepEqual(dropped, []);
});

test("a page in doubt whose memory has changed is decoded anew, and no other", () => {
  const { pages, dropped, store, decode, record } = setUp();
  for (const page of [PAGE, OTHER]) {
    pages.get(page);
    decode(page, 5);
  }
  store(OTHER, 1023, 1);
  pages.doubt();
  assert.equal(record(PAGE, 5), DECODED);
  assert.equal(record(OTHER, 5), HANDLER_DECODE);
  assert.deepEqual(dropped, [pages.find(OTHER)]);
  // What it was decoded from is what it is compared with from now on.
  decode(OTHER, 5);
  pages.doubt();
  assert.equal(record(OTHER, 5), DECODED);
});

test("what was decoded from a word that was there for a while only does not stay", () => {
  const { pages, store, decode, record } = setUp();
  pages.get(PAGE);
  store(PAGE, 5, 1);
  assert.equal(decode(PAGE, 5), 1);
  store(PAGE, 5, 0);
  pages.doubt();
  assert.equal(record(PAGE, 5), HANDLER_DECODE);
});

test("records that were reset are of the memory as it then is", () => {
  const { pages, dropped, store, decode, record } = setUp();
  pages.get(PAGE);
  decode(PAGE, 5);
  store(PAGE, 16, 1);
  pages.reset(pages.find(PAGE), 16, 16);
  pages.doubt();
  assert.equal(record(PAGE, 5), DECODED);
  assert.deepEqual(dropped, []);
});

test("a page in doubt may be dropped for another", () => {
  const { pages, record } = setUp();
  for (let i = 0; i < COUNT; i++) pages.get(PAGE + i * 0x1000);
  pages.doubt();
  const [first] = [pages.get(PAGE + COUNT * 0x1000)];
  assert.equal(first, pages.address(0));
  assert.notEqual(pages.get(PAGE), first);
  assert.equal(record(PAGE, 0), HANDLER_DECODE);
});
