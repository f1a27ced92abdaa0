// Runs the `atoll` command as a user would, with its console on a pipe; and other programs in the same way, to compare with.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** A running process with a guest's console on its standard input and output. */
export class GuestProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly started = performance.now();
  readonly finished: Promise<Finished>;
  stdout = "";
  stderr = "";
  #waiting: (() => void)[] = [];

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { cwd: ROOT });
    this.child.stdout.on("data", (d: Buffer) => {
      this.stdout += d.toString("latin1");
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.child.stderr.on("data", (d: Buffer) => {
      this.stderr += d.toString();
    });
    this.finished = new Promise((resolve) => {
      this.child.on("close", (status) => {
        resolve({ status, stdout: this.stdout, stderr: this.stderr, milliseconds: performance.now() - this.started });
        for (const wake of this.#waiting.splice(0)) wake();
      });
    });
  }

  /** Waits until the console shows `text`; returns milliseconds since the start. Throws when the process ends before, or in time. */
  async waitFor(text: string | RegExp, seconds: number): Promise<number> {
    const deadline = performance.now() + seconds * 1000;
    const shown = (): boolean => (typeof text === "string" ? this.stdout.includes(text) : text.test(this.stdout));
    while (!shown()) {
      const left = deadline - performance.now();
      if (left <= 0 || this.child.exitCode !== null) {
        this.child.kill("SIGKILL");
        throw new Error(
          `expected ${text} on the console within ${seconds} s; found: ...${this.stdout.slice(-2000)}\n${this.stderr}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return performance.now() - this.started;
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /**
   * Types a command to a shell until its answer is on the console: a shell that has just come up may not listen yet, and firmware drops what it
   * has no time for. Returns milliseconds since the start.
   */
  async ask(command: string, answer: string | RegExp, seconds: number): Promise<number> {
    const timer = setInterval(() => this.type(command), 3000);
    try {
      this.type(command);
      return await this.waitFor(answer, seconds);
    } finally {
      clearInterval(timer);
    }
  }

  /** Seconds of processor time so far, which other work on the computer changes less than the time on the clock. Linux only; else 0. */
  cpuSeconds(): number {
    try {
      // proc(5): utime and stime, in ticks of 10 ms, are fields 14 and 15; the second field is in parentheses and may hold anything.
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      return 0;
    }
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}

/** A running `atoll` process. */
export class Atoll extends GuestProcess {
  constructor(args: readonly string[]) {
    super(process.execPath, [join(ROOT, "src", "cli", "main.ts"), ...args]);
  }
}

export function atoll(...args: string[]): Promise<Finished> {
  const run = new Atoll(args);
  run.child.stdin.end();
  return run.finished;
}
