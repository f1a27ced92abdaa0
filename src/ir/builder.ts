import { fold } from "./fold.ts";
import { ACC_ALIGNED, ACC_RMW, GUEST_OPS } from "./guest-ops.ts";
import { HELPERS } from "./helpers.ts";
import { checkType, namespaceOf } from "./pure-namespaces.ts";
import { LANE_OPS, type PURE_OPS } from "./pure-ops.ts";
import type { Type } from "./types.ts";

/** A value of the IR: defined once, by one instruction of the list. Ids are dense from 0 in every list. */
export interface Value<T extends Type = Type> {
  readonly id: number;
  readonly type: T;
  readonly inst: Inst;
}
export type I32 = Value<"i32">;
export type I64 = Value<"i64">;
export type V128 = Value<"v128">;

/** A register operand: the slot (X) or number (V) is known to the translator, and a byte of the record to the interpreter. */
export interface Reg {
  readonly file: "x" | "v";
  /** The slot, when known. */
  readonly slot: number | undefined;
  /** Which operand of the encoding it is. */
  readonly name: string;
}

export type OpName = keyof typeof PURE_OPS | keyof typeof LANE_OPS | keyof typeof GUEST_OPS;

export interface Attrs {
  readonly reg?: Reg;
  readonly lo?: number;
  readonly hi?: number;
  readonly operand?: string;
  readonly offset?: number;
  readonly bits?: 32 | 64;
  readonly cond?: number;
  readonly bytes?: number;
  readonly align?: number;
  readonly acc?: number;
  readonly pair?: boolean;
  readonly name?: string;
  readonly lane?: number;
  readonly lanes?: readonly number[];
  readonly ec?: number;
  readonly after?: boolean;
  readonly btype?: number;
  readonly kind?: "jump" | "call" | "return";
}

/** One instruction of the IR. */
export interface Inst {
  readonly op: OpName;
  readonly args: readonly Value[];
  readonly attrs: Attrs;
  readonly value: Value | undefined;
}

type ValueOf<S extends string> = S extends Type ? Value<S> : Value;
type ArgsOf<S extends string> = S extends `${infer A} ${infer R}` ? [ValueOf<A>, ...ArgsOf<R>] : [ValueOf<S>];
type PureTable = typeof PURE_OPS;
type Namespace<P extends string> = {
  readonly [K in keyof PureTable as K extends `${P}.${infer M}` ? M : never]: (
    ...args: ArgsOf<PureTable[K][2]>
  ) => Value<PureTable[K][1]>;
};

/** Integer operations of one width, so that a semantic function reads the same for W and X registers. */
export interface IntOps<T extends "i32" | "i64" = "i32" | "i64"> {
  readonly type: T;
  readonly bits: 32 | 64;
  /** Reads a general register (its low half for i32). */
  get(r: Reg): Value<T>;
  /** Writes a general register; an i32 is zero-extended. */
  set(r: Reg, v: Value<T>): void;
  const(v: number): Value<T>;
  /** From an i64, cut to the width. */
  from64(v: I64): Value<T>;
  /** Zero-extended. */
  to64(v: Value<T>): I64;
  /** From an i32, zero-extended. */
  from32(v: I32): Value<T>;
  /** From an i32, sign-extended. */
  from32s(v: I32): Value<T>;
  add(a: Value<T>, b: Value<T>): Value<T>;
  sub(a: Value<T>, b: Value<T>): Value<T>;
  mul(a: Value<T>, b: Value<T>): Value<T>;
  /** Traps in WebAssembly for a zero divisor and for MIN / -1: guard with select. */
  div_s(a: Value<T>, b: Value<T>): Value<T>;
  div_u(a: Value<T>, b: Value<T>): Value<T>;
  and(a: Value<T>, b: Value<T>): Value<T>;
  or(a: Value<T>, b: Value<T>): Value<T>;
  xor(a: Value<T>, b: Value<T>): Value<T>;
  not(a: Value<T>): Value<T>;
  /** Shift amounts are taken modulo the width. */
  shl(a: Value<T>, b: Value<T>): Value<T>;
  shr_s(a: Value<T>, b: Value<T>): Value<T>;
  shr_u(a: Value<T>, b: Value<T>): Value<T>;
  rotr(a: Value<T>, b: Value<T>): Value<T>;
  rotl(a: Value<T>, b: Value<T>): Value<T>;
  clz(a: Value<T>): Value<T>;
  ctz(a: Value<T>): Value<T>;
  popcnt(a: Value<T>): Value<T>;
  eqz(a: Value<T>): I32;
  eq(a: Value<T>, b: Value<T>): I32;
  ne(a: Value<T>, b: Value<T>): I32;
  lt_s(a: Value<T>, b: Value<T>): I32;
  lt_u(a: Value<T>, b: Value<T>): I32;
  gt_s(a: Value<T>, b: Value<T>): I32;
  gt_u(a: Value<T>, b: Value<T>): I32;
  le_s(a: Value<T>, b: Value<T>): I32;
  le_u(a: Value<T>, b: Value<T>): I32;
  ge_s(a: Value<T>, b: Value<T>): I32;
  ge_u(a: Value<T>, b: Value<T>): I32;
}

