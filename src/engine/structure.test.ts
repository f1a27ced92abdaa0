import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { edge, structureOf } from "./structure.ts";

const graph = fc
  .integer({ min: 1, max: 12 })
  .chain((n) =>
    fc.array(fc.array(fc.integer({ min: -1, max: n - 1 }), { maxLength: 2 }), { minLength: n, maxLength: n }),
  );

function reachable(successors: readonly (readonly number[])[], without?: number): Set<number> {
  const seen = new Set<number>();
  const work = without === 0 ? [] : [0];
  for (let n = work.pop(); n !== undefined; n = work.pop()) {
    if (seen.has(n)) continue;
    seen.add(n);
    for (const s of successors[n] as readonly number[]) if (s >= 0 && s !== without) work.push(s);
  }
  return seen;
}

test("after cutting, every back edge goes to a block that dominates where it comes from", () => {
  fc.assert(
    fc.property(graph, (successors) => {
      const s = structureOf(successors);
      const kept = successors.map((list, n) => list.filter((to) => to >= 0 && !s.cut.has(edge(n, to))));
      assert.deepEqual(new Set(s.order), reachable(kept));
      for (const n of s.order) {
        for (const to of kept[n] as number[]) {
          if ((s.position.get(to) as number) > (s.position.get(n) as number)) continue;
          assert.ok(s.isLoop.has(to));
          assert.ok(to === n || !reachable(kept, to).has(n), `${to} dominates ${n}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a reducible graph loses no edge", () => {
  // while (a) { if (b) c; else d; }
  const s = structureOf([[1, 4], [2, 3], [0], [0], [-1]]);
  assert.equal(s.cut.size, 0);
  assert.deepEqual([...s.isLoop], [0]);
});

test("a loop with two entries is cut once", () => {
  const s = structureOf([[1, 2], [2], [1]]);
  assert.equal(s.cut.size, 1);
});

test("each block is emitted once: children of the dominator tree are all blocks but the entry", () => {
  fc.assert(
    fc.property(graph, (successors) => {
      const s = structureOf(successors);
      const children = [...s.children.values()].flat().sort((a, b) => a - b);
      assert.deepEqual(
        children,
        s.order.filter((n) => n !== 0).sort((a, b) => a - b),
      );
    }),
  );
});
