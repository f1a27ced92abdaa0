// Reads a speedscope file by the rules of its format, and sums it up.

import assert from "node:assert/strict";

interface SampledProfile {
  readonly type: string;
  readonly name: string;
  readonly unit: string;
  readonly startValue: number;
  readonly endValue: number;
  readonly samples: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

export interface SpeedscopeProfile {
  readonly name: string;
  readonly weight: number;
  /** Frames' names, outermost first. */
  readonly stacks: readonly (readonly string[])[];
  /** Weight of the samples whose stack has the frame. */
  total(frame: string): number;
}

/** Fails where the text is no valid file. */
export function readSpeedscope(text: string): SpeedscopeProfile[] {
  const file = JSON.parse(text) as {
    $schema: string;
    shared: { frames: { name: string }[] };
    profiles: SampledProfile[];
    activeProfileIndex: number;
  };
  assert.equal(file.$schema, "https://www.speedscope.app/file-format-schema.json");
  const { frames } = file.shared;
  for (const { name } of frames) assert.equal(typeof name, "string");
  assert.ok(file.profiles.length > 0 && file.activeProfileIndex < file.profiles.length);
  return file.profiles.map((profile) => {
    assert.equal(profile.type, "sampled");
    assert.equal(profile.unit, "nanoseconds");
    assert.equal(profile.samples.length, profile.weights.length);
    assert.ok(profile.weights.every((w) => Number.isInteger(w) && w >= 0));
    const weight = profile.weights.reduce((sum, w) => sum + w, 0);
    assert.ok(profile.endValue - profile.startValue >= weight);
    const stacks = profile.samples.map((sample) =>
      sample.map((frame) => {
        assert.ok(Number.isInteger(frame) && frame >= 0 && frame < frames.length);
        return (frames[frame] as { name: string }).name;
      }),
    );
    const total = (frame: string): number =>
      stacks.reduce((sum, stack, i) => sum + (stack.includes(frame) ? (profile.weights[i] as number) : 0), 0);
    return { name: profile.name, weight, stacks, total };
  });
}
