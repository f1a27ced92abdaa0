import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Disk } from "../../contract/definition.ts";
import { BlockFile } from "../../hosts/node/block-file.ts";
import { createQcow2 } from "../../images/qcow2/create.ts";
import { ForkableDisk } from "./forkable-disk.ts";
import { Layers } from "./layers.ts";

const BYTES = 2 ** 20;
let root = "";
let layers: Layers;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "atoll-fork-"));
  layers = new Layers(root, join(root, "domains", ".layers"), join(root, "domains"));
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (domain: string): string => join(root, "domains", domain, "disk0.qcow2");
const disk = (file: string, changes: Partial<Disk> = {}): Disk => ({
  file,
  readOnly: false,
  snapshot: false,
  ...changes,
});

function make(file: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  closeSync(openSync(file, "wx"));
  const storage = new BlockFile(file, true);
  createQcow2(storage, BYTES);
  storage.close();
}

/** Forks a disk as it is when all is prepared and `meanwhile` is done. */
async function fork(
  original: ForkableDisk,
  name: string,
  own = true,
  meanwhile = (): void => {},
): Promise<ForkableDisk> {
  mkdirSync(join(root, "domains", name), { recursive: true });
  const copy = await ForkableDisk.copyOf(original, disk(at(name)));
  const work = original.prepareFork(copy, { layer: own ? layers.next() : undefined, root: layers.root });
  meanwhile();
  work.cut();
  work.end();
  return copy;
}

const put = (to: ForkableDisk, offset: number, value: number): void =>
  to.write(offset, new Uint8Array(512).fill(value));
function get(from: ForkableDisk, offset: number): number {
  const bytes = new Uint8Array(512);
  from.read(offset, bytes);
  return bytes[0] as number;
}
const layersThere = (): number => readdirSync(join(root, "domains", ".layers")).length;

test("after a fork both have what there was, and neither sees what the other writes, also when opened anew", async () => {
  make(at("a"));
  let a = await ForkableDisk.open(disk(at("a")));
  put(a, 0, 1);
  put(a, 65536, 2);
  let b = await fork(a, "b");
  let c = await fork(b, "c");
  put(a, 0, 10);
  put(b, 0, 20);
  const d = await fork(b, "d", true, () => put(b, 131072, 7));
  put(c, 65536, 30);
  for (let opened = 0; opened < 2; opened++) {
    assert.deepEqual(
      [a, b, c].map((each) => [get(each, 0), get(each, 65536), get(each, 131072)]),
      [
        [10, 2, 0],
        [20, 2, 7],
        [1, 30, 0],
      ],
    );
    if (opened === 0) assert.deepEqual([get(d, 0), get(d, 131072)], [20, 7]);
    for (const each of [a, b, c, d]) each.close();
    if (opened > 0) break;
    a = await ForkableDisk.open(disk(at("a")));
    b = await ForkableDisk.open(disk(at("b")));
    c = await ForkableDisk.open(disk(at("c")));
  }
});

test("a disk that nothing was written to since gets no further layer", async () => {
  make(at("a"));
  const a = await ForkableDisk.open(disk(at("a")));
  put(a, 0, 1);
  const copies = [await fork(a, "b"), await fork(a, "c"), await fork(a, "d")];
  assert.equal(layersThere(), 1);
  // What is written in the moment before the cut counts.
  const last = await fork(a, "e", true, () => put(a, 0, 5));
  assert.equal(layersThere(), 2);
  assert.deepEqual(
    [...copies, last].map((each) => get(each, 0)),
    [1, 1, 1, 5],
  );
  for (const each of [a, ...copies, last]) each.close();
});

test("layers go when nobody is on top of them any more", async () => {
  make(at("a"));
  const a = await ForkableDisk.open(disk(at("a")));
  put(a, 0, 1);
  const b = await fork(a, "b");
  put(b, 0, 2);
  const c = await fork(b, "c");
  for (const each of [a, b, c]) each.close();
  layers.sweep();
  assert.equal(layersThere(), 2);
  rmSync(join(root, "domains", "a"), { recursive: true });
  rmSync(join(root, "domains", "b"), { recursive: true });
  layers.sweep();
  assert.equal(layersThere(), 2);
  rmSync(join(root, "domains", "c"), { recursive: true });
  layers.sweep();
  assert.equal(layersThere(), 0);
});

test("a raw image of the user's stays beside its name; one that is said to be raw is not forked", async () => {
  const file = join(root, "data.raw");
  closeSync(openSync(file, "wx"));
  truncateSync(file, BYTES);
  const a = await ForkableDisk.open(disk(file));
  put(a, 512, 3);
  const b = await fork(a, "b", false);
  put(a, 512, 4);
  put(b, 512, 5);
  assert.deepEqual([get(a, 512), get(b, 512), statSync(`${file}.1`).size], [4, 5, BYTES]);
  a.close();
  b.close();
  const raw = await ForkableDisk.open(disk(`${file}.1`, { format: "raw" }));
  assert.equal(get(raw, 512), 3);
  await assert.rejects(fork(raw, "c"), /format=raw/);
  raw.close();
});

test("what a disk has in its temporary file is in the copy's, too; what is only read is opened again", async () => {
  make(at("a"));
  const a = await ForkableDisk.open(disk(at("a"), { snapshot: true }));
  put(a, 0, 1);
  mkdirSync(join(root, "domains", "b"));
  const b = await ForkableDisk.copyOf(a, disk(at("a"), { snapshot: true }));
  a.prepareFork(b, { layer: undefined, root }).cut();
  put(b, 0, 2);
  assert.deepEqual([get(a, 0), get(b, 0)], [1, 2]);
  a.close();
  put(b, 512, 9);
  assert.equal(get(b, 512), 9);
  b.close();
  const read = await ForkableDisk.open(disk(at("a"), { readOnly: true }));
  const again = await ForkableDisk.copyOf(read, disk(at("a"), { readOnly: true }));
  read.prepareFork(again, { layer: undefined, root }).cut();
  read.close();
  assert.equal(get(again, 0), 0);
  again.close();
});

test("a fork that is not made leaves the disk as it was, and no files", async () => {
  make(at("a"));
  const a = await ForkableDisk.open(disk(at("a")));
  put(a, 0, 1);
  const copy = await ForkableDisk.copyOf(a, disk(join(root, "no", "such", "folder.qcow2")));
  assert.throws(() => a.prepareFork(copy, { layer: layers.next(), root: layers.root }), /cannot/);
  const other = await ForkableDisk.copyOf(a, disk(join(root, "copy.qcow2")));
  a.prepareFork(other, { layer: layers.next(), root: layers.root }).end();
  put(a, 512, 2);
  assert.deepEqual([get(a, 0), get(a, 512), layersThere()], [1, 2, 0]);
  assert.deepEqual(
    readdirSync(join(root, "domains", "a")).filter((name) => !name.includes(".lock")),
    ["disk0.qcow2"],
  );
  a.close();
});
