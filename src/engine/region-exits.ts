import {
  ALIGN_CHECK,
  COUNT_TRANSLATED,
  CTX,
  CTX_CHECKED,
  EXIT,
  FETCH_BASE,
  FETCH_VA,
  ITLB,
  ITLB_BASE,
} from "../cpu/state-layout.ts";
import type { Value } from "../ir/builder.ts";
import type { Code } from "../wasm/code.ts";
import { RECORD_BYTES, RECORDS } from "./decoded-layout.ts";
import type { Functions } from "./functions.ts";
import { checkItlb, enterItlbPage, pushItlbEntry } from "./itlb.ts";
import { Labels } from "./labels.ts";
import { Lowering, type Way } from "./lowering.ts";
import { type Block, type Ending, pageNumber, type Region, type RegionInsn } from "./region.ts";
import { type Registers, type Usage, usageOf } from "./region-analysis.ts";
import { RegionState } from "./region-state.ts";
import { type Structure, structureOf } from "./structure.ts";

const I32 = { eqz: 0x45, eq: 0x46, ne: 0x47, add: 0x6a, ltU: 0x49, leS: 0x4c };
const I64_ADD = 0x7c;

/** What the translator tells of a region besides its code. */
export interface RegionContext {
  /** The pages that it has code in (pageNumber). In the code the address of a page's decoded page is the symbol of the page's number. */
  readonly pages: ReadonlySet<number>;
  /** Handlers with this table index or a higher one are regions. */
  readonly firstRegion: number;
  /** The code counts its instructions in COUNT_TRANSLATED. */
  readonly counting: boolean;
  /** ALIGN_CHECK as it is while the code runs: accesses are then checked for alignment. */
  readonly aligned: boolean;
  /** The block of the PE, where there is only one. */
  readonly onlyCpu?: number | undefined;
}

/**
 * The ways into a region and out of it: tail calls straight to the next region where there is one, and one exit that all faults and branches to
 * what is not part of it share, since they are rare and the code of an exit is long.
 */
export abstract class RegionExits extends RegionState {
  protected readonly region: Region;
  protected readonly structure: Structure;
  protected readonly usage: Usage;
  protected readonly context: RegionContext;
  /** Blocks of the region by their numbers, and the shared exit. */
  protected readonly labels: Labels<number | "out" | "out with flags" | "out of loop">;
  /** The block that is being lowered, and the instruction. */
  protected number = 0;
  protected insn: RegionInsn | undefined;
  /** Instructions of the block that are charged already but come after the one being lowered, itself included. */
  protected uncharged = 0;
  /** i64: CTX, which nothing in a region changes. */
  readonly #ctx: number;
  /** i64: CTX_CHECKED, when accesses are checked for alignment. */
  readonly #ctxChecked: number | undefined;
  /** i64: the virtual address of the region's page. FETCH_VA and FETCH_BASE stay that page's while the region runs. */
  readonly #va: number;
  /** i64: where the shared exit goes, or the address of the instruction that has set EXIT. */
  readonly #target: number;

  constructor(code: Code, functions: Functions, region: Region, context: RegionContext) {
    const structure = structureOf(region.blocks.map((b) => b.successors));
    const usage = usageOf(region, structure);
    super(code, functions, usage, context.onlyCpu);
    this.region = region;
    this.structure = structure;
    this.usage = usage;
    this.context = context;
    this.labels = new Labels(code);
    this.#ctx = code.local("i64");
    this.#ctxChecked = context.aligned ? code.local("i64") : undefined;
    this.#va = code.local("i64");
    this.#target = code.local("i64");
  }

