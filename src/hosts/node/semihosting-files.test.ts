import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BadInput } from "../../machine/runnable.ts";
import { DirectoryFiles } from "./semihosting-files.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-"));
after(() => rmSync(folder, { recursive: true }));
const root = join(folder, "root");
mkdirSync(join(root, "sub"), { recursive: true });
mkdirSync(join(folder, "root-beside"));
writeFileSync(join(folder, "secret"), "secret");
writeFileSync(join(folder, "root-beside", "secret"), "secret");
writeFileSync(join(root, "sub", "inner"), "inner");
symlinkSync("../secret", join(root, "out"));
symlinkSync("..", join(root, "up"));
symlinkSync("../nowhere", join(root, "dangling"));
symlinkSync("sub/inner", join(root, "in"));
spawnSync("mkfifo", [join(root, "pipe")]);
const files = new DirectoryFiles(root);
const text = (name: string): string => {
  const file = files.open(name, "read", false);
  const bytes = new Uint8Array(100);
  const count = file.read(0, bytes);
  file.close();
  return Buffer.from(bytes.subarray(0, count)).toString();
};

for (const name of ["sub/inner", "/sub/inner", "./sub/../sub/inner", "in", "sub//inner"]) {
  test(`${name} is a file of the directory`, () => assert.equal(text(name), "inner"));
}

const OUTSIDE = [
  "../secret",
  "/../secret",
  "sub/../../secret",
  "out",
  "up/secret",
  "up/root-beside/secret",
  "dangling",
];
for (const name of [...OUTSIDE, "../root-beside/secret", "..", ".", "", "/", "sub/..", "a\0b", "pipe"]) {
  test(`${JSON.stringify(name)} is refused, in every mode`, () => {
    for (const mode of ["read", "write", "append"] as const) {
      for (const update of [false, true]) assert.throws(() => files.open(name, mode, update), { name: "Error" });
    }
    if (!OUTSIDE.includes(name) || name.includes("/")) {
      if (name !== "pipe") assert.throws(() => files.remove(name));
      if (name !== "pipe") assert.throws(() => files.rename("in", name));
    }
    assert.equal(readFileSync(join(folder, "secret"), "utf8"), "secret");
    assert.equal(readFileSync(join(folder, "root-beside", "secret"), "utf8"), "secret");
  });
}

test("what is outside is refused in one way, whether it is there or not", () => {
  for (const name of ["../secret", "../nothing", "../a/b"]) {
    assert.throws(() => files.open(name, "read", false), { code: "EACCES" });
  }
});

test("a directory is no file", () => assert.throws(() => files.open("sub", "read", false), /is no file|EISDIR/));

test("modes are those of fopen", () => {
  const w = files.open("f", "write", false);
  assert.equal(w.write(0, Buffer.from("hello")), 5);
  assert.equal(w.length(), 5);
  w.close();
  const a = files.open("f", "append", false);
  a.write(0, Buffer.from("!"));
  a.close();
  assert.equal(text("f"), "hello!");
  const u = files.open("f", "read", true);
  u.write(0, Buffer.from("J"));
  u.close();
  assert.equal(text("f"), "Jello!");
  assert.throws(() => files.open("none", "read", true), { code: "ENOENT" });
  files.rename("f", "sub/g");
  assert.equal(text("sub/g"), "Jello!");
  files.remove("sub/g");
  assert.throws(() => text("sub/g"), { code: "ENOENT" });
});

test("temporary names", () => {
  assert.equal(files.temporaryName(3), files.temporaryName(3));
  assert.notEqual(files.temporaryName(3), files.temporaryName(4));
});

test("what is no directory", () => {
  assert.throws(() => new DirectoryFiles(join(folder, "secret")), BadInput);
  assert.throws(() => new DirectoryFiles(join(folder, "nothing")), BadInput);
});
