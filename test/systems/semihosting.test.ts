import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll, ROOT } from "../support/atoll.ts";

const IMAGE = join(ROOT, "test", "baremetal", "bin", "semihosting.bin");

/** Runs the image with a directory that holds a link out of it. */
async function run(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "atoll-"));
  try {
    const shared = join(folder, "shared");
    mkdirSync(shared);
    symlinkSync("/etc/passwd", join(shared, "link"));
    const guest = new Atoll([
      "run",
      "--timeout",
      "40",
      "--kernel",
      IMAGE,
      ...args.map((a) => a.replace("DIR", shared)),
    ]);
    guest.type("k");
    const finished = await guest.finished;
    return { ...finished, files: readdirSync(shared), lines: finished.stdout.split(/\r?\n/) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const tier of ["interpreter", "translator"]) {
  test(`a guest's semihosting calls, ${tier}`, { timeout: 60_000 }, async () => {
    const { lines, stdout, status, files } = await run("--semihosting", "dir=DIR", "--tier", tier);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("not ok")),
      [],
    );
    assert.match(stdout, /^ok .*\n!hello$/m, "SYS_WRITEC and SYS_WRITE0");
    assert.match(stdout, /^ok SYS_READC$/m);
    assert.match(stdout, /^done [0-9a-f]+ 0+ $/m);
    assert.equal(status, 0);
    assert.deepEqual(files, ["link"]);
  });
}

test("SYS_EXIT_EXTENDED gives the process its status", { timeout: 60_000 }, async () => {
  assert.equal((await run("--semihosting", "--append", "please exit")).status, 42);
});

test("without a directory there are no files", { timeout: 60_000 }, async () => {
  const { lines } = await run("--semihosting");
  assert.ok(lines.some((line) => line.startsWith("not ok SYS_WRITE to a file")));
  assert.ok(lines.some((line) => line.startsWith("ok SYS_WRITE to :tt")));
});

test("without the option the instruction is UNDEFINED", { timeout: 60_000 }, async () => {
  const { stdout } = await run();
  assert.match(stdout, /^not ok unexpected exception, vector esr far elr: 0{13}200 0{8}02000000 /m);
});

test("a directory that is not there", { timeout: 60_000 }, async () => {
  const { status, stderr } = await run("--semihosting", "dir=/nowhere");
  assert.equal(status, 2);
  assert.match(stderr, /cannot use \/nowhere: no such directory/);
});
