import type { Code } from "../wasm/code.ts";

// The condition flags as results of the instruction that sets them (Arm ARM, shared/functions/integer/AddWithCarry), unpacked as
// cpu/state-layout.ts says: N and V as bit 31 of a word, Z as a word that is zero iff the flag is set, C as 0 or 1.

/** An instruction that sets NZCV, with its operands in locals: of "float", two floats. `carry` (an i32) is for adc only. */
export interface FlagProducer {
  readonly kind: "add" | "sub" | "logic" | "adc" | "float";
  readonly bits: 32 | 64;
  readonly a: number;
  readonly b: number;
  readonly carry: number;
  /** a + b, a - b, a, or a + b + carry; nothing of "float". */
  readonly result: number;
}

export type Flag = "n" | "z" | "c" | "v";

const WIDTH = {
  32: {
    add: 0x6a,
    sub: 0x6b,
    and: 0x71,
    or: 0x72,
    xor: 0x73,
    shrU: 0x76,
    eqz: 0x45,
    eq: 0x46,
    ne: 0x47,
    ltS: 0x48,
    ltU: 0x49,
    gtS: 0x4a,
    gtU: 0x4b,
    leU: 0x4d,
    leS: 0x4c,
    geS: 0x4e,
    geU: 0x4f,
  },
  64: {
    add: 0x7c,
    sub: 0x7d,
    and: 0x83,
    or: 0x84,
    xor: 0x85,
    shrU: 0x88,
    eqz: 0x50,
    eq: 0x51,
    ne: 0x52,
    ltS: 0x53,
    ltU: 0x54,
    gtS: 0x55,
    gtU: 0x56,
    leU: 0x58,
    leS: 0x57,
    geS: 0x59,
    geU: 0x5a,
  },
} as const;
const WRAP = 0xa7;
const EXTEND_U = 0xad;
const EQZ = 0x45;
const SHL = 0x74;

function constant(code: Code, bits: 32 | 64, v: number): void {
  if (bits === 64) code.i64(v, v >> 31);
  else code.i32(v);
}

/** Computes result into its local. */
export function emitResult(code: Code, p: FlagProducer): void {
  const w = WIDTH[p.bits];
  code.get(p.a);
  if (p.kind !== "logic") {
    code.get(p.b);
    code.op(p.kind === "sub" ? w.sub : w.add);
    if (p.kind === "adc") {
      code.get(p.carry);
      if (p.bits === 64) code.op(EXTEND_U);
      code.op(w.add);
    }
  }
  code.set(p.result);
}

/** Cuts a word whose sign is a flag to 32 bits. */
function highWord(code: Code, bits: 32 | 64): void {
  if (bits === 64) {
    code.i64(32, 0);
    code.op(WIDTH[64].shrU);
    code.op(WRAP);
  }
}

/** WebAssembly's comparisons of floats; all but ne are false for NaNs. */
const FLOAT = {
  32: { eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 },
  64: { eq: 0x61, ne: 0x62, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66 },
} as const;

/** FPCompare(): less is N, equal Z and C, greater C, unordered C and V. */
function emitFloatFlag(code: Code, { a, b, bits }: FlagProducer, flag: Flag): void {
  const w = FLOAT[bits];
  const shiftToSign = (): void => {
    code.i32(31);
    code.op(SHL);
  };
  switch (flag) {
    case "n":
      binary(code, a, b, w.lt);
      shiftToSign();
      return;
    case "z":
      binary(code, a, b, w.ne);
      return;
    case "c":
      binary(code, a, b, w.lt);
      code.op(EQZ);
      return;
    case "v":
      emitUnordered(code, a, b, w.ne);
      shiftToSign();
  }
}

function emitUnordered(code: Code, a: number, b: number, ne: number): void {
  binary(code, a, a, ne);
  binary(code, b, b, ne);
  code.op(WIDTH[32].or);
}

function emitFloatCondition(code: Code, { a, b, bits }: FlagProducer, cond: number): void {
  const w = FLOAT[bits];
  /** The comparison that each pair of conditions is, and whether the first of them is its opposite. */
  const pairs: readonly (readonly [op: number, opposite: boolean] | undefined)[] = [
    [w.eq, false],
    [w.lt, true],
    [w.lt, false],
    undefined,
    [w.le, true],
    [w.ge, false],
    [w.gt, false],
  ];
  const inverted = (cond & 1) === 1;
  if (cond >> 1 === 7) {
    code.i32(1);
    return;
  }
  const pair = pairs[cond >> 1];
  if (pair) binary(code, a, b, pair[0]);
  else emitUnordered(code, a, b, w.ne);
  if (inverted !== (pair?.[1] ?? false)) code.op(EQZ);
}

