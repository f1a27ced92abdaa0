// IEEE 754 values as exact rationals: the slow and obvious model that floating-point tests compare with.

export interface Format {
  readonly bits: 16 | 32 | 64;
  readonly fraction: number;
  readonly bias: number;
}

export const HALF: Format = { bits: 16, fraction: 10, bias: 15 };
export const SINGLE: Format = { bits: 32, fraction: 23, bias: 127 };
export const DOUBLE: Format = { bits: 64, fraction: 52, bias: 1023 };
export const FORMATS = [HALF, SINGLE, DOUBLE] as const;

/** n / d, with d > 0. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

export type Mode = "RN" | "RP" | "RM" | "RZ" | "RA" | "RO";
/** In the order of their codes. */
export const MODES: readonly Mode[] = ["RN", "RP", "RM", "RZ", "RA", "RO"];

export const IOC = 1;
export const DZC = 2;
export const OFC = 4;
export const UFC = 8;
export const IXC = 16;
export const IDC = 128;

const abs = (n: bigint): bigint => (n < 0n ? -n : n);
const power = (e: number): Rational => (e < 0 ? { n: 1n, d: 1n << BigInt(-e) } : { n: 1n << BigInt(e), d: 1n });

export const add = (x: Rational, y: Rational): Rational => ({ n: x.n * y.d + y.n * x.d, d: x.d * y.d });
export const mul = (x: Rational, y: Rational): Rational => ({ n: x.n * y.n, d: x.d * y.d });
export const div = (x: Rational, y: Rational): Rational =>
  y.n < 0n ? { n: -x.n * y.d, d: x.d * -y.n } : { n: x.n * y.d, d: x.d * y.n };
export const integer = (n: bigint): Rational => ({ n, d: 1n });
export const scale = (x: Rational, e: number): Rational => mul(x, power(e));

export const isNegative = (f: Format, a: bigint): boolean => ((a >> BigInt(f.bits - 1)) & 1n) === 1n;
export const exponentField = (f: Format, a: bigint): number => Number(a >> BigInt(f.fraction)) & (2 * f.bias + 1);
export const isFiniteBits = (f: Format, a: bigint): boolean => exponentField(f, a) !== 2 * f.bias + 1;

/** The value of a finite number. */
export function decode(f: Format, a: bigint): Rational {
  const exponent = exponentField(f, a);
  const fraction = a & ((1n << BigInt(f.fraction)) - 1n);
  const m = exponent === 0 ? fraction : fraction | (1n << BigInt(f.fraction));
  return scale({ n: isNegative(f, a) ? -m : m, d: 1n }, Math.max(exponent, 1) - f.bias - f.fraction);
}

/** To an integer. */
export function roundToInteger(x: Rational, mode: Mode): { value: bigint; inexact: boolean } {
  const negative = x.n < 0n;
  const q = abs(x.n) / x.d;
  const twice = 2n * (abs(x.n) % x.d);
  const up = {
    RN: twice > x.d || (twice === x.d && q % 2n === 1n),
    RP: twice > 0n && !negative,
    RM: twice > 0n && negative,
    RZ: false,
    RA: twice >= x.d,
    RO: twice > 0n && q % 2n === 0n,
  }[mode];
  const m = up ? q + 1n : q;
  return { value: negative ? -m : m, inexact: twice > 0n };
}

/** To a format, with the cumulative flags that this sets; x is not zero. */
export function roundToFormat(f: Format, x: Rational, mode: Mode): { bits: bigint; flags: number } {
  const signBit = x.n < 0n ? 1n << BigInt(f.bits - 1) : 0n;
  const atLeast = (e: number): boolean => abs(x.n) * power(e).d >= x.d * power(e).n;
  let e = abs(x.n).toString(2).length - x.d.toString(2).length;
  if (!atLeast(e)) e--;
  const minimum = 1 - f.bias;
  const quantum = Math.max(e, minimum) - f.fraction;
  const { value, inexact } = roundToInteger(scale(x, -quantum), mode);
  const infinity = BigInt(2 * f.bias + 1) << BigInt(f.fraction);
  const magnitude = abs(value) + (BigInt(Math.max(e, minimum) - minimum) << BigInt(f.fraction));
  if (magnitude >= infinity) {
    const toInfinity = mode === "RN" || (mode === "RP" && x.n > 0n) || (mode === "RM" && x.n < 0n);
    return { bits: signBit | (toInfinity ? infinity : infinity - 1n), flags: OFC | IXC };
  }
  return { bits: signBit | magnitude, flags: inexact ? (e < minimum ? IXC | UFC : IXC) : 0 };
}
