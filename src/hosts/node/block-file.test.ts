import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ImageError } from "../../images/error.ts";
import { BlockFile, nodeImages } from "./block-file.ts";
import { openDisk } from "./disk.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-block-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

function refuses(action: () => unknown, message: string): void {
  assert.throws(action, (e) => e instanceof ImageError && e.message === message);
}

const plain = (file: string, readOnly = false) => openDisk({ file, readOnly, snapshot: false });

test("a disk reads what the file holds and what was written", async () => {
  writeFileSync(at("disk"), Buffer.alloc(2048, 7));
  const disk = await plain(at("disk"));
  assert.equal(disk.bytes, 2048);
  const sector = new Uint8Array(512).fill(9);
  disk.write(512, sector);
  disk.flush();
  const all = new Uint8Array(2048);
  disk.read(0, all);
  assert.deepEqual([all[511], all[512], all[1023], all[1024]], [7, 9, 9, 7]);
  assert.throws(() => disk.read(2048, sector), ImageError);
  assert.throws(() => disk.write(1792, sector), ImageError);
  disk.writeZeroes(512, 512, true);
  disk.read(0, all);
  assert.deepEqual([all[511], all[512], all[1023], all[1024]], [7, 0, 0, 7]);
  disk.close();
});

test("a disk of odd size is padded with zeros, and grows when its last sector is written", async () => {
  writeFileSync(at("odd"), Buffer.alloc(600, 7));
  const disk = await plain(at("odd"));
  assert.equal(disk.bytes, 1024);
  const sector = new Uint8Array(512).fill(1);
  disk.read(512, sector);
  assert.deepEqual([sector[87], sector[88], sector[511]], [7, 0, 0]);
  disk.write(512, sector);
  assert.equal(statSync(at("odd")).size, 1024);
  disk.close();
});

test("a read-only disk refuses writes and leaves the file alone", async () => {
  writeFileSync(at("fixed"), Buffer.alloc(512, 7));
  const disk = await plain(at("fixed"), true);
  assert.throws(() => disk.write(0, new Uint8Array(512)), ImageError);
  disk.flush();
  disk.close();
  assert.deepEqual(readFileSync(at("fixed")), Buffer.alloc(512, 7));
});

test("a disk with a temporary overlay takes writes and leaves the file alone", async () => {
  writeFileSync(at("base"), Buffer.alloc(70000, 7));
  const disk = await openDisk({ file: at("base"), readOnly: false, snapshot: true });
  disk.write(512, new Uint8Array(512).fill(9));
  disk.flush();
  const all = new Uint8Array(disk.bytes);
  disk.read(0, all);
  assert.deepEqual([all[511], all[512], all[1023], all[1024], all[69999], all[70000]], [7, 9, 9, 7, 7, 0]);
  disk.close();
  assert.deepEqual(readFileSync(at("base")), Buffer.alloc(70000, 7));
});

test("what is no disk image is refused", async () => {
  writeFileSync(at("empty"), "");
  await assert.rejects(plain(at("empty")), /it is empty; atoll image create makes one/);
  refuses(() => nodeImages.open(at("absent"), true), `cannot write ${at("absent")}: no such file`);
  refuses(() => nodeImages.open(folder, false), `cannot read ${folder}: it is a directory, name a file`);
});

test("a pipe is refused without waiting for its other end", { skip: process.platform === "win32" }, () => {
  spawnSync("mkfifo", [at("pipe")]);
  refuses(() => nodeImages.open(at("pipe"), false), `cannot use ${at("pipe")} as a disk: it is no regular file`);
});

test("a file being written is not opened again, by any name, until it is closed", () => {
  writeFileSync(at("one"), "x");
  linkSync(at("one"), at("two"));
  const first = new BlockFile(at("one"), true);
  for (const writable of [true, false]) {
    refuses(
      () => new BlockFile(at("two"), writable),
      `cannot use ${at("two")}: it is in use by another machine or command`,
    );
  }
  first.close();
  assert.equal(existsSync(`${at("one")}.lock`), false);
  new BlockFile(at("two"), true).close();
});

test("another process cannot have a file that is being written, and can when its writer was killed", () => {
  writeFileSync(at("shared"), "x");
  const other = (then: string) =>
    spawnSync(process.execPath, [
      "--input-type=module",
      "-e",
      `import { BlockFile } from ${JSON.stringify(new URL("block-file.ts", import.meta.url).href)};
       try { new BlockFile(${JSON.stringify(at("shared"))}, true); ${then} } catch (e) { console.log(e.message); }`,
    ]).stdout.toString();
  const mine = new BlockFile(at("shared"), true);
  assert.match(other(""), /it is in use by another machine or command/);
  mine.close();
  assert.equal(other('process.kill(process.pid, "SIGKILL");'), "");
  assert.equal(existsSync(`${at("shared")}.lock`), true);
  new BlockFile(at("shared"), true).close();
});
