import type { RecordOperand } from "../a64/encoding.ts";
import { V, X } from "../cpu/state-layout.ts";
import type { Inst, Reg, Value } from "../ir/builder.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
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
import { lowerCompare } from "./float-fast.ts";
import type { Functions } from "./functions.ts";
import { Lowering, type Way } from "./lowering.ts";
import { FLAG_WORDS, FLAGS } from "./pending-flags.ts";

const I32 = { add: 0x6a, sub: 0x6b, shl: 0x74 };

/** Lowers an instruction with its operands left open: they come from the decoded record, registers are in the PE's block. */
export class HandlerLowering extends Lowering {
  readonly #operands: ReadonlyMap<string, RecordOperand>;
  /** The flag setter of this instruction, for a condition right after it. */
  #producer: FlagProducer | undefined;

  constructor(code: Code, functions: Functions, layout: readonly RecordOperand[]) {
    super(code, functions);
    this.#operands = new Map(layout.map((o) => [o.name, o]));
  }

  operand(name: string, _type: "i32" | "i64"): void {
    const operand = this.#record(name);
    this.code.get(Lowering.RECORD);
    const op = operand.bytes === 1 ? "i32.load8_u" : operand.bytes === 4 ? "i32.load" : "i64.load";
    this.code.memory(op, operand.offset);
  }

  getX(reg: Reg): void {
    this.#address(reg, 3);
    this.code.memory("i64.load", X + 8 * (reg.slot ?? 0));
  }
  setX(reg: Reg, value: Value): void {
    this.#address(reg, 3);
    this.push(value);
    this.code.memory("i64.store", X + 8 * (reg.slot ?? 0));
  }
  getV(reg: Reg): void {
    this.#address(reg, 4);
    this.code.memory("v128.load", V + 16 * (reg.slot ?? 0));
  }
  setV(reg: Reg, value: Value): void {
    this.#address(reg, 4);
    this.push(value);
    this.code.memory("v128.store", V + 16 * (reg.slot ?? 0));
  }

  pc(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    code.call(this.functions.runtime("pcOf"));
  }

  flags(inst: Inst): void {
    const { code } = this;
    const bits = inst.attrs.bits as 32 | 64;
    if (inst.op === "flagsFloat") {
      this.#flagsOf({ kind: "float", bits, ...lowerCompare(this, inst), carry: 0, result: 0 });
      return;
    }
    const [a, b, carry] = inst.args.map((v) => this.localOf(v));
    const kind = inst.op.slice(5).toLowerCase() as FlagProducer["kind"];
    const result = kind === "logic" ? (a as number) : this.temp(bits === 64 ? "i64" : "i32");
    const producer: FlagProducer = { kind, bits, a: a as number, b: b ?? 0, carry: carry ?? 0, result };
    if (kind !== "logic") emitResult(code, producer);
    this.#flagsOf(producer);
  }
  #flagsOf(producer: FlagProducer): void {
    for (const flag of FLAGS) this.#store(flag, () => emitFlag(this.code, producer, flag));
    this.#producer = producer;
  }
  getNZCV(): void {
    emitNZCV(this.code, this.#word);
  }
  setNZCV(value: Value): void {
    const nzcv = this.localOf(value);
    this.#producer = undefined;
    for (const flag of FLAGS) this.#store(flag, () => emitWordOfNZCV(this.code, nzcv, flag));
  }
  getC(): void {
    this.#word("c");
  }
  cond(cond: number): void {
    if (this.#producer && emitCondition(this.code, this.#producer, cond)) return;
    emitConditionFromWords(this.code, this.#word, cond);
  }
  conditionalEdge(): void {
    this.#producer = undefined;
  }
  synchronize(): void {}

  leave(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    code.get(Lowering.BUDGET);
    code.returnCall(this.functions.runtime("leave"));
  }
  raise(ec: number, iss: () => void): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    code.get(Lowering.BUDGET);
    code.i32(ec);
    iss();
    code.returnCall(this.functions.runtime("raise"));
  }

  /** On to the instruction after this one. */
  next(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    code.i32(RECORD_BYTES);
    code.op(I32.add);
    this.#spend();
    code.get(Lowering.RECORD);
    code.memory("i32.load16_u", RECORD_BYTES);
    code.returnCallIndirect(this.functions.handlerType);
  }
  branch(offset: Value): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    this.push(offset);
    code.i32(Math.log2(RECORD_BYTES / 4));
    code.op(I32.shl);
    code.op(I32.add);
    this.#spend();
    code.returnCall(this.functions.runtime("near"));
  }
  branchIf(condition: Value, offset: Value): void {
    const { code } = this;
    this.push(condition);
    code.if();
    this.branch(offset);
    code.end();
    this.next();
  }
  branchTo(target: Value, btype: number): void {
    const { code } = this;
    code.get(Lowering.CPU);
    this.push(target);
    this.#spend();
    code.i32(btype);
    code.returnCall(this.functions.runtime("indirect"));
  }
  host(name: string, args: readonly Value[]): Way {
    const { code } = this;
    code.get(Lowering.CPU);
    code.get(Lowering.RECORD);
    this.#spend();
    code.call(this.functions.runtime("leave"));
    code.get(Lowering.CPU);
    for (const a of args) this.push(a);
    code.call(this.functions.helper(name));
    code.if();
    code.return();
    code.end();
    return "next";
  }

  #spend(): void {
    this.code.get(Lowering.BUDGET);
    this.code.i32(1);
    this.code.op(I32.sub);
  }
  readonly #word = (flag: Flag): void => {
    this.code.get(Lowering.CPU);
    this.code.memory("i32.load", FLAG_WORDS[flag]);
  };
  #store(flag: Flag, push: () => void): void {
    this.code.get(Lowering.CPU);
    push();
    this.code.memory("i32.store", FLAG_WORDS[flag]);
  }
  #record(name: string): RecordOperand {
    const operand = this.#operands.get(name);
    if (!operand) throw new TypeError(`no operand ${name}`);
    return operand;
  }
  /** cpu + register number << shift, or cpu alone when the register is fixed. */
  #address(reg: Reg, shift: number): void {
    const { code } = this;
    code.get(Lowering.CPU);
    if (reg.slot !== undefined) return;
    code.get(Lowering.RECORD);
    code.memory("i32.load8_u", this.#record(reg.name).offset);
    code.i32(shift);
    code.op(PURE_OPS["i32.shl"][0]);
    code.op(I32.add);
  }
}