  /** Emits the whole function, `body` being what all ways out leave. */
  protected function(body: () => void): void {
    const { code, onlyCpu } = this;
    if (onlyCpu !== undefined) {
      // A constant takes no register, and is part of the offset of each access to the block.
      code.i32(onlyCpu);
      code.set(Lowering.CPU);
    }
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
    this.labels.open("out", () => code.block());
    if (this.usage.flags.used) this.labels.open("out with flags", () => code.block());
    body();
    code.unreachable();
    if (this.usage.flags.used) {
      this.labels.close();
      // Whoever came here has left the flags in locals.
      this.producer = undefined;
      this.storeState({ x: 0, v: 0 }, true);
    }
    this.labels.close();
    this.storeState(this.usage.written, false);
    code.get(Lowering.CPU);
    code.memory("i32.load", EXIT);
    code.if();
    code.get(Lowering.CPU);
    code.get(this.#target);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("leaveAt"));
    code.end();
    this.#enter(this.#target, 0);
    this.#leaveTo(this.#target, 0);
  }

  /** Code that was made for the other way of looking at alignment goes back to the interpreter. */
  #checkMode(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.memory("i32.load", ALIGN_CHECK);
    if (this.context.aligned) code.op(I32.eqz);
    code.unlikely();
    code.if();
    for (const parameter of [Lowering.CPU, Lowering.RECORD, Lowering.BUDGET]) code.get(parameter);
    code.returnCall(this.functions.runtime("unfit"));
    code.end();
  }

  /** From block n to block s: its page must be mapped as it was when the region was made, unless that is known on every way to it. */
  protected enterPage(n: number, s: number, to: number): void {
    const { code } = this;
    const page = pageNumber((this.region.blocks[s] as Block).start);
    if (page === 0 || this.#isKnown(page, n)) return;
    const { producer } = this;
    const va = this.temp("i64");
    const entry = this.temp("i32");
    this.pushAddress(page * RECORDS);
    code.set(va);
    pushItlbEntry(code, va, this.onlyCpu);
    code.set(entry);
    code.block();
    code.block();
    const miss = (): void => {
      code.unlikely();
      code.brIf(0);
    };
    const { onlyCpu } = this;
    checkItlb(code, entry, va, { guardMatters: false, context: () => code.get(this.#ctx), miss, onlyCpu });
    code.get(entry);
    code.memory("i32.load", ITLB + ITLB_BASE + (onlyCpu ?? 0));
    code.address(page, 0);
    code.op(I32.ne);
    miss();
    code.br(1);
    code.end();
    this.exit(n, to);
    code.end();
    this.resume(producer);
  }

  /** Has a page been entered on every way to the end of block n? It stays mapped: whatever changes that is an instruction that leaves. */
  #isKnown(page: number, n: number): boolean {
    for (let at = n; ; at = this.structure.dominator.get(at) as number) {
      if (pageNumber((this.region.blocks[at] as Block).start) === page) return true;
      if (at === 0) return false;
    }
  }

  /** Before a way out: the page, that of the block being lowered, is the one that is executed. */
  #settlePage(page = this.#page): void {
    if (page === 0) return;
    const { code } = this;
    code.get(Lowering.CPU);
    this.pushAddress(page * RECORDS);
    code.memory("i64.store", FETCH_VA);
    code.get(Lowering.CPU);
    code.address(page, 0);
    code.memory("i32.store", FETCH_BASE);
  }

  // Ways out.

  /** So many instructions more, for people. */
  protected count(instructions: number): void {
    if (!this.context.counting) return;
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.CPU);
    code.memory("i64.load", COUNT_TRANSLATED);
    code.i64(instructions, instructions >> 31);
    code.op(I64_ADD);
    code.memory("i64.store", COUNT_TRANSLATED);
  }

  /** Writes back what block n, or what came before it, may have written. */
  protected writeBack(n: number, flags = this.flagsAreOwn): void {
    this.storeState(this.usage.writtenBy[n] as Registers, flags);
  }

  protected get ending(): Ending {
    return (this.region.blocks[this.number] as Block).ending;
  }

  /** Of the block being lowered. */
  get #page(): number {
    return pageNumber((this.region.blocks[this.number] as Block).start);
  }

