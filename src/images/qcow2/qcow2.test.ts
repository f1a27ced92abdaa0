import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStorage, memoryImages } from "../../../test/support/memory-images.ts";
import { putBe64, viewOf } from "../bytes.ts";
import { ImageError, type ImageFailure } from "../error.ts";
import { openImage } from "../open.ts";
import { checkQcow2 } from "./check.ts";
import { createQcow2, type Qcow2CreateOptions } from "./create.ts";
import { FIELD, INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./qcow2.ts";
import { readCount, writeCount } from "./refcounts.ts";
import { applySnapshot, createSnapshot, deleteSnapshot } from "./snapshots.ts";

const BASE_BYTES = 150_000;
const base = Uint8Array.from({ length: Math.ceil(BASE_BYTES / 512) * 512 }, (_, i) =>
  i < BASE_BYTES ? 1 + (i % 251) : 0,
);

/** A new image in memory, over a raw one where that is asked for. */
function make(bytes: number, options: Qcow2CreateOptions = {}) {
  const file = new MemoryStorage("disk");
  createQcow2(file, bytes, options);
  const files = new Map([
    ["disk", file],
    ["base", new MemoryStorage("base", base.subarray(0, BASE_BYTES))],
  ]);
  const host = memoryImages(files);
  const open = (writable = true) => openImage(host, "disk", { writable }) as Qcow2Image;
  const check = (repair = false) =>
    checkQcow2(openImage(host, "disk", { writable: repair, forCheck: true }) as Qcow2Image, repair);
  return { file, files, host, open, check };
}

function all(image: Qcow2Image): Uint8Array {
  const bytes = new Uint8Array(image.bytes);
  image.read(0, bytes);
  return bytes;
}

function fails(action: () => unknown, failure: ImageFailure, message: RegExp): void {
  assert.throws(action, (e) => e instanceof ImageError && e.failure === failure && message.test(e.message));
}

test("reference counts of all widths keep to themselves", () => {
  for (let order = 0; order <= 6; order++) {
    const view = new DataView(new ArrayBuffer(64));
    const entries = 512 >> order;
    const most = Math.min(2 ** (2 ** order) - 1, Number.MAX_SAFE_INTEGER);
    for (let i = 0; i < entries; i += 2) writeCount(view, order, i, most);
    for (let i = 0; i < entries; i++) assert.equal(readCount(view, order, i), i % 2 === 0 ? most : 0);
    for (let i = 0; i < entries; i += 2) writeCount(view, order, i, 0);
    assert.deepEqual(new Uint8Array(view.buffer), new Uint8Array(64));
  }
});

const layouts: fc.Arbitrary<Qcow2CreateOptions> = fc.oneof(
  fc.record({
    clusterBytes: fc.constantFrom(512, 1024, 4096, 65536),
    refcountBits: fc.constantFrom(4, 8, 16, 32, 64),
  }),
  fc.record({ version: fc.constant(2 as const), clusterBytes: fc.constantFrom(512, 4096, 65536) }),
  fc.record({ extendedL2: fc.constant(true), clusterBytes: fc.constantFrom(16384, 65536) }),
);
const place = { at: fc.nat(1e6), length: fc.oneof(fc.nat(600), fc.nat(60_000)) };
const operations = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant("write" as const), ...place, value: fc.integer({ min: 1, max: 255 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("zero" as const, "discard" as const), ...place }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("flush" as const, "reopen" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("snapshot" as const, "apply" as const, "delete" as const),
        name: fc.constantFrom("a", "b"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("resize" as const), bytes: fc.integer({ min: 1, max: 500 }) }),
    },
  ),
  { maxLength: 40 },
);

