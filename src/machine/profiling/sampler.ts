import type { SliceEnd } from "../../cpu/pe.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { COUNT_TRANSLATED, INSTRUCTIONS } from "../../cpu/state-layout.ts";

/** Nanoseconds of a PE's running time between two samples, on average. */
export const SAMPLING_INTERVAL = 1e6;
/** Instructions of the slice that ends at a sample, at most: what ran in it says which tier the sample is of. */
const LAST_SLICE = 2048;
/** Nanoseconds that an instruction takes, before any has been timed. */
const FIRST_GUESS = 3;
/** How much a new measurement of that counts against the old ones. */
const LEARNING = 0.1;

export interface SampleTime {
  /** Nanoseconds that the PE has run since its last sample. */
  readonly weight: number;
  readonly tier: "interpreter" | "translator";
}

export interface SamplerOptions {
  readonly states: readonly PeState[];
  /** Nanoseconds of a clock. */
  readonly now: () => number;
  /** Nanoseconds spent on translation so far, which belong to no tier. */
  readonly translation: () => number;
  /** Called between two slices of the PE. */
  readonly onSample?: ((cpuIndex: number, sample: SampleTime) => void) | undefined;
}

interface Sampled {
  readonly state: PeState;
  /** Instructions until the next sample. */
  left: number;
  /** Nanoseconds that it has run, and instructions that it has executed, since the last. */
  time: number;
  instructions: number;
  nanosecondsPerInstruction: number;
}

/**
 * Takes samples of PEs at random moments. A sample comes after a random number of instructions, so that nothing a guest does regularly
 * is in step with it, and weighs the time since the one before; the numbers are such that samples are SAMPLING_INTERVAL apart on average.
 * A slice ends at a taken branch, so that a sample is at most a straight piece of code late.
 */
export class Sampler {
  /** Nanoseconds by tier. */
  readonly tiers = { interpreted: 0, translated: 0 };
  readonly #options: SamplerOptions;
  readonly #pes: readonly Sampled[];
  #random = 0x2545f491;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#pes = options.states.map((state) => ({
      ...{ state, left: 0, time: 0, instructions: 0, nanosecondsPerInstruction: FIRST_GUESS },
    }));
    for (const pe of this.#pes) pe.left = this.#distance(pe);
  }

  /** Runs a slice of up to so many instructions of a PE, by `runSlice`. */
  slice(cpuIndex: number, instructions: number, runSlice: (budget: number) => SliceEnd): SliceEnd {
    const pe = this.#pes[cpuIndex] as Sampled;
    const before = pe.left - LAST_SLICE;
    // Interrupts come between slices of the machine's: one that the sample cuts in two has to go on at once, or samples gather after them.
    if (before > 0 && before < instructions) {
      const end = this.#run(cpuIndex, pe, before, runSlice);
      if (end !== "budget" || pe.left <= 0) return end;
      return this.#run(cpuIndex, pe, Math.min(pe.left, instructions - before), runSlice);
    }
    return this.#run(cpuIndex, pe, Math.min(pe.left, instructions), runSlice);
  }

  #run(cpuIndex: number, pe: Sampled, budget: number, runSlice: (budget: number) => SliceEnd): SliceEnd {
    const { state } = pe;
    const { now, translation } = this.#options;
    const executed = state.number(INSTRUCTIONS);
    const translated = state.number(COUNT_TRANSLATED);
    const started = now() - translation();
    const end = runSlice(Math.max(1, budget));
    pe.time += now() - translation() - started;
    const count = state.number(INSTRUCTIONS) - executed;
    pe.instructions += count;
    pe.left -= count;
    if (pe.left <= 0) {
      const isTranslated = 2 * (state.number(COUNT_TRANSLATED) - translated) > count;
      this.#sample(cpuIndex, pe, isTranslated ? "translator" : "interpreter");
    }
    return end;
  }

  #sample(cpuIndex: number, pe: Sampled, tier: SampleTime["tier"]): void {
    this.tiers[tier === "translator" ? "translated" : "interpreted"] += pe.time;
    this.#options.onSample?.(cpuIndex, { weight: pe.time, tier });
    pe.nanosecondsPerInstruction += LEARNING * (pe.time / pe.instructions - pe.nanosecondsPerInstruction);
    pe.time = 0;
    pe.instructions = 0;
    pe.left = this.#distance(pe);
  }

  /** Exponentially distributed, as of events that do not know of each other. */
  #distance(pe: Sampled): number {
    // xorshift32 (Marsaglia 2003).
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    const uniform = ((x >>> 0) + 1) / (2 ** 32 + 1);
    const mean = SAMPLING_INTERVAL / Math.max(pe.nanosecondsPerInstruction, 0.01);
    return Math.ceil(-Math.log(uniform) * mean);
  }
}
