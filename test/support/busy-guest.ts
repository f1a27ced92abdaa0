// A guest that writes to an ext4 disk and fetches from the host, whose machine is saved and restored in process after process.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Atoll, atoll } from "./atoll.ts";
import { PROMPT } from "./embedded-guest.ts";
import { HAS_NETWORK } from "./in-guest.ts";
import { listening } from "./listening.ts";

/** What ctrl-c types. */
const INTERRUPT = "\x03";
const LINES = 150;
const FETCHED = Buffer.alloc(300_000, "x");

export interface Round {
  readonly format: "raw" | "qcow2";
  /** How often it is saved, and milliseconds from a start of the machine to the next save. */
  readonly saves: readonly number[];
  /** More options of `atoll run`. */
  readonly options?: readonly string[];
}

/**
 * What the guest does: lines in a file, each a transaction some time, and fetches that may fail, when their connection is reset. It may be
 * interrupted and typed anew.
 */
function work(port: number): string {
  const fetch = `wget -q -T 20 -O /dev/null http://10.0.2.2:${port}/ || failed=$((failed+1))`;
  const line = `echo $i >>/mnt/work; [ $((i%7)) = 0 ] && sync; [ $((i%5)) = 0 ] && { ${fetch}; }`;
  const loop = `i=0; failed=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); ${line}; done`;
  return `${HAS_NETWORK}; { grep -q /mnt /proc/mounts || mount /dev/vda /mnt; } && { echo ST''ARTED; rm -f /mnt/work; ${loop}; umount /mnt; echo "DO""NE failed=$failed"; poweroff; }\n`;
}

/** Runs a round; throws where the guest or its disk is not as it should be. @returns how many fetches failed. */
export async function busyRound({ format, saves, options = [] }: Round): Promise<{ failed: number; restores: number }> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-busy-"));
  const server = createServer((_, response) => response.end(FETCHED));
  const address = listening(server);
  try {
    const raw = join(folder, "disk.raw");
    const disk = join(folder, `disk.${format}`);
    const snapshot = join(folder, "machine.snapshot");
    writeFileSync(raw, "");
    truncateSync(raw, 64 << 20);
    execFileSync("mkfs.ext4", ["-q", raw]);
    if (format === "qcow2") assert.equal((await atoll("image", "convert", "-O", "qcow2", raw, disk)).status, 0);
    const command = work(await address);
    const machine = ["--disk", `${disk},format=${format}`, "--append", "console=ttyAMA0", ...options];
    let typed = false;
    let shown = "";
    let restores = 0;
    const left = [...saves];
    for (let first = true; ; first = false) {
      const save = left.shift();
      const how: string[] = first ? ["run", ...machine] : ["restore", snapshot];
      const process: Atoll = new Atoll([...how, "--timeout", "300", "--save", snapshot]);
      if (!first) restores++;
      // Before the machine runs a signal has nothing to save. That it runs is seen by what it shows, however long that takes.
      let timer: NodeJS.Timeout | undefined;
      const arm = (): void => {
        if (save !== undefined) timer ??= setTimeout(() => process.child.kill("SIGTERM"), save);
      };
      process.child.stdout.once("data", arm);
      process.child.stderr.once("data", arm);
      const looking = setInterval(() => {
        // What was typed and not read is gone with the process that it was typed to.
        if (typed || !process.stdout.includes(PROMPT)) return;
        typed = true;
        // The shell may have the beginning of what was typed before.
        process.type(first ? command : `${INTERRUPT}${command}`);
      }, 20);
      const { status, stdout, stderr } = await process.finished;
      clearInterval(looking);
      clearTimeout(timer);
      shown += stdout;
      typed &&= shown.includes("STARTED");
      if (status === 0) break;
      assert.equal(status, 130, `it ends by the signal: ${stderr}${stdout.slice(-2000)}`);
      assert.ok(existsSync(snapshot), stdout);
    }
    const failed = Number(/DONE failed=(\d+)/.exec(shown)?.[1] ?? Number.NaN);
    assert.ok(failed <= saves.length, `fetches fail only where their connection was reset: ${shown.slice(-1000)}`);
    if (format === "qcow2") {
      const check = await atoll("image", "check", disk);
      assert.equal(check.status, 0, check.stdout);
      assert.equal((await atoll("image", "convert", "--force", "-O", "raw", disk, raw)).status, 0);
    }
    execFileSync("e2fsck", ["-fn", raw], { stdio: "pipe" });
    const lines = execFileSync("debugfs", ["-R", "cat /work", raw], { stdio: ["ignore", "pipe", "ignore"] });
    assert.equal(lines.toString(), Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join(""));
    return { failed, restores };
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  }
}