/** How memory is accessed: `align`: the alignment unit when alignment is checked (default: the size); `acc`: ACC_* flags. */
export interface Access {
  readonly align?: number;
  readonly acc?: number;
}

/**
 * Builds the IR of one instruction, or of a run of them. The semantic functions of a64/ see only this.
 *
 * Order matters: everything that may fault comes before the first write of a register, so that a fault leaves the state
 * as it was before the instruction.
 */
export class Builder {
  #insts: Inst[] = [];
  #next = 0;

  /** What has been built so far. */
  get insts(): readonly Inst[] {
    return this.#insts;
  }
  /** Gives what has been built, and starts anew: making a builder costs more than most instructions take. */
  take(): readonly Inst[] {
    const insts = this.#insts;
    this.#insts = [];
    this.#next = 0;
    return insts;
  }

  readonly i32 = namespaceOf<Namespace<"i32">>("i32", this);
  readonly i64 = namespaceOf<Namespace<"i64">>("i64", this);
  readonly f32 = namespaceOf<Namespace<"f32">>("f32", this);
  readonly f64 = namespaceOf<Namespace<"f64">>("f64", this);
  readonly v128 = namespaceOf<Namespace<"v128">>("v128", this);
  readonly i8x16 = namespaceOf<Namespace<"i8x16">>("i8x16", this);
  readonly i16x8 = namespaceOf<Namespace<"i16x8">>("i16x8", this);
  readonly i32x4 = namespaceOf<Namespace<"i32x4">>("i32x4", this);
  readonly i64x2 = namespaceOf<Namespace<"i64x2">>("i64x2", this);
  readonly f32x4 = namespaceOf<Namespace<"f32x4">>("f32x4", this);
  readonly f64x2 = namespaceOf<Namespace<"f64x2">>("f64x2", this);
  readonly w: IntOps<"i32"> = this.#intOps("i32") as unknown as IntOps<"i32">;
  readonly x: IntOps<"i64"> = this.#intOps("i64") as unknown as IntOps<"i64">;

  /** The integer operations of datasize 32 (sf = 0) or 64 (sf = 1). */
  int(sf: number): IntOps {
    return (sf ? this.x : this.w) as unknown as IntOps;
  }

