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
import type { Code, MemoryOp } from "../wasm/code.ts";
import type { GroupedAccess } from "./access-groups.ts";
import { Lowering } from "./lowering.ts";
import type { Walk } from "./walks.ts";

// Guest memory accesses: the TLB check and the access itself in line, the rest in native.wasm (docs/architecture.md, "Faults are
// born in one place").

const I32 = { and: 0x71, add: 0x6a, sub: 0x6b, eqz: 0x45, or: 0x72, shrU: 0x76, eq: 0x46, ltU: 0x49, divU: 0x6e };
const I64 = { and: 0x83, or: 0x84, add: 0x7c, eq: 0x51, ne: 0x52, mul: 0x7e };
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

interface Check {
  readonly va: number;
  readonly entry: number;
}

/** From an address on the stack to its entry: cpu + (((va >> 12) & (DTLB_ENTRIES - 1)) << DTLB_ENTRY_SHIFT), in 32 bits. */
function entryOf(code: Code): void {
  code.op(WRAP);
  code.i32(12 - DTLB_ENTRY_SHIFT);
  code.op(I32.shrU);
  code.i32((DTLB_ENTRIES - 1) << DTLB_ENTRY_SHIFT);
  code.op(I32.and);
  code.get(Lowering.CPU);
  code.op(I32.add);
}

/** Puts 1 on the stack when the access may go straight to linear memory. */
function pushHit(l: Lowering, address: Value, bytes: number, align: number, acc: number, write: boolean): Check {
  const { code } = l;
  const va = l.localOf(address);
  const entry = l.temp("i32");
  code.get(va);
  entryOf(code);
  code.tee(entry);
  code.memory("i64.load", DTLB + (write ? DTLB_WRITE : DTLB_READ));
  code.get(va);
  if (bytes > 1) {
    code.i64(bytes - 1, 0);
    code.op(I64.add);
  }
  code.i64(~0xfff, -1);
  code.op(I64.and);
  if (acc & ACC_UNPRIV) {
    code.get(Lowering.CPU);
    code.memory("i64.load", CTX_UNPRIV);
  } else l.pushContext();
  code.op(I64.or);
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
  code.memory("i32.load", DTLB + DTLB_ADDEND);
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
  entryOf(code);
  code.tee(entry);
  code.memory("i32.load", DTLB + DTLB_ADDEND);
  code.get(start);
  code.op(WRAP);
  code.op(I32.add);
  code.i32(0);
  code.get(entry);
  pushTags(l, group, start);
  code.op(I64.eq);
  code.select("i32");
  code.set(base);
}

/** With a data TLB entry's address on the stack: replaces it by the entry's tag and the one that hits for `bytes` from `start`, an i64 local. */
function pushTags(l: Lowering, { bytes, writes }: { bytes: number; writes: boolean }, start: number): void {
  const { code } = l;
  code.memory("i64.load", DTLB + (writes ? DTLB_WRITE : DTLB_READ));
  code.get(start);
  code.i64(bytes - 1, 0);
  code.op(I64.add);
  code.i64(~0xfff, -1);
  code.op(I64.and);
  l.pushContext();
  code.op(I64.or);
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
  entryOf(code);
  code.tee(entry);
  pushTags(l, walk, va);
  code.op(I64.ne);
  fail();
  code.get(entry);
  code.memory("i32.load", DTLB + DTLB_ADDEND);
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

/** The host address is on the stack. */
function emitLoad(l: Lowering, inst: Inst, offset: number): void {
  const isVector = inst.value?.type === "v128";
  l.code.memory((isVector ? VECTOR_LOADS : LOADS)[inst.attrs.bytes as number] as MemoryOp, offset);
}

/** The host address and the data are on the stack. */
function emitStore(l: Lowering, value: Value, bytes: number, offset: number): void {
  if (isPart(value.type, bytes)) {
    l.code.memoryLane(bytes === 8 ? "v128.store64_lane" : "v128.store32_lane", offset, 0);
  } else l.code.memory(STORES[bytes] as MemoryOp, offset);
}

export function lowerLoad(l: Lowering, address: Value, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  const type = inst.value?.type === "v128" ? "v128" : "i64";
  const known = l.walkOf(inst);
  if (known) {
    pushKnown(l, address, known);
    emitLoad(l, inst, known.offset);
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
    emitLoad(l, inst, grouped.offset);
    code.set(result);
    code.else();
    slowLoad(l, va, inst, result);
    code.end();
    code.get(result);
    return;
  }
  const check = pushHit(l, address, bytes, align, acc, (acc & ACC_RMW) !== 0);
  const result = l.temp(type);
  code.likely();
  code.if();
  pushHostAddress(l, check);
  emitLoad(l, inst, 0);
  code.set(result);
  code.else();
  slowLoad(l, check.va, inst, result);
  code.end();
  code.get(result);
}

function slowLoad(l: Lowering, va: number, inst: Inst, result: number): void {
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
  code.set(result);
  afterSlow(l);
}

export function lowerStore(l: Lowering, address: Value, value: Value, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  const data = l.localOf(value);
  const known = l.walkOf(inst);
  if (known) {
    pushKnown(l, address, known);
    code.get(data);
    emitStore(l, value, bytes, known.offset);
    return;
  }
  const grouped = l.groupOf(inst);
  if (grouped) {
    const va = l.localOf(address);
    if (grouped.isFirst) checkRange(l, va, grouped);
    code.get(grouped.base);
    code.likely();
    code.if();
    code.get(grouped.base);
    code.get(data);
    emitStore(l, value, bytes, grouped.offset);
    code.else();
    slowStore(l, va, data, value, inst);
    code.end();
    return;
  }
  const check = pushHit(l, address, bytes, align, acc, true);
  code.likely();
  code.if();
  pushHostAddress(l, check);
  code.get(data);
  emitStore(l, value, bytes, 0);
  code.else();
  slowStore(l, check.va, data, value, inst);
  code.end();
}

function slowStore(l: Lowering, va: number, data: number, value: Value, inst: Inst): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = inst.attrs;
  code.get(Lowering.CPU);
  code.get(va);
  code.get(data);
  if (isPart(value.type, bytes)) code.lane(LANE_OPS["i64x2.extract_lane"][0], 0);
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
