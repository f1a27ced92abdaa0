import {
  ARG1,
  CTX_UNPRIV,
  DTLB,
  DTLB_ADDEND,
  DTLB_ENTRIES,
  DTLB_ENTRY_SHIFT,
  DTLB_READ,
  DTLB_WRITE,
} from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import { ACC_ALIGNED, ACC_RMW, ACC_UNPRIV } from "../ir/guest-ops.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import type { MemoryOp } from "../wasm/code.ts";
import type { GroupedAccess } from "./access-groups.ts";
import type { SlowPathName } from "./functions.ts";
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

/** What a slow path is told of an access (vmsa/access.as.ts). */
const howOf = ({ bytes = 8, align = 1, acc = 0 }: Inst["attrs"]): number => bytes | (align << 8) | (acc << 16);

/**
 * The slow path of an access: puts the address in linear memory on the stack that the access is to be done at, or leaves if it faulted. What is to
 * be stored is at ARG1 then. The budget is spent when a device wants an interrupt to be taken.
 */
function pushSlow(l: Lowering, name: SlowPathName, va: number, attrs: Inst["attrs"]): void {
  const { code } = l;
  const answer = l.temp("i64");
  code.get(Lowering.CPU);
  code.get(va);
  code.i32(howOf(attrs));
  code.get(Lowering.BUDGET);
  code.call(l.functions.slow(name));
  code.tee(answer);
  code.i64(32, 0);
  code.op(I64.shrU);
  code.op(WRAP);
  code.set(Lowering.BUDGET);
  code.get(answer);
  code.op(WRAP);
  code.op(I32.eqz);
  code.unlikely();
  code.if();
  l.leave();
  code.end();
  code.get(answer);
  code.op(WRAP);
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
  /** From the start of the walk's range. */
  readonly offset: number;
  /** i32 local: where that range is in linear memory, in this turn of the loop. */
  readonly base: number;
}

/**
 * Before a turn of a loop: fails with 1 on the stack unless a walk's range is in a page of the data TLB, sets `base`, and makes `turns`
 * no more than what follow in this page. `pushX` pushes a register by its slot.
 */
export function checkWalk(
  l: Lowering,
  walk: Walk,
  { base, turns, pushX, fail }: { base: number; turns: number; pushX: (slot: number) => void; fail: () => void },
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
  pushHostAddress(l, { va, entry });
  code.set(base);
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

/** The host address is on the stack. */
function emitStore(l: Lowering, { type, first, second }: Data, bytes: number, offset: number): void {
  const { code } = l;
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

/**
 * Puts on the stack where an access is in linear memory, but for the offset that is the result. `slow` does so, without an offset, for the address in a
 * local when the data TLB does not.
 */
function pushPlace(l: Lowering, address: Value, inst: Inst, write: boolean, slow: (va: number) => void): number {
  const { code } = l;
  const known = l.walkOf(inst);
  if (known) {
    code.get(known.base);
    return known.offset;
  }
  const grouped = l.groupOf(inst);
  if (!grouped) {
    pushChecked(l, address, inst.attrs, write, slow);
    return 0;
  }
  const va = l.localOf(address);
  if (grouped.isFirst) checkRange(l, va, grouped);
  const at = l.temp("i32");
  code.get(grouped.base);
  code.tee(at);
  code.op(I32.eqz);
  code.unlikely();
  code.if();
  slow(va);
  code.i32(grouped.offset);
  code.op(I32.sub);
  code.set(at);
  code.end();
  code.get(at);
  return grouped.offset;
}

/** The place of an access by itself. */
function pushChecked(
  l: Lowering,
  address: Value,
  attrs: Inst["attrs"],
  write: boolean,
  slow: (va: number) => void,
): void {
  const { code } = l;
  const { bytes = 8, align = 1, acc = 0 } = attrs;
  const check = pushHit(l, address, bytes, align, acc, write);
  const at = l.temp("i32");
  code.likely();
  code.if();
  pushHostAddress(l, check);
  code.set(at);
  code.else();
  slow(check.va);
  code.set(at);
  code.end();
  code.get(at);
}

export function lowerLoad(l: Lowering, address: Value, inst: Inst): void {
  const { attrs } = inst;
  const second = attrs.pair ? l.second(inst.value as Value) : undefined;
  const write = ((attrs.acc ?? 0) & ACC_RMW) !== 0;
  const offset = pushPlace(l, address, inst, write, (va) => pushSlow(l, "loadSlow", va, attrs));
  emitLoad(l, inst, offset, second);
}

export function lowerStore(l: Lowering, inst: Inst): void {
  const { attrs } = inst;
  const { bytes = 8 } = attrs;
  const [address, value, second] = inst.args as readonly [Value, Value, Value?];
  const data: Data = { type: value.type, first: l.localOf(value), second: second && l.localOf(second) };
  const offset = pushPlace(l, address, inst, true, (va) => {
    l.code.get(Lowering.CPU);
    emitStore(l, data, bytes, ARG1);
    pushSlow(l, "storeSlow", va, attrs);
    // The store may have been one to a flash device, which comes and goes as memory.
    l.forgetGroups();
  });
  emitStore(l, data, bytes, offset);
}

export function lowerProbe(l: Lowering, address: Value, inst: Inst): void {
  const { code } = l;
  const { attrs } = inst;
  const { bytes = 1, align = 1, acc = 0 } = attrs;
  if (l.walkOf(inst)) return;
  const check = pushHit(l, address, bytes, align, acc, true);
  code.op(I32.eqz);
  code.unlikely();
  code.if();
  pushSlow(l, "probeSlow", check.va, attrs);
  code.drop();
  code.end();
}
