// A machine in this process whose memory and registers tests can see and change between runs.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PeState } from "../../src/cpu/pe-state.ts";
import { CPU_STRIDE } from "../../src/cpu/state-layout.ts";
import { Engine } from "../../src/engine/engine.ts";
import { inflate } from "../../src/hosts/node/inflate.ts";
import { type LinearPlan, planMemory } from "../../src/machine/linear-plan.ts";
import { Machine } from "../../src/machine/machine.ts";
import { MAP } from "../../src/machine/memory-map.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { CPU_BASE } from "../../src/memory/linear-layout.ts";

const build = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, "../../build", name));
const MiB = 0x10_0000;

export const RAM = MAP.ram.base;
/** Where a raw kernel starts. */
export const ENTRY = RAM + 0x8_0000;

export interface Rig {
  readonly machine: Machine;
  readonly memory: WebAssembly.Memory;
  readonly plan: LinearPlan;
  readonly parts: MachineParts;
  readonly states: readonly PeState[];
  /** All of linear memory. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Console output since the rig was made. */
  readonly printed: () => string;
}

/** A deterministic clock: a microsecond more whenever somebody looks. */
export function countingClock(step = 1000): () => number {
  let time = 0;
  return () => (time += step);
}

let artifacts: MachineParts["artifacts"] | undefined;

/** Makes a machine with 4 MiB of RAM and a program that does nothing. */
export async function makeRig(changes: Partial<MachineParts> = {}): Promise<Rig> {
  artifacts ??= {
    native: build("native.wasm"),
    interpreter: build("interpreter.wasm"),
    handlers: new TextDecoder().decode(build("interpreter.json")),
  };
  const decoder = new TextDecoder("latin1");
  let printed = "";
  let noise = 1;
  const parts: MachineParts = {
    memory: 4 * MiB,
    cpus: 1,
    cpu: "max",
    gicVersion: 3,
    tier: "interpreter",
    kernel: { name: "nothing", bytes: new Uint8Array(Uint32Array.of(WFI, B_BACK).buffer) },
    append: "",
    loads: [],
    disks: [],
    serial: {
      write(bytes) {
        if (printed.length < MiB) printed += decoder.decode(bytes);
      },
      read: () => new Uint8Array(0),
      onReadable: () => {},
    },
    terminalSize: { get: () => undefined, onChange: () => {} },
    entropy: {
      fill(into) {
        for (let i = 0; i < into.length; i++) {
          noise = (Math.imul(noise, 1103515245) + 12345) | 0;
          into[i] = noise >>> 16;
        }
      },
    },
    wallClock: { now: () => 0 },
    monotonic: countingClock(),
    artifacts,
    inflate,
    ...changes,
  };
  const { machine, memory } = await withMemory(() => Machine.create(parts));
  const plan = planMemory(parts.memory, parts.cpus, Engine.areaBytes());
  const states = Array.from({ length: parts.cpus }, (_, i) => new PeState(memory.buffer, CPU_BASE + i * CPU_STRIDE));
  const bytes = new Uint8Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  return { machine, memory, plan, parts, states, bytes, words, printed: () => printed };
}

const WFI = 0xd503207f;
const B_BACK = 0x17ffffff;

/** The machine keeps its memory to itself, so this watches its allocation. */
async function withMemory(make: () => Promise<Machine>): Promise<{ machine: Machine; memory: WebAssembly.Memory }> {
  const { Memory } = WebAssembly;
  let memory: WebAssembly.Memory | undefined;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: ConstructorParameters<typeof Memory>[0]) {
      super(descriptor);
      memory = this;
    }
  };
  try {
    const machine = await make();
    if (memory === undefined) throw new Error("the machine allocated no memory");
    return { machine, memory };
  } finally {
    WebAssembly.Memory = Memory;
  }
}

/** Puts words into RAM at a physical address, behind the machine's back: only between a reset and the first run. */
export function poke(rig: Rig, address: number, words: ArrayLike<number>): void {
  rig.words.set(Array.from(words), (rig.plan.ram + address - RAM) >> 2);
}

/** A copy of RAM. */
export function peek(rig: Rig, address: number, length: number): Uint8Array {
  const at = rig.plan.ram + address - RAM;
  return rig.bytes.slice(at, at + length);
}

/** One of the machine's counters. */
export function statistic(rig: Rig, name: string): number {
  const found = rig.machine.statistics().find((s) => s.name === name);
  if (!found) throw new Error(`no ${name} in the statistics`);
  return found.value;
}