test("whatever is done to an image, it holds what was written, and its reference counts are right", () => {
  fc.assert(
    fc.property(layouts, fc.boolean(), fc.integer({ min: 1, max: 500 }), operations, (layout, over, sectors, todo) => {
      const bytes = sectors * 512;
      const backing = over ? { backing: { file: "base", format: "raw" } } : {};
      const { open, check } = make(bytes, { ...layout, ...backing });
      let image = open();
      let model = new Uint8Array(bytes);
      if (over) model.set(base.subarray(0, Math.min(bytes, base.length)));
      const snapshots = new Map<string, Uint8Array>();
      for (const step of todo) {
        const at = "at" in step ? step.at % model.length : 0;
        const length = "length" in step ? Math.min(step.length, model.length - at) : 0;
        switch (step.kind) {
          case "write":
            image.write(at, new Uint8Array(length).fill(step.value));
            model.fill(step.value, at, at + length);
            break;
          case "zero":
            image.writeZeroes(at, length, true);
            model.fill(0, at, at + length);
            break;
          case "discard": {
            image.discard(at, length);
            const now = all(image);
            // Inside it reads as before or as zeros, outside as before.
            const expected = model.map((byte, i) => (i >= at && i < at + length && now[i] === 0 ? 0 : byte));
            assert.deepEqual(now, expected);
            model = expected;
            break;
          }
          case "flush":
            image.flush();
            break;
          case "reopen":
            image.close();
            image = open();
            break;
          case "snapshot":
            if (snapshots.has(step.name)) break;
            createSnapshot(image, step.name, 1e12);
            snapshots.set(step.name, model.slice());
            break;
          case "apply":
            if (!snapshots.has(step.name)) break;
            applySnapshot(image, step.name);
            model = (snapshots.get(step.name) as Uint8Array).slice();
            break;
          case "delete":
            if (!snapshots.delete(step.name)) break;
            deleteSnapshot(image, step.name);
            break;
          case "resize": {
            if (snapshots.size > 0) break;
            image.resize(step.bytes * 512);
            const resized = new Uint8Array(step.bytes * 512);
            resized.set(model.subarray(0, resized.length));
            model = resized;
          }
        }
      }
      assert.deepEqual(all(image), model);
      image.close();
      const { corruptions, leaks, messages } = check();
      assert.deepEqual({ corruptions, leaks, messages }, { corruptions: 0, leaks: 0, messages: [] });
      assert.deepEqual(all(open(false)), model);
      for (const [name, contents] of snapshots) {
        const view = open(false);
        view.showSnapshot(name);
        assert.deepEqual(all(view), contents);
      }
    }),
    { numRuns: 150 },
  );
});

