// What qemu-img makes is read right, and qemu-img finds what Atoll makes right.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeImages } from "../../src/hosts/node/block-file.ts";
import { openForReading } from "../../src/hosts/node/disk.ts";
import { openImage } from "../../src/images/open.ts";
import { checkQcow2 } from "../../src/images/qcow2/check.ts";
import { createQcow2, type Qcow2CreateOptions } from "../../src/images/qcow2/create.ts";
import type { Qcow2Image } from "../../src/images/qcow2/qcow2.ts";
import { applySnapshot, createSnapshot, deleteSnapshot } from "../../src/images/qcow2/snapshots.ts";
import { atoll } from "../support/atoll.ts";
import { Random } from "../vectors/inputs.ts";

const missing = spawnSync("qemu-img", ["--version"]).status === 0 ? false : "qemu-img is not installed";
const folder = mkdtempSync(join(tmpdir(), "atoll-qemu-img-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const qemuImg = (...args: string[]): string => execFileSync("qemu-img", args, { cwd: folder, encoding: "utf8" });

const DISK_BYTES = 3 * 2 ** 20 + 512;
const disk = new Uint8Array(DISK_BYTES);
const random = new Random(1);
for (let i = 0; i < 40; i++) {
  const start = random.below(DISK_BYTES - 40_000);
  for (let n = 0; n < 40_000; n++) disk[start + n] = n % 7 === 0 ? random.below(256) : i;
}
writeFileSync(at("raw"), disk);

const sound = (file: string): void => void qemuImg("check", at(file));
const same = (file: string, other: string): void => void qemuImg("compare", at(file), at(other));

const MADE: readonly (readonly [string, ...string[]])[] = [
  ["qcow2"],
  ["qcow2", "-c"],
  ["qcow2", "-c", "-o", "compression_type=zstd"],
  ["qcow2", "-o", "compat=0.10,cluster_size=512"],
  ["qcow2", "-o", "extended_l2=on,cluster_size=16K"],
  ["qcow2", "-o", "refcount_bits=1,cluster_size=2M"],
  ["qcow2", "-o", "refcount_bits=64,lazy_refcounts=on"],
  ["vmdk"],
  ["vmdk", "-o", "subformat=streamOptimized"],
  ["vmdk", "-o", "subformat=monolithicFlat"],
  ["vmdk", "-o", "subformat=twoGbMaxExtentSparse"],
  ["vmdk", "-o", "subformat=twoGbMaxExtentFlat"],
  ["vdi"],
  ["vdi", "-o", "static=on"],
  ["vhdx"],
  ["vhdx", "-o", "subformat=fixed,block_size=1M"],
];
for (const [format, ...options] of MADE) {
  test(`${format} ${options.join(" ")} of qemu-img is read right`, { skip: missing }, async () => {
    const file = `made-${options.join("-")}.${format}`;
    qemuImg("convert", "-f", "raw", "-O", format, ...options, at("raw"), at(file));
    const image = await openForReading(at(file));
    assert.equal(image.format, format);
    // VHDX disks are whole sectors of 512 bytes, others too.
    assert.ok(image.bytes >= DISK_BYTES);
    const bytes = new Uint8Array(image.bytes);
    image.read(0, bytes);
    assert.ok(Buffer.from(bytes.buffer, 0, DISK_BYTES).equals(disk));
    image.close();
    if (format === "qcow2") {
      const { corruptions, leaks } = checkQcow2(
        openImage(nodeImages, at(file), { writable: false, forCheck: true }) as Qcow2Image,
        false,
      );
      assert.deepEqual({ corruptions, leaks }, { corruptions: 0, leaks: 0 });
    }
  });
}

for (const tool of ["gzip", "zstd", "xz"]) {
  const none = spawnSync(tool, ["--version"]).status !== 0 && `${tool} is not installed`;
  test(`a raw image compressed with ${tool} is read right`, { skip: none }, async () => {
    const name = `${tool}.raw`;
    // Of two streams in a row, as parallel compressors make them.
    for (const half of [disk.subarray(0, 2 ** 20), disk.subarray(2 ** 20)]) {
      writeFileSync(at(`${name}.half`), half);
      const packed = execFileSync(tool, ["-c", at(`${name}.half`)], { maxBuffer: 2 ** 28 });
      writeFileSync(at(name), packed, { flag: "a" });
    }
    const image = await openForReading(at(name));
    const bytes = new Uint8Array(image.bytes);
    image.read(0, bytes);
    assert.ok(Buffer.from(bytes).equals(disk));
    image.close();
    truncateSync(at(name), 100_000);
    await assert.rejects(openForReading(at(name)), /damaged|cut off/);
  });
}

const LAYOUTS: readonly Qcow2CreateOptions[] = [
  {},
  { version: 2, clusterBytes: 512 },
  { clusterBytes: 4096, refcountBits: 4, lazyRefcounts: true },
  { clusterBytes: 512, refcountBits: 64 },
  { clusterBytes: 16384, extendedL2: true },
  { clusterBytes: 2 ** 21 },
];
for (const layout of LAYOUTS) {
  test(`qcow2 ${JSON.stringify(layout)} that was written at random is sound for qemu-img`, { skip: missing }, () => {
    const name = `written-${JSON.stringify(layout).replace(/\W/g, "")}.qcow2`;
    writeFileSync(at(name), "");
    const storage = nodeImages.open(at(name), true);
    createQcow2(storage, DISK_BYTES, { ...layout, backing: { file: "raw", format: "raw" } });
    storage.close();
    const model = disk.slice();
    const snapshots = new Map<string, Uint8Array>();
    let image = openImage(nodeImages, at(name), { writable: true }) as Qcow2Image;
    for (let i = 0; i < 200; i++) {
      const length = 1 + random.below(random.below(4) ? 3000 : 200_000);
      const offset = random.below(DISK_BYTES - length);
      switch (random.below(16)) {
        case 0:
          image.writeZeroes(offset, length, true);
          model.fill(0, offset, offset + length);
          break;
        case 1:
          image.discard(offset, length);
          image.read(0, model);
          break;
        case 2:
          image.close();
          image = openImage(nodeImages, at(name), { writable: true }) as Qcow2Image;
          break;
        case 3: {
          const snapshot = `s${random.below(3)}`;
          const then = snapshots.get(snapshot);
          if (then === undefined) {
            createSnapshot(image, snapshot, 1e12);
            snapshots.set(snapshot, model.slice());
          } else if (random.below(2)) {
            applySnapshot(image, snapshot);
            model.set(then);
          } else {
            deleteSnapshot(image, snapshot);
            snapshots.delete(snapshot);
          }
          break;
        }
        default: {
          const value = random.below(256);
          image.write(offset, new Uint8Array(length).fill(value));
          model.fill(value, offset, offset + length);
        }
      }
    }
    image.close();
    sound(name);
    writeFileSync(at(`${name}.raw`), model);
    same(name, `${name}.raw`);
    for (const [snapshot, contents] of snapshots) {
      qemuImg("convert", "-l", snapshot, "-O", "raw", at(name), at(`${name}.snapshot`));
      assert.ok(readFileSync(at(`${name}.snapshot`)).equals(contents), snapshot);
    }
  });
}

test("what atoll image makes is sound for qemu-img", { skip: missing }, async () => {
  const run = async (...args: string[]): Promise<void> => {
    const { status, stderr } = await atoll("image", ...args);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  };
  await run("convert", "-c", "-O", "qcow2", at("raw"), at("c.qcow2"));
  await run("convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd,cluster_size=4K", at("raw"), at("z.qcow2"));
  await run("convert", "-O", "qcow2", "-o", "compat=0.10", at("raw"), at("v2.qcow2"));
  for (const name of ["c.qcow2", "z.qcow2", "v2.qcow2"]) {
    sound(name);
    same(name, "raw");
  }
  await run("create", "-f", "qcow2", "-b", "c.qcow2", at("over.qcow2"));
  sound("over.qcow2");
  same("over.qcow2", "raw");
  await run("resize", at("over.qcow2"), "+1M");
  await run("snapshot", "-c", "first", at("over.qcow2"));
  sound("over.qcow2");
  const info = JSON.parse(qemuImg("info", "--output=json", at("over.qcow2"))) as Record<string, unknown>;
  assert.equal(info["virtual-size"], DISK_BYTES + 2 ** 20);
  assert.equal((info.snapshots as { name: string }[])[0]?.name, "first");
  const ours = JSON.parse((await atoll("image", "info", "--json", at("over.qcow2"))).stdout) as Record<string, unknown>;
  assert.equal(ours["virtual-size"], info["virtual-size"]);
  assert.equal(ours["backing-filename"], info["backing-filename"]);
});

test("snapshots that qemu-img made are listed, read, gone back to and deleted", { skip: missing }, () => {
  qemuImg("convert", "-f", "raw", "-O", "qcow2", at("raw"), at("theirs.qcow2"));
  qemuImg("snapshot", "-c", "then", at("theirs.qcow2"));
  let image = openImage(nodeImages, at("theirs.qcow2"), { writable: true }) as Qcow2Image;
  assert.deepEqual(
    image.snapshots.map((s) => s.name),
    ["then"],
  );
  image.write(0, new Uint8Array(DISK_BYTES).fill(8));
  image.close();
  sound("theirs.qcow2");
  image = openImage(nodeImages, at("theirs.qcow2"), { writable: true }) as Qcow2Image;
  applySnapshot(image, "then");
  deleteSnapshot(image, "1");
  image.close();
  sound("theirs.qcow2");
  same("theirs.qcow2", "raw");
});

test("leaks and damage that qemu-img sees are seen, and what is repaired is sound for qemu-img", {
  skip: missing,
}, async () => {
  qemuImg("convert", "-f", "raw", "-O", "qcow2", at("raw"), at("whole.qcow2"));
  const { table } = (openImage(nodeImages, at("whole.qcow2"), { writable: false }) as Qcow2Image).refcounts;
  const damage = (name: string, cluster: number, count: number): void => {
    copyFileSync(at("whole.qcow2"), at(name));
    const bytes = readFileSync(at(name));
    bytes.writeUInt16BE(count, (table[0] as number) + 2 * cluster);
    writeFileSync(at(name), bytes);
  };
  // One that is in the file, and that nothing refers to.
  const clusters = Math.ceil(statSync(at("whole.qcow2")).size / 65536);
  truncateSync(at("whole.qcow2"), (clusters + 1) * 65536);
  damage("leaky.qcow2", clusters, 1);
  damage("lost.qcow2", 5, 0);
  assert.equal((await atoll("image", "check", at("leaky.qcow2"))).status, 6);
  assert.equal((await atoll("image", "check", at("lost.qcow2"))).status, 5);
  for (const name of ["leaky.qcow2", "lost.qcow2"]) {
    assert.notEqual(spawnSync("qemu-img", ["check", at(name)]).status, 0);
    assert.equal((await atoll("image", "check", "--repair", at(name))).status, 0);
    sound(name);
    same(name, "raw");
  }
});
