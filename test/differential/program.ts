// Random programs: every instruction that needs no operating system, around a few pages of data, with branches, calls and loops that
// end.

import { createDecoder, type Decoder } from "../../src/a64/decoder.ts";
import { encodingOf } from "../../src/a64/encoding.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import type { Row } from "../../src/a64/row.ts";
import { CPU_MODELS, modelFeatures } from "../../src/arch/cpu-models.ts";
import type { Random } from "../vectors/inputs.ts";
import { effectsOf } from "../vectors/selection.ts";
import {
  adr,
  andMask,
  BRK,
  b,
  bCond,
  bits,
  bl,
  blr,
  br,
  cbz,
  DSB,
  dcCvau,
  ISB,
  icIvau,
  mov64,
  NOP,
  strW,
  strX,
  subImm,
  TLBI_VMALLE1,
  tbz,
  tlbiVae1,
  WFI,
} from "./assembler.ts";
import {
  ALIAS,
  CODE,
  type Context,
  DATA,
  DATA_BYTES,
  dataDescriptor,
  descriptorOf,
  type Environment,
  EXECUTABLE_ALIAS,
  READ_ONLY_BYTES,
  WRITABLE_ALIAS,
} from "./environment.ts";

export interface Program {
  /** Address of the first word. */
  readonly start: number;
  readonly words: readonly number[];
  readonly environment: Environment;
  readonly context: Context;
  /** What the data pages hold at first. */
  readonly dataSeed: number;
}

export interface Wishes {
  readonly cpu: "cortex-a72" | "max";
  /** Times that the whole program runs. */
  readonly repeats: number;
  /** Instructions, about. */
  readonly length: number;
}

/** Registers that point into the data. */
const FIRST_BASE = 20;
const LAST_BASE = 25;
/** Small numbers, for register offsets. */
const SMALL_INDEXES = 6;
// Registers that only the control flow uses.
const REPEATS = 26;
const TARGET = 27;
const COUNTER = 28;
const LINK = 30;

const rowsOf = { "cortex-a72": candidates("cortex-a72"), max: candidates("max") };

function candidates(cpu: Wishes["cpu"]): { decoder: Decoder; plain: readonly Row[]; memory: readonly Row[] } {
  const features = modelFeatures(CPU_MODELS[cpu], { el2: false, el3: false, gicv3: true });
  const rows = ALL_ROWS.filter((row) => (row.feat === "base" || features.has(row.feat)) && isPlain(row));
  const decoder = createDecoder(ALL_ROWS, features);
  return { decoder, plain: rows.filter((r) => !effectsOf(r).memory), memory: rows.filter((r) => effectsOf(r).memory) };
}

/** Runs without the host's help, whatever the time is, and goes on at the next instruction. */
function isPlain(row: Row): boolean {
  if (/^M(RS|SR)_/.test(row.id) && !/_(NZCV|FPCR|FPSR)$/.test(row.id)) return false;
  const { insts, branches } = effectsOf(row);
  return branches === undefined && !insts.some((i) => i.op === "host" || i.op === "exception");
}

const FIELD_N = 31 << 5;
const FIELD_M = 31 << 16;

/** A random instruction that leaves the registers of the control flow alone. */
function instruction(random: Random, cpu: Wishes["cpu"]): number {
  const { decoder, plain, memory } = rowsOf[cpu];
  for (let attempt = 0; attempt < 200; attempt++) {
    const row = random.pick(random.below(100) < 35 ? memory : plain);
    const { mask, value } = encodingOf(row);
    let word = value | (random.u32() & ~mask) | 0;
    if (effectsOf(row).memory) {
      if (random.below(100) < 92) word = withField(word, mask, FIELD_N, (FIRST_BASE + random.below(6)) << 5);
      if (row.ops.m !== undefined && random.below(100) < 90) {
        word = withField(word, mask, FIELD_M, random.below(SMALL_INDEXES) << 16);
      }
      if (row.id === "DC_ZVA") word = (word & ~31) | (FIRST_BASE + random.below(6));
    }
    const decoded = decoder.decode(word);
    if (decoded?.row !== row) continue;
    if (keepsRegisters(decoded, random, effectsOf(row).memory)) return word;
  }
  return NOP;
}

/** With the bits of a field that are not fixed. */
const withField = (word: number, fixed: number, field: number, value: number): number =>
  (word & ~(field & ~fixed)) | (value & field & ~fixed);

