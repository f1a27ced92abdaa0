import { CTX, FP_FAST } from "../cpu/state-layout.ts";

import type { Inst, Reg, Value } from "../ir/builder.ts";
import { HELPERS } from "../ir/helpers.ts";
import { LANE_OPS, PURE_OPS } from "../ir/pure-ops.ts";
import type { Code } from "../wasm/code.ts";
import type { ValueType } from "../wasm/types.ts";
import type { GroupedAccess } from "./access-groups.ts";
import { deferrable } from "./deferred-values.ts";
import { lowerFloat } from "./float-fast.ts";
import type { Functions } from "./functions.ts";
import { type KnownAccess, lowerLoad, lowerProbe, lowerStore } from "./memory-access.ts";

/** How an instruction leaves the code that is being made; what an `Inst` of `ends` becomes. */
export type Way = "next" | "ended";

/**
 * Lowers the IR of one instruction to WebAssembly. What is the same for the interpreter and for translated code is here; where
 * registers and flags live, and how code is left, is the subclass's.
 *
 * A value that is used once, in a place where it still has the same meaning, is computed there; any other goes to a local.
 */
export abstract class Lowering {
  /** Parameters of every handler and region (docs/architecture.md). */
  static readonly CPU = 0;
  static readonly RECORD = 1;
  static readonly BUDGET = 2;

  readonly code: Code;
  readonly functions: Functions;
  /** The block of the PE, where there is only one. */
  readonly onlyCpu: number | undefined;
  /** The local of a value, by its id. */
  #locals: (number | undefined)[] = [];
  /** By id: does that local hold, as a float, the value whose bits an integer value is? */
  #floats: (true | undefined)[] = [];
  /** By the first value of a pair that was loaded: the local of the other. */
  readonly #seconds = new Map<Value, number>();
  /** By id: is the value computed where it is used? */
  #deferred: readonly boolean[] = [];
  /** Locals for values, by type: free ones, and those that this instruction has taken. */
  readonly #free: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #taken: [ValueType, number][] = [];

  constructor(code: Code, functions: Functions, onlyCpu?: number) {
    this.code = code;
    this.functions = functions;
    this.onlyCpu = onlyCpu;
  }

