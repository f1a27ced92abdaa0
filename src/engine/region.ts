import type { Inst } from "../ir/builder.ts";
import { GUEST_OPS } from "../ir/guest-ops.ts";
import { HELPERS } from "../ir/helpers.ts";
import { RECORDS } from "./decoded-layout.ts";
import type { InsnReader } from "./insn-reader.ts";
import { MAX_CALL_DEPTH, MAX_CALLED_INSTRUCTIONS, MAX_REGION_BLOCKS, MAX_REGION_INSTRUCTIONS } from "./limits.ts";

/** Where control goes after a block: instruction numbers in the page, which may be outside of it. */
export type Ending =
  | { readonly kind: "branch"; readonly to: number }
  | { readonly kind: "branchIf"; readonly to: number; readonly otherwise: number }
  /** A direct call; in a region only if what it calls is, too. */
  | { readonly kind: "call"; readonly to: number }
  /** A return: to the instruction after the call that is in the region, if it is that call's; otherwise it leaves. */
  | { readonly kind: "return"; readonly to: number }
  /** Leaves the region by what its last instruction does. */
  | { readonly kind: "leaves" };

/** One instruction of a region. */
export interface RegionInsn {
  /** Number from the start of the region's page: 0..1023 there, less in the pages before, more in those after. */
  readonly index: number;
  readonly word: number;
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
 * The control-flow graph of a piece of code, entered at block 0, which is in the region's page. Blocks may be in other pages. Small functions
 * that are called are in it once for each call, so that their returns are known.
 */
export interface Region {
  readonly entry: number;
  readonly blocks: readonly Block[];
}

/** Which page an instruction is in: 0 the region's own, -1 the one before, 1 the one after, and so on. */
export function pageNumber(index: number): number {
  return Math.floor(index / RECORDS);
}

/** What findRegion looks at. */
export interface CodeView {
  readonly reader: InsnReader;
  /** The instruction words; undefined for an instruction that is not to be had. */
  wordAt(index: number): number | undefined;
  /** Branches have come to an instruction often enough that it is worth being in the region. */
  isWarm(index: number): boolean;
}

/** One run of a function in a region: that of the entry, or one that is called. */
class Frame {
  readonly number: number;
  readonly depth: number;
  /** The function, by its first instruction. */
  readonly entry: number;
  /** Where it returns to; undefined: out of the region. */
  readonly caller: { readonly frame: Frame; readonly returnsTo: number } | undefined;
  /** Its instructions that are in the region. */
  readonly insns = new Map<number, RegionInsn>();
  /** Where those that end a block go. */
  readonly targets = new Map<number, readonly Target[]>();
  /** First instructions of blocks. */
  readonly leaders = new Set<number>();

  constructor(number: number, entry: number, caller?: Frame["caller"]) {
    this.number = number;
    this.entry = entry;
    this.caller = caller;
    this.depth = caller ? caller.frame.depth + 1 : 0;
  }
}

interface Target {
  readonly frame: Frame;
  readonly index: number;
}

/** Finds the code that is reachable from instruction `entry` of a page. Undefined when the first instruction is unallocated. */
export function findRegion(entry: number, view: CodeView): Region | undefined {
  return new RegionFinder(view).find(entry);
}

class RegionFinder {
  readonly #view: CodeView;
  readonly #frames: Frame[] = [];
  /** What is still to be looked at: the entry's own code before that of calls. */
  readonly #work: Target[] = [];
  readonly #calls: Target[] = [];
  readonly #sizes = new Map<number, number>();
  readonly #read = new Map<number, RegionInsn | undefined>();
  #insns = 0;
  #leaders = 0;

  constructor(view: CodeView) {
    this.#view = view;
  }

  find(entry: number): Region | undefined {
    const root = this.#enter(entry);
    this.#lead({ frame: root, index: entry });
    for (let at = this.#next(); at; at = this.#next()) this.#follow(at);
    if (!root.insns.has(entry)) return undefined;
    return { entry, blocks: this.#formBlocks() };
  }

  #enter(entry: number, caller?: Frame["caller"]): Frame {
    const frame = new Frame(this.#frames.length, entry, caller);
    this.#frames.push(frame);
    return frame;
  }

  #next(): Target | undefined {
    return this.#work.shift() ?? this.#calls.shift();
  }

  #lead(target: Target): void {
    const { frame, index } = target;
    if (frame.leaders.has(index)) return;
    frame.leaders.add(index);
    this.#leaders++;
    (frame.depth === 0 ? this.#work : this.#calls).push(target);
  }

  /** The instruction, read once. */
  #insnAt(index: number): RegionInsn | undefined {
    let insn = this.#read.get(index);
    if (insn === undefined && !this.#read.has(index)) {
      const word = this.#view.wordAt(index);
      insn = word === undefined ? undefined : this.#view.reader.read(index, word);
      this.#read.set(index, insn);
    }
    return insn;
  }

