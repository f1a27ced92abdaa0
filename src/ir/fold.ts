import type { Inst, Value } from "./builder.ts";

// Constant folding, while an instruction is built: with its operands known, most of what an address is made of is. 64-bit constants are halves.

interface Constant {
  readonly lo: number;
  readonly hi: number;
}

const NOTHING_ADDED: ReadonlySet<string> = new Set(["i32.add", "i64.add", "i32.sub", "i64.sub", "i32.or", "i64.or"]);
const SHIFTS: ReadonlySet<string> = new Set(["i32.shl", "i64.shl", "i32.shr_u", "i64.shr_u", "i32.shr_s", "i64.shr_s"]);

/** What an operation on constants gives; a value that it leaves as it is; undefined: it has to be computed. */
export function fold(op: string, args: readonly Value[]): Constant | Value | undefined {
  const [a, b] = args;
  if (a === undefined) return undefined;
  const y = b && constantOf(b.inst);
  if (y?.lo === 0 && y.hi === 0 && (NOTHING_ADDED.has(op) || SHIFTS.has(op))) return a;
  const x = constantOf(a.inst);
  if (!x || (b && !y)) return undefined;
  return y ? binary(op, x, y) : unary(op, x);
}

function constantOf({ op, attrs, value }: Inst): Constant | undefined {
  return op === "const" && value?.type !== "v128" ? { lo: attrs.lo as number, hi: attrs.hi as number } : undefined;
}

const word = (lo: number): Constant => ({ lo: lo | 0, hi: 0 });
const double = (lo: number, hi: number): Constant => ({ lo: lo | 0, hi: hi | 0 });

function unary(op: string, { lo }: Constant): Constant | undefined {
  switch (op) {
    case "i64.extend_i32_s":
      return double(lo, lo >> 31);
    case "i64.extend_i32_u":
      return double(lo, 0);
    case "i32.wrap_i64":
      return word(lo);
    default:
      return undefined;
  }
}

function binary(op: string, x: Constant, y: Constant): Constant | undefined {
  switch (op) {
    case "i32.add":
      return word(x.lo + y.lo);
    case "i32.sub":
      return word(x.lo - y.lo);
    case "i32.and":
      return word(x.lo & y.lo);
    case "i32.or":
      return word(x.lo | y.lo);
    case "i32.shl":
      return word(x.lo << (y.lo & 31));
    case "i32.shr_u":
      return word(x.lo >>> (y.lo & 31));
    case "i64.add":
      return double(x.lo + y.lo, x.hi + y.hi + ((x.lo >>> 0) + (y.lo >>> 0) > 0xffff_ffff ? 1 : 0));
    case "i64.sub":
      return double(x.lo - y.lo, x.hi - y.hi - (x.lo >>> 0 < y.lo >>> 0 ? 1 : 0));
    case "i64.and":
      return double(x.lo & y.lo, x.hi & y.hi);
    case "i64.or":
      return double(x.lo | y.lo, x.hi | y.hi);
    case "i64.shl":
      return shiftLeft(x, y.lo & 63);
    default:
      return undefined;
  }
}

function shiftLeft({ lo, hi }: Constant, n: number): Constant {
  if (n === 0) return { lo, hi };
  return n < 32 ? double(lo << n, (hi << n) | (lo >>> (32 - n))) : double(0, lo << (n - 32));
}
