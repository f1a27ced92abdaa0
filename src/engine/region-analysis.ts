import { SLOT_DISCARD, SLOT_ZR } from "../cpu/state-layout.ts";
import type { Inst } from "../ir/builder.ts";
import { asksFast } from "./float-fast.ts";
import { type Block, mayLeave, type Region } from "./region.ts";
import { edge, type Structure } from "./structure.ts";
import { wordsOf } from "./vector-fast.ts";

// What is known of a region before it is lowered.

/** Registers as numbers: a general register is its slot, a vector register is V_BASE + its number. */
export const V_BASE = 64;
const REGISTERS = V_BASE + 32;

export interface Usage {
  /** Registers that are read or written, in order. */
  readonly used: readonly number[];
  /** Registers that are written anywhere. */
  readonly written: readonly number[];
  /** For each block: the registers that may have been written at its end, on some way from the entry. */
  readonly writtenBy: readonly (readonly number[])[];
  /** Words that in-line floating point compares vectors with. */
  readonly words: readonly number[];
  /** Is there floating point that may be done in line? */
  readonly fast: boolean;
  readonly flags: FlagUsage;
}

/** By block: may, and must, the region have set the flags before it; and the same at its end. */
export interface FlagUsage {
  readonly used: boolean;
  readonly mayBefore: readonly boolean[];
  readonly mayAfter: readonly boolean[];
  /** The flags that the region is entered with are needed: read, or to be written back on a way on which they were not set. */
  readonly entering: boolean;
}

/** The register that an instruction of the IR reads or writes, or -1. */
function registerOf({ op, attrs }: Inst): number {
  const slot = attrs.reg?.slot as number;
  switch (op) {
    case "getX":
      return slot === SLOT_ZR ? -1 : slot;
    case "setX":
      return slot === SLOT_ZR || slot === SLOT_DISCARD ? -1 : slot;
    case "getV":
    case "setV":
      return V_BASE + slot;
    default:
      return -1;
  }
}

const isWrite = (inst: Inst): boolean => inst.op === "setX" || inst.op === "setV";
const numbersOf = (set: Uint8Array): number[] => [...set.keys()].filter((n) => set[n] === 1);

export function usageOf({ blocks }: Region, { order }: Structure): Usage {
  const used = new Uint8Array(REGISTERS);
  const written = new Uint8Array(REGISTERS);
  const words = new Set<number>();
  let fast = false;
  const ownWrites = blocks.map(({ insns }) => {
    const own = new Uint8Array(REGISTERS);
    for (const { ir } of insns) {
      for (const inst of ir) {
        const register = registerOf(inst);
        if (register >= 0) {
          used[register] = 1;
          if (isWrite(inst)) {
            own[register] = 1;
            written[register] = 1;
          }
        }
        fast ||= asksFast(inst);
        if (inst.op === "call") for (const word of wordsOf(inst.attrs.name as string)) words.add(word);
      }
    }
    return own;
  });
  // Forward to a fixed point: what a block may find written joins what it writes itself.
  const writtenBy = ownWrites.map((own) => own.slice());
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      const out = writtenBy[n] as Uint8Array;
      for (const s of blocks[n]?.successors ?? []) {
        const into = s < 0 ? undefined : writtenBy[s];
        if (!into) continue;
        for (let r = 0; r < REGISTERS; r++) {
          if (out[r] === 1 && into[r] === 0) {
            into[r] = 1;
            changed = true;
          }
        }
      }
    }
  }
  return {
    used: numbersOf(used),
    written: numbersOf(written),
    writtenBy: writtenBy.map(numbersOf),
    words: [...words],
    fast,
    flags: flagUsage(blocks, order),
  };
}

function flagUsage(blocks: readonly Block[], order: readonly number[]): FlagUsage {
  let used = false;
  /** In each block: are flags read, may it be left, before it surely sets them; does it surely, may it, set them. */
  const local = blocks.map(({ insns }) => {
    const found = { readsFirst: false, leavesFirst: false, sets: false, maySet: false };
    for (const { ir } of insns) {
      let conditional = 0;
      for (const inst of ir) {
        if (inst.op === "if") conditional++;
        if (inst.op === "end") conditional--;
        if (!found.sets && readsFlags(inst.op)) found.readsFirst = true;
        if (!found.sets && mayLeave(inst)) found.leavesFirst = true;
        if (setsFlags(inst.op)) {
          found.maySet = true;
          if (conditional === 0) found.sets = true;
        }
        used ||= setsFlags(inst.op) || readsFlags(inst.op);
      }
    }
    return found;
  });
  const mayBefore = blocks.map(() => false);
  const mustBefore = blocks.map((_, n) => n !== 0);
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      const { sets, maySet } = local[n] as (typeof local)[number];
      for (const s of blocks[n]?.successors ?? []) {
        if (s < 0) continue;
        const may = mayBefore[n] || maySet;
        const must = mustBefore[n] || sets;
        if ((may && !mayBefore[s]) || (!must && mustBefore[s])) changed = true;
        if (may) mayBefore[s] = true;
        if (!must) mustBefore[s] = false;
      }
    }
  }
  const mayAfter = local.map(({ maySet }, n) => mayBefore[n] || maySet);
  const entering = order.some((n) => {
    const { readsFirst, leavesFirst, sets } = local[n] as (typeof local)[number];
    if (mustBefore[n]) return false;
    return readsFirst || (leavesFirst && mayBefore[n]) || (!sets && mayAfter[n]);
  });
  return { used, mayBefore, mayAfter, entering };
}

const setsFlags = (op: string): boolean => op.startsWith("flags") || op === "setNZCV";
const readsFlags = (op: string): boolean => op === "cond" || op === "getNZCV" || op === "getC";

/** For each block: may the flags at its start be looked at, or be written back, before they are set? */
export function flagLiveness(region: Region, { position, cut }: Structure): boolean[] {
  const { blocks } = region;
  /** true: live, false: set first, undefined: as after the block. */
  const local = blocks.map((block): boolean | undefined => {
    for (const { ir } of block.insns) {
      let conditional = 0;
      for (const inst of ir) {
        if (readsFlags(inst.op) || mayLeave(inst)) return true;
        if (inst.op === "if") conditional++;
        if (inst.op === "end") conditional--;
        if (setsFlags(inst.op) && conditional === 0) return false;
      }
    }
    return undefined;
  });
  // An edge out of the region, or a back edge, which leaves when the budget is spent.
  const at = (n: number): number => position.get(n) ?? 0;
  const leaves = (n: number, s: number): boolean => s < 0 || cut.has(edge(n, s)) || at(s) <= at(n);
  const live = local.map((l) => l === true);
  for (let changed = true; changed; ) {
    changed = false;
    blocks.forEach((block, n) => {
      if (live[n] || local[n] !== undefined) return;
      const after = block.ending.kind === "leaves" || block.successors.some((s) => leaves(n, s) || live[s]);
      if (after) {
        live[n] = true;
        changed = true;
      }
    });
  }
  return live;
}
