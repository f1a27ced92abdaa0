import { SLOT_DISCARD, SLOT_ZR } from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import { type Block, mayLeave, type RegionInsn } from "./region.ts";

// Loops of one block that walk through memory: where each access is in the turns to come is known at the start of one, so one TLB check
// serves all turns until the first of them comes to its page's end.

/** Accesses that move together, at known distances. Their range, at the start of a turn, is at `constant` plus registers times factors. */
export interface Walk {
  readonly terms: ReadonlyMap<number, number>;
  readonly constant: number;
  readonly bytes: number;
  /** From one turn to the next, in bytes: negative for a walk downwards, zero for a place that stays. */
  readonly stride: number;
  /** Some of them write. */
  readonly writes: boolean;
}

export interface WalkingAccess {
  readonly walk: Walk;
  /** From the start of the range, in bytes. */
  readonly offset: number;
}

/** All accesses of a block, by instruction and then by access. */
export interface Walks {
  readonly list: readonly Walk[];
  readonly of: ReadonlyMap<RegionInsn, ReadonlyMap<Inst, WalkingAccess>>;
}

/** Wider ranges, and longer steps, are soon at a page's end. */
const MAX_RANGE = 256;
const MAX_STRIDE = 1024;
/** A loop of more instructions for each walk gains less than its code, which is there twice, costs. */
const MAX_INSTRUCTIONS_PER_WALK = 10;

/** A number that is a sum of registers, as they are at the start of a turn, times factors, and a constant; all modulo 2^64. */
interface Sum {
  readonly terms: ReadonlyMap<number, number>;
  readonly constant: number;
}
const NO_TERMS: ReadonlyMap<number, number> = new Map();
/** Of factors and constants: what is beyond is unknown. */
const LARGEST = 2 ** 31;

/**
 * Its walks, if all that a block's instructions do is known: it has accesses, and each of them walks; and FPCR and FPSR are not written, so that
 * floating point that may be in line stays so. `ir`: of its instructions.
 */
export function walksOf(block: Block, ir: readonly (readonly Inst[])[]): Walks | undefined {
  if (block.ending.kind !== "branchIf") return undefined;
  const registers = new Map<number, Sum | undefined>();
  const accesses: { insn: RegionInsn; inst: Inst; sum: Sum }[] = [];
  for (const [i, insn] of block.insns.entries()) {
    const sums: (Sum | undefined)[] = [];
    let conditional = 0;
    for (const inst of ir[i] as readonly Inst[]) {
      const { op, args, attrs, value } = inst;
      if (op === "if") conditional++;
      else if (op === "end") conditional--;
      else if (op === "load" || op === "store" || op === "probeWrite") {
        const sum = sums[args[0]?.id as number];
        if (sum === undefined || attrs.acc !== 0 || conditional > 0) return undefined;
        accesses.push({ insn, inst, sum });
      } else if (op === "setWord" || mayLeave(inst)) return undefined;
      else if (op === "setX")
        registers.set(attrs.reg?.slot as number, conditional > 0 ? undefined : sums[args[0]?.id as number]);
      else if (value?.type === "i64") sums[value.id] = sumOf(inst, sums, registers);
    }
  }
  if (accesses.length === 0) return undefined;
  const placed: { insn: RegionInsn; inst: Inst; sum: Sum; stride: number }[] = [];
  for (const access of accesses) {
    const stride = strideOf(access.sum, registers);
    if (stride === undefined || Math.abs(stride) > MAX_STRIDE) return undefined;
    placed.push({ ...access, stride });
  }
  const walks = together(placed);
  return block.insns.length > MAX_INSTRUCTIONS_PER_WALK * walks.list.length ? undefined : walks;
}

function sumOf(
  inst: Inst,
  sums: readonly (Sum | undefined)[],
  registers: ReadonlyMap<number, Sum | undefined>,
): Sum | undefined {
  const { op, args, attrs } = inst;
  const [a, b] = args.map((v: Value) => sums[v.id]);
  switch (op) {
    case "const": {
      const { lo = 0, hi = 0 } = attrs;
      return hi === lo >> 31 ? { terms: NO_TERMS, constant: lo } : undefined;
    }
    case "getX": {
      const slot = attrs.reg?.slot as number;
      if (slot === SLOT_ZR || slot === SLOT_DISCARD) return { terms: NO_TERMS, constant: 0 };
      return registers.has(slot) ? registers.get(slot) : { terms: new Map([[slot, 1]]), constant: 0 };
    }
    case "i64.add":
      return a && b && plus(a, b, 1);
    case "i64.sub":
      return a && b && plus(a, b, -1);
    case "i64.shl":
      if (!a || !b || b.terms.size > 0 || b.constant < 0 || b.constant > 16) return undefined;
      return plus({ terms: NO_TERMS, constant: 0 }, a, 2 ** b.constant);
    default:
      return undefined;
  }
}

function plus(a: Sum, b: Sum, factor: number): Sum | undefined {
  const terms = new Map(a.terms);
  for (const [slot, by] of b.terms) {
    const sum = (terms.get(slot) ?? 0) + by * factor;
    if (Math.abs(sum) >= LARGEST) return undefined;
    if (sum === 0) terms.delete(slot);
    else terms.set(slot, sum);
  }
  const constant = a.constant + b.constant * factor;
  return Math.abs(constant) < LARGEST ? { terms, constant } : undefined;
}

/** What a sum grows by in each turn, if that is always the same. `registers`: what they are at the end of a turn. */
function strideOf({ terms }: Sum, registers: ReadonlyMap<number, Sum | undefined>): number | undefined {
  let stride = 0;
  for (const [slot, factor] of terms) {
    if (!registers.has(slot)) continue;
    const end = registers.get(slot);
    if (end === undefined || end.terms.size !== 1 || end.terms.get(slot) !== 1) return undefined;
    stride += factor * end.constant;
  }
  return stride;
}

/** Puts accesses into walks. */
function together(accesses: readonly { insn: RegionInsn; inst: Inst; sum: Sum; stride: number }[]): Walks {
  const walks: {
    terms: ReadonlyMap<number, number>;
    constant: number;
    end: number;
    stride: number;
    writes: boolean;
    members: (typeof accesses)[number][];
  }[] = [];
  for (const access of accesses) {
    const { inst, sum, stride } = access;
    const end = sum.constant + (inst.attrs.bytes as number);
    const walk = walks.find((w) => {
      const bytes = Math.max(w.end, end) - Math.min(w.constant, sum.constant);
      return w.stride === stride && bytes <= MAX_RANGE && sameTerms(w.terms, sum.terms);
    });
    if (walk === undefined) {
      walks.push({
        terms: sum.terms,
        constant: sum.constant,
        end,
        stride,
        writes: inst.op !== "load",
        members: [access],
      });
      continue;
    }
    walk.constant = Math.min(walk.constant, sum.constant);
    walk.end = Math.max(walk.end, end);
    walk.writes ||= inst.op !== "load";
    walk.members.push(access);
  }
  const of = new Map<RegionInsn, Map<Inst, WalkingAccess>>();
  const list = walks.map(({ terms, constant, end, stride, writes, members }) => {
    const walk: Walk = { terms, constant, bytes: end - constant, stride, writes };
    for (const member of members) {
      const ofInsn = of.get(member.insn) ?? new Map<Inst, WalkingAccess>();
      of.set(member.insn, ofInsn.set(member.inst, { walk, offset: member.sum.constant - constant }));
    }
    return walk;
  });
  return { list, of };
}

function sameTerms(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([slot, factor]) => b.get(slot) === factor);
}
