import { SLOT_DISCARD, SLOT_SP, SLOT_ZR, V, X } from "../cpu/state-layout.ts";
import type { Inst } from "../ir/builder.ts";
import { asksFast } from "./float-fast.ts";
import { type Block, mayLeave, type Region } from "./region.ts";
import { edge, type Structure } from "./structure.ts";
import { wordsOf } from "./vector-fast.ts";

// What is known of a region before it is lowered.

/**
 * Registers as sets of bits: X0 to X30 and, as bit 31, SP; and V0 to V31. Written out as numbers, SP is 31, and a vector register is
 * V_BASE + its number.
 */
export interface Registers {
  x: number;
  v: number;
}
export const V_BASE = 32;
const SP_NUMBER = 31;

/** The numbers in a set. */
export function* numbersOf({ x, v }: Registers): Generator<number> {
  for (let rest = x; rest !== 0; rest &= rest - 1) yield 31 - Math.clz32(rest & -rest);
  for (let rest = v; rest !== 0; rest &= rest - 1) yield V_BASE + 31 - Math.clz32(rest & -rest);
}

/** The number of a general register by its slot. */
export function numberOfSlot(slot: number): number {
  return slot === SLOT_SP ? SP_NUMBER : slot;
}

/** Where a register is in the PE's block. */
export function offsetOf(number: number): number {
  if (number >= V_BASE) return V + 16 * (number - V_BASE);
  return X + 8 * (number === SP_NUMBER ? SLOT_SP : number);
}

export interface Usage {
  /** Registers that are read or written. */
  readonly used: Registers;
  /** Registers that are written anywhere. */
  readonly written: Registers;
  /** For each block: the registers that may have been written at its end, on some way from the entry. */
  readonly writtenBy: readonly Registers[];
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
  /** The flags that the region is entered with are read. */
  readonly entering: boolean;
  /** On some way out that writes flags back the region has not set them: those that it was entered with are to stay. */
  readonly mayStay: boolean;
}

export function usageOf({ blocks }: Region, { order }: Structure): Usage {
  const used: Registers = { x: 0, v: 0 };
  const written: Registers = { x: 0, v: 0 };
  const words = new Set<number>();
  let fast = false;
  const writtenBy = blocks.map(({ insns }): Registers => {
    const own: Registers = { x: 0, v: 0 };
    for (const { ir } of insns) {
      for (const inst of ir) {
        noteRegister(inst, used, own);
        fast ||= asksFast(inst);
        if (inst.op === "call") for (const word of wordsOf(inst.attrs.name as string)) words.add(word);
      }
    }
    written.x |= own.x;
    written.v |= own.v;
    return own;
  });
  // Forward to a fixed point: what a block may find written joins what it writes itself.
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      const out = writtenBy[n] as Registers;
      for (const s of (blocks[n] as Block).successors) {
        if (s < 0) continue;
        const into = writtenBy[s] as Registers;
        if (((out.x & ~into.x) | (out.v & ~into.v)) === 0) continue;
        into.x |= out.x;
        into.v |= out.v;
        changed = true;
      }
    }
  }
  return { used, written, writtenBy, words: [...words], fast, flags: flagUsage(blocks, order) };
}

/** Puts the register that an instruction of the IR reads or writes into the sets. */
function noteRegister({ op, attrs }: Inst, used: Registers, written: Registers): void {
  const slot = attrs.reg?.slot as number;
  if (op === "getX" || op === "setX") {
    if (slot === SLOT_ZR || slot === SLOT_DISCARD) return;
    const bit = 1 << numberOfSlot(slot);
    used.x |= bit;
    if (op === "setX") written.x |= bit;
  } else if (op === "getV" || op === "setV") {
    used.v |= 1 << slot;
    if (op === "setV") written.v |= 1 << slot;
  }
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
  const early = order.filter((n) => !mustBefore[n]);
  const entering = early.some((n) => local[n]?.readsFirst);
  const mayStay = early.some((n) => {
    const { leavesFirst, sets } = local[n] as (typeof local)[number];
    return (leavesFirst && mayBefore[n]) || (!sets && mayAfter[n]);
  });
  return { used, mayBefore, mayAfter, entering, mayStay };
}

const setsFlags = (op: string): boolean => op.startsWith("flags") || op === "setNZCV";
const readsFlags = (op: string): boolean => op === "cond" || op === "getNZCV" || op === "getC";

/** Of the flags at a block's start: they are read; only a way out of the region may write them back; nobody wants them. */
export type FlagLiveness = "read" | "kept" | "dead";

export function flagLiveness(region: Region, { position, cut }: Structure): FlagLiveness[] {
  // An edge out of the region, or a back edge, which leaves when the budget is spent.
  const at = (n: number): number => position.get(n) ?? 0;
  const leaves = (n: number, s: number): boolean => s < 0 || cut.has(edge(n, s)) || at(s) <= at(n);
  const read = backward(
    region,
    (inst) => readsFlags(inst.op),
    () => false,
  );
  const kept = backward(
    region,
    (inst) => readsFlags(inst.op) || mayLeave(inst),
    (block, n) =>
      block.ending.kind === "leaves" || block.ending.kind === "return" || block.successors.some((s) => leaves(n, s)),
  );
  return region.blocks.map((_, n) => (read[n] ? "read" : kept[n] ? "kept" : "dead"));
}

/** For each block: does an instruction want the flags, on some way from its start, before they are set, or the end of a block? */
function backward(
  { blocks }: Region,
  wants: (inst: Inst) => boolean,
  endWants: (block: Block, n: number) => boolean,
): boolean[] {
  /** true: wanted, false: set first, undefined: as after the block. */
  const local = blocks.map((block): boolean | undefined => {
    for (const { ir } of block.insns) {
      let conditional = 0;
      for (const inst of ir) {
        if (wants(inst)) return true;
        if (inst.op === "if") conditional++;
        if (inst.op === "end") conditional--;
        if (setsFlags(inst.op) && conditional === 0) return false;
      }
    }
    return undefined;
  });
  const wanted = local.map((l, n) => l === true || (l === undefined && endWants(blocks[n] as Block, n)));
  for (let changed = true; changed; ) {
    changed = false;
    blocks.forEach((block, n) => {
      if (wanted[n] || local[n] !== undefined || !block.successors.some((s) => s >= 0 && wanted[s])) return;
      wanted[n] = true;
      changed = true;
    });
  }
  return wanted;
}