  /** Lowers the IR of one instruction. The result says whether control goes on to the next instruction. */
  lower(insts: readonly Inst[]): Way {
    const kept = this.#taken.filter(([, local]) => this.retains(local));
    for (const [type, local] of this.#taken) if (!this.retains(local)) this.#free[type].push(local);
    this.#taken = kept;
    this.#locals = [];
    this.#floats = [];
    this.#seconds.clear();
    this.#deferred = deferrable(insts);
    let way: Way = "next";
    for (const inst of insts) {
      if (inst.value) {
        if (this.#deferred[inst.value.id] || isConstant(inst)) continue;
        if (inst.op === "call" && this.#callInLine(inst, inst.value)) continue;
        if (this.#emitValue(inst)) this.#keep(inst.value);
        continue;
      }
      if (this.#emitEffect(inst) === "ended") way = "ended";
    }
    return way;
  }

  /** A local for the rest of this instruction. */
  temp(type: ValueType): number {
    const local = this.#free[type].pop() ?? this.code.local(type);
    this.#taken.push([type, local]);
    return local;
  }

  /** A local for the second value of a pair, whose first is `v`. */
  second(v: Value): number {
    const local = this.temp("i64");
    this.#seconds.set(v, local);
    return local;
  }

  /** Takes locals of an earlier instruction back, which code emitted since then has let go. */
  protected reserve(locals: readonly number[]): void {
    for (const [type, free] of Object.entries(this.#free) as [ValueType, number[]][]) {
      for (const local of locals) {
        const at = free.indexOf(local);
        if (at < 0) continue;
        free.splice(at, 1);
        this.#taken.push([type, local]);
      }
    }
  }

  /** Is a local of an earlier instruction still needed? */
  retains(_local: number): boolean {
    return false;
  }

  /** Puts a value on the stack. */
  push(v: Value): void {
    const local = this.#locals[v.id];
    if (local === undefined) {
      this.#emitValue(v.inst);
      return;
    }
    this.code.get(local);
    if (this.#floats[v.id]) this.code.op(PURE_OPS[v.type === "i64" ? "i64.reinterpret_f64" : "i32.reinterpret_f32"][0]);
  }

  /** Puts the float on the stack whose bits an i32 or i64 is. */
  pushFloat(v: Value): void {
    const { code } = this;
    const local = this.#locals[v.id];
    const wide = v.type === "i64";
    if (local !== undefined && this.#floats[v.id]) code.get(local);
    else if (local === undefined && isElement(v)) {
      this.push(v.inst.args[0] as Value);
      code.lane(LANE_OPS[wide ? "f64x2.extract_lane" : "f32x4.extract_lane"][0], v.inst.attrs.lane as number);
    } else if (local === undefined && signOperation(v)) {
      this.pushFloat(v.inst.args[0] as Value);
      code.op(PURE_OPS[`${wide ? "f64" : "f32"}.${signOperation(v) as "neg" | "abs"}`][0]);
    } else {
      this.push(v);
      code.op(PURE_OPS[wide ? "f64.reinterpret_i64" : "f32.reinterpret_i32"][0]);
    }
  }

  /** Puts a vector on the stack whose lowest element is the float; the others are any. */
  pushInVector(v: Value): void {
    if (this.#locals[v.id] === undefined && isElement(v) && v.inst.attrs.lane === 0) this.push(v.inst.args[0] as Value);
    else if (this.#locals[v.id] === undefined && signOperation(v)) {
      this.pushInVector(v.inst.args[0] as Value);
      this.code.op(PURE_OPS[`${v.type === "i64" ? "f64x2" : "f32x4"}.${signOperation(v) as "neg" | "abs"}`][0]);
    } else {
      this.pushFloat(v);
      this.code.op(PURE_OPS[v.type === "i64" ? "f64x2.splat" : "f32x4.splat"][0]);
    }
  }

  /** Puts FP_FAST on the stack. */
  pushFast(): void {
    this.code.get(Lowering.CPU);
    this.code.memory("i32.load", FP_FAST);
  }
  /** Called after a helper that may have changed FP_FAST. */
  refreshFast(): void {}

  /** Puts a vector on the stack whose every word is the same. */
  pushWords(word: number): void {
    this.code.v128(Array.from({ length: 16 }, (_, i) => (word >> (8 * (i & 3))) & 0xff));
  }

  /** Is the float at least as near as its bits? */
  #isFloat(v: Value): boolean {
    if (this.#locals[v.id] !== undefined) return this.#floats[v.id] === true;
    return isElement(v) || (signOperation(v) !== undefined && this.#isFloat(v.inst.args[0] as Value));
  }

  /** The value in a local: its own, or a new one. */
  localOf(v: Value): number {
    let local = this.#locals[v.id];
    if (local === undefined || this.#floats[v.id]) {
      this.push(v);
      const isNew = local === undefined;
      local = this.temp(v.type);
      this.code.set(local);
      // A constant may be asked for again where this local has not been set.
      if (isNew && !isConstant(v.inst)) this.#locals[v.id] = local;
    }
    return local;
  }

  // What subclasses give.

  abstract operand(name: string, type: "i32" | "i64"): void;
  abstract getX(reg: Reg): void;
  abstract setX(reg: Reg, value: Value): void;
  abstract getV(reg: Reg): void;
  abstract setV(reg: Reg, value: Value): void;
  /** The address of the instruction. */
  abstract pc(): void;
  abstract flags(inst: Inst): void;
  abstract getNZCV(): void;
  abstract setNZCV(value: Value): void;
  abstract getC(): void;
  abstract cond(cond: number): void;
  /** Puts CTX, an i64, on the stack. */
  pushContext(): void {
    this.code.get(Lowering.CPU);
    this.code.memory("i64.load", CTX);
  }
  /** Do accesses have to be checked for their natural alignment before they may be quick? */
  get checksAlignment(): boolean {
    return false;
  }
  /** The accesses that a load or store shares its TLB check with; `base`: the local with their range's address in linear memory, or 0. */
  groupOf(_inst: Inst): (GroupedAccess & { readonly base: number }) | undefined {
    return undefined;
  }
  /** Where an access is that needs no check. */
  walkOf(_inst: Inst): KnownAccess | undefined {
    return undefined;
  }
  /** What is where in linear memory may have changed. */
  forgetGroups(): void {}

  /** Called at the edges of the branches of an `if`: what is known of the flags holds on one side only. */
  abstract conditionalEdge(): void;
  /** Writes registers that a helper reads back to the PE's block, before; takes what it wrote, after. */
  abstract synchronize(when: "before" | "after"): void;
  /** Leaves with the state before this instruction; EXIT and what belongs to it are set. */
  abstract leave(): void;
  /** Takes a synchronous exception: class, and the ISS on the stack as an i32. */
  abstract raise(ec: number, iss: () => void): void;
  abstract branch(offset: Value): void;
  abstract branchIf(condition: Value, offset: Value): void;
  abstract branchTo(target: Value, btype: number): void;
  abstract host(name: string, args: readonly Value[]): Way;
  /** On to the instruction after this one, from code that ends here. */
  abstract next(): void;

  #keep(v: Value): void {
    const local = this.temp(v.type);
    this.code.set(local);
    this.#locals[v.id] = local;
  }

  /** Emits an instruction that gives a value, and leaves it on the stack. False: it has none (a call of no result). */
  #emitValue(inst: Inst): boolean {
    const { code } = this;
    const { op, args, attrs } = inst;
    if (op in PURE_OPS) {
      for (const a of args) this.push(a);
      code.op(PURE_OPS[op as keyof typeof PURE_OPS][0]);
      return true;
    }
    switch (op) {
      case "const":
        this.#constant(inst);
        return true;
      case "operand":
        this.operand(attrs.operand as string, inst.value?.type as "i32" | "i64");
        return true;
      case "getX":
        this.getX(attrs.reg as Reg);
        return true;
      case "getV":
        this.getV(attrs.reg as Reg);
        return true;
      case "pc":
        this.pc();
        return true;
      case "getWord":
        code.get(Lowering.CPU);
        code.memory("i32.load", attrs.offset as number);
        return true;
      case "getSlot":
        code.get(Lowering.CPU);
        this.push(args[0] as Value);
        code.op(PURE_OPS["i32.add"][0]);
        code.memory("i64.load", 0);
        return true;
      case "getNZCV":
        this.getNZCV();
        return true;
      case "getC":
        this.getC();
        return true;
      case "cond":
        this.cond(attrs.cond as number);
        return true;
      case "select":
        for (const a of args) this.push(a);
        code.select((args[0] as Value).type);
        return true;
      case "shuffle":
        for (const a of args) this.push(a);
        code.shuffle(attrs.lanes as readonly number[]);
        return true;
      case "lane":
        this.#lane(inst);
        return true;
      case "second":
        code.get(this.#seconds.get(args[0] as Value) as number);
        return true;
      case "load":
        lowerLoad(this, args[0] as Value, inst);
        return true;
      case "call":
        return this.#call(inst);
      default:
        throw new TypeError(`no lowering of ${op}`);
    }
  }

  #emitEffect(inst: Inst): Way {
    const { code } = this;
    const { op, args, attrs } = inst;
    switch (op) {
      case "setX":
        this.setX(attrs.reg as Reg, args[0] as Value);
        return "next";
      case "setV":
        this.setV(attrs.reg as Reg, args[0] as Value);
        return "next";
      case "setWord":
        code.get(Lowering.CPU);
        this.push(args[0] as Value);
        code.memory("i32.store", attrs.offset as number);
        return "next";
      case "setSlot":
        code.get(Lowering.CPU);
        this.push(args[0] as Value);
        code.op(PURE_OPS["i32.add"][0]);
        this.push(args[1] as Value);
        code.memory("i64.store", 0);
        return "next";
      case "flagsAdd":
      case "flagsSub":
      case "flagsLogic":
      case "flagsAdc":
      case "flagsFloat":
        this.flags(inst);
        return "next";
      case "setNZCV":
        this.setNZCV(args[0] as Value);
        return "next";
      case "store":
        lowerStore(this, inst);
        return "next";
      case "probeWrite":
        lowerProbe(this, args[0] as Value, inst);
        return "next";
      case "call":
        this.#call(inst);
        return "next";
      case "if":
        this.conditionalEdge();
        this.push(args[0] as Value);
        code.if();
        return "next";
      case "else":
        this.conditionalEdge();
        code.else();
        return "next";
      case "end":
        this.conditionalEdge();
        code.end();
        return "next";
      case "trapIf":
        this.push(args[0] as Value);
        code.unlikely();
        code.if();
        this.raise(attrs.ec as number, () => code.i32(attrs.lo as number));
        code.end();
        return "next";
      case "branch":
        this.branch(args[0] as Value);
        return "ended";
      case "branchIf":
        this.branchIf(args[0] as Value, args[1] as Value);
        return "ended";
      case "branchTo":
        this.branchTo(args[0] as Value, attrs.btype as number);
        return "ended";
      case "exception":
        this.raise(attrs.ec as number, () => this.push(args[0] as Value));
        return "ended";
      case "host":
        return this.host(attrs.name as string, args);
      case "hostIf":
        this.push(args[0] as Value);
        code.if();
        if (this.host(attrs.name as string, args.slice(1)) === "next") this.next();
        code.end();
        return "next";
      default:
        throw new TypeError(`no lowering of ${op}`);
    }
  }

  #constant({ attrs, value }: Inst): void {
    if (value?.type === "v128") this.code.v128(attrs.lanes as readonly number[]);
    else if (value?.type === "i64") this.code.i64(attrs.lo as number, attrs.hi as number);
    else this.code.i32(attrs.lo as number);
  }

  #lane({ args, attrs }: Inst): void {
    const { code } = this;
    const [v, element] = args as [Value, Value?];
    const float = attrs.name === "i64x2.replace_lane" ? "f64x2" : attrs.name === "i32x4.replace_lane" ? "f32x4" : "";
    if (v.inst.op === "const" && element?.inst.op === "const" && float !== "") {
      const { lo = 0, hi = 0 } = element.inst.attrs;
      const bytes = [...(v.inst.attrs.lanes as readonly number[])];
      const size = float === "f64x2" ? 8 : 4;
      for (let i = 0; i < size; i++)
        bytes[size * (attrs.lane as number) + i] = ((i < 4 ? lo : hi) >> (8 * (i & 3))) & 0xff;
      code.v128(bytes);
      return;
    }
    this.push(v);
    if (element && float !== "" && this.#isFloat(element)) {
      this.pushFloat(element);
      code.lane(LANE_OPS[`${float}.replace_lane`][0], attrs.lane as number);
      return;
    }
    if (element) this.push(element);
    code.lane(LANE_OPS[attrs.name as keyof typeof LANE_OPS][0], attrs.lane as number);
  }

  /** A call whose work is done in line. False: nothing was emitted. */
  #callInLine(inst: Inst, value: Value): boolean {
    const result = lowerFloat(this, inst);
    if (!result) return false;
    this.#locals[value.id] = result.local;
    if (result.type !== value.type) this.#floats[value.id] = true;
    return true;
  }

  #call({ args, attrs }: Inst): boolean {
    const { code } = this;
    const name = attrs.name as string;
    const helper = HELPERS[name];
    if (!helper) throw new TypeError(`no helper ${name}`);
    if (helper.touchesState) this.synchronize("before");
    code.get(Lowering.CPU);
    for (const a of args) this.push(a);
    code.call(this.functions.helper(name));
    if (name.startsWith("fp")) this.refreshFast();
    if (helper.touchesState) this.synchronize("after");
    if (helper.mayFault) {
      this.leaveIfExit();
      this.forgetGroups();
    }
    return helper.result !== "";
  }

  /** After a call that may have set EXIT. */
  leaveIfExit(): void {
    const { code } = this;
    code.get(Lowering.CPU);
    code.memory("i32.load", this.functions.exitOffset);
    code.unlikely();
    code.if();
    this.leave();
    code.end();
  }
}

function isConstant(inst: Inst): boolean {
  return inst.op === "const";
}

/** Is the value a word or doubleword taken from a vector? */
function isElement({ inst }: Value): boolean {
  return inst.op === "lane" && (inst.attrs.name === "i64x2.extract_lane" || inst.attrs.name === "i32x4.extract_lane");
}

/** FPNeg() or FPAbs() of a bit pattern. */
function signOperation({ inst, type }: Value): "neg" | "abs" | undefined {
  const { lo, hi } = inst.args[1]?.inst.op === "const" ? inst.args[1].inst.attrs : {};
  const isSign = type === "i64" ? lo === 0 && hi === MIN : lo === MIN;
  const isRest = type === "i64" ? lo === -1 && hi === MAX : lo === MAX;
  if (inst.op === `${type}.xor` && isSign) return "neg";
  return inst.op === `${type}.and` && isRest ? "abs" : undefined;
}
const MIN = -0x80000000;
const MAX = 0x7fffffff;
