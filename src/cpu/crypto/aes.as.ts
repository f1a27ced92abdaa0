// The AES instructions' functions (Arm ARM, shared/functions/crypto; FIPS 197). A state is a v128, byte 0 first.

/** The entries of x that index the 16-byte row `n` of a 256-byte table; i8x16.swizzle gives 0 for indices beyond 15. */
function row(entries: v128, x: v128, n: i32): v128 {
  return v128.swizzle(entries, v128.sub<i8>(x, v128.splat<i8>(<i8>(n << 4))));
}

/** AESSubBytes(): the S-box of FIPS 197, figure 7, a row of 16 at a time. */
function subBytes(x: v128): v128 {
  let r = v128.swizzle(i8x16(99, 124, 119, 123, -14, 107, 111, -59, 48, 1, 103, 43, -2, -41, -85, 118), x);
  r = v128.or(r, row(i8x16(-54, -126, -55, 125, -6, 89, 71, -16, -83, -44, -94, -81, -100, -92, 114, -64), x, 1));
  r = v128.or(r, row(i8x16(-73, -3, -109, 38, 54, 63, -9, -52, 52, -91, -27, -15, 113, -40, 49, 21), x, 2));
  r = v128.or(r, row(i8x16(4, -57, 35, -61, 24, -106, 5, -102, 7, 18, -128, -30, -21, 39, -78, 117), x, 3));
  r = v128.or(r, row(i8x16(9, -125, 44, 26, 27, 110, 90, -96, 82, 59, -42, -77, 41, -29, 47, -124), x, 4));
  r = v128.or(r, row(i8x16(83, -47, 0, -19, 32, -4, -79, 91, 106, -53, -66, 57, 74, 76, 88, -49), x, 5));
  r = v128.or(r, row(i8x16(-48, -17, -86, -5, 67, 77, 51, -123, 69, -7, 2, 127, 80, 60, -97, -88), x, 6));
  r = v128.or(r, row(i8x16(81, -93, 64, -113, -110, -99, 56, -11, -68, -74, -38, 33, 16, -1, -13, -46), x, 7));
  r = v128.or(r, row(i8x16(-51, 12, 19, -20, 95, -105, 68, 23, -60, -89, 126, 61, 100, 93, 25, 115), x, 8));
  r = v128.or(r, row(i8x16(96, -127, 79, -36, 34, 42, -112, -120, 70, -18, -72, 20, -34, 94, 11, -37), x, 9));
  r = v128.or(r, row(i8x16(-32, 50, 58, 10, 73, 6, 36, 92, -62, -45, -84, 98, -111, -107, -28, 121), x, 10));
  r = v128.or(r, row(i8x16(-25, -56, 55, 109, -115, -43, 78, -87, 108, 86, -12, -22, 101, 122, -82, 8), x, 11));
  r = v128.or(r, row(i8x16(-70, 120, 37, 46, 28, -90, -76, -58, -24, -35, 116, 31, 75, -67, -117, -118), x, 12));
  r = v128.or(r, row(i8x16(112, 62, -75, 102, 72, 3, -10, 14, 97, 53, 87, -71, -122, -63, 29, -98), x, 13));
  r = v128.or(r, row(i8x16(-31, -8, -104, 17, 105, -39, -114, -108, -101, 30, -121, -23, -50, 85, 40, -33), x, 14));
  r = v128.or(r, row(i8x16(-116, -95, -119, 13, -65, -26, 66, 104, 65, -103, 45, 15, -80, 84, -69, 22), x, 15));
  return r;
}

