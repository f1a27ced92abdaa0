import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BadInput } from "../../machine/runnable.ts";
import { BlockFile } from "./block-file.ts";
import { load, save } from "./files.ts";
import { inflate } from "./inflate.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-files-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

function refuses(action: () => unknown, message: string): void {
  assert.throws(action, (e) => e instanceof BadInput && e.message === message);
}

test("a file is loaded whole", () => {
  writeFileSync(at("hello"), "hello");
  assert.deepEqual(load(at("hello")), { name: at("hello"), bytes: new Uint8Array(Buffer.from("hello")) });
});

test("a file that cannot be loaded gets one line that names it", () => {
  mkdirSync(at("folder"));
  writeFileSync(at("big"), "12345");
  refuses(() => load(at("none")), `cannot read ${at("none")}: no such file`);
  refuses(() => load(at("folder")), `cannot read ${at("folder")}: it is a directory, name a file`);
  refuses(() => load(join(at("big"), "x")), `cannot read ${join(at("big"), "x")}: part of its path is no directory`);
  refuses(() => load(at("big"), 4), `cannot read ${at("big")}: it is larger than 0 MiB`);
  refuses(() => save(at("folder"), new Uint8Array(1)), `cannot write ${at("folder")}: it is a directory, name a file`);
});

test("a stream without end is cut at the limit", { skip: process.platform === "win32" }, () => {
  refuses(() => load("/dev/zero", 2 ** 20), "cannot read /dev/zero: it is larger than 1 MiB");
});

test("an unreadable file says so", { skip: process.getuid?.() === 0 || process.platform === "win32" }, () => {
  writeFileSync(at("secret"), "x");
  chmodSync(at("secret"), 0);
  refuses(() => load(at("secret")), `cannot read ${at("secret")}: permission denied`);
});

test("a disk reads what the file holds and what was written", () => {
  writeFileSync(at("disk"), Buffer.alloc(2048, 7));
  const disk = new BlockFile(at("disk"), false);
  assert.equal(disk.bytes, 2048);
  const sector = new Uint8Array(512).fill(9);
  disk.write(512, sector);
  disk.flush();
  const all = new Uint8Array(2048);
  disk.read(0, all);
  assert.deepEqual([all[511], all[512], all[1023], all[1024]], [7, 9, 9, 7]);
  assert.throws(() => disk.read(2048, sector));
  assert.throws(() => disk.write(1792, sector));
  disk.close();
});

test("a disk of odd size is padded with zeros, and grows when its last sector is written", () => {
  writeFileSync(at("odd"), Buffer.alloc(600, 7));
  const disk = new BlockFile(at("odd"), false);
  assert.equal(disk.bytes, 1024);
  const sector = new Uint8Array(512).fill(1);
  disk.read(512, sector);
  assert.deepEqual([sector[87], sector[88], sector[511]], [7, 0, 0]);
  disk.write(512, sector);
  assert.equal(statSync(at("odd")).size, 1024);
  disk.close();
});

test("a read-only disk refuses writes and leaves the file alone", () => {
  writeFileSync(at("fixed"), Buffer.alloc(512, 7));
  const disk = new BlockFile(at("fixed"), true);
  assert.throws(() => disk.write(0, new Uint8Array(512)));
  disk.flush();
  disk.close();
  assert.deepEqual(readFileSync(at("fixed")), Buffer.alloc(512, 7));
});

test("what is no disk image is refused", () => {
  appendFileSync(at("empty"), "");
  const how = "give a raw image (truncate -s 1G FILE makes one)";
  refuses(() => new BlockFile(at("empty"), false), `cannot use ${at("empty")} as a disk: it is empty; ${how}`);
  refuses(() => new BlockFile(at("absent"), false), `cannot write ${at("absent")}: no such file`);
  refuses(() => new BlockFile(folder, true), `cannot read ${folder}: it is a directory, name a file`);
});

test("gzip and zstd data is decompressed up to a limit", () => {
  const plain = new Uint8Array(100_000).fill(3);
  for (const [format, bytes] of [
    ["gzip", gzipSync(plain)],
    ["zstd", zstdCompressSync(plain)],
  ] as const) {
    assert.deepEqual(inflate(format, bytes, 100_000), plain);
    refuses(() => inflate(format, bytes, 99_999), `its ${format} data is larger than 99999 bytes when decompressed`);
    refuses(() => inflate(format, bytes.subarray(0, 20), 2 ** 20), `its ${format} data is damaged`);
    refuses(() => inflate(format, new Uint8Array(20), 2 ** 20), `its ${format} data is damaged`);
  }
});
