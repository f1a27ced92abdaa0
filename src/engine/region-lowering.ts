import {
  CF,
  COUNT_TRANSLATED,
  EXC_EC,
  EXC_ISS,
  EXC_STAGE2,
  EXC_TARGET,
  EXIT,
  EXIT_EXCEPTION,
  FETCH_VA,
  FP_TRAP,
  NF,
  SLOT_DISCARD,
  SLOT_ZR,
  V,
  VF,
  X,
  ZF,
} from "../cpu/state-layout.ts";
import type { Inst, Reg, Value } from "../ir/builder.ts";
import type { Code } from "../wasm/code.ts";
import { RECORD_BYTES } from "./decoded-layout.ts";
import {
  emitCondition,
  emitConditionFromWords,
  emitFlag,
  emitNZCV,
  emitResult,
  emitWordOfNZCV,
  type Flag,
  type FlagProducer,
} from "./flags.ts";
import { asksFast, lowerCompare } from "./float-fast.ts";
import type { Functions } from "./functions.ts";
import { EC_FP_ACCESS, ISS_FP_ACCESS } from "./interpreter.ts";
import { Lowering, type Way } from "./lowering.ts";
import { type Block, mayLeave, type Region, type RegionInsn } from "./region.ts";
import { edge, type Structure, structureOf } from "./structure.ts";
import { wordsOf } from "./vector-fast.ts";

const FLAG_WORDS: Readonly<Record<Flag, number>> = { n: NF, z: ZF, c: CF, v: VF };
const FLAGS: readonly Flag[] = ["n", "z", "c", "v"];
const I32 = { add: 0x6a, sub: 0x6b, leS: 0x4c };
const I64_ADD = 0x7c;

/** What a branch to a WebAssembly block means: going to that block of the region, or to the exit of faults. */
type Label = number | "fault";

/**
 * Lowers a region: guest registers and flags are locals, loaded at entry, and written back where the region is left.
 * Faults, which are rare, share one exit.
 */
export class RegionLowering extends Lowering {
  readonly #region: Region;
  readonly #structure: Structure;
  /** Address of the decoded page. */
  readonly #page: number;
  readonly #x = new Map<number, number>();
  readonly #v = new Map<number, number>();
  readonly #writtenX = new Set<number>();
  readonly #writtenV = new Set<number>();
  readonly #flagLocals: Record<Flag, number> | undefined;
  readonly #flagsWritten: boolean;
  /** Block numbers at whose start the flags matter. */
  readonly #flagsLive: readonly boolean[];
  #producer: FlagProducer | undefined;
  readonly #faultRecord: number;
  /** Vectors of a word each that floating point compares with: what is made once stays in a register. */
  /** FP_FAST. */
  readonly #fast: number | undefined;
  readonly #words = new Map<number, number>();
  /** The open blocks that stand for something, and how deep each is. */
  readonly #labels: { readonly label: Label; readonly depth: number }[] = [];
  #insn: RegionInsn | undefined;
  /** Instructions of the block that are charged already but come after the one being lowered, itself included. */
  #uncharged = 0;
  #fpChecked = false;
  readonly #counting: boolean;

  /** `counting`: the code counts its instructions in COUNT_TRANSLATED. */
  constructor(code: Code, functions: Functions, region: Region, page: number, counting = false) {
    super(code, functions);
    this.#counting = counting;
    this.#region = region;
    this.#page = page;
    this.#structure = structureOf(region.blocks.map((b) => b.successors));
    const used = usage(region);
    for (const slot of used.x) this.#x.set(slot, code.local("i64"));
    for (const n of used.v) this.#v.set(n, code.local("v128"));
    for (const slot of used.writtenX) this.#writtenX.add(slot);
    for (const n of used.writtenV) this.#writtenV.add(n);
    this.#flagsWritten = used.flagsWritten;
    if (used.flags) {
      const local = (): number => code.local("i32");
      this.#flagLocals = { n: local(), z: local(), c: local(), v: local() };
    }
    this.#flagsLive = flagLiveness(region, this.#structure);
    this.#faultRecord = code.local("i32");
    this.#fast = used.fast ? code.local("i32") : undefined;
    for (const word of used.words) this.#words.set(word, code.local("v128"));
  }

