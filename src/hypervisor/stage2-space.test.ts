import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { scattered } from "../bus/scattered.ts";
import { FIRST_DOMAIN, FrameAllocator } from "./allocator.ts";
import { DomainMemory } from "./domain-memory.ts";
import { MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import { Stage2Space } from "./stage2-space.ts";
import { IPA_BITS } from "./stage2-tables.ts";

const FRAMES = 256;
const RAM = 0x4000_0000;
const PAGES = 64;
const FIRST_PAGE = RAM / PAGE_BYTES;

interface Rig {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly space: Stage2Space;
  readonly own: DomainMemory;
  readonly gone: number[];
  invalidations: number;
}

/** Address spaces of 64 pages, in one machine of 256. */
function rig(
  count = 1,
  memory = new MachineMemory(new ArrayBuffer(FRAMES * PAGE_BYTES), 0, FRAMES * PAGE_BYTES),
): Rig[] {
  const frames = new FrameAllocator(FRAMES);
  return Array.from({ length: count }, (_, i) => {
    const made = { memory, frames, gone: [] as number[], invalidations: 0 } as unknown as Rig & {
      space: Stage2Space;
      own: DomainMemory;
    };
    made.space = new Stage2Space({
      ...{ memory, frames, owner: FIRST_DOMAIN + i, ram: { base: RAM, bytes: PAGES * PAGE_BYTES } },
      invalidate: () => made.invalidations++,
      frameGone: (frame) => made.gone.push(frame),
    });
    made.own = new DomainMemory(memory, made.space);
    return made;
  });
}

/** What the table walker makes of an IPA (Arm ARM D8.3): the frame, and whether it may be written; undefined: a fault. */
function walk({ memory, space }: Rig, ipa: number): { frame: number; write: boolean } | undefined {
  let table = memory.frameAt(space.root);
  for (let level = 1; level <= 3; level++) {
    const index = Math.floor(ipa / 2 ** (39 - 9 * level)) % 512;
    const at = (memory.linearOf(table) >>> 2) + 2 * index;
    const [low, high] = [memory.words[at] as number, memory.words[at + 1] as number];
    if ((low & 3) !== 3) return undefined;
    table = memory.frameAt((high & 0xffff) * 2 ** 32 + ((low & ~0xfff) >>> 0));
    if (level === 3)
      return low & (1 << 10) && low & (1 << 6) ? { frame: table, write: (low & (1 << 7)) !== 0 } : undefined;
  }
  return undefined;
}

test("memory comes with its first touch, zeroed, and nothing outside of RAM is ever mapped", () => {
  const [one] = rig() as [Rig];
  one.memory.words.fill(-1);
  const [fresh] = rig(1, one.memory) as [Rig];
  assert.equal(walk(fresh, RAM), undefined);
  assert.equal(fresh.space.fault(RAM + 5 * PAGE_BYTES + 12, "read"), "again");
  const found = walk(fresh, RAM + 5 * PAGE_BYTES);
  assert.ok(found?.write);
  assert.ok(fresh.memory.bytes(found.frame).every((byte) => byte === 0));
  for (const ipa of [0, RAM - 1, RAM + PAGES * PAGE_BYTES, 2 ** IPA_BITS - 1, 2 ** IPA_BITS, 2 ** 48]) {
    assert.equal(fresh.space.fault(ipa, "write"), "outside");
  }
  fresh.space.close();
  assert.equal(fresh.frames.free, FRAMES);
});

test("when the machine has no memory left, a touch says so, and what was there stays", () => {
  const [one] = rig() as [Rig];
  while (one.frames.take(1) >= 0);
  assert.equal(one.space.fault(RAM, "read"), "exhausted");
  assert.equal(one.own.view(RAM, 8, true), undefined);
});

test("two spaces that do anything to their pages never have a frame in common, unless both may only read it; all are given back", () => {
  const page = fc.integer({ min: 0, max: PAGES - 1 });
  const step = fc.record({
    who: fc.integer({ min: 0, max: 1 }),
    what: fc.constantFrom("write", "write", "read", "discard", "log", "dirty", "quiet", "fork", "clear"),
    page,
    value: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const both = rig(2);
      const expected = [new Map<number, number>(), new Map<number, number>()];
      for (const { who, what, page, value } of steps) {
        const { space, own, frames } = both[who] as Rig;
        const mine = expected[who] as Map<number, number>;
        const ipa = RAM + page * PAGE_BYTES;
        if (what === "write") {
          assert.ok(own.write(ipa, Uint8Array.of(value)));
          mine.set(page, value);
        } else if (what === "read") assert.equal(space.fault(ipa, "read"), "again");
        else if (what === "discard") {
          space.discard(FIRST_PAGE + page);
          mine.delete(page);
        } else if (what === "log") space.startLogging();
        else if (what === "dirty") space.takeDirty();
        else if (what === "quiet") space.stopLogging();
        else if (what === "clear") {
          space.clear();
          mine.clear();
        } else {
          // The other becomes a copy of this one.
          const other = both[1 - who] as Rig;
          other.space.clear();
          assert.ok(space.shareWith(other.space));
          expected[1 - who] = new Map(mine);
        }
        for (const [i, rig] of both.entries()) {
          for (let n = 0; n < PAGES; n++) {
            const found = walk(rig, RAM + n * PAGE_BYTES);
            const byte = rig.own.read(RAM + n * PAGE_BYTES, 1)?.[0];
            assert.equal(byte, expected[i]?.get(n) ?? 0);
            if (found?.write) assert.equal(frames.holders(found.frame), 1, "what may be written is one's own");
          }
        }
      }
      for (const { space } of both) space.close();
      assert.equal((both[0] as Rig).frames.free, FRAMES);
    }),
    { numRuns: 60 },
  );
});

