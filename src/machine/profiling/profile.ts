import type { Recording } from "./recording.ts";
import type { SampleTime } from "./sampler.ts";
import { withoutLink } from "./stack.ts";
import type { Symbolizer } from "./symbolizer.ts";

/** A profile with names: what file formats are made of. */
export interface Profile {
  readonly frames: readonly string[];
  /** Of each PE. */
  readonly threads: readonly {
    readonly name: string;
    readonly samples: readonly {
      /** Indices of frames, outermost first. */
      readonly stack: readonly number[];
      readonly tier: SampleTime["tier"];
      /** Nanoseconds. */
      readonly weight: number;
    }[];
  }[];
}

/** Names a recording. A stack starts with the exception level that ran; what has no name is its address. */
export function profileOf(recording: Recording, symbolizer: Symbolizer): Profile {
  const frames: string[] = [];
  const indexOf = new Map<string, number>();
  const intern = (name: string): number => {
    const index = indexOf.get(name) ?? frames.push(name) - 1;
    indexOf.set(name, index);
    return index;
  };
  const named = new Map<number, readonly number[]>();
  const nameStack = (index: number): readonly number[] => {
    const known = named.get(index);
    if (known) return known;
    const stack = withoutLink(recording.stacks[index] as readonly bigint[], symbolizer.sameFunction);
    const names = stack.map((address, depth) => {
      // A return address may be past the end of the function whose last instruction is the call.
      const at = depth === 0 ? address : address - 4n;
      return intern(symbolizer.name(at) ?? `0x${at.toString(16)}`);
    });
    named.set(index, names.reverse());
    return names;
  };
  const threads = recording.samples.map((samples, cpu) => ({
    name: `CPU ${cpu}`,
    samples: samples.map(({ stack, level, tier, weight }) => ({
      ...{ stack: [intern(`EL${level}`), ...nameStack(stack)], tier, weight },
    })),
  }));
  return { frames, threads };
}
