// A guest that waits costs the host next to nothing. Measured in the host's CPU time, which does not depend on what else runs there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";

/** Part of a core that an idle guest may take; what is expected is a quarter of it. */
const MOST = 0.02;
const SECONDS = 5;

/** CPU seconds that a process has taken: fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms. */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

for (const args of [
  ["--cpus", "1"],
  ["--cpus", "4"],
  ["--cpus", "1", "--machine", "virt,gic-version=2"],
  ["--cpus", "4", "--machine", "virt,gic-version=2"],
]) {
  test(`the embedded guest at its prompt sleeps, with ${args.join(" ")}`, {
    timeout: 200_000,
    skip: process.platform !== "linux" && "needs /proc",
  }, async () => {
    const guest = new Atoll(["run", "--boot", "--timeout", "150", ...args]);
    await guest.waitFor("atoll:~# ", 100);
    const wait = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    // Linux finishes what it left for later; V8 what it compiles beside.
    await wait(3);
    const before = cpuTime(guest.child.pid as number);
    const started = performance.now();
    await wait(SECONDS);
    const share = (1000 * (cpuTime(guest.child.pid as number) - before)) / (performance.now() - started);
    guest.child.kill();
    await guest.finished;
    assert.ok(share < MOST, `${(100 * share).toFixed(1)} % of a core`);
  });
}
