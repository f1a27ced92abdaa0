import { FP_FAST_ARITHMETIC, FP_FAST_NO_FLUSH, FP_TRAP } from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import type { Code } from "../wasm/code.ts";
import { type AccessGroup, type AccessGroups, type GroupedAccess, groupAccesses } from "./access-groups.ts";
import { asksFast } from "./float-fast.ts";
import type { Functions } from "./functions.ts";
import { EC_FP_ACCESS, ISS_FP_ACCESS } from "./interpreter.ts";
import { Lowering } from "./lowering.ts";
import { checkWalk, type KnownAccess } from "./memory-access.ts";
import type { Block, Ending, Region, RegionInsn } from "./region.ts";
import { type FlagLiveness, flagLiveness } from "./region-analysis.ts";
import { type RegionContext, RegionExits } from "./region-exits.ts";
import { checkedAfter, checkedBefore, withoutCheck } from "./sp-alignment.ts";
import { edge } from "./structure.ts";
import { withoutClearing, zeroAfter, zeroBefore } from "./upper-halves.ts";
import { type Walk, type Walks, walksOf } from "./walks.ts";

const I32 = { eqz: 0x45, ne: 0x47, add: 0x6a, sub: 0x6b, mul: 0x6c, leS: 0x4c, gtS: 0x4a };
const I64_EQ = 0x51;

/** Turns of a loop that stays where it is: as many as one that goes through a page a byte at a time has. */
const MOST_TURNS = 4095;

/** FP_FAST with all that it may say. */
const ALL_FAST = FP_FAST_ARITHMETIC | FP_FAST_NO_FLUSH;

/**
 * How many turns of a loop are there one after the other: V8 asks in each turn of its own loop whether it is to stop, and steps cost less together. Those
 * left at a page's end are done one by one, so a page must have many.
 */
function turnsTogether(walks: readonly Walk[]): number {
  const stride = Math.max(...walks.map((walk) => Math.abs(walk.stride)));
  return stride <= 16 ? 4 : stride <= 64 ? 2 : 1;
}

/** Lowers a region: WebAssembly's own control flow between its blocks. */
export class RegionLowering extends RegionExits {
  /** Block numbers at whose start the flags matter. */
  readonly #flagsLive: readonly FlagLiveness[];
  /** By block: SP is known to be aligned, or not to be checked, at its start. */
  readonly #spChecked: readonly boolean[];
  /** By block: the vector registers whose upper halves are zero at its start. */
  readonly #zeroAbove: readonly number[];
  /** Of the block being lowered: its accesses that share a check; and where each group is in linear memory, 0 if unknown. */
  #groups: AccessGroups = new Map();
  #bases = new Map<AccessGroup, number>();
  readonly #freeBases: number[] = [];
  #fpChecked = false;

  constructor(code: Code, functions: Functions, region: Region, context: RegionContext) {
    super(code, functions, region, context);
    const { blocks } = region;
    this.#flagsLive = flagLiveness(region, this.structure);
    this.#spChecked = checkedBefore(blocks, this.structure);
    this.#zeroAbove = zeroBefore(blocks, this.structure);
  }

  /** Emits the whole function. */
  emit(): void {
    this.function(() => this.#tree(0));
  }

  // Structure.

  /** A block and everything that it dominates. */
  #tree(n: number): void {
    const { isLoop, isMerge, children } = this.structure;
    const merges = (children.get(n) as readonly number[]).filter((c) => isMerge.has(c));
    if (isLoop.has(n)) this.labels.open(n, () => this.code.loop());
    this.#within(n, merges);
    if (isLoop.has(n)) {
      this.code.unreachable();
      this.labels.close();
    }
  }

