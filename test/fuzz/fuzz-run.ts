// A fuzzer as a command: inputs, as many as one likes, each of a seed of its own, which is shown when it fails.
// [--count N] [--seed N, the first one's] [--only TEXT, of what is fuzzed]

import { parseArgs } from "node:util";
import { Random } from "../vectors/inputs.ts";

/** Of processor time: an input that takes more has a fault. */
const SLOW = 5000;

export interface Inputs {
  /** Makes the input of a seed, and gives it. What it throws is a failure, and so are seconds of processor time. */
  readonly one: (random: Random, seed: number) => void | Promise<void>;
  /** Inputs that are made of one seed; 1 when absent. */
  readonly each?: number;
  /** After a failure. */
  readonly failed?: (seed: number) => void;
  /** What the inputs came to, for the line that is shown in the end. */
  readonly effects?: () => object;
}

export class FuzzRun {
  /** Inputs of each thing that is fuzzed. */
  readonly count: number;
  readonly first: number;
  readonly #only: string;
  #failures = 0;

  constructor() {
    const { values } = parseArgs({
      options: {
        count: { type: "string", default: "1000000" },
        seed: { type: "string", default: "1" },
        only: { type: "string", default: "" },
      },
    });
    this.count = Number(values.count);
    this.first = Number(values.seed);
    this.#only = values.only;
  }

  wants(name: string): boolean {
    return name.includes(this.#only);
  }

  async inputs(name: string, { one, each = 1, failed, effects }: Inputs): Promise<void> {
    const seeds = Math.ceil(this.count / each);
    const start = cpuMilliseconds();
    let slowest = 0;
    for (let seed = this.first; seed < this.first + seeds; seed++) {
      const before = cpuMilliseconds();
      try {
        await one(new Random(seed), seed);
      } catch (error) {
        this.#failures++;
        console.log(`${name}, seed ${seed}:`, error);
        failed?.(seed);
      }
      const taken = cpuMilliseconds() - before;
      slowest = Math.max(slowest, taken);
      if (taken < SLOW) continue;
      this.#failures++;
      console.log(`${name}, seed ${seed}: took ${(taken / 1000).toFixed(1)} s`);
    }
    const seconds = ((cpuMilliseconds() - start) / 1000).toFixed(1);
    const more = effects === undefined ? "" : `, ${JSON.stringify(effects())}`;
    const unit = each === 1 ? "" : ` ${each} in`;
    console.log(
      `${name}: ${seeds * each} inputs in ${seconds} s of processor time, the slowest${unit} ${slowest.toFixed(0)} ms${more}`,
    );
  }

  end(): never {
    console.log(`${this.#failures} failures`);
    process.exit(this.#failures > 0 ? 1 : 0);
  }
}

/** Of this thread, since some time in the past. What an input takes is processor time, as a computer that does other things makes anything slow by the clock. */
function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