/** AESInvSubBytes(): the inverse S-box of FIPS 197, figure 14. */
function invSubBytes(x: v128): v128 {
  let r = v128.swizzle(i8x16(82, 9, 106, -43, 48, 54, -91, 56, -65, 64, -93, -98, -127, -13, -41, -5), x);
  r = v128.or(r, row(i8x16(124, -29, 57, -126, -101, 47, -1, -121, 52, -114, 67, 68, -60, -34, -23, -53), x, 1));
  r = v128.or(r, row(i8x16(84, 123, -108, 50, -90, -62, 35, 61, -18, 76, -107, 11, 66, -6, -61, 78), x, 2));
  r = v128.or(r, row(i8x16(8, 46, -95, 102, 40, -39, 36, -78, 118, 91, -94, 73, 109, -117, -47, 37), x, 3));
  r = v128.or(r, row(i8x16(114, -8, -10, 100, -122, 104, -104, 22, -44, -92, 92, -52, 93, 101, -74, -110), x, 4));
  r = v128.or(r, row(i8x16(108, 112, 72, 80, -3, -19, -71, -38, 94, 21, 70, 87, -89, -115, -99, -124), x, 5));
  r = v128.or(r, row(i8x16(-112, -40, -85, 0, -116, -68, -45, 10, -9, -28, 88, 5, -72, -77, 69, 6), x, 6));
  r = v128.or(r, row(i8x16(-48, 44, 30, -113, -54, 63, 15, 2, -63, -81, -67, 3, 1, 19, -118, 107), x, 7));
  r = v128.or(r, row(i8x16(58, -111, 17, 65, 79, 103, -36, -22, -105, -14, -49, -50, -16, -76, -26, 115), x, 8));
  r = v128.or(r, row(i8x16(-106, -84, 116, 34, -25, -83, 53, -123, -30, -7, 55, -24, 28, 117, -33, 110), x, 9));
  r = v128.or(r, row(i8x16(71, -15, 26, 113, 29, 41, -59, -119, 111, -73, 98, 14, -86, 24, -66, 27), x, 10));
  r = v128.or(r, row(i8x16(-4, 86, 62, 75, -58, -46, 121, 32, -102, -37, -64, -2, 120, -51, 90, -12), x, 11));
  r = v128.or(r, row(i8x16(31, -35, -88, 51, -120, 7, -57, 49, -79, 18, 16, 89, 39, -128, -20, 95), x, 12));
  r = v128.or(r, row(i8x16(96, 81, 127, -87, 25, -75, 74, 13, 45, -27, 122, -97, -109, -55, -100, -17), x, 13));
  r = v128.or(r, row(i8x16(-96, -32, 59, 77, -82, 42, -11, -80, -56, -21, -69, 60, -125, 83, -103, 97), x, 14));
  r = v128.or(r, row(i8x16(23, 43, 4, 126, -70, 119, -42, 38, -31, 105, 20, 99, 85, 33, 12, 125), x, 15));
  return r;
}

/** AESShiftRows(). */
function shiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}

/** AESInvShiftRows(). */
function invShiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
}

/** Each byte times x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function xtime(a: v128): v128 {
  return v128.xor(v128.shl<i8>(a, 1), v128.and(v128.shr<i8>(a, 7), v128.splat<i8>(0x1b)));
}

/** Each column's bytes rotated up by one, two or three rows. */
function rows1(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
}

function rows2(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

/** AESMixColumns(): s'[r] = 2 s[r] + 3 s[r+1] + s[r+2] + s[r+3]. */
function mixColumns(s: v128): v128 {
  const pair = v128.xor(s, rows1(s));
  return v128.xor(v128.xor(xtime(pair), rows1(s)), rows2(pair));
}

/** AESInvMixColumns(): the same after multiplying by 4 x^2 + 5, since {0b,0d,09,0e} = {03,01,01,02} * {04,00,05}. */
function invMixColumns(s: v128): v128 {
  return mixColumns(v128.xor(s, xtime(xtime(v128.xor(s, rows2(s))))));
}

/** AESE Vd, Vn. */
export function aese(cpu: usize, d: v128, n: v128): v128 {
  return subBytes(shiftRows(v128.xor(d, n)));
}

/** AESD Vd, Vn. */
export function aesd(cpu: usize, d: v128, n: v128): v128 {
  return invSubBytes(invShiftRows(v128.xor(d, n)));
}

/** AESMC Vd, Vn. */
export function aesmc(cpu: usize, n: v128): v128 {
  return mixColumns(n);
}

/** AESIMC Vd, Vn. */
export function aesimc(cpu: usize, n: v128): v128 {
  return invMixColumns(n);
}