  /** The address of the record of an instruction in the page of the block being lowered, or right behind it. */
  #pushRecord(index: number): void {
    const page = this.#page;
    this.code.address(page, (index - page * RECORDS) * RECORD_BYTES);
  }

  /** From block n to instruction `to`, which may be outside of the page. */
  protected goto(n: number, to: number): void {
    const { code } = this;
    this.writeBack(n, this.usage.flags.mayAfter[n] as boolean);
    this.number = n;
    if (pageNumber(to) === this.#page) {
      const record = this.temp("i32");
      this.#pushRecord(to);
      code.set(record);
      this.#settlePage();
      this.#dispatch(record);
      return;
    }
    const va = this.temp("i64");
    this.pushAddress(to);
    code.set(va);
    this.jump(va, 0);
  }

  /** Tail call of the region at a record; through the runtime when there is none, or when the budget is spent. */
  #dispatch(record: number): void {
    const { code } = this;
    const handler = this.temp("i32");
    code.block();
    code.get(record);
    code.memory("i32.load16_u", 0);
    code.tee(handler);
    code.i32(this.context.firstRegion);
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
  protected jump(va: number, btype: number): void {
    this.#enter(va, btype);
    this.#settlePage();
    this.#leaveTo(va, btype);
  }

  /** Tail call of the region at the address in a local, if the instruction TLB has its page. */
  #enter(va: number, btype: number): void {
    const { code } = this;
    const entry = this.temp("i32");
    code.block();
    pushItlbEntry(code, va, this.onlyCpu);
    code.set(entry);
    checkItlb(code, entry, va, {
      guardMatters: btype !== 0,
      context: () => code.get(this.#ctx),
      onlyCpu: this.onlyCpu,
      miss: () => {
        code.unlikely();
        code.brIf(0);
      },
    });
    const record = this.temp("i32");
    enterItlbPage(code, va, entry, record, this.onlyCpu);
    this.#dispatch(record);
    code.end();
  }
  #leaveTo(va: number, btype: number): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(va);
    code.get(Lowering.BUDGET);
    code.i32(btype);
    code.returnCall(this.functions.runtime("indirect"));
  }

  leave(): void {
    const { code, producer } = this;
    code.get(Lowering.BUDGET);
    code.i32(this.uncharged);
    code.op(I32.add);
    code.set(Lowering.BUDGET);
    this.count(-this.uncharged);
    this.#out((this.insn as RegionInsn).index, this.flagsAreOwn);
    this.producer = producer;
  }

  /** From the end of block n to instruction `to`, by the shared exit. */
  protected exit(n: number, to: number): void {
    this.#out(to, this.usage.flags.mayAfter[n] as boolean);
  }
  #out(to: number, withFlags: boolean): void {
    this.pushAddress(to);
    this.code.set(this.#target);
    this.deferFlags();
    this.labels.br(withFlags ? "out with flags" : "out");
  }

  raise(ec: number, iss: () => void): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.i32(ec);
    iss();
    code.call(this.functions.runtime("except"));
    this.leave();
  }

  host(name: string, args: readonly Value[]): Way {
    const { code } = this;
    const { index } = this.insn as RegionInsn;
    const locals = args.map((a) => this.localOf(a));
    this.writeBack(this.number);
    this.#settlePage();
    code.get(Lowering.CPU);
    this.#pushRecord(index);
    code.get(Lowering.BUDGET);
    if (this.uncharged > 1) {
      code.i32(this.uncharged - 1);
      code.op(I32.add);
      code.tee(Lowering.BUDGET);
      this.count(1 - this.uncharged);
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
    this.#pushRecord((this.insn as RegionInsn).index + 1);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("near"));
  }

  /** The virtual address of an instruction. */
  protected pushAddress(index: number): void {
    this.code.get(this.#va);
    if (index === 0) return;
    const distance = index * 4;
    this.code.i64(distance | 0, Math.floor(distance / 2 ** 32));
    this.code.op(I64_ADD);
  }
  pc(): void {
    this.pushAddress((this.insn as RegionInsn).index);
  }

  override pushContext(): void {
    this.code.get(this.#ctxChecked ?? this.#ctx);
  }
}
