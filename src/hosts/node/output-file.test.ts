import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BadInput } from "../../machine/runnable.ts";
import { OutputFile } from "./output-file.ts";

test("what is written is in the file at once, and nothing after it is closed", () => {
  const directory = mkdtempSync(join(tmpdir(), "atoll-trace-"));
  try {
    const path = join(directory, "trace");
    const file = new OutputFile(path, "trace", assert.fail);
    file.write("one\n");
    file.write("two µ\n");
    assert.equal(readFileSync(path, "utf8"), "one\ntwo µ\n");
    file.close();
    file.write("three\n");
    assert.equal(readFileSync(path, "utf8"), "one\ntwo µ\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a file that cannot be made is the user's mistake", () => {
  assert.throws(
    () => new OutputFile("/nonexistent/trace", "trace", assert.fail),
    new BadInput("cannot write /nonexistent/trace: no such file"),
  );
});

test("a full disk is said once, and the rest is dropped", { skip: process.platform !== "linux" }, () => {
  const said: string[] = [];
  const file = new OutputFile("/dev/full", "trace", (message) => said.push(message));
  file.write("one\n");
  file.write("two\n");
  assert.deepEqual(said, ["cannot write /dev/full: no space left on the host's disk; the trace ends here"]);
});
