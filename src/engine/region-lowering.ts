import {
  ALIGN_CHECK,
  COUNT_TRANSLATED,
  CTX,
  CTX_CHECKED,
  FETCH_BASE,
  FETCH_VA,
  FP_TRAP,
  ITLB,
  ITLB_BASE,
} from "../cpu/state-layout.ts";
import type { Inst, Value } from "../ir/builder.ts";
import type { Code } from "../wasm/code.ts";
import { type AccessGroup, type AccessGroups, type GroupedAccess, groupAccesses } from "./access-groups.ts";
import { RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import type { Functions } from "./functions.ts";
import { EC_FP_ACCESS, ISS_FP_ACCESS } from "./interpreter.ts";
import { checkItlb, enterItlbPage, pushItlbEntry } from "./itlb.ts";
import { Lowering, type Way } from "./lowering.ts";
import { checkWalk, type KnownAccess } from "./memory-access.ts";
import { type Block, type Ending, pageNumber, type Region, type RegionInsn } from "./region.ts";
import { type FlagLiveness, flagLiveness, type Registers, type Usage, usageOf } from "./region-analysis.ts";
import { RegionState } from "./region-state.ts";
import { checkedAfter, checkedBefore, withoutCheck } from "./sp-alignment.ts";
import { edge, type Structure, structureOf } from "./structure.ts";
import { withoutClearing, zeroAfter, zeroBefore } from "./upper-halves.ts";
import { type Walk, type Walks, walksOf } from "./walks.ts";

const I32 = {
  eqz: 0x45,
  eq: 0x46,
  ne: 0x47,
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  and: 0x71,
  leS: 0x4c,
  gtS: 0x4a,
  ltU: 0x49,
};
const I64_ADD = 0x7c;
const I64_EQ = 0x51;

/** Turns of a loop that stays where it is: as many as one that goes through a page a byte at a time has. */
const MOST_TURNS = 4095;

/** What a branch to a WebAssembly block means: going to that block of the region, or to the exit of faults. */
type Label = number | "fault" | "fault with flags" | "out of loop";

/** What the translator tells of a region besides its code. */
export interface RegionContext {
  /** Addresses of the decoded pages, by pageNumber(). */
  readonly pages: ReadonlyMap<number, number>;
  /** Handlers with this table index or a higher one are regions. */
  readonly firstRegion: number;
  /** The code counts its instructions in COUNT_TRANSLATED. */
  readonly counting: boolean;
  /** ALIGN_CHECK as it is while the code runs: accesses are then checked for alignment. */
  readonly aligned: boolean;
}

/**
 * Lowers a region: WebAssembly's own control flow between its blocks, and tail calls out of it, straight to the next region where there is
 * one. Faults, which are rare, share one exit.
 */
export class RegionLowering extends RegionState {
  readonly #region: Region;
  readonly #structure: Structure;
  readonly #usage: Usage;
  readonly #context: RegionContext;
  /** Block numbers at whose start the flags matter. */
  readonly #flagsLive: readonly FlagLiveness[];
  /** By block: SP is known to be aligned, or not to be checked, at its start. */
  readonly #spChecked: readonly boolean[];
  /** By block: the vector registers whose upper halves are zero at its start. */
  readonly #zeroAbove: readonly number[];
  /** i64: CTX, which nothing in a region changes. */
  readonly #ctx: number;
  /** i64: CTX_CHECKED, when accesses are checked for alignment. */
  readonly #ctxChecked: number | undefined;
  /** i64: the virtual address of the region's page. FETCH_VA and FETCH_BASE stay that page's while the region runs. */
  readonly #va: number;
  /** i32 each: the record and the page (pageNumber) of an instruction that faulted. */
  readonly #faultRecord: number;
  readonly #faultPage: number;
  /** Of the block being lowered: its number; its accesses that share a check; and where each group is in linear memory, 0 if unknown. */
  #number = 0;
  #groups: AccessGroups = new Map();
  #bases = new Map<AccessGroup, number>();
  readonly #freeBases: number[] = [];
  /** The open blocks that stand for something, and how deep each is. */
  readonly #labels: { readonly label: Label; readonly depth: number }[] = [];
  #insn: RegionInsn | undefined;
  /** Instructions of the block that are charged already but come after the one being lowered, itself included. */
  #uncharged = 0;
  #fpChecked = false;

  constructor(code: Code, functions: Functions, region: Region, context: RegionContext) {
    const structure = structureOf(region.blocks.map((b) => b.successors));
    const usage = usageOf(region, structure);
    super(code, functions, usage);
    this.#region = region;
    this.#structure = structure;
    this.#usage = usage;
    this.#context = context;
    this.#flagsLive = flagLiveness(region, structure);
    this.#spChecked = checkedBefore(region.blocks, structure);
    this.#zeroAbove = zeroBefore(region.blocks, structure);
    this.#ctx = code.local("i64");
    this.#ctxChecked = context.aligned ? code.local("i64") : undefined;
    this.#va = code.local("i64");
    this.#faultRecord = code.local("i32");
    this.#faultPage = code.local("i32");
  }

  /** Emits the whole function. */
  emit(): void {
    const { code } = this;
    this.#checkMode();
    this.loadState();
    code.get(Lowering.CPU);
    code.memory("i64.load", CTX);
    code.set(this.#ctx);
    if (this.#ctxChecked !== undefined) {
      code.get(Lowering.CPU);
      code.memory("i64.load", CTX_CHECKED);
      code.set(this.#ctxChecked);
    }
    code.get(Lowering.CPU);
    code.memory("i64.load", FETCH_VA);
    code.set(this.#va);
    this.#open("fault", () => code.block());
    if (this.#usage.flags.used) this.#open("fault with flags", () => code.block());
    this.#tree(0);
    code.unreachable();
    if (this.#usage.flags.used) {
      this.#close();
      // Whatever faulted has left the flags in locals.
      this.producer = undefined;
      this.storeState({ x: 0, v: 0 }, true);
    }
    this.#close();
    this.storeState(this.#usage.written, false);
    for (const page of this.#context.pages.keys()) {
      if (page === 0) continue;
      code.get(this.#faultPage);
      code.i32(page);
      code.op(I32.eq);
      code.if();
      this.#settlePage(page);
      code.end();
    }
    code.get(Lowering.CPU);
    code.get(this.#faultRecord);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("leave"));
  }

  /** Code that was made for the other way of looking at alignment goes back to the interpreter. */
  #checkMode(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.memory("i32.load", ALIGN_CHECK);
    if (this.#context.aligned) code.op(I32.eqz);
    code.unlikely();
    code.if();
    for (const parameter of [Lowering.CPU, Lowering.RECORD, Lowering.BUDGET]) code.get(parameter);
    code.returnCall(this.functions.runtime("unfit"));
    code.end();
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
    this.producer = undefined;
    this.#tree(first);
  }

  #block(n: number): void {
    const block = this.#region.blocks[n] as Block;
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

  /** Before the instructions of a block. */
  #start(n: number, block: Block): void {
    const { code } = this;
    this.#fpChecked = false;
    this.flagsAreOwn = this.#usage.flags.mayBefore[n] as boolean;
    this.#number = n;
    // Accesses that share a check would need their alignment checked one by one.
    this.#groups = this.#context.aligned ? new Map() : groupAccesses(block);
    this.#freeBases.push(...this.#bases.values());
    this.#bases = new Map();
    code.get(Lowering.BUDGET);
    code.i32(block.insns.length);
    code.op(I32.sub);
    code.set(Lowering.BUDGET);
    this.#uncharged = block.insns.length;
    this.#count(block.insns.length);
  }

  #instructions(n: number, block: Block, conditional: (insn: RegionInsn) => void): void {
    const list = this.#irOf(n, block);
    for (const [i, insn] of block.insns.entries()) {
      this.#insn = insn;
      if (insn.fp) this.#checkFP();
      if (insn.ending?.kind === "branchIf") {
        conditional(insn);
        return;
      }
      this.lower(list[i] as readonly Inst[]);
      this.#uncharged--;
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
    if (this.#context.aligned || successors.filter((s) => s === n).length !== 1) return undefined;
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
    const turn = (again: () => void): void =>
      this.#instructions(n, block, (insn) => {
        this.#branch = () => {
          if (to === n) code.op(I32.eqz);
          // No hint that the way out is rare: what comes after it would be thought rare, too.
          code.if();
          const { producer } = this;
          if (next >= 0 && this.#flagsLive[next] === "read") this.settleFlags();
          else this.deferFlags();
          this.#br("out of loop");
          code.end();
          this.resume(producer);
          again();
        };
        this.lower(insn.ir);
      });
    this.#open("out of loop", () => code.block());
    code.block();
    this.#walkPages(n, block, walks, turn);
    code.end();
    this.producer = undefined;
    this.#start(n, block);
    turn(() => this.#edge(n, block.start, n));
    this.#close();
    this.producer = undefined;
    this.#edge(n, after, next);
  }

  #walkPages(n: number, block: Block, walks: Walks, turn: (again: () => void) => void): void {
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
    const local = (): number => this.#freeBases.pop() ?? code.local("i32");
    const limit = local();
    code.i32(MOST_TURNS);
    code.set(limit);
    const locals = new Map(walks.list.map((walk) => [walk, { delta: local(), base: local() }]));
    for (const walk of walks.list) {
      checkWalk(this, walk, {
        first: firstOffset(walks, walk),
        delta: locals.get(walk)?.delta as number,
        turns: limit,
        pushX: (slot) => this.getX({ file: "x", slot, name: "" }),
        fail,
      });
    }
    // What is left of the budget when those turns are over, but not less than nothing.
    const { length } = block.insns;
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
    code.set(limit);
    code.loop();
    const head = code.depth;
    this.#start(n, block);
    this.#fpChecked = true;
    this.#walking = (inst) => {
      const access = walks.of.get(this.#insn as RegionInsn)?.get(inst);
      return access && { ...access, ...(locals.get(access.walk) as { delta: number; base: number }) };
    };
    turn(() => {
      if (this.#flagsLive[n] === "read") this.settleFlags();
      code.get(Lowering.BUDGET);
      code.get(limit);
      code.op(I32.gtS);
      code.likely();
      code.brIf(code.depth - head);
      this.#edge(n, block.start, n);
    });
    this.#walking = undefined;
    code.end();
    this.#freeBases.push(limit, ...[...locals.values()].flatMap(({ delta, base }) => [delta, base]));
  }
  #walking: ((inst: Inst) => KnownAccess | undefined) | undefined;
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
    const { cut, position, isMerge, isLoop } = this.#structure;
    if (s < 0 || cut.has(edge(n, s))) {
      this.#goto(n, to);
      return;
    }
    if ((position.get(s) as number) <= (position.get(n) as number)) {
      const { producer } = this;
      code.get(Lowering.BUDGET);
      code.i32(0);
      code.op(I32.leS);
      code.unlikely();
      code.if();
      this.#goto(n, to);
      code.end();
      this.resume(producer);
      this.#enterPage(n, s, to);
      this.#deliverFlags(s);
      this.#br(s);
    } else if (isMerge.has(s)) {
      this.#enterPage(n, s, to);
      this.#deliverFlags(s);
      this.#br(s);
    } else {
      this.#enterPage(n, s, to);
      // A block with one way in knows what set the flags.
      if (isLoop.has(s)) this.#deliverFlags(s);
      this.#tree(s);
    }
  }

  /** From block n to block s: its page must be mapped as it was when the region was made, unless that is known on every way to it. */
  #enterPage(n: number, s: number, to: number): void {
    const { code } = this;
    const page = pageNumber((this.#region.blocks[s] as Block).start);
    if (page === 0 || this.#isKnown(page, n)) return;
    const { producer } = this;
    const va = this.temp("i64");
    const entry = this.temp("i32");
    this.#pushAddress(page * RECORDS);
    code.set(va);
    pushItlbEntry(code, va);
    code.set(entry);
    code.block();
    code.block();
    const miss = (): void => {
      code.unlikely();
      code.brIf(0);
    };
    checkItlb(code, entry, va, { guardMatters: false, context: () => code.get(this.#ctx), miss });
    code.get(entry);
    code.memory("i32.load", ITLB + ITLB_BASE);
    code.i32(this.#decodedPage(page));
    code.op(I32.ne);
    miss();
    code.br(1);
    code.end();
    this.#goto(n, to);
    code.end();
    this.resume(producer);
  }

  /** Has a page been entered on every way to the end of block n? It stays mapped: whatever changes that is an instruction that leaves. */
  #isKnown(page: number, n: number): boolean {
    for (let at = n; ; at = this.#structure.dominator.get(at) as number) {
      if (pageNumber((this.#region.blocks[at] as Block).start) === page) return true;
      if (at === 0) return false;
    }
  }

  #decodedPage(page: number): number {
    return this.#context.pages.get(page) as number;
  }

  /** Before a way out: the page, that of the block being lowered, is the one that is executed. */
  #settlePage(page = this.#page): void {
    if (page === 0) return;
    const { code } = this;
    code.get(Lowering.CPU);
    this.#pushAddress(page * RECORDS);
    code.memory("i64.store", FETCH_VA);
    code.get(Lowering.CPU);
    code.i32(this.#decodedPage(page));
    code.memory("i32.store", FETCH_BASE);
  }

  /** Leaves the flags as a block that is entered from several places wants them. */
  #deliverFlags(s: number): void {
    const live = this.#flagsLive[s];
    if (live === "read") this.settleFlags();
    else if (live === "kept") this.deferFlags();
    this.producer = undefined;
  }

  // Ways out.

  /** So many instructions more, for people. */
  #count(instructions: number): void {
    if (!this.#context.counting) return;
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.CPU);
    code.memory("i64.load", COUNT_TRANSLATED);
    code.i64(instructions, instructions >> 31);
    code.op(I64_ADD);
    code.memory("i64.store", COUNT_TRANSLATED);
  }

  /** Writes back what block n, or what came before it, may have written. */
  #writeBack(n: number, flags = this.flagsAreOwn): void {
    this.storeState(this.#usage.writtenBy[n] as Registers, flags);
  }

  get #ending(): Ending {
    return (this.#region.blocks[this.#number] as Block).ending;
  }

  /** Of the block being lowered. */
  get #page(): number {
    return pageNumber((this.#region.blocks[this.#number] as Block).start);
  }

  /** The record of an instruction in the page of the block being lowered, or right behind it. */
  #recordOf(index: number): number {
    const page = this.#page;
    return this.#decodedPage(page) + (index - page * RECORDS) * RECORD_BYTES;
  }

  /** From block n to instruction `to`, which may be outside of the page. */
  #goto(n: number, to: number): void {
    const { code } = this;
    this.#writeBack(n, this.#usage.flags.mayAfter[n] as boolean);
    this.#number = n;
    if (pageNumber(to) === this.#page) {
      const record = this.temp("i32");
      code.i32(this.#recordOf(to));
      code.set(record);
      this.#settlePage();
      this.#dispatch(record);
      return;
    }
    const va = this.temp("i64");
    this.#pushAddress(to);
    code.set(va);
    this.#jump(va, 0);
  }

  /** Tail call of the region at a record; through the runtime when there is none, or when the budget is spent. */
  #dispatch(record: number): void {
    const { code } = this;
    const handler = this.temp("i32");
    code.block();
    code.get(record);
    code.memory("i32.load", 0);
    code.tee(handler);
    code.i32(this.#context.firstRegion);
    code.op(I32.ltU);
    code.unlikely();
    code.brIf(0);
    code.get(Lowering.BUDGET);
    code.i32(0);
    code.op(I32.leS);
    code.unlikely();
    code.brIf(0);
    code.get(Lowering.CPU);
    code.get(record);
    code.get(Lowering.BUDGET);
    code.get(handler);
    code.returnCallIndirect(this.functions.handlerType);
    code.end();
    code.get(Lowering.CPU);
    code.get(record);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("near"));
  }

  /** To the address in a local: by the instruction TLB, and through the runtime when that has not got it, or for a guarded page. */
  #jump(va: number, btype: number): void {
    const { code } = this;
    const entry = this.temp("i32");
    code.block();
    pushItlbEntry(code, va);
    code.set(entry);
    checkItlb(code, entry, va, {
      guardMatters: btype !== 0,
      context: () => code.get(this.#ctx),
      miss: () => {
        code.unlikely();
        code.brIf(0);
      },
    });
    const record = this.temp("i32");
    enterItlbPage(code, va, entry, record);
    this.#dispatch(record);
    code.end();
    this.#settlePage();
    code.get(Lowering.CPU);
    code.get(va);
    code.get(Lowering.BUDGET);
    code.i32(btype);
    code.returnCall(this.functions.runtime("indirect"));
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
    const { producer } = this;
    this.deferFlags();
    this.producer = producer;
    if (this.#page !== 0) {
      code.i32(this.#page);
      code.set(this.#faultPage);
    }
    this.#br(this.flagsAreOwn ? "fault with flags" : "fault");
  }

  raise(ec: number, iss: () => void): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.i32(ec);
    iss();
    code.call(this.functions.runtime("except"));
    this.leave();
  }

  branch(offset: Value): void {
    // The region's own branches are edges; this is a call out of it.
    if (this.#ending.kind !== "leaves") return;
    this.#goto(this.#number, (this.#insn as RegionInsn).index + (offset.inst.attrs.lo as number) / 4);
  }
  branchIf(condition: Value): void {
    this.push(condition);
    this.#branch();
  }
  branchTo(target: Value, btype: number): void {
    const to = this.localOf(target);
    const { code, producer } = this;
    const n = this.#number;
    const ending = this.#ending;
    if (ending.kind === "return") {
      code.get(to);
      this.#pushAddress(ending.to);
      code.op(I64_EQ);
      code.likely();
      code.if();
      this.#edge(n, ending.to, this.#region.blocks[n]?.successors[0] as number);
      code.end();
      this.#number = n;
      this.resume(producer);
      this.reserve([to]);
    }
    this.#writeBack(n, this.#usage.flags.mayAfter[n] as boolean);
    this.#jump(to, btype);
  }
  host(name: string, args: readonly Value[]): Way {
    const { code } = this;
    const { index } = this.#insn as RegionInsn;
    const locals = args.map((a) => this.localOf(a));
    this.#writeBack(this.#number);
    this.#settlePage();
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

  /** The virtual address of an instruction. */
  #pushAddress(index: number): void {
    this.code.get(this.#va);
    if (index === 0) return;
    const distance = index * 4;
    this.code.i64(distance | 0, Math.floor(distance / 2 ** 32));
    this.code.op(I64_ADD);
  }
  pc(): void {
    this.#pushAddress((this.#insn as RegionInsn).index);
  }

  // Memory.

  override pushContext(): void {
    this.code.get(this.#ctxChecked ?? this.#ctx);
  }
  override get checksAlignment(): boolean {
    return this.#context.aligned;
  }
  override groupOf(inst: Inst): (GroupedAccess & { readonly base: number }) | undefined {
    const grouped = this.#groups.get(this.#insn as RegionInsn)?.get(inst);
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

/** The first access of a walk in the block: its place in the walk's range. */
function firstOffset(walks: Walks, walk: Walk): number {
  for (const accesses of walks.of.values()) {
    for (const access of accesses.values()) if (access.walk === walk && access.isFirst) return access.offset;
  }
  throw new TypeError("a walk without a first access");
}
