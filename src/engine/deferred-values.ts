import type { Inst } from "../ir/builder.ts";
import { type Effects, GUEST_OPS } from "../ir/guest-ops.ts";

// Which values of an instruction need no local.

// Effects as bits, by operation and by helper.
const READS = 1;
/** Nothing that reads state may move over it. */
const BARRIER = 2;

function bitsOf(effects: Effects): number {
  const barrier = effects.writes || effects.memory || effects.mayFault;
  return (effects.reads ? READS : 0) | (barrier ? BARRIER : 0);
}
const OP_EFFECTS: ReadonlyMap<string, number> = new Map(
  Object.entries(GUEST_OPS).map(([name, [, , effects]]) => [
    name,
    // A native helper may change FPSR, and may fault.
    name === "call" ? BARRIER : bitsOf(effects),
  ]),
);

/**
 * The values that can be computed where they are used, by id: used once, without effects, and, if they read state, with no write between.
 * Unused ones without effects count too: they are never emitted.
 */
export function deferrable(insts: readonly Inst[]): boolean[] {
  const uses: number[] = [];
  for (const inst of insts) {
    // An integer flag producer's operands are looked at again by later conditions, and so go to locals.
    const weight = inst.op.startsWith("flags") && inst.op !== "flagsFloat" ? 2 : 1;
    for (const a of inst.args) uses[a.id] = (uses[a.id] ?? 0) + weight;
  }
  const effects: number[] = [];
  const barriersBefore: number[] = [];
  let barriers = 0;
  for (let i = 0; i < insts.length; i++) {
    const bits = OP_EFFECTS.get((insts[i] as Inst).op) ?? 0;
    effects.push(bits);
    barriersBefore.push(barriers);
    if (bits & BARRIER) barriers++;
  }
  const deferred: boolean[] = [];
  const emittedAt: number[] = [];
  for (let i = insts.length - 1; i >= 0; i--) {
    const { value, args } = insts[i] as Inst;
    let at = i;
    if (value) {
      const bits = effects[i] as number;
      const count = uses[value.id] ?? 0;
      const to = emittedAt[value.id] ?? i;
      const still = count === 0 || !(bits & READS) || barriersBefore[to] === barriersBefore[i];
      deferred[value.id] = !(bits & BARRIER) && count <= 1 && still;
      if (deferred[value.id]) at = to;
    }
    for (const a of args) emittedAt[a.id] = at;
  }
  return deferred;
}
