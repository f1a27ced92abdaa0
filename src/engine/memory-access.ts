import {
  ATTENTION,
  CTX_UNPRIV,
  DTLB,
  DTLB_ADDEND,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  DTLB_READ,
  DTLB_WRITE,
  EXIT,
} from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import { ACC_ALIGNED, ACC_RMW, ACC_UNPRIV } from "../ir/guest-ops.ts";
import { LANE_OPS, PURE_OPS } from "../ir/pure-ops.ts";
import type { MemoryOp } from "../wasm/code.ts";
import type { GroupedAccess } from "./access-groups.ts";
import { Lowering } from "./lowering.ts";
import type { Walk } from "./walks.ts";

// Guest memory accesses: the TLB check and the access itself in line, the rest in native.wasm (docs/architecture.md, "Faults are
// born in one place").

const I32 = { and: 0x71, add: 0x6a, sub: 0x6b, eqz: 0x45, or: 0x72, shrU: 0x76, eq: 0x46, ltU: 0x49, divU: 0x6e };
const I64 = { and: 0x83, or: 0x84, add: 0x7c, eq: 0x51, ne: 0x52, mul: 0x7e, shrU: 0x88 };
const WRAP = PURE_OPS["i32.wrap_i64"][0];

const LOADS: Readonly<Record<number, MemoryOp>> = {
  1: "i64.load8_u",
  2: "i64.load16_u",
  4: "i64.load32_u",
  8: "i64.load",
  16: "v128.load",
};
const VECTOR_LOADS: Readonly<Record<number, MemoryOp>> = {
  4: "v128.load32_zero",
  8: "v128.load64_zero",
  16: "v128.load",
};
const STORES: Readonly<Record<number, MemoryOp>> = {
  1: "i64.store8",
  2: "i64.store16",
  4: "i64.store32",
  8: "i64.store",
  16: "v128.store",
};

const PAGE = 4096;

/** Locals: an address, and that of its data TLB entry. */
interface Check {
  readonly va: number;
  readonly entry: number;
}

/** From an address on the stack to its entry, from what `entries` is counted from: ((va >> 12) & (DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT. */
function entryOf({ code, onlyCpu }: Lowering): void {
  code.op(WRAP);
  code.i32(12 - DTLB_ENTRY_SHIFT);
  code.op(I32.shrU);
  code.i32((DTLB_ENTRIES - 1) << DTLB_ENTRY_SHIFT);
  code.op(I32.and);
  if (onlyCpu !== undefined) return;
  code.get(Lowering.CPU);
  code.op(I32.add);
}

/** Offset of the data TLB from what entries are counted from: the PE's block, or nothing where that is always the same one. */
const entries = ({ onlyCpu }: Lowering): number => DTLB + (onlyCpu ?? 0);

/** From an entry on the stack to its tag for reads or for writes. */
function pushTagOf(l: Lowering, write: boolean): void {
  l.code.memory("i64.load", entries(l) + (write ? DTLB_WRITE : DTLB_READ));
}

/** Puts the tag on the stack that hits for `bytes` from the address in a local: none, where they are in two pages. */
function pushTag(l: Lowering, va: number, bytes: number, unprivileged = false): void {
  const { code } = l;
  code.get(va);
  if (bytes > 1) {
    code.i64(bytes - 1, 0);
    code.op(I64.add);
  }
  code.i64(~0xfff, -1);
  code.op(I64.and);
  if (unprivileged) {
    code.get(Lowering.CPU);
    code.memory("i64.load", CTX_UNPRIV);
  } else l.pushContext();
  code.op(I64.or);
}

/** Puts 1 on the stack when the access may go straight to linear memory. */
function pushHit(l: Lowering, address: Value, bytes: number, align: number, acc: number, write: boolean): Check {
  const { code } = l;
  const va = l.localOf(address);
  const entry = l.temp("i32");
  code.get(va);
  entryOf(l);
  code.tee(entry);
  pushTagOf(l, write);
  pushTag(l, va, bytes, (acc & ACC_UNPRIV) !== 0);
  code.op(I64.eq);
  if ((acc & ACC_ALIGNED || l.checksAlignment) && align > 1) {
    code.get(va);
    code.op(WRAP);
    code.i32(align - 1);
    code.op(I32.and);
    code.op(I32.eqz);
    code.op(I32.and);
  }
  return { va, entry };
}

function pushHostAddress(l: Lowering, { va, entry }: Check): void {
  const { code } = l;
  code.get(entry);
  code.memory("i32.load", entries(l) + DTLB_ADDEND);
  code.get(va);
  code.op(WRAP);
  code.op(I32.add);
}

/** After a slow path: leave if it faulted; and let an interrupt in soon if a device made one. */
function afterSlow(l: Lowering): void {
  const { code } = l;
  code.get(Lowering.CPU);
  code.memory("i32.load", EXIT);
  code.unlikely();
  code.if();
  l.leave();
  code.end();
  code.get(Lowering.CPU);
  code.memory("i32.load", ATTENTION);
  code.unlikely();
  code.if();
  code.get(Lowering.CPU);
  code.get(Lowering.BUDGET);
  code.call(l.functions.runtime("attend"));
  code.set(Lowering.BUDGET);
  code.end();
}

