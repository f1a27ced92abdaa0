// V8's code of the command, from the package or from an earlier start (bin/atoll.js).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/atoll.ts";

function inFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "atoll-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const RUN = ["run", "--dump-dtb", "dtb"];
const RESTORE = ["restore", "--info", join(ROOT, "build", "guest-alone.snapshot")];

/**
 * Does what `atoll run` does before its guest runs, or other `args`, for a user whose home is `folder`.
 * @param cache ATOLL_CACHE
 * @returns the files below `folder` with V8's code of the command.
 */
function start(folder: string, cache: string | undefined, flags: string[] = [], args = RUN): string[] {
  const { XDG_CACHE_HOME: _, ATOLL_CACHE: __, NODE_COMPILE_CACHE: ___, ...others } = process.env;
  const { status, stderr } = spawnSync(process.execPath, [...flags, join(ROOT, "bin", "atoll.js"), ...args], {
    cwd: folder,
    env: { ...others, HOME: folder, ...(cache !== undefined && { ATOLL_CACHE: cache }) },
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /-(run|restore)-/.test(name));
}

/** V8 takes no code that was made without it. */
const FLAG = "--stack-size=900";

test("the first start takes the code that came with the package", () => {
  inFolder((folder) => {
    assert.deepEqual(start(folder, undefined), []);
    assert.deepEqual(start(folder, undefined, [], RESTORE), []);
  });
});

test("code for other flags is kept by the first start and taken by the second", () => {
  inFolder((folder) => {
    const first = start(folder, undefined, [FLAG]);
    assert.equal(first.length, 1);
    assert.equal(start(folder, undefined, [FLAG], RESTORE).length, 2);
    const [file = ""] = first;
    assert.match(file, /^\.cache\/atoll\/code\//);
    assert.equal(statSync(join(folder, ".cache", "atoll")).mode & 0o077, 0);
    const { ino } = statSync(join(folder, file));
    assert.equal(start(folder, undefined, [FLAG]).length, 2);
    assert.equal(statSync(join(folder, file)).ino, ino);
  });
});

test("what was kept long ago is removed when other code is kept", () => {
  inFolder((folder) => {
    const [file = ""] = start(folder, undefined, [FLAG]);
    const [old, recent] = ["old", "recent"].map((name) => join(folder, dirname(file), name)) as [string, string];
    for (const path of [old, recent]) writeFileSync(path, "");
    utimesSync(old, 0, 0);
    rmSync(join(folder, file));
    start(folder, undefined, [FLAG]);
    assert.deepEqual([existsSync(old), existsSync(recent)], [false, true]);
  });
});

test("code is kept in ATOLL_CACHE, and nowhere when that is empty", () => {
  inFolder((folder) => {
    assert.deepEqual(start(folder, "", [FLAG]), []);
    assert.deepEqual(readdirSync(folder), ["dtb"]);
    assert.match(start(folder, join(folder, "kept"), [FLAG]).join(), /^kept\/code\//);
  });
});
