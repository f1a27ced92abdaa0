import { SLOT_ZR } from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import type { Block, RegionInsn } from "./region.ts";

/**
 * Accesses of one block at known distances from each other: the fields of a structure, a stack frame, a pair of registers. One TLB check
 * of the whole range, at the first of them, serves all.
 */
export interface AccessGroup {
  /** Of the range, from the address of the first access: bytes, the lower end not above 0. */
  readonly from: number;
  readonly bytes: number;
  /** Some of them write. */
  readonly writes: boolean;
}

export interface GroupedAccess {
  readonly group: AccessGroup;
  readonly isFirst: boolean;
  /** From the start of the range, in bytes. */
  readonly offset: number;
}

/** A wider range would cross pages, and then no access of it is quick, more often than it saves checks. */
const MAX_RANGE = 256;

/** An address as a distance from an unknown. */
interface Place {
  readonly root: number;
  readonly offset: number;
}

interface Access {
  readonly insn: RegionInsn;
  readonly inst: Inst;
  readonly offset: number;
  readonly bytes: number;
}

/** By instruction, as two of the same word have one IR between them; then by access. */
export type AccessGroups = ReadonlyMap<RegionInsn, ReadonlyMap<Inst, GroupedAccess>>;
type Groups = Map<RegionInsn, Map<Inst, GroupedAccess>>;

/** The groups of two or more accesses of a block. */
export function groupAccesses(block: Block): AccessGroups {
  const out: Groups = new Map();
  const open = new Map<number, Access[]>();
  for (const { root, ...access } of placedAccesses(block)) {
    const list = open.get(root) ?? [];
    if (rangeOf([...list, access]).bytes > MAX_RANGE) {
      close(list, out);
      list.length = 0;
    }
    list.push(access);
    open.set(root, list);
  }
  for (const list of open.values()) close(list, out);
  return out;
}

function rangeOf(list: readonly Access[]): { low: number; bytes: number } {
  const low = Math.min(...list.map((a) => a.offset));
  return { low, bytes: Math.max(...list.map((a) => a.offset + a.bytes)) - low };
}

function close(list: readonly Access[], out: Groups): void {
  const [first] = list;
  if (!first || list.length < 2) return;
  const { low, bytes } = rangeOf(list);
  const group = { from: low - first.offset, bytes, writes: list.some((a) => a.inst.op === "store") };
  for (const a of list) {
    const ofInsn = out.get(a.insn) ?? new Map<Inst, GroupedAccess>();
    out.set(a.insn, ofInsn.set(a.inst, { group, isFirst: a === first, offset: a.offset - low }));
  }
}

/** The plain loads and stores of a block whose addresses are a register's value at some point plus a constant, in order. */
function* placedAccesses(block: Block): Generator<Access & { root: number }> {
  let roots = 0;
  const registers = new Map<number, Place>();
  const placeOf = (slot: number): Place => {
    let place = registers.get(slot);
    if (!place) {
      place = { root: roots++, offset: 0 };
      registers.set(slot, place);
    }
    return place;
  };
  for (const insn of block.insns) {
    const { ir } = insn;
    const places: (Place | undefined)[] = [];
    let conditional = 0;
    for (const inst of ir) {
      const { op, args, attrs, value } = inst;
      const slot = attrs.reg?.slot as number;
      if (op === "if") conditional++;
      else if (op === "end") conditional--;
      else if (op === "getX" && slot !== SLOT_ZR) places[value?.id as number] = placeOf(slot);
      else if (op === "i64.add") places[value?.id as number] = sum(places, args);
      else if (op === "setX") {
        const place = conditional === 0 ? places[args[0]?.id as number] : undefined;
        registers.set(slot, place ?? { root: roots++, offset: 0 });
      } else if ((op === "load" || op === "store") && attrs.acc === 0 && conditional === 0) {
        const place = places[args[0]?.id as number];
        if (place) yield { insn, inst, ...place, bytes: attrs.bytes as number };
      }
    }
  }
}

/** A place plus a small constant. */
function sum(places: readonly (Place | undefined)[], [a, b]: readonly Value[]): Place | undefined {
  const place = places[a?.id as number] ?? places[b?.id as number];
  const other = places[a?.id as number] ? b : a;
  if (!place || other?.inst.op !== "const") return undefined;
  const { lo = 0, hi = 0 } = other.inst.attrs;
  const isSmall = hi === lo >> 31 && Math.abs(lo) < 2 ** 16;
  return isSmall ? { root: place.root, offset: place.offset + lo } : undefined;
}
