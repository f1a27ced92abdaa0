import type { Inst, Value } from "../ir/builder.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import type { Block, RegionInsn } from "./region.ts";
import type { Structure } from "./structure.ts";

// Instructions on vectors of 64 bits clear the upper half of the register that they write. Where that half comes out as zero by itself, as
// the operands' are, nothing needs to be cleared. Sets of vector registers are bit sets by number.

/** An operation whose result has zeros above when its operands (all, the first, or one of them) have. */
const KEEPS_ZEROS: ReadonlyMap<string, "all" | "first" | "one"> = new Map(
  Object.keys(PURE_OPS).flatMap((op): [string, "all" | "first" | "one"][] => {
    if (op === "v128.and") return [[op, "one"]];
    if (op === "v128.andnot") return [[op, "first"]];
    if (op === "v128.or" || op === "v128.xor") return [[op, "all"]];
    if (!/^i\d+x\d+\./.test(op)) return [];
    const name = op.slice(op.indexOf(".") + 1);
    if (/^(shl|shr_[su]|abs|neg|popcnt)$/.test(name)) return [[op, "first"]];
    return /^(add|sub|mul|(add|sub)_sat_[su]|(min|max)_[su]|avgr_u)$/.test(name) ? [[op, "all"]] : [];
  }),
);

/** Is the upper half of a vector zero, where those of the registers in `zero` are? */
function isZeroAbove({ inst }: Value, zero: number): boolean {
  const { op, args, attrs } = inst;
  const of = (i: number): boolean => isZeroAbove(args[i] as Value, zero);
  switch (op) {
    case "getV":
      return ((zero >>> (attrs.reg?.slot as number)) & 1) === 1;
    case "const":
      return attrs.lanes?.slice(8).every((byte) => byte === 0) === true;
    case "load":
      return (attrs.bytes as number) < 16;
    case "lane":
      return isLow(attrs.name as string, attrs.lane as number) && of(0);
    case "select":
    case "v128.bitselect":
      return of(0) && of(1);
    case "shuffle":
      return (attrs.lanes as readonly number[]).slice(8).every((from) => isZeroByte(args, from, zero));
    default: {
      const keeps = KEEPS_ZEROS.get(op);
      if (keeps === undefined) return false;
      if (keeps === "first") return of(0);
      return keeps === "one" ? of(0) || of(1) : args.every((_, i) => of(i));
    }
  }
}

/** Does replace_lane write to the lower half? */
function isLow(name: string, lane: number): boolean {
  const lanes = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2 }[name.slice(0, name.indexOf("."))];
  return lanes !== undefined && lane < lanes / 2;
}

function isZeroByte(args: readonly Value[], from: number, zero: number): boolean {
  const v = args[from >> 4] as Value;
  if (v.inst.op === "const") return v.inst.attrs.lanes?.[from & 15] === 0;
  return (from & 15) >= 8 && isZeroAbove(v, zero);
}

/** The vector that an instruction clears the upper half of. */
function cleared({ inst }: Value): Value | undefined {
  const [v, zeros] = inst.args;
  if (inst.op !== "shuffle" || zeros?.inst.op !== "const") return undefined;
  const isCleared = (inst.attrs.lanes as readonly number[]).every((from, i) =>
    i < 8 ? from === i : from >= 16 && zeros.inst.attrs.lanes?.[from - 16] === 0,
  );
  return isCleared ? v : undefined;
}

/** The registers whose upper halves are zero after an instruction. */
export function zeroAfter(ir: readonly Inst[], before: number): number {
  let zero = before;
  let conditional = 0;
  for (const { op, args, attrs } of ir) {
    if (op === "if") conditional++;
    else if (op === "end") conditional--;
    else if (op === "setV") {
      const bit = 1 << (attrs.reg?.slot as number);
      if (!isZeroAbove(args[0] as Value, before)) zero &= ~bit;
      else if (conditional === 0) zero |= bit;
    }
  }
  return zero;
}

/** An instruction without clearing what is zero. */
export function withoutClearing(ir: readonly Inst[], zero: number): readonly Inst[] {
  const needless = (inst: Inst): Value | undefined => {
    const v = inst.op === "setV" ? cleared(inst.args[0] as Value) : undefined;
    return v && isZeroAbove(v, zero) ? v : undefined;
  };
  if (!ir.some(needless)) return ir;
  return ir.map((inst) => {
    const v = needless(inst);
    return v ? { ...inst, args: [v] } : inst;
  });
}

/** By block: the registers whose upper halves are zero at its start, whichever way leads there. */
export function zeroBefore(blocks: readonly Block[], { order }: Structure): readonly number[] {
  const before: number[] = blocks.map((_, n) => (n === 0 ? 0 : -1));
  const vectors = blocks.map(({ insns }) => insns.filter(({ fp }) => fp));
  if (vectors.every((insns) => insns.length === 0)) return blocks.map(() => 0);
  const after = (insns: readonly RegionInsn[], zero: number): number =>
    insns.reduce((z, { ir }) => zeroAfter(ir, z), zero);
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      const zero = after(vectors[n] as readonly RegionInsn[], before[n] as number);
      for (const s of (blocks[n] as Block).successors) {
        if (s < 0 || ((before[s] as number) & ~zero) === 0) continue;
        before[s] = (before[s] as number) & zero;
        changed = true;
      }
    }
  }
  return before;
}
