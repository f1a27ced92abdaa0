import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PageRelease, RELEASE_BLOCKS_MAX, RELEASE_MIN, type ReleasePages } from "./page-release.ts";

const PAGE = 4096;
const START = 3 * RELEASE_MIN;
const BLOCKS = 5;
/** RAM ends with a part of a block; memory goes on behind it. */
const BYTES = BLOCKS * RELEASE_MIN + 3 * PAGE;

function setUp(gives = true) {
  const memory = new WebAssembly.Memory({ initial: 12, maximum: 12 });
  const bytes = new Uint8Array(memory.buffer).fill(7);
  const released: [number, number][] = [];
  const release: ReleasePages = (of, offset, length) => {
    assert.equal(of, memory);
    assert.ok(length > 0 && offset % RELEASE_MIN === 0 && length % RELEASE_MIN === 0);
    assert.ok(offset >= START && offset + length <= START + BYTES);
    if (gives) bytes.fill(0, offset, offset + length);
    released.push([(offset - START) / RELEASE_MIN, length / RELEASE_MIN]);
    return gives;
  };
  return { bytes, released, ram: new PageRelease(memory, START, BYTES, release) };
}

test("whole blocks are given back together, parts of others only cleared", () => {
  const { bytes, released, ram } = setUp();
  ram.clear(START + RELEASE_MIN - PAGE, 3 * RELEASE_MIN);
  assert.deepEqual(released, [[1, 2]]);
  assert.equal(bytes.indexOf(0), START + RELEASE_MIN - PAGE);
  assert.equal(bytes.lastIndexOf(0), START + 4 * RELEASE_MIN - PAGE - 1);
});

test("a block that comes page by page is given back with its last one", () => {
  const { released, ram } = setUp();
  const pages = [...Array(RELEASE_MIN / PAGE).keys()];
  for (const page of pages.slice(1)) ram.clear(START + RELEASE_MIN + page * PAGE, PAGE);
  assert.deepEqual(released, []);
  ram.clear(START + RELEASE_MIN, PAGE);
  assert.deepEqual(released, [[1, 1]]);
});

test("where the host gives nothing back, pages are cleared", () => {
  const { bytes, ram } = setUp(false);
  ram.clear(START, 2 * RELEASE_MIN);
  assert.deepEqual([bytes.indexOf(0), bytes.lastIndexOf(0)], [START, START + 2 * RELEASE_MIN - 1]);
});

test("what is cleared is just the whole pages, whatever is given back", () => {
  const range = fc.tuple(fc.nat(BYTES), fc.nat(BYTES)).map(([a, b]) => [Math.min(a, b), Math.abs(a - b)] as const);
  const ranges = fc.array(fc.tuple(range, fc.boolean()), { maxLength: 20 });
  fc.assert(
    fc.property(ranges, (list) => {
      const { bytes, ram } = setUp();
      const expected = bytes.slice();
      for (const [[at, length], write] of list) {
        const [from, to] = [START + at, START + at + length];
        if (write) {
          bytes.fill(9, from, to);
          expected.fill(9, from, to);
        } else {
          ram.clear(from, length);
          const [first, end] = [Math.ceil(from / PAGE) * PAGE, Math.floor(to / PAGE) * PAGE];
          if (first < end) expected.fill(0, first, end);
        }
      }
      assert.ok(Buffer.from(bytes).equals(expected));
    }),
    { numRuns: 100 },
  );
});

test("a host has a bounded number of parts to keep apart", () => {
  for (const bytes of [2 ** 21, 2 ** 28, 2 ** 28 + 4096, 2 ** 32 - 2 ** 28]) {
    const { block } = new PageRelease({} as WebAssembly.Memory, RELEASE_MIN, bytes, () => true);
    assert.ok(bytes / block <= RELEASE_BLOCKS_MAX && block % RELEASE_MIN === 0, `${bytes}`);
    assert.ok(block === RELEASE_MIN || bytes / (block / 2) > RELEASE_BLOCKS_MAX, `${bytes}`);
  }
});
