// Whole machines of a few instructions, in this process.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inflate } from "../../src/hosts/node/inflate.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { ROOT } from "./atoll.ts";

const build = (name: string): Uint8Array => readFileSync(join(ROOT, "build", name));

export interface WholeMachine {
  readonly machine: Machine;
  /** What it printed. */
  readonly printed: number[];
  /** Bytes that it may read from its console. */
  type(text: string): void;
}

/** A machine that starts with `code` at 0x40080000. Its clock goes 100 us further whenever somebody looks. */
export async function wholeMachine(
  code: readonly number[],
  changes: Partial<MachineParts> = {},
): Promise<WholeMachine> {
  const printed: number[] = [];
  let typed: number[] = [];
  let readable = (): void => {};
  let time = 0;
  const machine = await Machine.create({
    memory: 64 << 20,
    cpus: 1,
    cpu: "max",
    gicVersion: 3,
    tier: "auto",
    kernel: { name: "code", bytes: new Uint8Array(Uint32Array.from(code).buffer) },
    append: "",
    loads: [],
    disks: [],
    serial: {
      write: (bytes) => void printed.push(...bytes),
      read: (max) => {
        const bytes = Uint8Array.from(typed.slice(0, max));
        typed = typed.slice(max);
        return bytes;
      },
      onReadable: (listener) => {
        readable = listener;
      },
    },
    terminalSize: { get: () => undefined, onChange: () => {} },
    entropy: { fill: (into) => into.fill(0x55) },
    wallClock: { now: () => 1_700_000_000_000 },
    monotonic: () => (time += 100_000),
    artifacts: {
      native: build("native.wasm"),
      interpreter: build("interpreter.wasm"),
      handlers: new TextDecoder().decode(build("interpreter.json")),
    },
    inflate,
    ...changes,
  });
  return {
    machine,
    printed,
    type: (text) => {
      typed.push(...Buffer.from(text));
      readable();
    },
  };
}
