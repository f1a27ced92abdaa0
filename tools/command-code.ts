// V8's code of the command (bin/atoll.js), for the verbs whose start somebody waits for: without it the first `atoll restore` takes half as long again.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runGuest } from "./guest.ts";

const PROMPT = "atoll:~# ";

/** Writes dist/command/code/, of the command as it is in dist/. */
export async function buildCommandCode(root: string): Promise<void> {
  // Where there is code already, none is made.
  const target = join(root, "dist", "command", "code");
  rmSync(target, { recursive: true, force: true });
  const folder = mkdtempSync(join(tmpdir(), "atoll-code-"));
  try {
    const snapshot = join(folder, "snapshot");
    const { NODE_COMPILE_CACHE: _, NODE_DISABLE_COMPILE_CACHE: __, NODE_OPTIONS: ___, ...environment } = process.env;
    const run = (args: readonly string[], input: string): Promise<void> =>
      runGuest(
        [join(root, "bin", "atoll.js"), ...args],
        [
          { shown: PROMPT, act: ({ stdin }) => stdin.write(input) },
          { shown: PROMPT, act: (guest) => guest.kill("SIGTERM") },
        ],
        { ...environment, ATOLL_CACHE: folder, ATOLL_CODE: "whole" },
      );
    // A start from the package's snapshot, a boot, and a save.
    await run(["run", "--save", snapshot], "reboot -f\r");
    await run(["restore", snapshot], "echo\r");
    mkdirSync(target);
    for (const version of readdirSync(join(folder, "code")))
      cpSync(join(folder, "code", version), target, {
        recursive: true,
        // Node's own are beside them, one for each module.
        filter: (path) => !/^[0-9a-f]{8}$/.test(basename(path)),
      });
    const missing = ["run", "restore"].filter(
      (verb) => !readdirSync(target).some((name) => name.includes(`-${verb}-`)),
    );
    if (missing.length > 0) throw new Error(`Node kept no code of ${missing.join(", ")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
