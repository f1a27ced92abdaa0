import { CF, NF, PENDING_A, PENDING_B, PENDING_FLAGS, VF, ZF } from "../cpu/state-layout.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import type { Code } from "../wasm/code.ts";
import { emitFlag, emitResult, type Flag, type FlagProducer } from "./flags.ts";

// Flags between regions. A region that is left stores what set the flags, not the flags: the next one mostly sets its own before
// anybody asks. Whatever else gets control from a region settles them first.

const op = (code: Code, name: keyof typeof PURE_OPS): void => code.op(PURE_OPS[name][0]);
const CPU = 0;

export const FLAG_WORDS: Readonly<Record<Flag, number>> = { n: NF, z: ZF, c: CF, v: VF };
export const FLAGS: readonly Flag[] = ["n", "z", "c", "v"];

/** The kinds of PENDING_FLAGS, from 1: producers whose operands are all that it takes. */
const KINDS = [
  { kind: "add", bits: 32 },
  { kind: "add", bits: 64 },
  { kind: "sub", bits: 32 },
  { kind: "sub", bits: 64 },
  { kind: "logic", bits: 32 },
  { kind: "logic", bits: 64 },
  { kind: "float", bits: 32 },
  { kind: "float", bits: 64 },
] as const;

/** The type of a producer's operands. */
const typeOf = ({ kind, bits }: Pick<FlagProducer, "kind" | "bits">) =>
  `${kind === "float" ? "f" : "i"}${bits}` as const;

/** The kind of a producer, 0 if it cannot be pending. */
function kindOf(p: FlagProducer): number {
  return KINDS.findIndex((k) => k.kind === p.kind && k.bits === p.bits) + 1;
}

/** Stores a producer as the pending flags. False: it cannot be, nothing was emitted. */
export function emitPending(code: Code, p: FlagProducer): boolean {
  const kind = kindOf(p);
  if (kind === 0) return false;
  code.get(CPU);
  code.i32(kind);
  code.memory("i32.store", PENDING_FLAGS);
  for (const [offset, local] of [
    [PENDING_A, p.a],
    [PENDING_B, p.b],
  ] as const) {
    if (local < 0) continue;
    code.get(CPU);
    code.get(local);
    code.memory(`${typeOf(p)}.store`, offset);
  }
  return true;
}

/** Leaves the kind and the operands, as i64, of a producer in locals. False: it cannot be pending, nothing was emitted. */
export function emitDeferred(code: Code, p: FlagProducer, to: PendingLocals): boolean {
  const kind = kindOf(p);
  if (kind === 0) return false;
  code.i32(kind);
  code.set(to.kind);
  for (const [into, local] of [
    [to.a, p.a],
    [to.b, p.b],
  ] as const) {
    if (local < 0) continue;
    code.get(local);
    if (p.kind === "float") op(code, p.bits === 64 ? "i64.reinterpret_f64" : "i32.reinterpret_f32");
    if (p.bits === 32) op(code, "i64.extend_i32_u");
    code.set(into);
  }
  return true;
}

/** Pending flags inside of a region: PENDING_FLAGS, PENDING_A and PENDING_B as locals. */
export interface PendingLocals {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

/** Stores those locals. */
export function emitStoreDeferred(code: Code, from: PendingLocals): void {
  code.get(CPU);
  code.get(from.kind);
  code.memory("i32.store", PENDING_FLAGS);
  code.get(CPU);
  code.get(from.a);
  code.memory("i64.store", PENDING_A);
  code.get(CPU);
  code.get(from.b);
  code.memory("i64.store", PENDING_B);
}

/** The body of the runtime's settle (cpu): puts pending flags into their words. */
export function defineSettle(code: Code): void {
  const kind = code.local("i32");
  code.get(CPU);
  code.memory("i32.load", PENDING_FLAGS);
  code.tee(kind);
  op(code, "i32.eqz");
  code.if();
  code.return();
  code.end();
  const locals = (type: "i32" | "i64" | "f32" | "f64"): { a: number; b: number; result: number } => ({
    a: code.local(type),
    b: code.local(type),
    result: code.local(type),
  });
  const ofType = { i32: locals("i32"), i64: locals("i64"), f32: locals("f32"), f64: locals("f64") };
  KINDS.forEach(({ kind: name, bits }, i) => {
    const type = typeOf({ kind: name, bits });
    const { a, b, result } = ofType[type];
    const load = `${type}.load` as const;
    code.get(kind);
    code.i32(i + 1);
    op(code, "i32.eq");
    code.if();
    code.get(CPU);
    code.memory(load, PENDING_A);
    code.set(a);
    code.get(CPU);
    code.memory(load, PENDING_B);
    code.set(b);
    const producer: FlagProducer = { kind: name, bits, a, b, carry: -1, result: name === "logic" ? a : result };
    if (name !== "logic" && name !== "float") emitResult(code, producer);
    for (const flag of FLAGS) {
      code.get(CPU);
      emitFlag(code, producer, flag);
      code.memory("i32.store", FLAG_WORDS[flag]);
    }
    code.end();
  });
  code.get(CPU);
  code.i32(0);
  code.memory("i32.store", PENDING_FLAGS);
}