/** Puts a flag's word on the stack. */
export function emitFlag(code: Code, p: FlagProducer, flag: Flag): void {
  if (p.kind === "float") {
    emitFloatFlag(code, p, flag);
    return;
  }
  const w = WIDTH[p.bits];
  const { a, b, result } = p;
  switch (flag) {
    case "n":
      code.get(result);
      highWord(code, p.bits);
      return;
    case "z":
      code.get(result);
      if (p.bits === 64) {
        code.i64(0, 0);
        code.op(w.ne);
      }
      return;
    case "c":
      if (p.kind === "logic") code.i32(0);
      else if (p.kind === "add") binary(code, result, a, w.ltU);
      else if (p.kind === "sub") binary(code, a, b, w.geU);
      else {
        // Carry out of bit N-1: (a & b) | ((a | b) & ~result)
        binary(code, a, b, w.and);
        binary(code, a, b, w.or);
        code.get(result);
        constant(code, p.bits, -1);
        code.op(w.xor);
        code.op(w.and);
        code.op(w.or);
        constant(code, p.bits, p.bits - 1);
        code.op(w.shrU);
        if (p.bits === 64) code.op(WRAP);
      }
      return;
    case "v":
      if (p.kind === "logic") code.i32(0);
      else {
        // Overflow: the operands' signs agree (add) or differ (sub), and the result's differs from a's.
        binary(code, a, result, w.xor);
        if (p.kind === "sub") binary(code, a, b, w.xor);
        else binary(code, b, result, w.xor);
        code.op(w.and);
        highWord(code, p.bits);
      }
  }
}

function binary(code: Code, x: number, y: number, op: number): void {
  code.get(x);
  code.get(y);
  code.op(op);
}

/** Puts ConditionHolds(cond) on the stack, straight from the operands. False: not possible for this producer, nothing was emitted. */
export function emitCondition(code: Code, p: FlagProducer, cond: number): boolean {
  if (p.kind === "float") {
    emitFloatCondition(code, p, cond);
    return true;
  }
  const w = WIDTH[p.bits];
  const { a, b, result, kind } = p;
  const inverted = (cond & 1) === 1;
  const zero = (op: number): void => {
    code.get(result);
    constant(code, p.bits, 0);
    code.op(op);
  };
  const test = (when: number, otherwise: number): void => binary(code, a, b, inverted ? otherwise : when);
  switch (cond >> 1) {
    case 0:
      if (kind === "sub") test(w.eq, w.ne);
      else zero(inverted ? w.ne : w.eq);
      return true;
    case 2:
      zero(inverted ? w.geS : w.ltS);
      return true;
    case 1:
      if (kind === "sub") test(w.geU, w.ltU);
      else if (kind === "add") binary(code, result, a, inverted ? w.geU : w.ltU);
      else if (kind === "logic") code.i32(inverted ? 1 : 0);
      else return false;
      return true;
    case 4:
      if (kind === "sub") test(w.gtU, w.leU);
      else if (kind === "logic") code.i32(inverted ? 1 : 0);
      else return false;
      return true;
    case 5:
      if (kind === "sub") test(w.geS, w.ltS);
      else if (kind === "logic") zero(inverted ? w.ltS : w.geS);
      else return false;
      return true;
    case 6:
      if (kind === "sub") test(w.gtS, w.leS);
      else if (kind === "logic") zero(inverted ? w.leS : w.gtS);
      else return false;
      return true;
    case 7:
      code.i32(1);
      return true;
    default:
      return false;
  }
}

/** ConditionHolds(cond) from the four words (Arm ARM, shared/functions/system/ConditionHolds). */
export function emitConditionFromWords(code: Code, push: (flag: Flag) => void, cond: number): void {
  const invert = (cond & 1) === 1 && cond !== 15;
  const i = WIDTH[32];
  const signsAgree = (): void => {
    push("n");
    push("v");
    code.op(i.xor);
    code.i32(0);
    code.op(i.geS);
  };
  switch (cond >> 1) {
    case 0:
      push("z");
      code.op(EQZ);
      break;
    case 1:
      push("c");
      break;
    case 2:
    case 3:
      push(cond >> 1 === 2 ? "n" : "v");
      code.i32(31);
      code.op(i.shrU);
      break;
    case 4:
      push("c");
      push("z");
      code.i32(0);
      code.op(i.ne);
      code.op(i.and);
      break;
    case 5:
      signsAgree();
      break;
    case 6:
      signsAgree();
      push("z");
      code.i32(0);
      code.op(i.ne);
      code.op(i.and);
      break;
    default:
      code.i32(1);
  }
  if (invert) code.op(EQZ);
}

/** NZCV in bits 31:28 from the four words. */
export function emitNZCV(code: Code, push: (flag: Flag) => void): void {
  const i = WIDTH[32];
  push("n");
  code.i32(0x80000000 | 0);
  code.op(i.and);
  push("z");
  code.op(EQZ);
  code.i32(30);
  code.op(SHL);
  code.op(i.or);
  push("c");
  code.i32(29);
  code.op(SHL);
  code.op(i.or);
  push("v");
  code.i32(31);
  code.op(i.shrU);
  code.i32(28);
  code.op(SHL);
  code.op(i.or);
}

/** The word of a flag from NZCV (bits 31:28) in a local. */
export function emitWordOfNZCV(code: Code, nzcv: number, flag: Flag): void {
  const i = WIDTH[32];
  code.get(nzcv);
  switch (flag) {
    case "n":
      return;
    case "z":
      code.i32(0x40000000);
      code.op(i.and);
      code.op(EQZ);
      return;
    case "c":
      code.i32(29);
      code.op(i.shrU);
      code.i32(1);
      code.op(i.and);
      return;
    case "v":
      code.i32(3);
      code.op(SHL);
  }
}