/** Finds where the range of a group of accesses is, at the first of them: `base` becomes its address in linear memory, or 0. */
function checkRange(l: Lowering, va: number, { group, base }: GroupedAccess & { readonly base: number }): void {
  const { code } = l;
  const start = l.temp("i64");
  const entry = l.temp("i32");
  code.get(va);
  if (group.from !== 0) {
    code.i64(group.from, -1);
    code.op(I64.add);
  }
  code.tee(start);
  entryOf(l);
  code.tee(entry);
  code.memory("i32.load", entries(l) + DTLB_ADDEND);
  code.get(start);
  code.op(WRAP);
  code.op(I32.add);
  code.i32(0);
  code.get(entry);
  pushTagOf(l, group.writes);
  pushTag(l, start, group.bytes);
  code.op(I64.eq);
  code.select("i32");
  code.set(base);
}

/** An access in a page that its walk is known to be in. */
export interface KnownAccess {
  readonly isFirst: boolean;
  /** From the start of the walk's range. */
  readonly offset: number;
  /** i32 locals: what makes the first access's address one in linear memory, that of the range; and that address, from the first access on. */
  readonly delta: number;
  readonly base: number;
}

/**
 * Before a turn of a loop: fails with 1 on the stack unless a walk's range is in a page of the data TLB, sets `delta`, and makes `turns`
 * no more than what follow in this page. `first`: the first access's place in the range; `pushX` pushes a register by its slot.
 */
export function checkWalk(
  l: Lowering,
  walk: Walk,
  {
    first,
    delta,
    turns,
    pushX,
    fail,
  }: { first: number; delta: number; turns: number; pushX: (slot: number) => void; fail: () => void },
): void {
  const { code } = l;
  const va = l.temp("i64");
  const entry = l.temp("i32");
  code.i64(walk.constant, walk.constant >> 31);
  for (const [slot, factor] of walk.terms) {
    pushX(slot);
    if (factor !== 1) {
      code.i64(factor, factor >> 31);
      code.op(I64.mul);
    }
    code.op(I64.add);
  }
  code.tee(va);
  entryOf(l);
  code.tee(entry);
  pushTagOf(l, walk.writes);
  pushTag(l, va, walk.bytes);
  code.op(I64.ne);
  fail();
  code.get(entry);
  code.memory("i32.load", entries(l) + DTLB_ADDEND);
  code.i32(first);
  code.op(I32.sub);
  code.set(delta);
  if (walk.stride === 0) return;
  const more = l.temp("i32");
  if (walk.stride > 0) code.i32(PAGE - walk.bytes);
  code.get(va);
  code.op(WRAP);
  code.i32(PAGE - 1);
  code.op(I32.and);
  if (walk.stride > 0) code.op(I32.sub);
  code.i32(Math.abs(walk.stride));
  code.op(I32.divU);
  code.tee(more);
  code.get(turns);
  code.get(more);
  code.get(turns);
  code.op(I32.ltU);
  code.select("i32");
  code.set(turns);
}

/** Puts the address in linear memory of a walk's range on the stack. */
function pushKnown(l: Lowering, address: Value, { isFirst, delta, base }: KnownAccess): void {
  const { code } = l;
  if (!isFirst) {
    code.get(base);
    return;
  }
  l.push(address);
  code.op(WRAP);
  code.get(delta);
  code.op(I32.add);
  code.tee(base);
}

/** A vector of which only the low part is in memory. */
function isPart(type: string, bytes: number): boolean {
  return type === "v128" && bytes < 16;
}

/** The host address is on the stack; the value is left there, the second one of a pair in a local. */
function emitLoad(l: Lowering, inst: Inst, offset: number, second: number | undefined): void {
  const { code } = l;
  const { bytes = 8 } = inst.attrs;
  if (second === undefined) {
    code.memory((inst.value?.type === "v128" ? VECTOR_LOADS : LOADS)[bytes] as MemoryOp, offset);
    return;
  }
  const op = LOADS[bytes / 2] as MemoryOp;
  const address = l.temp("i32");
  code.tee(address);
  code.memory(op, offset + bytes / 2);
  code.set(second);
  code.get(address);
  code.memory(op, offset);
}

/** What is stored: one value, or two doublewords, in locals. */
interface Data {
  readonly type: string;
  readonly first: number;
  readonly second: number | undefined;
}

/** `pushAddress` puts the address in linear memory on the stack. */
function emitStore(
  l: Lowering,
  { type, first, second }: Data,
  bytes: number,
  offset: number,
  pushAddress: () => void,
): void {
  const { code } = l;
  pushAddress();
  if (second !== undefined) {
    const address = l.temp("i32");
    code.tee(address);
    code.get(first);
    code.memory("i64.store", offset);
    code.get(address);
    code.get(second);
    code.memory("i64.store", offset + bytes / 2);
    return;
  }
  code.get(first);
  if (isPart(type, bytes)) code.memoryLane(bytes === 8 ? "v128.store64_lane" : "v128.store32_lane", offset, 0);
  else code.memory(STORES[bytes] as MemoryOp, offset);
}

