// Random words as a guest's code, on whole machines.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { encodingOf } from "../../src/a64/encoding.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import { CPU_STRIDE, INSTRUCTIONS, POWER, SYSREGS, SYSREGS_END, V, X } from "../../src/cpu/state-layout.ts";
import { TRANSLATION_EPOCH } from "../../src/cpu/sysreg-layout.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { CPU_BASE, GIC_STATE, GIC_STATE_END } from "../../src/memory/linear-layout.ts";
import { b, mov64 } from "../differential/assembler.ts";
import { CODE, type Context, DATA, descriptorOf, prepare } from "../differential/environment.ts";
import { ENTRY, makeRig, poke, RAM, type Rig } from "../differential/rig.ts";
import type { Random } from "../vectors/inputs.ts";

export interface Configuration {
  readonly cpu: MachineParts["cpu"];
  readonly tier: MachineParts["tier"];
  readonly cpus: 1 | 2;
}

export interface CodeFuzzer {
  /** Runs one random guest. @throws Error, with what went wrong; also whatever the machine throws. */
  guest(random: Random): void;
  /** Of all guests so far. */
  instructions(): number;
}

const RAM_BYTES = (4 << 20) - 0x3000;
/** Of the host's time, for one guest. */
const MILLISECONDS = 4;
/** Other programs may have the host's processor for this long. */
const SLACK = 3000;
const WORDS = 2048;
const CANARY = 0xa5;

const IMAGES = join(import.meta.dirname, "../baremetal/bin");
let images: Uint32Array[] | undefined;

function imageWords(): Uint32Array[] {
  images ??= readdirSync(IMAGES)
    .filter((f) => f.endsWith(".bin"))
    .map((f) => readFileSync(join(IMAGES, f)))
    .map((bytes) => new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~3))));
  return images;
}

export async function codeFuzzer({ cpu, tier, cpus }: Configuration): Promise<CodeFuzzer> {
  // Not whole pages of WebAssembly: nothing may be written after it.
  const rig = await makeRig({ cpu, tier, cpus, memory: RAM_BYTES, monotonic: () => performance.now() * 1e6 });
  const guard = protect(rig);
  let instructions = 0;
  return {
    instructions: () => instructions,
    guest(random) {
      rig.machine.reset();
      const before = rig.states.map((pe) => pe.number(INSTRUCTIONS));
      rig.bytes.fill(0, rig.plan.ram, rig.plan.ram + RAM_BYTES);
      place(rig, random, cpus);
      const second = rig.states[1];
      const off = second && { state: privateState(rig, 1), instructions: second.number(INSTRUCTIONS) };
      const started = performance.now();
      let state = rig.machine.run(MILLISECONDS);
      if (state.kind === "reset") rig.machine.reset();
      if (state.kind !== "off") state = rig.machine.run(MILLISECONDS);
      const elapsed = performance.now() - started;
      if (elapsed > SLACK) throw new Error(`${2 * MILLISECONDS} ms of running took ${elapsed} ms`);
      rig.states.forEach((pe, i) => {
        instructions += Math.max(0, pe.number(INSTRUCTIONS) - (before[i] as number));
      });
      guard();
      // It has been off all the time, unless it ran or the machine ended, which turns PEs off.
      if (off?.instructions === second?.number(INSTRUCTIONS) && second?.word(POWER) === 1 && state.kind !== "off") {
        const changed = privateState(rig, 1).findIndex((byte, i) => byte !== off?.state[i]);
        if (changed >= 0) throw new Error(`registers of a PE that is off have changed, byte ${changed}`);
      }
    },
  };
}

/** Fills what no guest can reach with a pattern; the function that is returned throws when it has changed. */
function protect(rig: Rig): () => void {
  const { plan, bytes, words } = rig;
  const ends = [plan.ram + RAM_BYTES, plan.bytes] as const;
  const before = [0, 0x400] as const;
  for (const [start, end] of [before, ends]) bytes.fill(CANARY, start, end);
  // Where guests change bytes only by commands that take several writes in order: the second bank of flash is looked at in samples.
  const samples = Array.from({ length: 4096 }, (_, i) => (plan.flash1 >> 2) + i * 4093);
  const gaps = [CPU_BASE - 4, GIC_STATE_END - 4, GIC_STATE - 4].map((at) => at >> 2).filter((at) => words[at] === 0);
  return () => {
    for (const [start, end] of [before, ends]) {
      const at = bytes.subarray(start, end).findIndex((byte) => byte !== CANARY);
      if (at >= 0)
        throw new Error(`linear memory has changed at 0x${(start + at).toString(16)}, outside of the guest's`);
    }
    for (const at of [...samples, ...gaps]) {
      if (words[at] !== 0) throw new Error(`linear memory has changed at 0x${(at * 4).toString(16)}`);
    }
  };
}

