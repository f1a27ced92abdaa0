import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { atoll } from "../../test/support/atoll.ts";
import { BadInput } from "../machine/runnable.ts";
import { bytes, createOptions, newBytes } from "./image-options.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-image-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

async function image(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await atoll("image", ...args);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  return stdout;
}

async function fails(status: number, line: string, ...args: string[]): Promise<void> {
  const found = await atoll("image", ...args);
  assert.deepEqual({ status: found.status, stderr: found.stderr }, { status, stderr: `atoll: ${line}\n` });
}

test("sizes are numbers with units", () => {
  assert.deepEqual(["1", "4k", "1.5M", "2G", "1TiB"].map(bytes), [1, 4096, 1.5 * 2 ** 20, 2 ** 31, 2 ** 40]);
  for (const bad of ["", "x", "1X", "-1", "99999999999T"]) assert.throws(() => bytes(bad), BadInput, bad);
  assert.deepEqual(
    ["1M", "+1M", "-512"].map((size) => newBytes(size, 1024)),
    [2 ** 20, 2 ** 20 + 1024, 512],
  );
  assert.throws(() => newBytes("-1M", 1024), BadInput);
});

test("properties are qemu-img's", () => {
  assert.deepEqual(createOptions(["compat=0.10,cluster_size=4K", "lazy_refcounts=on"]), {
    ...{ version: 2, clusterBytes: 4096, lazyRefcounts: true },
  });
  for (const bad of ["size", "what=1", "compat=2", "lazy_refcounts=maybe"])
    assert.throws(() => createOptions([bad]), BadInput);
});

test("an image is made, grown, filled, converted and checked", async () => {
  await image("create", "-f", "qcow2", at("a.qcow2"), "1M");
  await image("resize", at("a.qcow2"), "+1M");
  const info = JSON.parse(await image("info", "--json", at("a.qcow2"))) as Record<string, unknown>;
  assert.deepEqual([info.format, info["virtual-size"], info["cluster-size"]], ["qcow2", 2 ** 21, 65536]);
  const contents = Buffer.alloc(2 ** 21);
  contents.fill("atoll", 2 ** 20);
  writeFileSync(at("raw"), contents);
  await image("convert", "-c", "-O", "qcow2", at("raw"), at("b.qcow2"));
  await image("snapshot", "-c", "then", at("b.qcow2"));
  assert.match(await image("snapshot", at("b.qcow2")), /^1 .*then$/m);
  await image("convert", "-l", "then", at("b.qcow2"), at("back"));
  assert.ok(readFileSync(at("back")).equals(contents));
  assert.ok(statSync(at("back")).blocks * 512 <= 2 ** 20 + 65536, "zeros take no space");
  const check = JSON.parse(await image("check", "--json", at("b.qcow2"))) as Record<string, unknown>;
  assert.deepEqual([check.corruptions, check.leaks, check["compressed-clusters"]], [0, 0, 16]);
});

test("a file that is there stays, unless --force is given, and a conversion that fails leaves nothing", async () => {
  writeFileSync(at("mine"), "important");
  writeFileSync(at("source"), Buffer.alloc(512, 1));
  await fails(2, `${at("mine")} exists: --force replaces it`, "create", at("mine"), "1M");
  await fails(2, `${at("mine")} exists: --force replaces it`, "convert", at("source"), at("mine"));
  assert.equal(readFileSync(at("mine"), "utf8"), "important");
  await image("convert", "--force", at("source"), at("mine"));
  assert.equal(statSync(at("mine")).size, 512);
  await image("create", "-f", "qcow2", at("cut"), "1M");
  const cut = readFileSync(at("cut"));
  cut.writeUInt32BE(0x7fff_0000, 44);
  writeFileSync(at("cut"), cut);
  await fails(5, `${at("cut")}: its L1 table is beyond the end of the file`, "convert", at("cut"), at("target"));
  assert.equal(existsSync(at("target")), false);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("what cannot be done gets one line", async () => {
  writeFileSync(at("plain"), Buffer.alloc(1024));
  await fails(2, `${at("plain")} is a raw image: only qcow2 images can be checked`, "check", at("plain"));
  await fails(2, `${at("plain")} is a raw image: only qcow2 images have snapshots`, "snapshot", "-c", "x", at("plain"));
  await fails(
    2,
    `${at("plain")} would lose what is behind 512 bytes: give --shrink if that is meant`,
    ...["resize", at("plain"), "512"],
  );
  await fails(2, `cannot read ${at("none")}: no such file`, "info", at("none"));
  await fails(2, "give the size of the disk, as in atoll image create disk.img 10G", "create", at("sizeless"));
  await fails(
    2,
    "a raw image has no compression and no properties: give -O qcow2",
    "convert",
    "-c",
    at("plain"),
    at("x"),
  );
  await fails(2, "give create, info, check, resize, convert or snapshot; atoll image --help tells more");
});
