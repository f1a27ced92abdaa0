// PolynomialMult(): products of polynomials over {0, 1}, for PMUL and PMULL.

/** PMUL Vd.16B: the low 8 bits of 16 byte products. */
export function pmul8(cpu: usize, n: v128, m: v128): v128 {
  let r = v128.splat<i8>(0);
  for (let bit = 7; bit >= 0; bit--) {
    // All ones in the bytes of m that have this bit.
    const mask = v128.shr<i8>(v128.shl<i8>(m, 7 - bit), 7);
    r = v128.xor(v128.shl<i8>(r, 1), v128.and(n, mask));
  }
  return r;
}

/** PMULL Vd.8H, Vn.8B, Vm.8B: the products of the low 8 bytes. */
export function pmull8(cpu: usize, n: v128, m: v128): v128 {
  const wideN = v128.extend_low<u8>(n);
  const wideM = v128.extend_low<u8>(m);
  let r = v128.splat<i16>(0);
  for (let bit = 7; bit >= 0; bit--) {
    const mask = v128.shr<i16>(v128.shl<i16>(wideM, 15 - bit), 15);
    r = v128.xor(v128.shl<i16>(r, 1), v128.and(wideN, mask));
  }
  return r;
}

/** PMULL Vd.1Q, Vn.1D, Vm.1D: by Karatsuba's three products of halves. */
export function pmull64(cpu: usize, n: u64, m: u64): v128 {
  const nl = n & 0xffffffff;
  const nh = n >> 32;
  const ml = m & 0xffffffff;
  const mh = m >> 32;
  const low = multiply32(nl, ml);
  const high = multiply32(nh, mh);
  const middle = multiply32(nl ^ nh, ml ^ mh) ^ low ^ high;
  return v128.replace_lane<u64>(v128.splat<u64>(low ^ (middle << 32)), 1, high ^ (middle >> 32));
}

/**
 * The product of two 32-bit polynomials, by integer multiplication: with only every fourth bit present in the factors, at most eight
 * partial products meet at a bit, and their carries die in the three bits above, which are masked away.
 */
function multiply32(a: u64, b: u64): u64 {
  const a0 = a & 0x11111111;
  const a1 = a & 0x22222222;
  const a2 = a & 0x44444444;
  const a3 = a & 0x88888888;
  const b0 = b & 0x11111111;
  const b1 = b & 0x22222222;
  const b2 = b & 0x44444444;
  const b3 = b & 0x88888888;
  const r0 = (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1);
  const r1 = (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2);
  const r2 = (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3);
  const r3 = (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0);
  return (
    (r0 & 0x1111111111111111) | (r1 & 0x2222222222222222) | (r2 & 0x4444444444444444) | (r3 & 0x8888888888888888)
  );
}
