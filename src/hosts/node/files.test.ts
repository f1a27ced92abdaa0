import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BadInput } from "../../machine/runnable.ts";
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
