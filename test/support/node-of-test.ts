// A node of a test file's own, which is driven by the `atoll` command, as its user does.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { atoll } from "./atoll.ts";

/** From now on commands of this process are for a node in a new folder, which is gone, as the node is, when all tests have ended. @returns the folder. */
export function nodeOfTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "atoll-node-"));
  process.env.ATOLL_HOME = join(folder, "state");
  after(async () => {
    await atoll("down", "--force");
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