  /** Appends an instruction. Throws TypeError if an argument's type is not what the opcode's row says. */
  emit<T extends Type>(op: OpName, type: T | "", args: readonly Value[], attrs: Attrs = {}): Value<T> {
    const folded = type === "i32" || type === "i64" ? fold(op, args) : undefined;
    if (folded) {
      if ("inst" in folded) return folded as Value<T>;
      return this.emit("const", type, [], folded);
    }
    const inst: { -readonly [K in keyof Inst]: Inst[K] } = { op, args, attrs, value: undefined };
    if (type !== "") inst.value = { id: this.#next++, type, inst };
    this.#insts.push(inst);
    return inst.value as Value<T>;
  }

  const32(v: number): I32 {
    return this.emit("const", "i32", [], { lo: v | 0, hi: 0 });
  }
  /** A 64-bit constant from its two halves (`hi` defaults to the sign of `lo`). */
  const64(lo: number, hi = lo < 0 ? -1 : 0): I64 {
    return this.emit("const", "i64", [], { lo: lo | 0, hi: hi | 0 });
  }
  /** A vector constant from its 16 bytes. */
  constV(bytes: readonly number[]): V128 {
    if (bytes.length !== 16) throw new TypeError(`constV: expected 16 bytes, found ${bytes.length}`);
    return this.emit("const", "v128", [], { lanes: bytes });
  }
  zeroV(): V128 {
    return this.constV(new Array(16).fill(0));
  }

  getX(r: Reg): I64 {
    if (r.file !== "x") throw new TypeError(`getX: ${r.name} is no general register`);
    return this.emit("getX", "i64", [], { reg: r });
  }
  setX(r: Reg, v: I64): void {
    if (r.file !== "x") throw new TypeError(`setX: ${r.name} is no general register`);
    this.#check("setX", v, "i64");
    this.emit("setX", "", [v], { reg: r });
  }
  /** A general register by number: X30 for the link of BL, and the like. */
  xreg(n: number): Reg {
    return { file: "x", slot: n, name: `x${n}` };
  }
  vreg(n: number): Reg {
    return { file: "v", slot: n, name: `v${n}` };
  }
  getV(r: Reg): V128 {
    if (r.file !== "v") throw new TypeError(`getV: ${r.name} is no vector register`);
    return this.emit("getV", "v128", [], { reg: r });
  }
  setV(r: Reg, v: V128): void {
    if (r.file !== "v") throw new TypeError(`setV: ${r.name} is no vector register`);
    this.#check("setV", v, "v128");
    this.emit("setV", "", [v], { reg: r });
  }
  /** The low 64 bits of a vector register. */
  getD(r: Reg): I64 {
    return this.lane("i64x2.extract_lane", this.getV(r), 0) as I64;
  }
  getS(r: Reg): I32 {
    return this.lane("i32x4.extract_lane", this.getV(r), 0) as I32;
  }
  getH(r: Reg): I32 {
    return this.lane("i16x8.extract_lane_u", this.getV(r), 0) as I32;
  }
  /** Writes the low 64 bits; the upper 64 become zero. */
  setD(r: Reg, v: I64): void {
    this.setV(r, this.emit("lane", "v128", [this.zeroV(), v], { name: "i64x2.replace_lane", lane: 0 }));
  }
  setS(r: Reg, v: I32): void {
    this.setV(r, this.emit("lane", "v128", [this.zeroV(), v], { name: "i32x4.replace_lane", lane: 0 }));
  }
  setH(r: Reg, v: I32): void {
    this.setV(r, this.emit("lane", "v128", [this.zeroV(), v], { name: "i16x8.replace_lane", lane: 0 }));
  }

  /** extract_lane / replace_lane by name, with a constant lane number. */
  lane(name: keyof typeof LANE_OPS, v: V128, lane: number, value?: Value): Value {
    const [, type] = LANE_OPS[name];
    return this.emit("lane", type, value === undefined ? [v] : [v, value], { name, lane });
  }
  /** i8x16.shuffle with 16 constant indices into the 32 bytes of a:b. */
  shuffle(a: V128, b: V128, lanes: readonly number[]): V128 {
    return this.emit("shuffle", "v128", [a, b], { lanes });
  }

  /** Address of this instruction. */
  pc(): I64 {
    return this.emit("pc", "i64", []);
  }
  getWord(offset: number): I32 {
    return this.emit("getWord", "i32", [], { offset });
  }
  setWord(offset: number, v: I32): void {
    this.emit("setWord", "", [v], { offset });
  }
  /** The 64-bit slot of the PE's block at the byte offset given by an operand. */
  getSlot(offset: I32): I64 {
    return this.emit("getSlot", "i64", [offset]);
  }
  setSlot(offset: I32, v: I64): void {
    this.emit("setSlot", "", [offset, v]);
  }

  /** NZCV of a + b. */
  flagsAdd(ops: IntOps, a: Value, b: Value): void {
    this.emit("flagsAdd", "", [a, b], { bits: ops.bits });
  }
  /** NZCV of a - b, that is of a + NOT(b) + 1. */
  flagsSub(ops: IntOps, a: Value, b: Value): void {
    this.emit("flagsSub", "", [a, b], { bits: ops.bits });
  }
  /** N and Z of the result, C = V = 0. */
  flagsLogic(ops: IntOps, result: Value): void {
    this.emit("flagsLogic", "", [result], { bits: ops.bits });
  }
  /** NZCV of a + b + carry (AddWithCarry). For SBC give NOT(b). */
  flagsAdc(ops: IntOps, a: Value, b: Value, carry: I32): void {
    this.emit("flagsAdc", "", [a, b, carry], { bits: ops.bits });
  }
  /** NZCV of FPCompare(), of single or double precision. Sets FPSR. */
  flagsFloat(bits: 32 | 64, a: Value, b: Value, signalAllNaNs: I32): void {
    this.emit("flagsFloat", "", [a, b, signalAllNaNs], { bits });
  }
  /** NZCV in bits 31:28 of the result, other bits 0. */
  getNZCV(): I32 {
    return this.emit("getNZCV", "i32", []);
  }
  /** Sets the flags from bits 31:28. */
  setNZCV(v: I32): void {
    this.emit("setNZCV", "", [v]);
  }
  /** The carry flag, 0 or 1. */
  getC(): I32 {
    return this.emit("getC", "i32", []);
  }
  /** ConditionHolds(cond), 0 or 1; conditions 14 and 15 always hold. */
  cond(cond: number): I32 {
    return this.emit("cond", "i32", [], { cond });
  }
  /** a if c is not zero, else b. Both are computed. */
  select<T extends Type>(c: I32, a: Value<T>, b: Value<T>): Value<T> {
    this.#check("select", b, a.type);
    return this.emit("select", a.type, [a, b, c]);
  }

  /** Loads 1, 2, 4 or 8 bytes, zero-extended. */
  load(addr: I64, bytes: 1 | 2 | 4 | 8 | number, access: Access = {}): I64 {
    return this.emit("load", "i64", [addr], { bytes, align: access.align ?? bytes, acc: access.acc ?? 0 });
  }
  /** Loads two neighbours of 4 or 8 bytes each, zero-extended, in one access. */
  loadPair(addr: I64, bytes: 4 | 8): [I64, I64] {
    const first = this.emit("load", "i64", [addr], { bytes: 2 * bytes, align: bytes, acc: 0, pair: true });
    return [first, this.emit("second", "i64", [first])];
  }
  /** Loads 16 bytes, or 4 or 8, zero-extended. */
  loadV(addr: I64, access: Access = {}, bytes: 4 | 8 | 16 = 16): V128 {
    return this.emit("load", "v128", [addr], { bytes, align: access.align ?? bytes, acc: access.acc ?? 0 });
  }
  /** Stores the low 1, 2, 4 or 8 bytes of an i64. */
  store(addr: I64, value: I64, bytes: 1 | 2 | 4 | 8 | number, access: Access = {}): void {
    this.#check("store", value, "i64");
    this.emit("store", "", [addr, value], { bytes, align: access.align ?? bytes, acc: access.acc ?? 0 });
  }
  /** Stores two doublewords in one access, the second above the first. */
  storePair(addr: I64, first: I64, second: I64): void {
    this.emit("store", "", [addr, first, second], { bytes: 16, align: 8, acc: 0 });
  }
  /** Stores 16 bytes, or the low 4 or 8. */
  storeV(addr: I64, value: V128, access: Access = {}, bytes: 4 | 8 | 16 = 16): void {
    this.#check("storeV", value, "v128");
    this.emit("store", "", [addr, value], { bytes, align: access.align ?? bytes, acc: access.acc ?? 0 });
  }
  /** Faults now if a store of `bytes` at addr would fault: needed before the first of several stores. */
  probeWrite(addr: I64, bytes: number, access: Access = {}): void {
    this.emit("probeWrite", "", [addr], { bytes, align: access.align ?? 1, acc: access.acc ?? 0 });
  }
  /** Access flags of a naturally aligned read-modify-write. */
  static readonly RMW: Access = { acc: ACC_RMW | ACC_ALIGNED };

  /** Calls a helper of ir/helpers.ts. Throws TypeError on an unknown name or wrong argument types. */
  call<T extends Type = Type>(name: string, ...args: Value[]): Value<T> {
    const helper = HELPERS[name];
    if (!helper) throw new TypeError(`call: no helper ${name}`);
    if (helper.args.length !== args.length) {
      throw new TypeError(`call ${name}: expected ${helper.args.length} arguments, found ${args.length}`);
    }
    args.forEach((a, i) => {
      this.#check(`call ${name}`, a, helper.args[i] as Type);
    });
    return this.emit("call", helper.result as T, args, { name });
  }

  /** Effects under a condition. No value may be used outside the branch that defines it. */
  if(c: I32, then: () => void, otherwise?: () => void): void {
    this.emit("if", "", [c]);
    then();
    if (otherwise) {
      this.emit("else", "", []);
      otherwise();
    }
    this.emit("end", "", []);
  }

  /** The UNDEFINED exception (EC 0), or another class, if c is not zero. Comes before any write. */
  trapIf(c: I32, ec = 0, iss = 0): void {
    this.emit("trapIf", "", [c], { ec, lo: iss });
  }
  /** To the instruction `offset` bytes from this one. */
  branch(offset: I32): void {
    this.emit("branch", "", [offset]);
  }
  branchIf(c: I32, offset: I32): void {
    this.emit("branchIf", "", [c, offset]);
  }
  /** To an address from a register. `btype`: PSTATE.BTYPE that the target sees (0: no check). */
  branchTo(target: I64, kind: "jump" | "call" | "return", btype: number): void {
    this.emit("branchTo", "", [target], { kind, btype });
  }
  /** A synchronous exception with the address of this instruction as ELR. */
  exception(ec: number, iss: I32): void {
    this.emit("exception", "", [iss], { ec });
  }
  /** The host executes the instruction (see HOST in ir/helpers.ts). */
  host(name: string, ...args: I32[]): void {
    if (HELPERS[name]?.from !== "host") throw new TypeError(`host: no host helper ${name}`);
    this.emit("host", "", args, { name });
  }

  /** The host executes the instruction, as `host` has it, if c is not zero; otherwise what follows does. Comes before any write. */
  hostIf(c: I32, name: string, ...args: I32[]): void {
    if (HELPERS[name]?.from !== "host") throw new TypeError(`hostIf: no host helper ${name}`);
    this.emit("hostIf", "", [c, ...args], { name });
  }

  #check(what: string, v: Value, type: Type): void {
    checkType(what, v, type);
  }

  #intOps(type: "i32" | "i64"): IntOps {
    const wide = type === "i64";
    const ns = (wide ? this.i64 : this.i32) as unknown as IntOps;
    const { i32, i64 } = this;
    const own = {
      type,
      bits: wide ? 64 : 32,
      get: (r: Reg) => (wide ? this.getX(r) : i32.wrap_i64(this.getX(r))),
      set: (r: Reg, v: Value) => this.setX(r, wide ? (v as I64) : i64.extend_i32_u(v as I32)),
      const: (v: number) => (wide ? this.const64(v) : this.const32(v)),
      from64: (v: I64) => (wide ? v : i32.wrap_i64(v)),
      to64: (v: Value) => (wide ? v : i64.extend_i32_u(v as I32)),
      from32: (v: I32) => (wide ? i64.extend_i32_u(v) : v),
      from32s: (v: I32) => (wide ? i64.extend_i32_s(v) : v),
      not: (v: Value) => (wide ? i64.xor(v as I64, this.const64(-1)) : i32.xor(v as I32, this.const32(-1))),
    };
    return Object.assign(Object.create(ns), own) as IntOps;
  }
}

export { GUEST_OPS };
