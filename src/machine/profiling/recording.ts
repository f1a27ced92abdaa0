import type { SampleTime } from "./sampler.ts";

/** Samples that are kept. When there are more, every two become one. */
export const MAX_SAMPLES = 2 ** 18;

export interface RecordedSample {
  /** Index into Recording.stacks. */
  readonly stack: number;
  /** The exception level. */
  readonly level: number;
  readonly tier: SampleTime["tier"];
  /** Nanoseconds that it stands for. */
  weight: number;
}

/** What the profiler has seen: the samples of each PE in their order. */
export class Recording {
  /** Different stacks, as walkStack gave them. */
  readonly stacks: (readonly bigint[])[] = [];
  /** By PE. */
  readonly samples: RecordedSample[][];
  readonly #stackOf = new Map<string, number>();
  /** How often VBAR_EL1 had a value at EL1. */
  readonly #vectors = new Map<bigint, number>();
  #count = 0;
  /** One sample of so many is kept. */
  #every = 1;
  readonly #skipped: { count: number; weight: number }[];
  readonly #limit: number;

  constructor(cpus: number, limit = MAX_SAMPLES) {
    this.samples = Array.from({ length: cpus }, () => []);
    this.#skipped = this.samples.map(() => ({ count: 0, weight: 0 }));
    this.#limit = limit;
  }

  /** Whether the next sample of a PE is kept; otherwise its time goes to the next one that is. */
  wants(cpuIndex: number, weight: number): boolean {
    const skipped = this.#skipped[cpuIndex] as { count: number; weight: number };
    if (skipped.count + 1 >= this.#every) return true;
    skipped.count++;
    skipped.weight += weight;
    return false;
  }

  /** `vectors`: VBAR_EL1. */
  add(
    cpuIndex: number,
    sample: SampleTime & { readonly level: number; readonly stack: readonly bigint[]; readonly vectors: bigint },
  ): void {
    const { stack, level, tier, weight, vectors } = sample;
    const skipped = this.#skipped[cpuIndex] as { count: number; weight: number };
    (this.samples[cpuIndex] as RecordedSample[]).push({
      ...{ stack: this.#intern(stack), level, tier, weight: weight + skipped.weight },
    });
    skipped.count = 0;
    skipped.weight = 0;
    if (level === 1) this.#vectors.set(vectors, (this.#vectors.get(vectors) ?? 0) + 1);
    if (++this.#count >= this.#limit) this.#thin();
  }

  /** VBAR_EL1 as most samples at EL1 had it: in the kernel's address range, if any was; undefined without such samples. */
  get vectors(): bigint | undefined {
    const high = [...this.#vectors].filter(([address]) => address >> 63n === 1n);
    const from = high.length > 0 ? high : [...this.#vectors];
    return from.sort(([, a], [, b]) => b - a)[0]?.[0];
  }

  #intern(stack: readonly bigint[]): number {
    const key = stack.map((address) => address.toString(36)).join(" ");
    const known = this.#stackOf.get(key);
    if (known !== undefined) return known;
    this.#stackOf.set(key, this.stacks.length);
    return this.stacks.push(stack) - 1;
  }

  #thin(): void {
    this.#every *= 2;
    this.#count = 0;
    for (const samples of this.samples) {
      let kept = 0;
      for (let i = 0; i < samples.length; i += 2) {
        const sample = samples[i] as RecordedSample;
        sample.weight += samples[i + 1]?.weight ?? 0;
        samples[kept++] = sample;
      }
      samples.length = kept;
      this.#count += kept;
    }
  }
}
