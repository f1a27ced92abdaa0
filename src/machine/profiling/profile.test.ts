import assert from "node:assert/strict";
import { test } from "node:test";
import { readSpeedscope } from "../../../test/support/speedscope.ts";
import { PeState } from "../../cpu/pe-state.ts";
import { COUNT_TRANSLATED, CPU_STRIDE, INSTRUCTIONS } from "../../cpu/state-layout.ts";
import { cpuprofile } from "./cpuprofile.ts";
import { type Profile, profileOf } from "./profile.ts";
import { Recording } from "./recording.ts";
import { SAMPLING_INTERVAL, Sampler } from "./sampler.ts";
import { speedscope } from "./speedscope.ts";
import { Symbolizer } from "./symbolizer.ts";

const VECTORS = 0xffff_8000_0801_0800n;
const sample = (stack: readonly bigint[], weight = 10, level = 1) =>
  ({ stack, weight, level, tier: "translator", vectors: level === 1 ? VECTORS : 0n }) as const;

test("a recording gives equal stacks once, and knows the kernel's vectors", () => {
  const recording = new Recording(2);
  assert.equal(recording.vectors, undefined);
  recording.add(0, sample([1n, 2n]));
  recording.add(1, sample([1n, 2n]));
  recording.add(1, sample([1n], 5, 0));
  recording.add(0, { ...sample([1n]), vectors: 0x4008_0000n });
  recording.add(0, { ...sample([1n]), vectors: 0x4008_0000n });
  recording.add(0, { ...sample([1n]), vectors: 0x4008_0000n });
  assert.deepEqual(recording.stacks, [[1n, 2n], [1n]]);
  assert.deepEqual(
    recording.samples[1]?.map((s) => s.stack),
    [0, 1],
  );
  assert.equal(recording.vectors, VECTORS, "in the kernel's range of addresses");
});

test("a recording that is full has fewer samples that weigh more", () => {
  const recording = new Recording(2, 8);
  for (let i = 0; i < 1000; i++) {
    if (recording.wants(i % 2, 3)) recording.add(i % 2, sample([BigInt(i)], 3));
  }
  const kept = recording.samples.map((samples) => samples.length);
  assert.ok(
    kept.every((n) => n >= 1 && n <= 8),
    `${kept}`,
  );
  const weight = recording.samples.flat().reduce((sum, s) => sum + s.weight, 0);
  // What has been skipped since the last sample is not there yet.
  assert.ok(weight > 2000 && weight <= 3000, `${weight}`);
});

function named(): Profile {
  const recording = new Recording(2);
  recording.add(0, sample([0x3000n, 0x1008n, 0x2008n]));
  recording.add(0, { ...sample([0x2000n, 0x2010n, 0x5004n], 1000), tier: "interpreter" });
  recording.add(1, sample([0x9000n, 0n], 7, 0));
  const symbols = ["a", "b", "c"].map((name, i) => ({
    ...{ address: BigInt(0x1000 * (i + 1)), size: 0x1000n, name, code: true },
  }));
  return profileOf(recording, new Symbolizer([{ symbols, slide: 0n }], undefined));
}

test("stacks begin with the exception level, and have names where those are known", () => {
  const { frames, threads } = named();
  const stacks = threads.map(({ samples }) => samples.map(({ stack }) => stack.map((i) => frames[i]).join(" ")));
  assert.deepEqual(stacks, [["EL1 b a c", "EL1 0x5000 b"], ["EL0 0x9000"]]);
});

test("speedscope's format: the PEs, and what was interpreted of each", () => {
  const text = [...speedscope(named(), 'a "name"')].join("");
  assert.equal(JSON.parse(text).name, 'a "name"');
  const profiles = readSpeedscope(text);
  assert.deepEqual(
    profiles.map(({ name, weight, stacks }) => [name, weight, stacks.length]),
    [
      ["CPU 0", 1010, 2],
      ["CPU 0, interpreted", 1000, 1],
      ["CPU 1", 7, 1],
    ],
  );
  assert.equal(profiles[0]?.total("b"), 1010);
  readSpeedscope([...speedscope({ frames: [], threads: [{ name: "CPU 0", samples: [] }] }, "")].join(""));
});

test("V8's format: a tree, samples that name its nodes, and times that add up", () => {
  const profile = JSON.parse([...cpuprofile(named())].join("")) as {
    nodes: { id: number; callFrame: { functionName: string }; hitCount: number; children: number[] }[];
    startTime: number;
    endTime: number;
    samples: number[];
    timeDeltas: number[];
  };
  const { nodes, samples, timeDeltas } = profile;
  assert.deepEqual(
    nodes.map(({ id }) => id),
    nodes.map((_, i) => i + 1),
  );
  const childOf = new Set(nodes.flatMap(({ children }) => children));
  assert.deepEqual(
    nodes.filter(({ id }) => !childOf.has(id)).map(({ callFrame }) => callFrame.functionName),
    ["(root)"],
  );
  assert.equal(samples.length, 3);
  assert.equal(timeDeltas.length, samples.length);
  assert.ok(timeDeltas.every((d) => d >= 0) && timeDeltas.reduce((a, b) => a + b, 0) <= profile.endTime);
  assert.equal(
    nodes.reduce((sum, { hitCount }) => sum + hitCount, 0),
    3,
  );
});

test("samples fall everywhere, at the rate that is wanted, and say the tier that ran", () => {
  const state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  let time = 0;
  const found = { interpreter: 0, translator: 0 };
  const phases = [0, 0, 0, 0];
  let translation = 0;
  const sampler = new Sampler({
    states: [state],
    now: () => time,
    translation: () => translation,
    onSample: (_, { tier }) => {
      found[tier]++;
      const phase = state.number(INSTRUCTIONS) % 40_000;
      phases[Math.floor(phase / 10_000)] = (phases[Math.floor(phase / 10_000)] as number) + 1;
    },
  });
  // 4 ns an instruction; of 1,000,000 the first half is translated. Now and then there is translation of 5 us.
  const run = (budget: number): "budget" => {
    const at = state.number(INSTRUCTIONS);
    state.setNumber(INSTRUCTIONS, at + budget);
    if (at % 1e6 < 5e5) state.setNumber(COUNT_TRANSLATED, state.number(COUNT_TRANSLATED) + budget);
    time += 4 * budget + 5000;
    translation += 5000;
    return "budget";
  };
  while (state.number(INSTRUCTIONS) < 1e9) sampler.slice(0, 40_000 - (state.number(INSTRUCTIONS) % 40_000), run);
  const samples = found.interpreter + found.translator;
  const expected = 4e9 / SAMPLING_INTERVAL;
  assert.ok(samples > 0.9 * expected && samples < 1.1 * expected, `${samples} samples`);
  assert.ok(Math.abs(found.translator / samples - 0.5) < 0.05, `${found.translator} translated`);
  for (const n of phases) assert.ok(Math.abs(n / samples - 0.25) < 0.03, `${phases} of ${samples}`);
  const { interpreted, translated } = sampler.tiers;
  assert.ok(Math.abs((interpreted + translated) / 4e9 - 1) < 0.02);
});
