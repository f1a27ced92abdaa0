import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Claims,
  FIRST_CHANNEL,
  FIRST_DOMAIN,
  FREE,
  FrameAllocator,
  NumberAllocator,
  RUN_FRAMES,
  SHARED,
} from "./allocator.ts";

const FRAMES = 100;

test("whatever is taken, shared and given back, no frame has two owners, and all are free in the end", () => {
  const step = fc.record({
    what: fc.constantFrom("take", "run", "together", "share", "release", "unshare"),
    owner: fc.integer({ min: FIRST_DOMAIN, max: FIRST_DOMAIN + 3 }),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const frames = new FrameAllocator(FRAMES);
      // What the model thinks: holders of each frame, one entry for each.
      const held = new Map<number, number[]>();
      const give = (frame: number, owner: number): void => {
        if (frame < 0) return;
        assert.equal(held.get(frame), undefined, `frame ${frame} was given twice`);
        held.set(frame, [owner]);
      };
      for (const { what, owner, which } of steps) {
        const taken = [...held.keys()];
        const frame = taken[which % Math.max(1, taken.length)];
        if (what === "take") give(frames.take(owner), owner);
        else if (what === "run") {
          const first = frames.takeRun(owner);
          assert.ok(first < 0 || first % RUN_FRAMES === 0);
          for (let i = 0; first >= 0 && i < RUN_FRAMES; i++) give(first + i, owner);
        } else if (what === "together") {
          const first = frames.takeTogether(owner, 1 + (which % 5));
          for (let i = 0; first >= 0 && i < 1 + (which % 5); i++) give(first + i, owner);
        } else if (frame === undefined) continue;
        else if (what === "share") {
          frames.share(frame);
          held.get(frame)?.push(owner);
        } else if (what === "release") {
          const holders = held.get(frame) as number[];
          const by = holders.pop() as number;
          assert.equal(frames.release(frame, by), holders.length === 0);
          if (holders.length === 0) held.delete(frame);
        } else {
          const holders = held.get(frame) as number[];
          const alone = frames.ownerOf(frame) === SHARED && holders.length === 1;
          assert.equal(frames.unshare(frame, owner), alone);
          if (alone) held.set(frame, [owner]);
        }
        assert.equal(frames.free, FRAMES - held.size);
        for (const [frame, holders] of held) {
          assert.equal(frames.holders(frame), holders.length);
          assert.notEqual(frames.ownerOf(frame), FREE);
        }
      }
      for (const [frame, holders] of held) for (const owner of holders) frames.release(frame, owner);
      assert.equal(frames.free, FRAMES);
      for (let owner = 0; owner <= SHARED; owner += 1) assert.equal(frames.owned(owner), 0);
      for (let i = 0; i < FRAMES; i++) assert.ok(frames.take(FIRST_DOMAIN) >= 0);
      assert.equal(frames.take(FIRST_DOMAIN), -1);
    }),
    { numRuns: 60 },
  );
});

test("a frame of another's cannot be given back", () => {
  const frames = new FrameAllocator(RUN_FRAMES);
  const frame = frames.take(FIRST_DOMAIN);
  assert.throws(() => frames.release(frame, FIRST_DOMAIN + 1));
  assert.throws(() => frames.release(frame + 1, FIRST_DOMAIN));
  assert.equal(frames.ownerOf(frame), FIRST_DOMAIN);
});

test("numbers are given once, and a number that was given back comes again last", () => {
  const numbers = new NumberAllocator(1, 3);
  assert.deepEqual([numbers.take(), numbers.take()], [1, 2]);
  numbers.release(1);
  assert.deepEqual([numbers.take(), numbers.take(), numbers.take()], [3, 1, undefined]);
  numbers.release(2);
  assert.throws(() => numbers.release(2));
});

test("a thing has one owner at a time", () => {
  const claims = new Claims();
  const [disk, console] = [{}, {}];
  assert.ok(claims.claim(disk, 1) && claims.claim(disk, 1));
  assert.ok(!claims.claim(disk, 2));
  assert.ok(claims.claim(console, 2));
  claims.releaseAll(1);
  assert.ok(claims.claim(disk, 2));
  assert.ok(!claims.claim(console, 1));
});

test("a channel's frames are lent and come back; they are its own until nobody has them", () => {
  const frames = new FrameAllocator(32);
  const frame = frames.take(FIRST_CHANNEL);
  frames.lend(frame);
  frames.lend(frame);
  assert.equal(frames.holders(frame), 3);
  assert.equal(frames.ownerOf(frame), FIRST_CHANNEL);
  assert.deepEqual(frames.shared(), { frames: 0, holders: 0 });
  assert.throws(() => frames.release(frame, FIRST_CHANNEL), /is lent/);
  assert.equal(frames.release(frame, FIRST_DOMAIN), false);
  assert.equal(frames.release(frame, FIRST_DOMAIN + 1), false);
  assert.throws(() => frames.release(frame, FIRST_DOMAIN), /is not of owner/);
  assert.equal(frames.owned(FIRST_DOMAIN), 0);
  assert.equal(frames.release(frame, FIRST_CHANNEL), true);
  assert.equal(frames.free, 32);
  const own = frames.take(FIRST_DOMAIN);
  assert.throws(() => frames.lend(own), /is no channel's/);
});
