import type { DecodedInsn, Decoder } from "../a64/decoder.ts";
import type { Imm64 } from "../a64/row.ts";
import { Builder, type I32, type I64, type Inst, type Reg } from "../ir/builder.ts";
import { GUEST_OPS } from "../ir/guest-ops.ts";
import { HELPERS } from "../ir/helpers.ts";
import { RECORDS } from "./decoded-layout.ts";
import { MAX_REGION_BLOCKS, MAX_REGION_INSTRUCTIONS } from "./limits.ts";

/** Where control goes after a block: instruction numbers in the page, which may be outside of it. */
export type Ending =
  | { readonly kind: "branch"; readonly to: number }
  | { readonly kind: "branchIf"; readonly to: number; readonly otherwise: number }
  /** Leaves the region by what its last instruction does. */
  | { readonly kind: "leaves" };

/** One instruction of a region. */
export interface RegionInsn {
  /** Number from the start of the region's page: 0..1023 there, less in the page before, more in the page after. */
  readonly index: number;
  readonly ir: readonly Inst[];
  /** An instruction of the FP and SIMD register file: traps when FP_TRAP is set. */
  readonly fp: boolean;
  readonly ending: Ending | undefined;
}

/** A basic block: instructions that follow each other, entered at the first only. */
export interface Block {
  readonly start: number;
  readonly insns: readonly RegionInsn[];
  /** Where it goes; falling through is a branch. */
  readonly ending: Ending;
  /** Numbers of the blocks of this region that follow, in the order of the ending's targets; -1: outside. */
  readonly successors: readonly number[];
}

/**
 * The control-flow graph of a piece of code, entered at block 0, which is in the region's page. Blocks may be in the pages before and after.
 */
export interface Region {
  readonly entry: number;
  readonly blocks: readonly Block[];
}

/** Which page an instruction is in: 0 the region's own, -1 the one before, 1 the one after. */
export function pageNumber(index: number): number {
  return Math.floor(index / RECORDS);
}

/**
 * Finds the code that is reachable from instruction `entry` of a page through direct branches, calls excepted. Undefined when the first
 * instruction is unallocated. `wordAt` gives the instruction words; undefined for an instruction that is not to be had.
 * `isWarm`: branches have come to an instruction often enough that it is worth being in the region.
 */
export function findRegion(
  entry: number,
  decoder: Decoder,
  wordAt: (index: number) => number | undefined,
  isWarm: (index: number) => boolean,
): Region | undefined {
  const insns = new Map<number, RegionInsn>();
  const leaders = new Set<number>([entry]);
  const work = [entry];
  for (let start = work.shift(); start !== undefined; start = work.shift()) {
    for (let i = start; !insns.has(i) && insns.size < MAX_REGION_INSTRUCTIONS; i++) {
      // A block is in one page.
      if (i !== start && pageNumber(i) !== pageNumber(start)) {
        leaders.add(i);
        work.push(i);
        break;
      }
      const word = wordAt(i);
      const decoded = word === undefined ? undefined : decoder.decode(word);
      if (!decoded) {
        leaders.add(i);
        break;
      }
      const insn = readInsn(i, decoded);
      insns.set(i, insn);
      const { ending } = insn;
      if (!ending) continue;
      const targets =
        ending.kind === "branch" ? [ending.to] : ending.kind === "branchIf" ? [ending.otherwise, ending.to] : [];
      for (const to of targets) {
        if (to !== i + 1 && !isWarm(to)) continue;
        if (wordAt(to) === undefined || leaders.has(to) || leaders.size >= MAX_REGION_BLOCKS) continue;
        leaders.add(to);
        work.push(to);
      }
      break;
    }
  }
  if (!insns.has(entry)) return undefined;
  return { entry, blocks: formBlocks(entry, insns, leaders) };
}

function formBlocks(entry: number, insns: ReadonlyMap<number, RegionInsn>, leaders: ReadonlySet<number>): Block[] {
  const starts = [entry, ...[...leaders].filter((i) => i !== entry && insns.has(i)).sort((a, b) => a - b)];
  const numberOf = new Map(starts.map((start, n) => [start, n]));
  return starts.map((start) => {
    const list: RegionInsn[] = [];
    let ending: Ending | undefined;
    for (let i = start; !ending; i++) {
      const insn = insns.get(i);
      if (!insn || (i !== start && leaders.has(i))) ending = { kind: "branch", to: i };
      else {
        list.push(insn);
        ending = insn.ending;
      }
    }
    const targets =
      ending.kind === "branch" ? [ending.to] : ending.kind === "branchIf" ? [ending.to, ending.otherwise] : [];
    return { start, insns: list, ending, successors: targets.map((to) => numberOf.get(to) ?? -1) };
  });
}

const BUILDER = new Builder();

/** Builds the IR of an instruction with its operands known. */
function readInsn(index: number, decoded: DecodedInsn): RegionInsn {
  const ir = BUILDER;
  const operands: Record<string, unknown> = {};
  decoded.layout.forEach(({ name, kind }, i) => {
    const v = decoded.operands[i] as number | Imm64;
    if (kind === "v") operands[name] = { file: "v", slot: v as number, name };
    else if (kind === "xr" || kind === "xw" || kind === "sp") operands[name] = { file: "x", slot: v as number, name };
    else if (kind === "i64") operands[name] = ir.const64((v as Imm64).lo, (v as Imm64).hi);
    else operands[name] = ir.const32(v as number);
  });
  decoded.row.execute(ir, operands as Record<string, Reg & I32 & I64>, decoded.shape);
  const insts = ir.take();
  return { index, ir: insts, fp: decoded.row.fp, ending: endingOf(index, insts) };
}

function endingOf(index: number, insts: readonly Inst[]): Ending | undefined {
  const last = insts.at(-1);
  if (!last || !isEnd(last)) return undefined;
  const target = (offset: Inst | undefined): number | undefined =>
    offset?.op === "const" ? index + (offset.attrs.lo as number) / 4 : undefined;
  if (last.op === "branch") {
    const to = target(last.args[0]?.inst);
    // A call leaves the region: what comes back is an entry of its own.
    const isCall = insts.some((i) => i.op === "setX");
    if (to !== undefined && !isCall) return { kind: "branch", to };
  }
  if (last.op === "branchIf") {
    const to = target(last.args[1]?.inst);
    if (to !== undefined) return { kind: "branchIf", to, otherwise: index + 1 };
  }
  return { kind: "leaves" };
}

function isEnd(inst: Inst): boolean {
  return inst.op in GUEST_OPS && "ends" in GUEST_OPS[inst.op as keyof typeof GUEST_OPS][2];
}

/** Can the instruction leave the code before it is done? */
export function mayLeave(inst: Inst): boolean {
  if (inst.op === "call") return HELPERS[inst.attrs.name as string]?.mayFault === true;
  if (!(inst.op in GUEST_OPS)) return false;
  const effects = GUEST_OPS[inst.op as keyof typeof GUEST_OPS][2];
  return "mayFault" in effects || inst.op === "exception" || inst.op === "host";
}