/** What of a PE only it, or a reset, may change: general, SIMD and FP, and system registers. Others invalidate its TLBs. */
function privateState(rig: Rig, index: number): Uint8Array {
  const at = CPU_BASE + index * CPU_STRIDE;
  return Buffer.concat([
    rig.bytes.slice(at + X, at + X + 0x118),
    rig.bytes.slice(at + V, at + V + 0x200),
    rig.bytes.slice(at + SYSREGS, at + TRANSLATION_EPOCH),
    rig.bytes.slice(at + TRANSLATION_EPOCH + 8, at + SYSREGS_END),
  ]);
}

function place(rig: Rig, random: Random, cpus: number): void {
  const kind = random.below(5);
  // The bare-metal tests, with faults.
  if (kind === 0) {
    const image = Array.from(random.pick(imageWords()));
    const flips = 1 << random.below(10);
    for (let i = 0; i < flips; i++) {
      const at = random.below(image.length);
      image[at] = (image[at] as number) ^ (1 << random.below(32));
    }
    poke(rig, ENTRY, image);
    return;
  }
  const words = Array.from({ length: WORDS }, () => word(random, kind));
  const start = CODE + 4 * random.below(0x4000);
  const environment = {
    mmu: random.below(3) !== 0,
    alignmentCheck: random.below(4) === 0,
    patience: 30,
    el0: random.below(3) === 0,
    devices: true,
  };
  prepare(rig, environment, context(random), start);
  if (random.below(3) === 0) confuseTables(rig, random);
  poke(rig, start, cpus === 2 && random.below(2) === 0 ? [...powerOn(start + 0x1000), ...words] : words);
  // Exceptions go on after the instruction, or into the words.
  if (random.below(2) === 0) poke(rig, RAM + 0x1_0000, words);
}

/** Descriptors of any kind and any output address among those of the page tables, and in the pages that they may name as tables. */
function confuseTables(rig: Rig, random: Random): void {
  const first = (descriptorOf(RAM) & ~0xfff) - 0x2000;
  for (let i = 0; i < 200; i++) {
    const table = random.below(8) === 0 ? DATA : first + 0x1000 * random.below(3);
    const low = random.below(3) === 0 ? random.u32() : (random.pick(PLACES) & ~0xfff) | (random.u32() & 0xfff) | 1;
    const high = random.below(3) === 0 ? random.u32() : random.pick([0, 0, 0x600000, 0x100000, 0xffff]);
    // The first entries of a table translate what the code is in.
    const index = random.below(4) === 0 ? random.below(4) : 4 + random.below(508);
    poke(rig, table + 8 * index, [low, high]);
  }
}

/** PSCI CPU_ON of the second PE. */
const powerOn = (entry: number): number[] => [...mov64(0, 0xc4000003), ...mov64(1, 1), ...mov64(2, entry), 0xd4000002];

/** Kinds: 1 any word, 2 to 4 words of known encodings with more or less of branches, loads and system instructions. */
function word(random: Random, kind: number): number {
  if (kind === 1 || random.below(20) === 0) return random.u32();
  // Loops, but few, lest nothing else be executed.
  if (random.below(32) === 0) return b(random.below(100) === 0 ? -random.below(64) : 1 + random.below(16));
  const rows = kind === 2 ? ALL_ROWS : kind === 3 ? PRIVILEGED : ORDINARY;
  const { mask, value } = encodingOf(random.pick(rows));
  return (value | (random.u32() & ~mask)) >>> 0;
}

const isPrivileged = (id: string): boolean =>
  /^(MSR|MRS|SYS|HVC|SMC|SVC|ERET|DC|WF|HINT|ISB|DSB|DRPS|DCPS|HLT)/.test(id);
const PRIVILEGED = ALL_ROWS.filter(({ id }) => isPrivileged(id) || /^(LD|ST|CAS|SWP|B_|BR|BLR|RET)/.test(id));
const ORDINARY = ALL_ROWS.filter(({ id }) => !isPrivileged(id));

/** Where registers point: RAM and its ends, flash, devices, and nowhere. */
const PLACES = [
  ...[DATA, DATA + 0xff8, RAM, RAM + RAM_BYTES - 8, RAM + RAM_BYTES, CODE],
  ...[0, 0x0400_0000, 0x03ff_fff8, 0x0800_0000, 0x0801_0000, 0x080a_0000, 0x080b_0000, 0x0900_0000, 0x0901_0000],
  ...[0x0902_0000, 0x0a00_0000, 0x0a00_0200, 0x3fff_fffc, 0xffff_fff8, 0x7fff_ffff],
];

function context(random: Random): Context {
  const x = new Uint32Array(64);
  for (let i = 0; i < 32; i++) {
    const place = random.below(4) !== 0;
    x[2 * i] = place ? random.pick(PLACES) + random.below(64) : random.below(3) === 0 ? random.below(64) : random.u32();
    x[2 * i + 1] = place || random.below(2) === 0 ? 0 : random.pick([0xffffffff, 1, random.u32()]);
  }
  const v = new Uint32Array(128).map(() => random.u32());
  return { x, v, nzcv: random.u32() & 0xf0000000, fpcr: random.u32(), fpsr: 0 };
}
