// The machines that are compared: Atoll, QEMU's TCG and v86. Each boots a guest as a process of its own, and what its console says
// is timed by the host.

import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Elapsed } from "./report.ts";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const at = (...parts: string[]): string => join(ROOT, ...parts);

export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
}

export interface System {
  readonly name: string;
  readonly version: string;
  /** Of its environment, besides that of the benchmark. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Program and arguments that boot a guest with its console on the standard output. */
  command(guest: Guest): readonly [string, ...string[]];
}

export const MEMORY_MIB = 512;

/** Where Atoll keeps its translations from run to run. */
export const KEPT = at(".cache", "bench", "kept");
/** Atoll as it is when nothing of an earlier run is kept. */
export const FIRST_RUN = "first run";

/** @param cache ATOLL_CACHE. */
export function atoll(name: string, cache: string): System {
  return {
    name,
    environment: { ATOLL_CACHE: cache },
    version: JSON.parse(readFileSync(at("package.json"), "utf8")).version,
    command: ({ kernel, initrd, append }) => [
      ...([process.execPath, at("bin", "atoll.js"), "run", "--boot", "--cpu", "max"] as const),
      ...["--memory", `${MEMORY_MIB}M`, "--net", "none", "--kernel", kernel, "--initrd", initrd, "--append", append],
    ],
  };
}

/** undefined where it is not installed. */
export function qemu(): System | undefined {
  const program = "qemu-system-aarch64";
  const version = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return undefined;
  return {
    name: "QEMU",
    version: /version (\S+)/.exec(version.stdout)?.[1] ?? "?",
    // What Atoll's `max` does not have is off, and pointer authentication uses the fast algorithm in both.
    command: ({ kernel, initrd, append }) => [
      ...([program, "-M", "virt,gic-version=3", "-accel", "tcg", "-cpu", "max,sve=off,pauth-impdef=on"] as const),
      ...["-m", `${MEMORY_MIB}`, "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"],
      ...["-kernel", kernel, "-initrd", initrd, "-append", append],
    ],
  };
}

/** undefined where `npm install --prefix .cache/peers v86` was not run. */
export function v86(): System | undefined {
  const folder = at(".cache", "peers", "node_modules", "v86");
  if (!existsSync(folder)) return undefined;
  return {
    name: "v86",
    version: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version,
    command: ({ kernel, initrd, append }) => [process.execPath, at("bench", "v86.ts"), folder, kernel, initrd, append],
  };
}

/** A line of the console, and what had passed since the process was started. */
export interface Line extends Elapsed {
  readonly text: string;
}

/** User and system time of a process with all its threads (proc(5), /proc/PID/stat); 0 where the host does not tell. */
export function cpuSecondsOf(pid: number | undefined): number {
  const TICKS = 100;
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return 0;
  }
}

/**
 * Boots a guest until its console shows a line (or a prompt) that `last` matches, then ends the process. Throws when that does not
 * happen within so many seconds.
 */
export function boot(system: System, guest: Guest, last: RegExp, seconds: number): Promise<readonly Line[]> {
  const [program, ...args] = system.command(guest);
  const started = performance.now();
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: ROOT,
    env: { ...process.env, ...system.environment },
  });
  const lines: Line[] = [];
  let partial = "";
  let errors = "";
  return new Promise((resolve, reject) => {
    let done = false;
    const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
    child.stderr.on("data", (data: Buffer) => {
      errors += data.toString();
    });
    child.stdout.on("data", (data: Buffer) => {
      const now = { seconds: (performance.now() - started) / 1000, cpuSeconds: cpuSecondsOf(child.pid) };
      const texts = (partial + data.toString("latin1")).split(/\r*\n/);
      partial = texts.pop() as string;
      for (const text of texts) lines.push({ text, ...now });
      if (last.test(partial)) lines.push({ text: partial, ...now });
      if (done || !lines.some(({ text }) => last.test(text))) return;
      done = true;
      child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      if (done) return resolve(lines);
      const tail = [...lines.slice(-5).map(({ text }) => text), partial, errors].join("\n");
      reject(new Error(`${system.name} did not show ${last} within ${seconds} s:\n${tail}`));
    });
  });
}
