// V8's code of the command (bin/atoll.js), for the verbs whose start somebody waits for: without it the first `atoll restore` takes half as long again.

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const VERBS = ["run", "restore"];
const PROMPT = "atoll:~# ";
/** Milliseconds for all prompts of a run, on a computer that does much else. */
const PATIENCE = 120_000;

/** Runs a guest, an action at each of its prompts, and ends it. @throws Error when a prompt does not come. */
async function run(root: string, args: readonly string[], cache: string, inputs: readonly string[]): Promise<void> {
  const { NODE_COMPILE_CACHE: _, NODE_DISABLE_COMPILE_CACHE: __, NODE_OPTIONS: ___, ...environment } = process.env;
  const guest = spawn(process.execPath, [join(root, "bin", "atoll.js"), ...args], {
    env: { ...environment, ATOLL_CACHE: cache, ATOLL_CODE: "whole" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let shown = "";
  let unseen = 0;
  const left = [...inputs];
  const limit = setTimeout(() => guest.kill("SIGKILL"), PATIENCE);
  guest.stderr.on("data", (bytes: Buffer) => {
    shown += bytes.toString();
  });
  guest.stdout.on("data", (bytes: Buffer) => {
    shown += bytes.toString("latin1");
    const prompt = shown.indexOf(PROMPT, unseen);
    if (prompt < 0) return;
    unseen = prompt + PROMPT.length;
    const input = left.shift();
    if (input === undefined) guest.kill("SIGTERM");
    else guest.stdin.write(input);
  });
  const status = await new Promise((resolve) => guest.on("close", resolve));
  clearTimeout(limit);
  if (status !== 130) throw new Error(`atoll ${args[0]} did not come to its prompt: ${shown.slice(-2000)}`);
}

/** Writes dist/command/code/, of the command as it is in dist/. */
export async function buildCommandCode(root: string): Promise<void> {
  // Where there is code already, none is made.
  const target = join(root, "dist", "command", "code");
  rmSync(target, { recursive: true, force: true });
  const folder = mkdtempSync(join(tmpdir(), "atoll-code-"));
  try {
    const snapshot = join(folder, "snapshot");
    // A start from the package's snapshot, a boot, and a save.
    await run(root, ["run", "--save", snapshot], folder, ["reboot -f\r"]);
    await run(root, ["restore", snapshot], folder, ["echo\r"]);
    mkdirSync(target);
    for (const version of readdirSync(join(folder, "code")))
      cpSync(join(folder, "code", version), target, {
        recursive: true,
        // Node's own are beside them, one for each module.
        filter: (path) => !/^[0-9a-f]{8}$/.test(basename(path)),
      });
    const missing = VERBS.filter((verb) => !readdirSync(target).some((name) => name.includes(`-${verb}-`)));
    if (missing.length > 0) throw new Error(`Node kept no code of ${missing.join(", ")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