  /** Emits the whole function. */
  emit(): void {
    const { code } = this;
    for (const [slot, local] of this.#x) {
      code.get(Lowering.CPU);
      code.memory("i64.load", X + 8 * slot);
      code.set(local);
    }
    for (const [n, local] of this.#v) {
      code.get(Lowering.CPU);
      code.memory("v128.load", V + 16 * n);
      code.set(local);
    }
    if (this.#flagLocals) {
      for (const flag of FLAGS) {
        code.get(Lowering.CPU);
        code.memory("i32.load", FLAG_WORDS[flag]);
        code.set(this.#flagLocals[flag]);
      }
    }
    this.refreshFast();
    for (const [word, local] of this.#words) {
      super.pushWords(word);
      code.set(local);
    }
    this.#open("fault", () => code.block());
    this.#tree(0);
    code.unreachable();
    this.#close();
    // Whatever faulted has put the flags into their locals.
    this.#producer = undefined;
    this.#writeBack();
    code.get(Lowering.CPU);
    code.get(this.#faultRecord);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("leave"));
  }

  // Structure.

  #open(label: Label, emit: () => void): void {
    emit();
    this.#labels.push({ label, depth: this.code.depth });
  }
  #close(): void {
    this.code.end();
    this.#labels.pop();
  }
  #br(label: Label): void {
    const found = this.#labels.findLast((l) => l.label === label);
    if (!found) throw new TypeError(`no label ${label}`);
    this.code.br(this.code.depth - found.depth);
  }

  /** A block and everything that it dominates. */
  #tree(n: number): void {
    const { isLoop, isMerge, children } = this.#structure;
    const merges = (children.get(n) as readonly number[]).filter((c) => isMerge.has(c));
    if (isLoop.has(n)) this.#open(n, () => this.code.loop());
    this.#within(n, merges);
    if (isLoop.has(n)) {
      this.code.unreachable();
      this.#close();
    }
  }

  /** A block, with the blocks that it dominates and that are entered from several places following it. */
  #within(n: number, merges: readonly number[]): void {
    const [first, ...rest] = merges;
    if (first === undefined) {
      this.#block(n);
      return;
    }
    this.#open(first, () => this.code.block());
    this.#within(n, rest);
    this.#close();
    this.#tree(first);
  }

  #block(n: number): void {
    const { code } = this;
    const block = this.#region.blocks[n] as Block;
    this.#producer = undefined;
    this.#fpChecked = false;
    code.get(Lowering.BUDGET);
    code.i32(block.insns.length);
    code.op(I32.sub);
    code.set(Lowering.BUDGET);
    this.#uncharged = block.insns.length;
    this.#count(block.insns.length);
    for (const insn of block.insns) {
      this.#insn = insn;
      if (insn.fp && !this.#fpChecked) {
        code.get(Lowering.CPU);
        code.memory("i32.load", FP_TRAP);
        code.unlikely();
        code.if();
        this.raise(EC_FP_ACCESS, () => code.i32(ISS_FP_ACCESS));
        code.end();
        this.#fpChecked = true;
      }
      if (insn.ending?.kind === "branchIf") {
        this.#conditional(n, block, insn);
        return;
      }
      this.lower(insn.ir);
      this.#uncharged--;
    }
    if (block.ending.kind === "branch") this.#edge(n, block.ending.to, block.successors[0] as number);
  }

  /** The last instruction of a block with two ways out. */
  #conditional(n: number, block: Block, insn: RegionInsn): void {
    const { code } = this;
    const ending = insn.ending as Extract<RegionInsn["ending"], { kind: "branchIf" }>;
    this.#branch = () => {
      const producer = this.#producer;
      code.if();
      this.#edge(n, ending.to, block.successors[0] as number);
      code.end();
      this.#producer = producer;
      this.#edge(n, ending.otherwise, block.successors[1] as number);
    };
    this.lower(insn.ir);
  }
  #branch: () => void = () => {};

  /** Goes to instruction `to`, which is at the start of block `s` if that is not negative. */
  #edge(n: number, to: number, s: number): void {
    const { code } = this;
    const { cut, position, isMerge } = this.#structure;
    if (s < 0 || cut.has(edge(n, s))) {
      this.#near(to);
      return;
    }
    const back = (position.get(s) as number) <= (position.get(n) as number);
    if (back || this.#flagsLive[s]) this.#settleFlags();
    this.#producer = undefined;
    if (back) {
      code.get(Lowering.BUDGET);
      code.i32(0);
      code.op(I32.leS);
      code.unlikely();
      code.if();
      this.#near(to);
      code.end();
      this.#br(s);
    } else if (isMerge.has(s)) this.#br(s);
    else this.#tree(s);
  }

  // Ways out.

  #writeBack(): void {
    const { code } = this;
    for (const slot of this.#writtenX) {
      code.get(Lowering.CPU);
      code.get(this.#x.get(slot) as number);
      code.memory("i64.store", X + 8 * slot);
    }
    for (const n of this.#writtenV) {
      code.get(Lowering.CPU);
      code.get(this.#v.get(n) as number);
      code.memory("v128.store", V + 16 * n);
    }
    if (!this.#flagsWritten) return;
    for (const flag of FLAGS) {
      code.get(Lowering.CPU);
      this.#pushFlag(flag);
      code.memory("i32.store", FLAG_WORDS[flag]);
    }
  }

  /** So many instructions more, for people. */
  #count(instructions: number): void {
    if (!this.#counting) return;
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.CPU);
    code.memory("i64.load", COUNT_TRANSLATED);
    code.i64(instructions, instructions >> 31);
    code.op(I64_ADD);
    code.memory("i64.store", COUNT_TRANSLATED);
  }

  #recordOf(index: number): number {
    return this.#page + index * RECORD_BYTES;
  }

  /** To instruction `to`, which may be outside of the page. */
  #near(to: number): void {
    const { code } = this;
    this.#writeBack();
    code.get(Lowering.CPU);
    code.i32(this.#recordOf(to));
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("near"));
  }

  leave(): void {
    const { code } = this;
    code.i32(this.#recordOf((this.#insn as RegionInsn).index));
    code.set(this.#faultRecord);
    code.get(Lowering.BUDGET);
    code.i32(this.#uncharged);
    code.op(I32.add);
    code.set(Lowering.BUDGET);
    this.#count(-this.#uncharged);
    const producer = this.#producer;
    this.#settleFlags();
    this.#producer = producer;
    this.#br("fault");
  }

  raise(ec: number, iss: () => void): void {
    const word = (offset: number, push: () => void): void => {
      this.code.get(Lowering.CPU);
      push();
      this.code.memory("i32.store", offset);
    };
    word(EXC_EC, () => this.code.i32(ec));
    word(EXC_ISS, iss);
    word(EXC_TARGET, () => this.code.i32(0));
    word(EXC_STAGE2, () => this.code.i32(0));
    word(EXIT, () => this.code.i32(EXIT_EXCEPTION));
    this.leave();
  }

  branch(offset: Value): void {
    // The region's own branches are edges; this is a call.
    if (this.#insn?.ending?.kind !== "leaves") return;
    this.#near(this.#insn.index + (offset.inst.attrs.lo as number) / 4);
  }
  branchIf(condition: Value): void {
    this.push(condition);
    this.#branch();
  }
  branchTo(target: Value, btype: number): void {
    const { code } = this;
    const to = this.localOf(target);
    this.#writeBack();
    code.get(Lowering.CPU);
    code.get(to);
    code.get(Lowering.BUDGET);
    code.i32(btype);
    code.returnCall(this.functions.runtime("indirect"));
  }
  host(name: string, args: readonly Value[]): Way {
    const { code } = this;
    const { index } = this.#insn as RegionInsn;
    const locals = args.map((a) => this.localOf(a));
    this.#writeBack();
    code.get(Lowering.CPU);
    code.i32(this.#recordOf(index));
    code.get(Lowering.BUDGET);
    if (this.#uncharged > 1) {
      code.i32(this.#uncharged - 1);
      code.op(I32.add);
      code.tee(Lowering.BUDGET);
      this.#count(1 - this.#uncharged);
    }
    code.call(this.functions.runtime("leave"));
    code.get(Lowering.CPU);
    for (const local of locals) code.get(local);
    code.call(this.functions.helper(name));
    code.if();
    code.return();
    code.end();
    this.next();
    return "ended";
  }
  next(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.i32(this.#recordOf((this.#insn as RegionInsn).index + 1));
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("near"));
  }

  override pushFast(): void {
    this.code.get(this.#fast as number);
  }
  override refreshFast(): void {
    if (this.#fast === undefined) return;
    super.pushFast();
    this.code.set(this.#fast);
  }
  override pushWords(word: number): void {
    const local = this.#words.get(word);
    if (local === undefined) super.pushWords(word);
    else this.code.get(local);
  }

  // State.

  operand(name: string): void {
    throw new TypeError(`operand ${name} is not known`);
  }
  getX(reg: Reg): void {
    if (reg.slot === SLOT_ZR) this.code.i64(0, 0);
    else this.code.get(this.#x.get(reg.slot as number) as number);
  }
  setX(reg: Reg, value: Value): void {
    if (reg.slot === SLOT_ZR || reg.slot === SLOT_DISCARD) return;
    this.push(value);
    this.code.set(this.#x.get(reg.slot as number) as number);
  }
  getV(reg: Reg): void {
    this.code.get(this.#v.get(reg.slot as number) as number);
  }
  setV(reg: Reg, value: Value): void {
    this.push(value);
    this.code.set(this.#v.get(reg.slot as number) as number);
  }
  pc(): void {
    this.code.get(Lowering.CPU);
    this.code.memory("i64.load", FETCH_VA);
    this.code.i64((this.#insn as RegionInsn).index * 4, 0);
    this.code.op(I64_ADD);
  }
  synchronize(): void {}

  // Flags.

  override retains(local: number): boolean {
    const p = this.#producer;
    return p !== undefined && (local === p.a || local === p.b || local === p.carry || local === p.result);
  }

  flags(inst: Inst): void {
    const { code } = this;
    const bits = inst.attrs.bits as 32 | 64;
    if (inst.op === "flagsFloat") {
      this.#producer = { kind: "float", bits, ...lowerCompare(this, inst), carry: -1, result: -1 };
      return;
    }
    const [a, b, carry] = inst.args.map((v) => this.localOf(v));
    const kind = inst.op.slice(5).toLowerCase() as FlagProducer["kind"];
    const result = kind === "logic" ? (a as number) : this.temp(bits === 64 ? "i64" : "i32");
    const producer: FlagProducer = { kind, bits, a: a as number, b: b ?? -1, carry: carry ?? -1, result };
    if (kind !== "logic") emitResult(code, producer);
    this.#producer = producer;
  }
  getNZCV(): void {
    emitNZCV(this.code, this.#pushFlag);
  }
  setNZCV(value: Value): void {
    const nzcv = this.localOf(value);
    this.#producer = undefined;
    for (const flag of FLAGS) {
      emitWordOfNZCV(this.code, nzcv, flag);
      this.code.set((this.#flagLocals as Record<Flag, number>)[flag]);
    }
  }
  getC(): void {
    this.#pushFlag("c");
  }
  cond(cond: number): void {
    if (this.#producer && emitCondition(this.code, this.#producer, cond)) return;
    emitConditionFromWords(this.code, this.#pushFlag, cond);
  }
  conditionalEdge(): void {
    this.#settleFlags();
  }

  readonly #pushFlag = (flag: Flag): void => {
    if (this.#producer) emitFlag(this.code, this.#producer, flag);
    else this.code.get((this.#flagLocals as Record<Flag, number>)[flag]);
  };

  /** Puts the flags into their locals. */
  #settleFlags(): void {
    const producer = this.#producer;
    if (!producer || !this.#flagLocals) return;
    for (const flag of FLAGS) {
      emitFlag(this.code, producer, flag);
      this.code.set(this.#flagLocals[flag]);
    }
    this.#producer = undefined;
  }
}

interface Usage {
  readonly x: Set<number>;
  readonly v: Set<number>;
  readonly writtenX: Set<number>;
  readonly writtenV: Set<number>;
  readonly flags: boolean;
  readonly flagsWritten: boolean;
  readonly words: Set<number>;
  /** Is there floating point that may be done in line? */
  readonly fast: boolean;
}

function usage(region: Region): Usage {
  const x = new Set<number>();
  const v = new Set<number>();
  const writtenX = new Set<number>();
  const writtenV = new Set<number>();
  const words = new Set<number>();
  let fast = false;
  let flags = false;
  let flagsWritten = false;
  for (const inst of region.blocks.flatMap((b) => b.insns.flatMap((i) => i.ir))) {
    const { op, attrs } = inst;
    fast ||= asksFast(inst);
    const slot = attrs.reg?.slot as number;
    if (op === "getX" && slot !== SLOT_ZR) x.add(slot);
    if (op === "setX" && slot !== SLOT_ZR && slot !== SLOT_DISCARD) {
      x.add(slot);
      writtenX.add(slot);
    }
    if (op === "getV") v.add(slot);
    if (op === "call") for (const word of wordsOf(attrs.name as string)) words.add(word);
    if (op === "setV") {
      v.add(slot);
      writtenV.add(slot);
    }
    if (setsFlags(op)) flagsWritten = true;
    if (setsFlags(op) || readsFlags(op)) flags = true;
  }
  return { x, v, writtenX, writtenV, flags, flagsWritten, words, fast };
}

const setsFlags = (op: string): boolean => op.startsWith("flags") || op === "setNZCV";
const readsFlags = (op: string): boolean => op === "cond" || op === "getNZCV" || op === "getC";

/** For each block: may the flags at its start be looked at, or be written back, before they are set? */
function flagLiveness(region: Region, { position, cut }: Structure): boolean[] {
  const { blocks } = region;
  /** true: live, false: set first, undefined: as after the block. */
  const local = blocks.map((block): boolean | undefined => {
    for (const { ir } of block.insns) {
      let conditional = 0;
      for (const inst of ir) {
        if (readsFlags(inst.op) || mayLeave(inst)) return true;
        if (inst.op === "if") conditional++;
        if (inst.op === "end") conditional--;
        if (setsFlags(inst.op) && conditional === 0) return false;
      }
    }
    return undefined;
  });
  // An edge out of the region, or a back edge, which leaves when the budget is spent.
  const at = (n: number): number => position.get(n) ?? 0;
  const leaves = (n: number, s: number): boolean => s < 0 || cut.has(edge(n, s)) || at(s) <= at(n);
  const live = local.map((l) => l === true);
  for (let changed = true; changed; ) {
    changed = false;
    blocks.forEach((block, n) => {
      if (live[n] || local[n] !== undefined) return;
      const after = block.ending.kind === "leaves" || block.successors.some((s) => leaves(n, s) || live[s]);
      if (after) {
        live[n] = true;
        changed = true;
      }
    });
  }
  return live;
}