  /** A block, with the blocks that it dominates and that are entered from several places following it. */
  #within(n: number, merges: readonly number[]): void {
    const [first, ...rest] = merges;
    if (first === undefined) {
      this.#block(n);
      return;
    }
    this.labels.open(first, () => this.code.block());
    this.#within(n, rest);
    this.labels.close();
    this.producer = undefined;
    this.#tree(first);
  }

  #block(n: number): void {
    const block = this.region.blocks[n] as Block;
    const walks = this.#walksOf(n, block);
    if (walks !== undefined) {
      this.#walkingLoop(n, block, walks);
      return;
    }
    this.#start(n, block);
    this.#instructions(n, block, (insn) => this.#conditional(n, block, insn));
    const { ending } = block;
    if (ending.kind === "branch" || ending.kind === "call") this.#edge(n, ending.to, block.successors[0] as number);
  }

  /** Before the instructions of a block. @param charged how many are taken from the budget */
  #start(n: number, block: Block, charged = block.insns.length): void {
    this.#fpChecked = false;
    this.flagsAreOwn = this.usage.flags.mayBefore[n] as boolean;
    this.number = n;
    // Accesses that share a check would need their alignment checked one by one.
    this.#groups = this.context.aligned ? new Map() : groupAccesses(block);
    this.#freeBases.push(...this.#bases.values());
    this.#bases = new Map();
    this.#charge(charged);
    this.uncharged = block.insns.length;
  }

  #charge(instructions: number): void {
    if (instructions === 0) return;
    const { code } = this;
    code.get(Lowering.BUDGET);
    code.i32(instructions);
    code.op(I32.sub);
    code.set(Lowering.BUDGET);
    this.count(instructions);
  }

  #instructions(n: number, block: Block, conditional: (insn: RegionInsn) => void): void {
    const list = this.#irOf(n, block);
    for (const [i, insn] of block.insns.entries()) {
      this.insn = insn;
      if (insn.fp) this.#checkFP();
      if (insn.ending?.kind === "branchIf") {
        conditional(insn);
        return;
      }
      this.lower(list[i] as readonly Inst[]);
      this.uncharged--;
    }
  }

  /** Of the instructions of a block, without checks of SP that are known to pass, and without clearing what is zero. */
  #irOf(n: number, { insns }: Block): (readonly Inst[])[] {
    let isChecked = this.#spChecked[n] as boolean;
    let zero = this.#zeroAbove[n] as number;
    return insns.map(({ ir, fp }) => {
      let needed = isChecked ? withoutCheck(ir) : ir;
      isChecked = checkedAfter(ir, isChecked);
      if (fp) {
        needed = withoutClearing(needed, zero);
        zero = zeroAfter(ir, zero);
      }
      return needed;
    });
  }

  // Loops of one block that walk through memory (walks.ts).

  #walksOf(n: number, block: Block): Walks | undefined {
    const { successors } = block;
    if (this.context.aligned || successors.filter((s) => s === n).length !== 1) return undefined;
    return walksOf(block, this.#irOf(n, block));
  }

  /**
   * The loop is there twice: without checks, for the turns in which no walk leaves its page; and as it is, for the turns between, one at a
   * time, and where something is not in the data TLB.
   */
  #walkingLoop(n: number, block: Block, walks: Walks): void {
    const { code } = this;
    const [to] = block.successors;
    const ending = block.ending as Extract<Ending, { kind: "branchIf" }>;
    const after = to === n ? ending.otherwise : ending.to;
    const next = block.successors[to === n ? 1 : 0] as number;
    const turn = (again: () => void, refund = 0): void =>
      this.#instructions(n, block, (insn) => {
        this.#branch = () => {
          if (to === n) code.op(I32.eqz);
          // No hint that the way out is rare: what comes after it would be thought rare, too.
          code.if();
          this.#charge(-refund);
          const { producer } = this;
          if (next >= 0 && this.#flagsLive[next] === "read") this.settleFlags();
          else this.deferFlags();
          this.labels.br("out of loop");
          code.end();
          this.resume(producer);
          again();
        };
        this.lower(insn.ir);
      });
    this.labels.open("out of loop", () => code.block());
    code.block();
    this.#walkPages(n, block, walks, turn);
    code.end();
    this.producer = undefined;
    this.#start(n, block);
    turn(() => this.#edge(n, block.start, n));
    this.labels.close();
    this.producer = undefined;
    this.#edge(n, after, next);
  }

  /** @param turn emits a turn, which gives so many instructions back to the budget when it is the last one. */
  #walkPages(n: number, block: Block, walks: Walks, turn: (again: () => void, refund: number) => void): void {
    const { code } = this;
    const checked = code.depth;
    const fail = (): void => {
      code.unlikely();
      code.brIf(code.depth - checked);
    };
    if (block.insns.some(({ fp }) => fp)) {
      code.get(Lowering.CPU);
      code.memory("i32.load", FP_TRAP);
      fail();
    }
    if (block.insns.some(({ ir }) => ir.some(asksFast))) {
      super.pushFast();
      code.i32(ALL_FAST);
      code.op(I32.ne);
      fail();
    }
    const local = (): number => this.#freeBases.pop() ?? code.local("i32");
    const limit = local();
    code.i32(MOST_TURNS);
    code.set(limit);
    const bases = new Map(walks.list.map((walk) => [walk, local()]));
    for (const [walk, base] of bases) {
      checkWalk(this, walk, {
        base,
        turns: limit,
        pushX: (slot) => this.getX({ file: "x", slot, name: "" }),
        fail,
      });
    }
    // What is left of the budget when those turns are over, but not less than nothing; and more, as several are done at a time.
    const { length } = block.insns;
    const together = turnsTogether(walks.list);
    code.get(Lowering.BUDGET);
    code.get(limit);
    code.i32(length);
    code.op(I32.mul);
    code.op(I32.sub);
    code.i32(length);
    code.op(I32.sub);
    code.tee(limit);
    code.i32(0);
    code.get(limit);
    code.i32(0);
    code.op(I32.gtS);
    code.select("i32");
    code.i32((together - 1) * length);
    code.op(I32.add);
    code.set(limit);
    if (together > 1) {
      code.get(Lowering.BUDGET);
      code.get(limit);
      code.op(I32.leS);
      fail();
    }
    code.loop();
    const head = code.depth;
    const advance = (turns: number, which: (stride: number) => boolean): void => {
      for (const [{ stride }, base] of bases) {
        if (!which(stride)) continue;
        code.get(base);
        code.i32(stride * turns);
        code.op(I32.add);
        code.set(base);
      }
    };
    const turnOf = (number: number): void => {
      this.#start(n, block, number === 0 ? together * length : 0);
      this.#fpChecked = true;
      this.#walking = (inst) => {
        const access = walks.of.get(this.insn as RegionInsn)?.get(inst);
        if (access === undefined) return undefined;
        const { walk, offset } = access;
        return { base: bases.get(walk) as number, offset: offset + number * Math.max(walk.stride, 0) };
      };
      turn(
        () => {
          // An offset is not negative: what goes down goes by its base.
          advance(1, (stride) => stride < 0);
          if (this.#flagsLive[n] === "read") this.settleFlags();
          if (number < together - 1) {
            turnOf(number + 1);
            return;
          }
          advance(together, (stride) => stride > 0);
          code.get(Lowering.BUDGET);
          code.get(limit);
          code.op(I32.gtS);
          code.likely();
          code.brIf(code.depth - head);
          this.#edge(n, block.start, n);
        },
        (together - 1 - number) * length,
      );
    };
    turnOf(0);
    this.#walking = undefined;
    code.end();
    this.#freeBases.push(limit, ...bases.values());
  }
  #walking: ((inst: Inst) => KnownAccess | undefined) | undefined;
  /** A loop that walks was entered with floating point in line. */
  override pushFast(): void {
    if (this.#walking) this.code.i32(ALL_FAST);
    else super.pushFast();
  }
  override walkOf(inst: Inst): KnownAccess | undefined {
    return this.#walking?.(inst);
  }

  #checkFP(): void {
    if (this.#fpChecked) return;
    const { code } = this;
    code.get(Lowering.CPU);
    code.memory("i32.load", FP_TRAP);
    code.unlikely();
    code.if();
    this.raise(EC_FP_ACCESS, () => code.i32(ISS_FP_ACCESS));
    code.end();
    this.#fpChecked = true;
  }

  /** The last instruction of a block with two ways out. */
  #conditional(n: number, block: Block, insn: RegionInsn): void {
    const { code } = this;
    const ending = insn.ending as Extract<RegionInsn["ending"], { kind: "branchIf" }>;
    this.#branch = () => {
      const { producer } = this;
      code.if();
      this.#edge(n, ending.to, block.successors[0] as number);
      code.end();
      this.resume(producer);
      this.#edge(n, ending.otherwise, block.successors[1] as number);
    };
    this.lower(insn.ir);
  }
  #branch: () => void = () => {};

  /** Goes to instruction `to`, which is at the start of block `s` if that is not negative. */
  #edge(n: number, to: number, s: number): void {
    const { code } = this;
    const { cut, position, isMerge, isLoop } = this.structure;
    if (s < 0 || cut.has(edge(n, s))) {
      this.exit(n, to);
      return;
    }
    if ((position.get(s) as number) <= (position.get(n) as number)) {
      const { producer } = this;
      code.get(Lowering.BUDGET);
      code.i32(0);
      code.op(I32.leS);
      code.unlikely();
      code.if();
      this.exit(n, to);
      code.end();
      this.resume(producer);
      this.enterPage(n, s, to);
      this.#deliverFlags(s);
      this.labels.br(s);
    } else if (isMerge.has(s)) {
      this.enterPage(n, s, to);
      this.#deliverFlags(s);
      this.labels.br(s);
    } else {
      this.enterPage(n, s, to);
      // A block with one way in knows what set the flags.
      if (isLoop.has(s)) this.#deliverFlags(s);
      this.#tree(s);
    }
  }

  /** Leaves the flags as a block that is entered from several places wants them. */
  #deliverFlags(s: number): void {
    const live = this.#flagsLive[s];
    if (live === "read") this.settleFlags();
    else if (live === "kept") this.deferFlags();
    this.producer = undefined;
  }

  branch(offset: Value): void {
    // The region's own branches are edges; this is a call out of it.
    if (this.ending.kind !== "leaves") return;
    this.goto(this.number, (this.insn as RegionInsn).index + (offset.inst.attrs.lo as number) / 4);
  }
  branchIf(condition: Value): void {
    this.push(condition);
    this.#branch();
  }
  branchTo(target: Value, btype: number): void {
    const to = this.localOf(target);
    const { code, producer } = this;
    const n = this.number;
    const ending = this.ending;
    if (ending.kind === "return") {
      code.get(to);
      this.pushAddress(ending.to);
      code.op(I64_EQ);
      code.likely();
      code.if();
      this.#edge(n, ending.to, this.region.blocks[n]?.successors[0] as number);
      code.end();
      this.number = n;
      this.resume(producer);
      this.reserve([to]);
    }
    this.writeBack(n, this.usage.flags.mayAfter[n] as boolean);
    this.jump(to, btype);
  }
  // Memory.

  override get checksAlignment(): boolean {
    return this.context.aligned;
  }
  override groupOf(inst: Inst): (GroupedAccess & { readonly base: number }) | undefined {
    const grouped = this.#groups.get(this.insn as RegionInsn)?.get(inst);
    if (!grouped) return undefined;
    let base = this.#bases.get(grouped.group);
    if (base === undefined) {
      base = this.#freeBases.pop() ?? this.code.local("i32");
      this.#bases.set(grouped.group, base);
    }
    return { ...grouped, base };
  }
  override forgetGroups(): void {
    for (const base of this.#bases.values()) {
      this.code.i32(0);
      this.code.set(base);
    }
  }
}
