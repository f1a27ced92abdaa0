import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FIRST_DOMAIN, FrameAllocator } from "./allocator.ts";
import { DomainMemory } from "./domain-memory.ts";
import { MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import { SamePageMerging } from "./same-page-merging.ts";
import { Stage2Space } from "./stage2-space.ts";

const FRAMES = 256;
const RAM = 0x4000_0000;
const PAGES = 32;
const SPACES = 3;

function rig() {
  const memory = new MachineMemory(new ArrayBuffer(FRAMES * PAGE_BYTES), 0, FRAMES * PAGE_BYTES);
  const frames = new FrameAllocator(FRAMES);
  const spaces = Array.from({ length: SPACES }, (_, i) => {
    const rigged = { invalidations: 0 };
    const space = new Stage2Space({
      ...{ memory, frames, owner: FIRST_DOMAIN + i, ram: { base: RAM, bytes: PAGES * PAGE_BYTES } },
      invalidate: () => rigged.invalidations++,
      frameGone: () => {},
    });
    return { rigged, space, own: new DomainMemory(memory, space) };
  });
  return { memory, frames, spaces, merging: new SamePageMerging(memory, frames) };
}

test("whatever is written, forked, given back and merged: each sees its own, and each frame is held as often as tables have it", () => {
  const step = fc.record({
    who: fc.nat(SPACES - 1),
    other: fc.nat(SPACES - 1),
    what: fc.constantFrom(
      "write",
      "write",
      "write",
      "read",
      "discard",
      "scan",
      "scan",
      "fork",
      "clear",
      "log",
      "dirty",
      "quiet",
    ),
    page: fc.nat(PAGES - 1),
    // Few, so that pages are often the same.
    value: fc.integer({ min: 0, max: 2 }),
    pages: fc.integer({ min: 1, max: 3 * SPACES * PAGES }),
  });
  let merged = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const { frames, spaces, merging } = rig();
      const expected = spaces.map(() => new Map<number, number>());
      for (const { who, other, what, page, value, pages } of steps) {
        const { space, own } = spaces[who] as (typeof spaces)[number];
        const mine = expected[who] as Map<number, number>;
        const ipa = RAM + page * PAGE_BYTES;
        if (what === "write") {
          assert.ok(own.write(ipa + 8, Uint8Array.of(value)));
          mine.set(page, value);
        } else if (what === "read") assert.equal(space.fault(ipa, "read"), "again");
        else if (what === "discard") {
          space.discard(RAM / PAGE_BYTES + page);
          mine.delete(page);
        } else if (what === "scan") {
          for (let pass = 0; pass < 3; pass++)
            merging.scan(
              spaces.map((each) => each.space),
              pages,
            );
        } else if (what === "clear") {
          space.clear();
          mine.clear();
        } else if (what === "log") space.startLogging();
        else if (what === "dirty") space.takeDirty();
        else if (what === "quiet") space.stopLogging();
        else if (other !== who) {
          const child = spaces[other] as (typeof spaces)[number];
          child.space.clear();
          assert.ok(space.shareWith(child.space));
          expected[other] = new Map(mine);
        }
        const holds = new Map<number, number>();
        for (const [i, each] of spaces.entries()) {
          for (let n = 0; n < PAGES; n++)
            assert.equal(each.own.read(RAM + n * PAGE_BYTES + 8, 1)?.[0], expected[i]?.get(n) ?? 0);
          each.space.forEachPage((_page, _at, frame) => holds.set(frame, (holds.get(frame) ?? 0) + 1));
        }
        for (const [frame, count] of holds) assert.equal(frames.holders(frame), count);
        const tables = spaces.reduce((sum, each) => sum + each.space.tableFrames, 0);
        assert.equal(frames.free, FRAMES - tables - holds.size);
      }
      merged += merging.merged;
      for (const { space } of spaces) space.close();
      assert.equal(frames.free, FRAMES);
    }),
    { numRuns: 80 },
  );
  assert.ok(merged > 100, `only ${merged} merges`);
});

test("pages are merged when they were the same in two passes, and TLBs forget that they may be written", () => {
  const { frames, spaces, merging } = rig();
  const all = spaces.map(({ space }) => space);
  for (const [i, { own }] of spaces.entries()) {
    own.write(RAM, Uint8Array.of(7, 7));
    own.write(RAM + PAGE_BYTES, Uint8Array.of(i + 1));
  }
  const { free } = frames;
  const before = spaces.map(({ rigged }) => rigged.invalidations);
  assert.equal(merging.scan(all, SPACES * (PAGES + 1)), 0);
  while (merging.passes < 3) merging.scan(all, 10);
  // Of 3 x 16 pages: one frame of sevens, one of zeroes, and three of their own.
  assert.equal(frames.free - free, SPACES * 16 - 5);
  for (const [i, { rigged }] of spaces.entries()) assert.ok(rigged.invalidations > (before[i] as number));
  const [one, two] = spaces as [(typeof spaces)[number], (typeof spaces)[number]];
  assert.equal(one.space.frameOf(RAM / PAGE_BYTES), two.space.frameOf(RAM / PAGE_BYTES));
  assert.equal(one.space.fault(RAM, "write"), "again");
  assert.notEqual(one.space.frameOf(RAM / PAGE_BYTES), two.space.frameOf(RAM / PAGE_BYTES));
});