export function lowerLoad(l: Lowering, address: Value, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  const type = inst.value?.type === "v128" ? "v128" : "i64";
  const second = inst.attrs.pair ? l.second(inst.value as Value) : undefined;
  const known = l.walkOf(inst);
  if (known) {
    pushKnown(l, address, known);
    emitLoad(l, inst, known.offset, second);
    return;
  }
  const grouped = l.groupOf(inst);
  if (grouped) {
    const va = l.localOf(address);
    const result = l.temp(type);
    if (grouped.isFirst) checkRange(l, va, grouped);
    code.get(grouped.base);
    code.likely();
    code.if();
    code.get(grouped.base);
    emitLoad(l, inst, grouped.offset, second);
    code.set(result);
    code.else();
    slowLoad(l, va, inst, result, second);
    code.end();
    code.get(result);
    return;
  }
  const check = pushHit(l, address, bytes, align, acc, (acc & ACC_RMW) !== 0);
  const result = l.temp(type);
  code.likely();
  code.if();
  pushHostAddress(l, check);
  emitLoad(l, inst, 0, second);
  code.set(result);
  code.else();
  slowLoad(l, check.va, inst, result, second);
  code.end();
  code.get(result);
}

function slowLoad(l: Lowering, va: number, inst: Inst, result: number, second: number | undefined): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  const part = isPart(inst.value?.type ?? "", bytes);
  if (part) code.v128(new Array(16).fill(0));
  code.get(Lowering.CPU);
  code.get(va);
  code.i32(align);
  code.i32(acc);
  code.call(l.functions.slow(`load${bytes * 8}`));
  if (part) code.lane(LANE_OPS["i64x2.replace_lane"][0], 0);
  if (second === undefined) code.set(result);
  else splitPair(l, bytes, result, second);
  afterSlow(l);
}

/** The two values of a pair from one that is on the stack: a vector of 16 bytes, or an i64. */
function splitPair(l: Lowering, bytes: number, first: number, second: number): void {
  const { code } = l;
  const both = l.temp(bytes === 16 ? "v128" : "i64");
  code.tee(both);
  if (bytes === 16) {
    code.lane(LANE_OPS["i64x2.extract_lane"][0], 0);
    code.set(first);
    code.get(both);
    code.lane(LANE_OPS["i64x2.extract_lane"][0], 1);
  } else {
    code.i64(-1, 0);
    code.op(I64.and);
    code.set(first);
    code.get(both);
    code.i64(32, 0);
    code.op(I64.shrU);
  }
  code.set(second);
}

export function lowerStore(l: Lowering, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  const [address, value, second] = inst.args as readonly [Value, Value, Value?];
  const data: Data = { type: value.type, first: l.localOf(value), second: second && l.localOf(second) };
  const known = l.walkOf(inst);
  if (known) {
    emitStore(l, data, bytes, known.offset, () => pushKnown(l, address, known));
    return;
  }
  const grouped = l.groupOf(inst);
  if (grouped) {
    const va = l.localOf(address);
    if (grouped.isFirst) checkRange(l, va, grouped);
    code.get(grouped.base);
    code.likely();
    code.if();
    emitStore(l, data, bytes, grouped.offset, () => code.get(grouped.base));
    code.else();
    slowStore(l, va, data, inst);
    code.end();
    return;
  }
  const check = pushHit(l, address, bytes, align, acc, true);
  code.likely();
  code.if();
  emitStore(l, data, bytes, 0, () => pushHostAddress(l, check));
  code.else();
  slowStore(l, check.va, data, inst);
  code.end();
}

function slowStore(l: Lowering, va: number, data: Data, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  code.get(Lowering.CPU);
  code.get(va);
  code.get(data.first);
  if (data.second !== undefined) {
    code.op(PURE_OPS["i64x2.splat"][0]);
    code.get(data.second);
    code.lane(LANE_OPS["i64x2.replace_lane"][0], 1);
  }
  if (isPart(data.type, bytes)) code.lane(LANE_OPS["i64x2.extract_lane"][0], 0);
  code.i32(align);
  code.i32(acc);
  code.call(l.functions.slow(`store${bytes * 8}`));
  afterSlow(l);
  // The store may have been one to a flash device, which comes and goes as memory.
  l.forgetGroups();
}

export function lowerProbe(l: Lowering, address: Value, inst: Inst): void {
  const { code } = l;
  const { bytes = 1, align = 1, acc = 0 } = inst.attrs;
  if (l.walkOf(inst)) return;
  const check = pushHit(l, address, bytes, align, acc, true);
  code.op(I32.eqz);
  code.unlikely();
  code.if();
  code.get(Lowering.CPU);
  code.get(check.va);
  code.i32(bytes);
  code.i32(align);
  code.i32(acc);
  code.call(l.functions.slow("probeWrite"));
  afterSlow(l);
  code.end();
}
