// The file format of speedscope (https://www.speedscope.app/file-format-schema.json): sampled profiles.

import type { Profile } from "./profile.ts";

const SCHEMA = "https://www.speedscope.app/file-format-schema.json";

type Samples = Profile["threads"][number]["samples"];

/**
 * A profile of each PE, followed by one of what of it the interpreter ran. Pieces of the text of one JSON value: all of it together may be
 * longer than a string can be.
 */
export function* speedscope(profile: Profile, name: string): Generator<string> {
  const views = profile.threads.flatMap((thread) => [
    thread,
    { name: `${thread.name}, interpreted`, samples: thread.samples.filter(({ tier }) => tier === "interpreter") },
  ]);
  const seen = views.filter(({ samples }, i) => samples.length > 0 || i === 0);
  const frames = profile.frames.map((frame) => ({ name: frame }));
  yield `{"$schema":${JSON.stringify(SCHEMA)},"exporter":"atoll","name":${JSON.stringify(name)},"activeProfileIndex":0,`;
  yield `"shared":{"frames":${JSON.stringify(frames)}},"profiles":[`;
  for (const [i, view] of seen.entries()) {
    if (i > 0) yield ",";
    yield* sampled(view.name, view.samples);
  }
  yield "]}\n";
}

function* sampled(name: string, samples: Samples): Generator<string> {
  const weights = samples.map(({ weight }) => Math.round(weight));
  const end = weights.reduce((sum, weight) => sum + weight, 0);
  yield `{"type":"sampled","name":${JSON.stringify(name)},"unit":"nanoseconds","startValue":0,"endValue":${end},"samples":[`;
  for (const [i, { stack }] of samples.entries()) yield `${i > 0 ? "," : ""}[${stack.join(",")}]`;
  yield `],"weights":[${weights.join(",")}]}`;
}
