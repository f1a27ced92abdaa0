// Kills commands and machines' processes at random moments, again and again, and checks that nothing acknowledged is lost, nobody is locked out
// and every machine starts: node test/machines/kill.ts [--count N] [--seed N]

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Machines } from "../../src/server/machines.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { ROOT } from "../support/atoll.ts";
import { rawKernel } from "../support/raw-kernels.ts";
import { Random } from "../vectors/inputs.ts";

const MAIN = join(ROOT, "src", "cli", "main.ts");
const NAMES = ["a", "b"];
/** Counts in w2, for ever: movz w2, #0; 1: add w2, w2, #1; b 1b. */
const COUNTER = [0x52800002, 0x11000442, 0x17ffffff];

export interface KillResult {
  readonly kills: number;
  /** Commands that ended with status 0. */
  readonly done: number;
  readonly saved: number;
}

export async function killMachines(count: number, seed: number): Promise<KillResult> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-kill-"));
  const kernel = rawKernel(folder, "counter", COUNTER);
  process.env.ATOLL_HOME = join(folder, "home");
  const machines = new Machines(new StateDirectory(process.env.ATOLL_HOME), [process.execPath, MAIN]);
  try {
    return await rounds(machines, kernel, count, new Random(seed));
  } finally {
    for (const name of NAMES) await machines.remove({ name, force: true }).catch(() => {});
    machines.close();
    rmSync(folder, { recursive: true });
  }
}

async function rounds(machines: Machines, kernel: string, count: number, random: Random): Promise<KillResult> {
  /** Undefined: a command that would change it was killed. */
  const there = new Map<string, boolean | undefined>(NAMES.map((name) => [name, false]));
  let kills = 0;
  let done = 0;
  let saved = 0;
  // A command takes longer on a computer that has other work: kills are spread over what one takes here, to start a machine and more.
  const before = performance.now();
  for (const name of NAMES) {
    const [verb, ...options] = pick(0, kernel) as [string, ...string[]];
    await once(spawn(process.execPath, [MAIN, verb, name, ...options], { stdio: "ignore" }), "close");
    there.set(name, undefined);
  }
  const span = Math.ceil(performance.now() - before) * 2;
  for (let round = 0; round < count; round++) {
    const name = NAMES[random.below(NAMES.length)] as string;
    const [verb, ...options] = pick(random.below(10), kernel);
    const child = spawn(process.execPath, [MAIN, verb as string, name, ...options], { stdio: "ignore" });
    const closed = once(child, "close") as Promise<[number | null]>;
    // A machine's own process, in the place of the command, now and then; a command that is quick or slow, some of the time.
    const victim = random.below(3);
    const after = random.below(span);
    if (victim === 1) void setTimeout(after).then(() => child.kill("SIGKILL"));
    if (victim === 2) {
      await setTimeout(after);
      const pid = await machines
        .info({ name })
        .then(({ pid }) => pid)
        .catch(() => undefined);
      try {
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      } catch {}
    }
    const [status] = await closed;
    if (victim !== 0) kills++;
    if (status === 0) done++;
    if (verb === "create" || verb === "rm") {
      if (status === 0) there.set(name, verb === "create");
      else if (status === null) there.set(name, undefined);
    }
    const listed = (await machines.list()).machines;
    for (const [each, expected] of there) {
      const found = listed.find((machine) => machine.name === each);
      assert.ok(expected === undefined || (found !== undefined) === expected, `round ${round}: ${each} after ${verb}`);
      there.set(each, found !== undefined);
      if (found?.status === "saved") saved++;
    }
  }
  // Each of them starts, from where it was saved where it was.
  for (const name of NAMES) {
    if (there.get(name) !== true) continue;
    let status = (await machines.info({ name })).status;
    // A process that a killed command began.
    for (let i = 0; status === "busy" && i < 200; i++) {
      await setTimeout(100);
      status = (await machines.info({ name })).status;
    }
    if (status !== "running" && status !== "paused") {
      const wasSaved = status === "saved";
      await machines.start({ name, cold: false });
      assert.ok(!wasSaved || !existsSync(machines.state.machine(name).saved));
    }
    assert.notEqual((await machines.info({ name })).status, "busy");
  }
  return { kills, done, saved };
}

function pick(number: number, kernel: string): string[] {
  const create = ["create", "--kernel", kernel, "--memory", "16M", "--disk", "new:64M", "--net", "none"];
  const commands = [
    ...[create, create, ["rm", "--force"]],
    ...[["start"], ["start"], ["start"], ["stop"], ["stop"], ["stop", "--force"], ["pause"]],
  ];
  return commands[number] as string[];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "100" }, seed: { type: "string", default: String(Date.now() % 1e6) } },
  });
  console.log(`seed ${values.seed}`);
  console.log(await killMachines(Number(values.count), Number(values.seed)));
  process.exit(0);
}