function keepsRegisters(
  { layout, operands }: NonNullable<ReturnType<Decoder["decode"]>>,
  random: Random,
  memory: boolean,
): boolean {
  return layout.every(({ kind }, i) => {
    const slot = operands[i] as number;
    if (kind !== "xr" && kind !== "xw" && kind !== "sp") return true;
    // Compare-and-swap of pairs names the even register.
    if (slot >= REPEATS && slot <= COUNTER) return false;
    if (memory || kind === "xr") return true;
    const isBase = (slot >= FIRST_BASE && slot <= LAST_BASE) || slot === 33 || slot < SMALL_INDEXES;
    return !isBase || random.below(100) < 4;
  });
}

/** One step of a program: a few words, entered at the first. `target`: another step, whose distance in words is given to `words`. */
interface Step {
  readonly size: number;
  readonly target?: number;
  readonly words: (distance: number) => readonly number[];
}

export function makeProgram(random: Random, wishes: Wishes): Program {
  const environment: Environment = {
    mmu: random.below(8) !== 0,
    alignmentCheck: random.below(8) === 0,
    patience: wishes.repeats > 1 ? 15 : 10,
    el0: random.below(4) === 0,
    devices: false,
  };
  const words = body(random, wishes, environment.mmu);
  // Now and then across a page's end.
  const page = CODE + 0x1000 * random.below(64);
  const start = random.below(3) === 0 ? page + 0x1000 - 4 * random.below(words.length) : page + 4 * random.below(512);
  const alias = environment.mmu && random.below(4) === 0 ? EXECUTABLE_ALIAS : 0;
  return {
    start: start + alias,
    words,
    environment,
    context: makeContext(random, wishes.repeats),
    dataSeed: random.u32(),
  };
}

function body(random: Random, { cpu, length, repeats }: Wishes, mmu: boolean): number[] {
  const steps: Step[] = [];
  const fixed = (words: readonly number[]): Step => ({ size: words.length, words: () => words });
  /** Steps of one instruction. */
  const plain: number[] = [];
  const patches: number[] = [];
  let loopStart = -1;
  while (steps.length < length) {
    const ahead = steps.length + 1 + random.below(8);
    const kind = random.below(100);
    if (kind < 12) steps.push(branch(random, Math.min(ahead, length), mmu));
    else if (kind < 15) steps.push(fixed(mov64(FIRST_BASE + random.below(6), dataAddress(random))));
    else if (kind < 16) steps.push(fixed([random.pick([BRK, 0, random.u32() & 0xffff])]));
    else if (kind < 18 && (loopStart >= 0 || repeats > 1)) {
      const word = instruction(random, cpu);
      patches.push(steps.length);
      steps.push({ size: patch(0, word).length, words: (distance) => patch(distance, word) });
    } else if (kind < 19 && random.below(3) === 0) steps.push(fixed(remap(random)));
    else if (kind < 23 && loopStart < 0) {
      steps.push(fixed(mov64(COUNTER, 2 + random.below(12))));
      loopStart = steps.length;
    } else if (kind < 29 && loopStart >= 0 && steps.length > loopStart + 4) {
      steps.push({
        size: 3,
        target: loopStart,
        // However it is entered, at most 15 times round.
        words: (distance) => [
          subImm(COUNTER, COUNTER, 1),
          andMask(COUNTER, COUNTER, 4),
          random.below(2) ? cbz(COUNTER, distance - 2, true) : tbzAny(distance - 2),
        ],
      });
      loopStart = -1;
    } else {
      plain.push(steps.length);
      steps.push(fixed([instruction(random, cpu)]));
    }
  }
  for (const i of patches) {
    const near = plain.filter((at) => Math.abs(at - i) < 8);
    steps[i] = { ...(steps[i] as Step), target: near.length > 0 ? random.pick(near) : i };
  }
  const end = { size: 2, words: () => [WFI, b(-1)] };
  if (repeats > 1) {
    steps.push({
      size: 2,
      target: 0,
      words: (distance) => [subImm(REPEATS, REPEATS, 1), cbz(REPEATS, distance - 1, true)],
    });
  }
  return assemble([...steps, end]);
}

/** Puts another instruction into the code, with the cache maintenance that it takes. */
function patch(distance: number, word: number): number[] {
  return [
    ...[adr(TARGET, distance), bits(0, TARGET, TARGET, 23, 1), bits(1, TARGET, TARGET, 21, 2)],
    ...[...mov64(LINK, word), strW(LINK, TARGET), dcCvau(TARGET), DSB],
    ...[adr(TARGET, distance - 10), icIvau(TARGET), DSB, ISB],
  ];
}

/** Changes what may be done with a page of data. */
function remap(random: Random): number[] {
  const page = DATA + 0x1000 * random.below((DATA_BYTES + READ_ONLY_BYTES) / 0x1000);
  const [low, high] =
    random.below(4) === 0 ? [0, 0] : dataDescriptor(page, random.below(2) === 0, random.below(2) === 0);
  const all = random.below(2) === 0;
  return [
    ...[...mov64(TARGET, descriptorOf(page) | WRITABLE_ALIAS), ...mov64(LINK, low, high), strX(LINK, TARGET, 0), DSB],
    ...(all ? [TLBI_VMALLE1] : [...mov64(TARGET, page >>> 12), tlbiVae1(TARGET)]),
    ...(all ? [] : [...mov64(TARGET, (page + ALIAS) >>> 12), tlbiVae1(TARGET)]),
    ...[DSB, ISB],
  ];
}

