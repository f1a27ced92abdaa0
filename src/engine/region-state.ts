import { PENDING_FLAGS, SLOT_DISCARD, SLOT_ZR } from "../cpu/state-layout.ts";
import type { Inst, Reg, Value } from "../ir/builder.ts";
import type { Code } from "../wasm/code.ts";
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
import { lowerCompare } from "./float-fast.ts";
import type { Functions } from "./functions.ts";
import { Lowering } from "./lowering.ts";
import {
  emitDeferred,
  emitPending,
  emitStoreDeferred,
  FLAG_WORDS,
  FLAGS,
  type PendingLocals,
} from "./pending-flags.ts";
import { numberOfSlot, numbersOf, offsetOf, type Registers, type Usage, V_BASE } from "./region-analysis.ts";

const I32_NE = 0x47;
/** A kind of pending flags in a region: it has set none yet. */
const UNTOUCHED = -1;

/**
 * Guest registers and flags as locals of a region: loaded at its entry, written back where it is left. The flags of the last
 * instruction that set them stay its operands for as long as they can.
 */
export abstract class RegionState extends Lowering {
  /** Locals of registers, numbered as region-analysis.ts says. */
  readonly #registers = new Map<number, number>();
  /** The flags that the region is entered with are read; may be those that it is left with, though it sets flags elsewhere. */
  readonly #entering: boolean;
  readonly #mayStay: boolean;
  readonly #flagLocals: Record<Flag, number> | undefined;
  /** The flags between blocks, when nothing but a way out may want them: they hold if the kind is above 0, else the words do. */
  readonly #pending: PendingLocals | undefined;
  #producer: FlagProducer | undefined;
  /** The region may have set the flags by the point that is being lowered. */
  protected flagsAreOwn = false;
  /** Vectors of one word each that floating point compares with: what is made once stays in a register. */
  readonly #words = new Map<number, number>();
  /** FP_FAST. */
  readonly #fast: number | undefined;

  constructor(code: Code, functions: Functions, usage: Usage, onlyCpu: number | undefined) {
    super(code, functions, onlyCpu);
    this.#entering = usage.flags.entering;
    this.#mayStay = usage.flags.mayStay && !usage.flags.entering;
    for (const n of numbersOf(usage.used)) this.#registers.set(n, code.local(n < V_BASE ? "i64" : "v128"));
    this.#fast = usage.fast ? code.local("i32") : undefined;
    for (const word of usage.words) this.#words.set(word, code.local("v128"));
    if (usage.flags.used) {
      const local = (): number => code.local("i32");
      this.#flagLocals = { n: local(), z: local(), c: local(), v: local() };
      this.#pending = { kind: local(), a: code.local("i64"), b: code.local("i64") };
    }
  }

