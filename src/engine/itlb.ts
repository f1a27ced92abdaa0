import {
  CTX,
  FETCH_BASE,
  FETCH_VA,
  ITLB,
  ITLB_BASE,
  ITLB_ENTRIES,
  ITLB_ENTRY_SHIFT,
  ITLB_FLAGS,
  ITLB_TAG,
} from "../cpu/state-layout.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import type { Code } from "../wasm/code.ts";
import { RECORD_BYTES } from "./decoded-layout.ts";

// Lookups in the instruction TLB, in generated code. The PE's block is in local 0; where there is only one, `onlyCpu`, entries are counted
// from zero.

const op = (code: Code, name: keyof typeof PURE_OPS): void => code.op(PURE_OPS[name][0]);
const CPU = 0;
/** ITLB_FLAGS: a guarded page. */
const GUARDED = 1;

/** The entry for the address in a local. */
export function pushItlbEntry(code: Code, va: number, onlyCpu?: number): void {
  code.get(va);
  op(code, "i32.wrap_i64");
  code.i32(12 - ITLB_ENTRY_SHIFT);
  op(code, "i32.shr_u");
  code.i32((ITLB_ENTRIES - 1) << ITLB_ENTRY_SHIFT);
  op(code, "i32.and");
  if (onlyCpu !== undefined) return;
  code.get(CPU);
  op(code, "i32.add");
}

/**
 * Puts 1 on the stack when the entry is for the page of `va`, which must be a multiple of 4.
 * The context number is added, not joined: then bits 1:0 of an address that is no multiple of 4 cannot hide in it.
 */
export function pushItlbHit(code: Code, entry: number, va: number, context?: () => void, onlyCpu = 0): void {
  code.get(entry);
  code.memory("i64.load", ITLB + ITLB_TAG + onlyCpu);
  code.get(va);
  code.i64(~0xffc, -1);
  op(code, "i64.and");
  if (context) context();
  else {
    code.get(CPU);
    code.memory("i64.load", CTX);
  }
  op(code, "i64.add");
  op(code, "i64.eq");
}

/**
 * Calls `miss`, which branches away if 1 is on the stack, for an entry that is for another page, or, if that matters, for a guarded one. Two
 * branches take less than one on the AND of two conditions, which V8 makes values of.
 */
export function checkItlb(
  code: Code,
  entry: number,
  va: number,
  {
    guardMatters,
    context,
    miss,
    onlyCpu,
  }: { guardMatters: boolean; context: () => void; miss: () => void; onlyCpu: number | undefined },
): void {
  pushItlbHit(code, entry, va, context, onlyCpu);
  op(code, "i32.eqz");
  miss();
  if (!guardMatters) return;
  code.get(entry);
  code.memory("i32.load", ITLB + ITLB_FLAGS + (onlyCpu ?? 0));
  code.i32(GUARDED);
  op(code, "i32.and");
  miss();
}

/** Makes the page of `va`, which the entry is for, the one that is executed, and sets `record` to the record of `va`. */
export function enterItlbPage(code: Code, va: number, entry: number, record: number, onlyCpu = 0): void {
  code.get(CPU);
  code.get(va);
  code.i64(~0xfff, -1);
  op(code, "i64.and");
  code.memory("i64.store", FETCH_VA);
  code.get(CPU);
  code.get(entry);
  code.memory("i32.load", ITLB + ITLB_BASE + onlyCpu);
  code.tee(record);
  code.memory("i32.store", FETCH_BASE);
  code.get(record);
  code.get(va);
  op(code, "i32.wrap_i64");
  code.i32(0xffc);
  op(code, "i32.and");
  code.i32(Math.log2(RECORD_BYTES / 4));
  op(code, "i32.shl");
  op(code, "i32.add");
  code.set(record);
}