test("logging gives exactly the pages that were written since it was asked last", () => {
  const [{ space, own }] = rig() as [Rig];
  for (const n of [0, 3, 20]) own.write(RAM + n * PAGE_BYTES, Uint8Array.of(1));
  space.startLogging();
  assert.deepEqual(space.takeDirty(), []);
  assert.equal(space.fault(RAM + 3 * PAGE_BYTES, "read"), "again");
  assert.deepEqual(space.takeDirty(), []);
  assert.equal(space.fault(RAM + 3 * PAGE_BYTES, "write"), "again");
  own.write(RAM + 40 * PAGE_BYTES - 1, Uint8Array.of(1, 2));
  assert.deepEqual(
    space.takeDirty(),
    [3, 39, 40].map((n) => FIRST_PAGE + n),
  );
  assert.deepEqual(space.takeDirty(), []);
});

test("devices find memory wherever its frames are", () => {
  const [{ own, space, frames }] = rig() as [Rig];
  // Every other frame is taken, so that no two are neighbours.
  const all = [];
  for (let frame = frames.take(1); frame >= 0; frame = frames.take(1)) all.push(frame);
  for (const frame of all) if (frame % 2 === 0) frames.release(frame, 1);
  const bytes = Uint8Array.from({ length: 3 * PAGE_BYTES }, (_, i) => i * 7);
  assert.ok(own.write(RAM + 100, bytes));
  assert.equal(own.view(RAM + 100, bytes.length, false), undefined);
  const views = scattered(own, RAM + 100, bytes.length, false) as Uint8Array[];
  assert.equal(views.length, 4);
  assert.deepEqual(Buffer.concat(views), Buffer.from(bytes));
  assert.equal(scattered(own, RAM + PAGES * PAGE_BYTES - 8, 16, true), undefined);
  assert.ok(space.mapped < 16);
});

test("a watched page is the watcher's until it is watched no more", () => {
  const [rigged] = rig() as [Rig];
  const { space, own } = rigged;
  own.write(RAM, Uint8Array.of(1));
  assert.ok(space.watch(FIRST_PAGE, { read: false, write: true, execute: false }));
  assert.equal(walk(rigged, RAM)?.write, false);
  assert.equal(space.fault(RAM, "write"), "watched");
  assert.ok(space.watch(FIRST_PAGE, undefined));
  assert.equal(walk(rigged, RAM)?.write, true);
});

test("a watch takes only what it watches, and is kept when the page is shared, logged or written by a device", () => {
  const [rigged] = rig() as [Rig];
  const { space, own, frames } = rigged;
  own.write(RAM, Uint8Array.of(1));
  const told: number[] = [];
  space.onWatchedDevice = (page) => told.push(page);
  const writes = { read: false, write: true, execute: false };
  space.startLogging();
  assert.ok(space.watch(FIRST_PAGE, writes, 2));
  assert.equal(space.fault(RAM, "read"), "again");
  assert.equal(space.fault(RAM, "execute"), "again");
  own.write(RAM, Uint8Array.of(2));
  assert.deepEqual(told, [FIRST_PAGE]);
  assert.deepEqual(space.takeDirty(), [FIRST_PAGE]);
  assert.equal(space.fault(RAM, "write"), "watched");
  space.stopLogging();
  assert.equal(space.fault(RAM, "write"), "watched");
  assert.equal(walk(rigged, RAM)?.write, false);

  frames.share(space.frameOf(FIRST_PAGE + 1));
  space.replaceByShared(FIRST_PAGE, space.frameOf(FIRST_PAGE + 1));
  assert.equal(space.fault(RAM, "write"), "watched");

  assert.ok(space.watch(FIRST_PAGE, { ...writes, write: false, execute: true }));
  assert.equal(space.fault(RAM, "execute"), "watched");
  assert.equal(space.fault(RAM, "write"), "again");
  assert.equal(space.fault(RAM, "execute"), "watched");
  assert.ok(space.watch(FIRST_PAGE, { ...writes, read: true }));
  assert.equal(space.fault(RAM, "read"), "watched");
  assert.equal(walk(rigged, RAM), undefined);

  space.discard(FIRST_PAGE);
  assert.deepEqual(told, [FIRST_PAGE, FIRST_PAGE]);
  assert.ok(!space.watch(FIRST_PAGE, writes));
});
