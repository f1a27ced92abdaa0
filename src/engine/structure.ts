// Structured control flow for a region's graph, by its dominator tree: Ramsey, "Beyond Relooper", ICFP 2022. An edge that would make
// the graph irreducible leaves the region instead, so that its target becomes a region of its own.

/** What the emission of a region needs to know of its graph. Nodes are block numbers; only those reachable from 0 are in `order`. */
export interface Structure {
  /** Reverse postorder. */
  readonly order: readonly number[];
  readonly position: ReadonlyMap<number, number>;
  /** Immediate dominators; the entry's is the entry. */
  readonly dominator: ReadonlyMap<number, number>;
  /** Children in the dominator tree, the latest in reverse postorder first. */
  readonly children: ReadonlyMap<number, readonly number[]>;
  readonly isLoop: ReadonlySet<number>;
  /** Entered by two or more forward edges. */
  readonly isMerge: ReadonlySet<number>;
  /** Edges "from>to" that leave the region. */
  readonly cut: ReadonlySet<string>;
}

export const edge = (from: number, to: number): string => `${from}>${to}`;

export function structureOf(successors: readonly (readonly number[])[]): Structure {
  const cut = new Set<string>();
  const next = (n: number): number[] =>
    (successors[n] as readonly number[]).filter((s) => s >= 0 && !cut.has(edge(n, s)));
  for (;;) {
    const order = reversePostorder(next);
    const position = new Map(order.map((n, i) => [n, i]));
    const dominator = dominators(order, position, next);
    const isLoop = new Set<number>();
    const forward = new Map<number, number>();
    const bad: string[] = [];
    for (const n of order) {
      for (const s of new Set(next(n))) {
        if ((position.get(s) as number) > (position.get(n) as number)) forward.set(s, (forward.get(s) ?? 0) + 1);
        else if (dominates(s, n, dominator)) isLoop.add(s);
        else bad.push(edge(n, s));
      }
    }
    if (bad.length > 0) {
      for (const e of bad) cut.add(e);
      continue;
    }
    const children = new Map<number, number[]>(order.map((n) => [n, []]));
    for (const n of order.toReversed()) if (n !== 0) children.get(dominator.get(n) as number)?.push(n);
    // A block that both ways of one branch go to has one predecessor but is entered twice.
    const doubled = order.flatMap((n) =>
      next(n).filter((s, i, all) => all.indexOf(s) !== i && !isBack(n, s, position)),
    );
    const isMerge = new Set([...order.filter((n) => (forward.get(n) ?? 0) > 1), ...doubled]);
    return { order, position, dominator, children, isLoop, isMerge, cut };
  }
}

function isBack(from: number, to: number, position: ReadonlyMap<number, number>): boolean {
  return (position.get(to) as number) <= (position.get(from) as number);
}

function reversePostorder(next: (n: number) => number[]): number[] {
  const out: number[] = [];
  const seen = new Set<number>([0]);
  const stack: { node: number; rest: number[] }[] = [{ node: 0, rest: next(0) }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const s = top.rest.pop();
    if (s === undefined) {
      out.push(top.node);
      stack.pop();
    } else if (!seen.has(s)) {
      seen.add(s);
      stack.push({ node: s, rest: next(s) });
    }
  }
  return out.reverse();
}

/** Immediate dominators (Cooper, Harvey, Kennedy). */
function dominators(
  order: readonly number[],
  position: ReadonlyMap<number, number>,
  next: (n: number) => number[],
): Map<number, number> {
  const predecessors = new Map<number, number[]>(order.map((n) => [n, []]));
  for (const n of order) for (const s of next(n)) predecessors.get(s)?.push(n);
  const idom = new Map<number, number>([[0, 0]]);
  const at = (n: number): number => position.get(n) as number;
  const meet = (a: number, b: number): number => {
    let x = a;
    let y = b;
    while (x !== y) {
      while (at(x) > at(y)) x = idom.get(x) as number;
      while (at(y) > at(x)) y = idom.get(y) as number;
    }
    return x;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      if (n === 0) continue;
      let found: number | undefined;
      for (const p of predecessors.get(n) as number[]) {
        if (idom.has(p)) found = found === undefined ? p : meet(found, p);
      }
      if (found !== undefined && idom.get(n) !== found) {
        idom.set(n, found);
        changed = true;
      }
    }
  }
  return idom;
}

function dominates(a: number, b: number, idom: ReadonlyMap<number, number>): boolean {
  for (let n = b; ; n = idom.get(n) as number) {
    if (n === a) return true;
    if (n === 0) return false;
  }
}
