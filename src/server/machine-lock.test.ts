import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ActionError } from "../contract/action.ts";
import { isHeld, MachineLock } from "./machine-lock.ts";

const root = mkdtempSync(join(tmpdir(), "atoll-lock-"));
after(() => rmSync(root, { recursive: true }));

const HOLDER = `
  import { MachineLock } from ${JSON.stringify(new URL("./machine-lock.ts", import.meta.url))};
  await MachineLock.take("m", process.argv.at(-1));
  process.stdout.write("taken");
  setInterval(() => {}, 1000);`;

test("a lock keeps others out, and ends with its process when that is killed", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(root, "m-"));
  for (let round = 0; round < 3; round++) {
    assert.equal(isHeld(folder), false);
    const holder = spawn(process.execPath, ["--input-type=module", "-e", HOLDER, folder]);
    await once(holder.stdout, "data");
    assert.equal(isHeld(folder), true);
    await assert.rejects(
      MachineLock.take("m", folder),
      (error) => error instanceof ActionError && error.code === "wrong-state",
    );
    holder.kill("SIGKILL");
    await once(holder, "close");
  }
  const lock = await MachineLock.take("m", folder);
  assert.equal(isHeld(folder), true);
  lock.release();
  assert.equal(isHeld(folder), false);
});

test("a machine whose folder is gone is held by nobody", () => {
  assert.equal(isHeld(join(root, "gone")), false);
});
