// Drives oracle.c: builds it, asks it.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NOP, STATE_BYTES } from "../inputs.ts";

/** Instructions that can be run at a time. */
export const SLOT_WORDS = 32;
const REQUEST = SLOT_WORDS * 4 + 8 + STATE_BYTES;
const CHANGES = 160;
const ANSWER = 8 + STATE_BYTES + CHANGES * 4;

/** What to run: instructions, the seed of the memory page, the state before. */
export interface Question {
  readonly words: readonly number[];
  readonly seed: number;
  readonly state: Uint8Array;
}

export interface Answer {
  /** 0, or the number of the signal that it died of. */
  readonly signal: number;
  /** The signal came from the first instruction itself, not from where it branched to. */
  readonly own: boolean;
  readonly state: Uint8Array;
  /** Changed bytes of the memory page: [offset, value]. Undefined when there are too many. */
  readonly changes: readonly (readonly [number, number])[] | undefined;
}

let program: string | undefined;

function build(): string {
  const output = join(mkdtempSync(join(tmpdir(), "oracle-")), "oracle");
  const sources = ["oracle.c", "slot.S"].map((name) => join(import.meta.dirname, name));
  const { status } = spawnSync("aarch64-linux-gnu-gcc", ["-O1", "-static", "-o", output, ...sources], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("the oracle did not build: install gcc-aarch64-linux-gnu and qemu-user-static");
  return output;
}

/** Runs instructions on a CPU model of QEMU's ("max", "cortex-a72"). Undefined: one of which the oracle itself died. */
export async function ask(cpu: string, questions: readonly Question[]): Promise<(Answer | undefined)[]> {
  const answers: (Answer | undefined)[] = [];
  while (answers.length < questions.length) {
    const rest = questions.slice(answers.length);
    const out = await run(cpu, rest);
    const n = Math.floor(out.length / ANSWER);
    for (let i = 0; i < n; i++) answers.push(answerAt(out, i * ANSWER));
    if (n < rest.length) answers.push(undefined);
  }
  return answers;
}

async function run(cpu: string, questions: readonly Question[]): Promise<Buffer> {
  program ??= build();
  const child = spawn("qemu-aarch64-static", ["-cpu", cpu, program], { stdio: ["pipe", "pipe", "ignore"] });
  const chunks: Uint8Array[] = [];
  child.stdout.on("data", (d: Uint8Array) => chunks.push(d));
  // It may be gone before it has read everything.
  child.stdin.on("error", () => {});
  const closed = new Promise((resolve) => child.on("close", resolve));
  const requests = new Uint8Array(questions.length * REQUEST);
  const view = new DataView(requests.buffer);
  questions.forEach(({ words, seed, state }, i) => {
    const at = i * REQUEST;
    for (let k = 0; k < SLOT_WORDS; k++) view.setUint32(at + 4 * k, words[k] ?? NOP, true);
    view.setUint32(at + 4 * SLOT_WORDS, seed, true);
    requests.set(state, at + REQUEST - STATE_BYTES);
  });
  child.stdin.end(requests);
  await closed;
  return Buffer.concat(chunks);
}

function answerAt(out: Buffer, at: number): Answer {
  const status = out.readUInt32LE(at);
  const changed = out.readUInt32LE(at + 4);
  const first = at + 8 + STATE_BYTES;
  const changes = Array.from({ length: changed }, (_, k) => {
    return [out.readUInt16LE(first + k * 4), out.readUInt16LE(first + k * 4 + 2)] as const;
  });
  return {
    signal: status & 0xff,
    own: status < 0x100,
    state: out.subarray(at + 8, first),
    changes: changed < CHANGES ? changes : undefined,
  };
}
