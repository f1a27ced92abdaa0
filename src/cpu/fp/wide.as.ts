// Integer arithmetic wider than 64 bits. "Jam": ones that are shifted out stay visible as bit 0, which is all that rounding needs.

export function shiftRightJam(a: u64, count: i32): u64 {
  if (count == 0) return a;
  if (count > 63) return <u64>(a != 0);
  return (a >> count) | <u64>((a << (64 - count)) != 0);
}

/** High 64 bits of a * b; the low ones are simply a * b. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const middle = ah * bl + ((al * bl) >> 32);
  const middle2 = al * bh + (middle & 0xffffffff);
  return ah * bh + (middle >> 32) + (middle2 >> 32);
}

/**
 * (high * 2^64) / divisor, jammed, for high < divisor and a divisor with bit 63 set.
 * Two steps of long division in base 2^32 (Knuth, The Art of Computer Programming volume 2, 4.3.1, algorithm D).
 */
export function divideJam(high: u64, divisor: u64): u64 {
  const q1 = quotientDigit(high, divisor);
  const remainder = (high << 32) - q1 * divisor;
  const q0 = quotientDigit(remainder, divisor);
  const last = (remainder << 32) - q0 * divisor;
  return (q1 << 32) | q0 | <u64>(last != 0);
}

/** floor(high * 2^32 / divisor): one digit. */
function quotientDigit(high: u64, divisor: u64): u64 {
  const dh = divisor >> 32;
  const dl = divisor & 0xffffffff;
  let q = high / dh;
  let r = high - q * dh;
  while (q > 0xffffffff || q * dl > r << 32) {
    q--;
    r += dh;
    if (r > 0xffffffff) break;
  }
  return q;
}

/** floor(sqrt(a * 2^64)), jammed, to `digits` binary digits from bit 63 down; a >= 2^62. */
export function squareRootJam(a: u64, digits: i32): u64 {
  let remainder: u64 = 0;
  let root: u64 = 0;
  let rest = a;
  for (let i = 0; i < digits; i++) {
    remainder = (remainder << 2) | (rest >> 62);
    rest <<= 2;
    const trial = (root << 2) | 1;
    root <<= 1;
    if (remainder >= trial) {
      remainder -= trial;
      root |= 1;
    }
  }
  return (root << (64 - digits)) | <u64>((remainder | rest) != 0);
}
