// The file format of V8's CPU profiles (Profiler.Profile of the DevTools protocol), which Chrome's performance panel opens.

import type { Profile } from "./profile.ts";

interface Node {
  readonly id: number;
  readonly frame: string;
  readonly children: Map<string, Node>;
  hits: number;
}

const SCRIPT = { scriptId: "0", lineNumber: -1, columnNumber: -1 };

/** One profile: the PEs' stacks side by side below the root, their samples in the order of their running time. Pieces of one JSON value. */
export function* cpuprofile(profile: Profile): Generator<string> {
  const nodes: Node[] = [];
  const make = (frame: string): Node => {
    const node: Node = { id: nodes.length + 1, frame, children: new Map(), hits: 0 };
    nodes.push(node);
    return node;
  };
  const child = (parent: Node, frame: string): Node => {
    const found = parent.children.get(frame) ?? make(frame);
    parent.children.set(frame, found);
    return found;
  };
  const root = make("(root)");
  const samples: { readonly id: number; readonly at: number }[] = [];
  for (const thread of profile.threads) {
    let time = 0;
    for (const { stack, weight } of thread.samples) {
      let node = child(root, thread.name);
      for (const frame of stack) node = child(node, profile.frames[frame] as string);
      node.hits++;
      samples.push({ id: node.id, at: time });
      time += weight / 1000;
    }
  }
  samples.sort((a, b) => a.at - b.at);
  const end = profile.threads.reduce(
    (most, t) =>
      Math.max(
        most,
        t.samples.reduce((sum, s) => sum + s.weight, 0),
      ),
    0,
  );
  yield '{"nodes":[';
  for (const [i, { id, frame, children, hits }] of nodes.entries()) {
    const callFrame = { functionName: frame, url: "", ...SCRIPT };
    yield (i > 0 ? "," : "") +
      JSON.stringify({ id, callFrame, hitCount: hits, children: Array.from(children.values(), (c) => c.id) });
  }
  yield `],"startTime":0,"endTime":${Math.round(end / 1000)},"samples":[${samples.map((s) => s.id).join(",")}],`;
  let last = 0;
  const deltas = samples.map(({ at }) => {
    const delta = Math.round(at) - last;
    last = Math.round(at);
    return delta;
  });
  yield `"timeDeltas":[${deltas.join(",")}]}\n`;
}