  /** Takes in the instructions from a leader to the end of its block. */
  #follow({ frame, index: start }: Target): void {
    for (let i = start; !frame.insns.has(i) && this.#insns < MAX_REGION_INSTRUCTIONS; i++) {
      // A block is in one page.
      if (i !== start && pageNumber(i) !== pageNumber(start)) {
        this.#lead({ frame, index: i });
        return;
      }
      const insn = this.#insnAt(i);
      if (!insn) {
        frame.leaders.add(i);
        return;
      }
      frame.insns.set(i, insn);
      this.#insns++;
      if (!insn.ending) continue;
      const targets = this.#targetsOf(frame, insn.ending, i);
      frame.targets.set(i, targets);
      for (const target of targets) {
        if (target.index !== i + 1 && insn.ending.kind !== "return" && !this.#view.isWarm(target.index)) continue;
        if (this.#view.wordAt(target.index) === undefined || this.#leaders >= MAX_REGION_BLOCKS) continue;
        this.#lead(target);
      }
      return;
    }
  }

  #targetsOf(frame: Frame, ending: Ending, index: number): Target[] {
    switch (ending.kind) {
      case "branch":
        return [{ frame, index: ending.to }];
      case "branchIf":
        return [
          { frame, index: ending.otherwise },
          { frame, index: ending.to },
        ];
      case "call": {
        const caller = { frame, returnsTo: index + 1 };
        if (!this.#takesIn(frame, ending.to)) return [];
        return [{ frame: this.#enter(ending.to, caller), index: ending.to }];
      }
      case "return":
        return frame.caller ? [{ frame: frame.caller.frame, index: frame.caller.returnsTo }] : [];
      default:
        return [];
    }
  }

  /** Is a function that is called here to be part of the region? Small ones that are warm, not in themselves. */
  #takesIn(frame: Frame, entry: number): boolean {
    if (frame.depth >= MAX_CALL_DEPTH || !this.#view.isWarm(entry)) return false;
    for (let f: Frame | undefined = frame; f; f = f.caller?.frame) if (f.entry === entry) return false;
    const size = this.#sizeOf(entry);
    return size <= MAX_CALLED_INSTRUCTIONS && this.#insns + size < MAX_REGION_INSTRUCTIONS;
  }

  /** Instructions of a function, without those that it calls; Infinity when it is too large, or is seen not to return. */
  #sizeOf(entry: number): number {
    const known = this.#sizes.get(entry);
    if (known !== undefined) return known;
    const seen = new Set<number>();
    const work = [entry];
    let returns = false;
    for (let start = work.pop(); start !== undefined && seen.size <= MAX_CALLED_INSTRUCTIONS; start = work.pop()) {
      for (let i = start; !seen.has(i) && seen.size <= MAX_CALLED_INSTRUCTIONS; i++) {
        const insn = this.#insnAt(i);
        if (!insn) break;
        seen.add(i);
        const { ending } = insn;
        if (!ending) continue;
        if (ending.kind === "return") returns = true;
        if (ending.kind === "call") work.push(i + 1);
        if (ending.kind === "branchIf") work.push(ending.otherwise);
        if ((ending.kind === "branch" || ending.kind === "branchIf") && this.#view.isWarm(ending.to))
          work.push(ending.to);
        break;
      }
    }
    const size = returns && seen.size <= MAX_CALLED_INSTRUCTIONS ? seen.size : Number.POSITIVE_INFINITY;
    this.#sizes.set(entry, size);
    return size;
  }

  #formBlocks(): Block[] {
    const starts: Target[] = [];
    const numbers = this.#frames.map((frame) => {
      // The entry is block 0.
      const order = [...frame.leaders].sort((a, b) => (a === frame.entry ? -1 : b === frame.entry ? 1 : a - b));
      const numberOf = new Map<number, number>();
      for (const index of order) {
        if (!frame.insns.has(index)) continue;
        numberOf.set(index, starts.length);
        starts.push({ frame, index });
      }
      return numberOf;
    });
    const blockAt = ({ frame, index }: Target): number => numbers[frame.number]?.get(index) ?? -1;
    return starts.map(({ frame, index: start }) => {
      const list: RegionInsn[] = [];
      for (let i = start; ; i++) {
        const insn = frame.insns.get(i);
        if (!insn || (i !== start && frame.leaders.has(i))) {
          return { start, insns: list, ending: { kind: "branch", to: i }, successors: [blockAt({ frame, index: i })] };
        }
        list.push(insn);
        if (insn.ending) return { start, insns: list, ...endOf(insn.ending, frame.targets.get(i) ?? [], blockAt) };
      }
    });
  }
}

/** How a block ends in the region, and the blocks that follow it. */
function endOf(
  ending: Ending,
  targets: readonly Target[],
  blockAt: (target: Target) => number,
): Pick<Block, "ending" | "successors"> {
  const successors = targets.map(blockAt);
  if (ending.kind === "branchIf") return { ending, successors: [successors[1] ?? -1, successors[0] ?? -1] };
  if (ending.kind === "call" || ending.kind === "return") {
    const [target] = targets;
    if (target === undefined || successors[0] === -1) return { ending: { kind: "leaves" }, successors: [] };
    return { ending: { kind: ending.kind, to: target.index }, successors };
  }
  return { ending, successors };
}

/** Can the instruction leave the code before it is done? */
export function mayLeave(inst: Inst): boolean {
  if (inst.op === "call") return HELPERS[inst.attrs.name as string]?.mayFault === true;
  if (!(inst.op in GUEST_OPS)) return false;
  const effects = GUEST_OPS[inst.op as keyof typeof GUEST_OPS][2];
  return "mayFault" in effects || inst.op === "exception" || inst.op === "host";
}