test("whatever of the writes since the last flush arrives, what was flushed is there and nothing is damaged", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(512, 4096),
      fc.nat(),
      fc.array(fc.nat(63), { minLength: 5, maxLength: 60 }),
      (clusterBytes, seed, steps) => {
        const { file, open } = make(64 * 4096, { clusterBytes });
        // The file as it is when nothing since the last flush of the host arrived, and what came since.
        let durable: Uint8Array = file.contents();
        let pending: [number, Uint8Array][] = [];
        file.watch = (what, offset, bytes) => {
          if (what === "write") pending.push([offset, bytes.slice()]);
          else {
            durable = file.contents();
            pending = [];
          }
        };
        const image = open();
        let flushed: Uint8Array = new Uint8Array(64);
        const now = new Uint8Array(64);
        let random = seed | 1;
        for (const [i, block] of steps.entries()) {
          image.write(block * 4096, new Uint8Array(4096).fill(i + 1));
          now[block] = i + 1;
          if (i % 5 === 4) {
            image.flush();
            flushed = now.slice();
          }
          if (i === 20) createSnapshot(image, "s", 0);
          if (i === 20) flushed = now.slice();
          const crashed = new MemoryStorage("disk", durable);
          for (const [offset, bytes] of pending) {
            random = (Math.imul(random, 1103515245) + 12345) >>> 0;
            if (random & 0x10000) crashed.write(offset, bytes);
          }
          const host = memoryImages(new Map([["disk", crashed]]));
          const { messages } = checkQcow2(
            openImage(host, "disk", { writable: false, forCheck: true }) as Qcow2Image,
            false,
          );
          assert.deepEqual(
            messages.filter((m) => !m.includes("leaks")),
            [],
          );
          const found = all(openImage(host, "disk", { writable: false }) as Qcow2Image);
          for (let b = 0; b < 64; b++) {
            // Blocks written in place since may have the new value in part.
            if (flushed[b] === now[b]) assert.equal(found[b * 4096], flushed[b], `block ${b}`);
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test("compressed clusters are read back, written over, and counted right", () => {
  for (const compression of ["zlib", "zstd"] as const) {
    for (const refcountBits of [1, 16]) {
      const { open, check } = make(40 * 4096, { clusterBytes: 4096, compression, refcountBits });
      let image = open();
      const model = new Uint8Array(image.bytes);
      for (let i = 0; i < 30; i++) {
        const cluster = Uint8Array.from({ length: 4096 }, (_, n) => (n % (i + 2) === 0 ? i : n >> 4) & 0xff);
        image.writeCompressed(i * 4096, cluster);
        model.set(cluster, i * 4096);
      }
      image.close();
      assert.equal(check().compressedClusters, 30);
      image = open();
      assert.deepEqual(all(image), model);
      image.write(3 * 4096 + 100, new Uint8Array(9000).fill(7));
      model.fill(7, 3 * 4096 + 100, 3 * 4096 + 9100);
      image.discard(8 * 4096, 4096);
      model.fill(0, 8 * 4096, 9 * 4096);
      assert.deepEqual(all(image), model);
      image.close();
      const { corruptions, leaks, compressedClusters } = check();
      assert.deepEqual(
        { corruptions, leaks, compressedClusters },
        { corruptions: 0, leaks: 0, compressedClusters: 26 },
      );
    }
  }
});

test("a refcount table that is full moves, and the image stays right", () => {
  // Clusters of 512 bytes with counts of 64 bits: a table of one cluster covers 2 MiB.
  const { open, check } = make(8 * 2 ** 20, { clusterBytes: 512, refcountBits: 64 });
  const image = open();
  const before = image.header.refcountTableClusters;
  for (let at = 0; at < image.bytes; at += 65536) image.write(at, new Uint8Array(65536).fill(1 + (at >> 16)));
  image.close();
  const after = open(false);
  assert.ok(after.header.refcountTableClusters > before);
  assert.ok(all(after).every((byte, i) => byte === ((1 + (i >> 16)) & 0xff)));
  const { corruptions, leaks } = check();
  assert.deepEqual({ corruptions, leaks }, { corruptions: 0, leaks: 0 });
});

test("a dirty image has its reference counts put right when it is opened for writing", () => {
  const { file, open, check } = make(2 ** 20, { clusterBytes: 4096, lazyRefcounts: true });
  const image = open();
  image.write(0, new Uint8Array(50_000).fill(5));
  image.close();
  const { refcounts } = open(false);
  const block = refcounts.table[0] as number;
  const header = viewOf(file.contents());
  // No counts, as after a crash with lazy reference counts.
  file.write(block, new Uint8Array(4096));
  header.setUint32(FIELD.incompatible + 4, INCOMPATIBLE.dirty);
  file.write(0, new Uint8Array(header.buffer, 0, 112));
  assert.ok(check().corruptions > 0);
  const again = open();
  assert.equal(again.header.incompatible, 0);
  again.write(100_000, new Uint8Array(10_000).fill(6));
  again.close();
  assert.equal(check().corruptions + check().leaks, 0);
  assert.deepEqual(all(open(false)).subarray(0, 50_000), new Uint8Array(50_000).fill(5));
});

test("repair gives leaked clusters back, and rebuilds what counts them", () => {
  const { file, open, check } = make(2 ** 20, { clusterBytes: 4096 });
  const image = open();
  image.write(0, new Uint8Array(50_000).fill(5));
  image.close();
  const { refcounts } = open(false);
  const block = refcounts.table[0] as number;
  file.write(block + 2 * 100, Uint8Array.of(0, 1));
  assert.deepEqual([check().leaks, check().corruptions], [1, 0]);
  assert.deepEqual([check(true).leaksFixed, check().leaks], [1, 0]);
  // A table that points to nowhere.
  const pointer = new Uint8Array(8);
  putBe64(viewOf(pointer), 0, 2 ** 40);
  file.write(open(false).header.refcountTableOffset, pointer);
  assert.ok(check().corruptions > 0);
  check(true);
  assert.deepEqual([check().leaks, check().corruptions], [0, 0]);
  const after = open();
  assert.deepEqual(all(after).subarray(0, 50_000), new Uint8Array(50_000).fill(5));
  after.write(500_000, new Uint8Array(50_000).fill(5));
  after.close();
  assert.deepEqual([check().leaks, check().corruptions], [0, 0]);
});

test("what cannot be done right is refused, in one line", () => {
  const patched = (at: number, ...bytes: number[]) => {
    const made = make(2 ** 20);
    made.file.write(at, Uint8Array.from(bytes));
    return made;
  };
  fails(() => patched(7, 9).open(), "unsupported", /version 9/);
  fails(() => patched(23, 30).open(), "corrupt", /clusters of 2\^30/);
  fails(() => patched(35, 1).open(), "unsupported", /encrypted/);
  fails(() => patched(72, 0x80).open(), "unsupported", /features/);
  fails(() => patched(79, INCOMPATIBLE.dataFile).open(), "unsupported", /another file/);
  fails(() => patched(79, INCOMPATIBLE.corrupt).open(), "corrupt", /marked corrupt/);
  patched(79, INCOMPATIBLE.corrupt).open(false);
  fails(() => patched(36, 0xff).open(), "corrupt", /L1 table is too large/);
  fails(() => patched(56, 0xff).open(), "corrupt", /refcount table is too large/);
  fails(() => patched(60, 0, 0xff).open(), "corrupt", /snapshot/);
  fails(() => patched(45, 0).open(), "corrupt", /overlap/);
  const cut = make(2 ** 20);
  cut.file.truncate(100);
  fails(() => cut.open(), "corrupt", /beyond the end of the file/);
});

test("backing files: missing, circular, of a protocol, and too many", () => {
  const over = (file: string, format = "qcow2") => make(2 ** 20, { backing: { file, format } });
  fails(() => over("none").open(), "host", /no such file \(the backing file of disk\)/);
  fails(() => over("disk").open(), "corrupt", /is a backing file of itself/);
  fails(() => over("nbd://host/x").open(), "unsupported", /must be a file/);
  fails(() => over("json:{}").open(), "unsupported", /must be a file/);
  const deep = over("l0");
  for (let i = 0; i < 200; i++) {
    const link = new MemoryStorage(`l${i}`);
    createQcow2(link, 512, { clusterBytes: 512, backing: { file: `l${i + 1}`, format: "qcow2" } });
    (deep.files as Map<string, MemoryStorage>).set(`l${i}`, link);
  }
  fails(() => deep.open(), "refused", /on top of each other/);
});

test("an image found corrupt while it is written is marked, and written no more", () => {
  const { file, open, check } = make(2 ** 20, { clusterBytes: 4096 });
  const first = open();
  first.write(0, new Uint8Array(4096).fill(1));
  first.close();
  const { l1 } = open(false).map;
  const table = viewOf(l1).getUint32(4);
  const entry = new Uint8Array(8);
  // The disk's first cluster is where the L1 table is.
  putBe64(viewOf(entry), 0, open(false).header.l1Offset);
  file.write(table, entry);
  const image = open();
  fails(() => image.write(0, new Uint8Array(512)), "corrupt", /metadata/);
  fails(() => image.flush(), "corrupt", /metadata/);
  fails(() => open(), "corrupt", /marked corrupt/);
  assert.ok(check().corruptions > 0);
});