  /** Loads the locals. */
  protected loadState(): void {
    const { code } = this;
    for (const [n, local] of this.#registers) {
      code.get(Lowering.CPU);
      code.memory(n < V_BASE ? "i64.load" : "v128.load", offsetOf(n));
      code.set(local);
    }
    this.refreshFast();
    for (const [word, local] of this.#words) {
      super.pushWords(word);
      code.set(local);
    }
    if (this.#mayStay) {
      code.i32(UNTOUCHED);
      code.set((this.#pending as PendingLocals).kind);
    }
    if (!this.#flagLocals || !this.#entering) return;
    code.get(Lowering.CPU);
    code.memory("i32.load", PENDING_FLAGS);
    code.if();
    code.get(Lowering.CPU);
    code.call(this.functions.runtime("settle"));
    code.end();
    for (const flag of FLAGS) {
      code.get(Lowering.CPU);
      code.memory("i32.load", FLAG_WORDS[flag]);
      code.set(this.#flagLocals[flag]);
    }
  }

  /** Writes registers back to the PE's block, and the flags, pending ones as such, if the region has them. */
  protected storeState(registers: Registers, flags: boolean): void {
    const { code } = this;
    for (const n of numbersOf(registers)) {
      code.get(Lowering.CPU);
      code.get(this.#registers.get(n) as number);
      code.memory(n < V_BASE ? "i64.store" : "v128.store", offsetOf(n));
    }
    if (!flags || (this.#producer && emitPending(code, this.#producer))) return;
    if (this.#producer) {
      code.get(Lowering.CPU);
      code.i32(0);
      code.memory("i32.store", PENDING_FLAGS);
      this.#storeWords();
      return;
    }
    const pending = this.#pending as PendingLocals;
    if (this.#mayStay) {
      code.get(pending.kind);
      code.i32(UNTOUCHED);
      code.op(I32_NE);
      code.if();
    }
    emitStoreDeferred(code, pending);
    this.#storeWords();
    if (this.#mayStay) code.end();
  }

  #storeWords(): void {
    const { code } = this;
    for (const flag of FLAGS) {
      code.get(Lowering.CPU);
      this.#pushFlag(flag);
      code.memory("i32.store", FLAG_WORDS[flag]);
    }
  }

  operand(name: string): void {
    throw new TypeError(`operand ${name} is not known`);
  }
  getX(reg: Reg): void {
    if (reg.slot === SLOT_ZR) this.code.i64(0, 0);
    else this.code.get(this.#registers.get(numberOfSlot(reg.slot as number)) as number);
  }
  setX(reg: Reg, value: Value): void {
    if (reg.slot === SLOT_ZR || reg.slot === SLOT_DISCARD) return;
    this.push(value);
    this.code.set(this.#registers.get(numberOfSlot(reg.slot as number)) as number);
  }
  getV(reg: Reg): void {
    this.code.get(this.#registers.get(V_BASE + (reg.slot as number)) as number);
  }
  setV(reg: Reg, value: Value): void {
    this.push(value);
    this.code.set(this.#registers.get(V_BASE + (reg.slot as number)) as number);
  }
  synchronize(): void {}

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

  /** The instruction whose flags are not in their locals yet. */
  protected get producer(): FlagProducer | undefined {
    return this.#producer;
  }
  protected set producer(producer: FlagProducer | undefined) {
    this.#producer = producer;
  }

  override retains(local: number): boolean {
    const p = this.#producer;
    return p !== undefined && (local === p.a || local === p.b || local === p.carry || local === p.result);
  }

  flags(inst: Inst): void {
    const { code } = this;
    this.flagsAreOwn = true;
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
    this.flagsAreOwn = true;
    for (const flag of FLAGS) {
      emitWordOfNZCV(this.code, nzcv, flag);
      this.code.set((this.#flagLocals as Record<Flag, number>)[flag]);
    }
    this.#wordsHold();
  }
  getC(): void {
    this.#pushFlag("c");
  }
  cond(cond: number): void {
    if (this.#producer && emitCondition(this.code, this.#producer, cond)) return;
    emitConditionFromWords(this.code, this.#pushFlag, cond);
  }
  conditionalEdge(): void {
    this.settleFlags();
  }

  /** Keeps what set the flags for a block that only a way out of may want them from. */
  protected deferFlags(): void {
    if (!this.#producer || !this.#pending) return;
    if (emitDeferred(this.code, this.#producer, this.#pending)) this.#producer = undefined;
    else this.settleFlags();
  }

  /** The producer is, once more, what set the flags: other code has been emitted since. */
  protected resume(producer: FlagProducer | undefined): void {
    this.#producer = producer;
    if (producer) this.reserve([producer.a, producer.b, producer.carry, producer.result]);
  }

  #wordsHold(): void {
    this.code.i32(0);
    this.code.set((this.#pending as PendingLocals).kind);
  }

  /** Puts the flags into their locals. */
  protected settleFlags(): void {
    const producer = this.#producer;
    if (!producer || !this.#flagLocals) return;
    for (const flag of FLAGS) {
      emitFlag(this.code, producer, flag);
      this.code.set(this.#flagLocals[flag]);
    }
    this.#wordsHold();
    this.#producer = undefined;
  }

  readonly #pushFlag = (flag: Flag): void => {
    if (this.#producer) emitFlag(this.code, this.#producer, flag);
    else this.code.get((this.#flagLocals as Record<Flag, number>)[flag]);
  };
}