/** A loop of one bit: goes on while the counter is odd. */
const tbzAny = (distance: number): number => tbz(COUNTER, 0, distance, true);

function branch(random: Random, target: number, mmu: boolean): Step {
  switch (random.below(10)) {
    case 7:
      // To the other address of the same code, where there is one.
      if (!mmu) return { size: 1, target, words: (d) => [b(d)] };
      return { size: 3, target, words: (d) => [adr(TARGET, d), bits(2, TARGET, TARGET, 23, 1), br(TARGET)] };
    case 0:
      return { size: 1, target, words: (d) => [b(d)] };
    case 1:
      return { size: 1, target, words: (d) => [bl(d)] };
    case 2:
      return { size: 2, target, words: (d) => [adr(TARGET, d), br(TARGET)] };
    case 3:
      return { size: 2, target, words: (d) => [adr(TARGET, d), blr(TARGET)] };
    case 4:
      return { size: 2, target, words: (d) => [adr(LINK, d), 0xd65f03c0] };
    case 5: {
      const [rt, nonzero] = [random.below(REPEATS), random.below(2) === 1];
      const wide = random.below(2) === 1 ? 0 : 0x80000000;
      return { size: 1, target, words: (d) => [(cbz(rt, d, nonzero) ^ wide) >>> 0] };
    }
    case 6: {
      const [rt, bit, nonzero] = [random.below(REPEATS), random.below(64), random.below(2) === 1];
      return { size: 1, target, words: (d) => [tbz(rt, bit, d, nonzero)] };
    }
    default: {
      const cond = random.below(16);
      return { size: 1, target, words: (d) => [bCond(cond, d)] };
    }
  }
}

function assemble(steps: readonly Step[]): number[] {
  const at: number[] = [];
  let size = 0;
  for (const step of steps) {
    at.push(size);
    size += step.size;
  }
  return steps.flatMap((step, i) =>
    step.words(step.target === undefined ? 0 : (at[step.target] as number) - (at[i] as number)),
  );
}

/** Somewhere in the data, sometimes at its edges. */
export function dataAddress(random: Random): number {
  const offset =
    random.below(6) === 0
      ? random.pick([0, 0x1000, DATA_BYTES, DATA_BYTES + READ_ONLY_BYTES]) + random.below(32) - 16
      : random.below(DATA_BYTES);
  const aligned = random.below(4) === 0 ? offset : offset & ~15;
  return DATA + aligned + (random.below(5) === 0 ? ALIAS : 0);
}

const SPECIAL_32 = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];
/** Words of floating-point numbers of all sizes: zeroes, infinities, NaNs, the smallest and the largest. */
const SPECIAL_FP = [
  ...[0, 0x80000000, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x7fa00000, 0x00000001, 0x00800000],
  ...[0x7ff00000, 0x7ff80000, 0x7ff00001, 0x3ff00000, 0x00100000, 0x7fefffff, 0x7c007c00, 0x7e007c01, 0x3c000400],
];

export function makeContext(random: Random, repeats: number): Context {
  const x = new Uint32Array(64);
  for (let i = 0; i < 32; i++) {
    const isBase = (i >= FIRST_BASE && i <= LAST_BASE) || i === 31;
    x[2 * i] = isBase ? dataAddress(random) : random.below(3) === 0 ? random.pick(SPECIAL_32) : random.u32();
    x[2 * i + 1] = isBase ? 0 : random.below(3) === 0 ? random.pick(SPECIAL_32) : random.u32();
    if (i < SMALL_INDEXES) x.set([random.below(256), 0], 2 * i);
  }
  // SP is aligned, or checks would stop every access.
  if (random.below(10) !== 0) x[62] = (x[62] as number) & ~15;
  x.set([repeats, 0, 0, 0, random.below(16), 0], 2 * REPEATS);
  const v = new Uint32Array(128).map(() => (random.below(2) === 0 ? random.pick(SPECIAL_FP) : random.u32()));
  const nzcv = (random.u32() & 0xf0000000) >>> 0;
  // RMode, FZ, DN, FZ16.
  const fpcr = random.below(2) === 0 ? 0 : (random.u32() & 0x07c80000) >>> 0;
  const fpsr = random.below(2) === 0 ? 0x10 : 0;
  return { x, v, nzcv, fpcr, fpsr };
}
