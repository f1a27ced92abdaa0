// The SHA-1 and SHA-256 instructions' functions (Arm ARM, shared/functions/crypto; FIPS 180-4). Element 0 is bits 31:0.

/** SHAchoose(): Ch of FIPS 180-4. */
function shaChoose(x: u32, y: u32, z: u32): u32 {
  return ((y ^ z) & x) ^ z;
}

/** SHAparity(). */
function shaParity(x: u32, y: u32, z: u32): u32 {
  return x ^ y ^ z;
}

/** SHAmajority(): Maj of FIPS 180-4. */
function shaMajority(x: u32, y: u32, z: u32): u32 {
  return (x & y) | ((x | y) & z);
}

/** SHAhashSIGMA0(). */
function shaHashSigma0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}

/** SHAhashSIGMA1(). */
function shaHashSigma1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}

function elements(e0: u32, e1: u32, e2: u32, e3: u32): v128 {
  const low = v128.replace_lane<u32>(v128.splat<u32>(e0), 1, e1);
  return v128.replace_lane<u32>(v128.replace_lane<u32>(low, 2, e2), 3, e3);
}

const CHOOSE: i32 = 0;
const PARITY: i32 = 1;
const MAJORITY: i32 = 2;

/** Four rounds of SHA-1: x holds A..D, y is E, w four schedule words with the constant added. */
function sha1Rounds(f: i32, x: v128, y: u32, w: v128): v128 {
  let a = v128.extract_lane<u32>(x, 0);
  let b = v128.extract_lane<u32>(x, 1);
  let c = v128.extract_lane<u32>(x, 2);
  let d = v128.extract_lane<u32>(x, 3);
  let e = y;
  for (let i = 0; i < 4; i++) {
    const t = f == CHOOSE ? shaChoose(b, c, d) : f == PARITY ? shaParity(b, c, d) : shaMajority(b, c, d);
    const next = e + rotl<u32>(a, 5) + t + v128.extract_lane<u32>(w, 0);
    w = v128.shuffle<u32>(w, w, 1, 2, 3, 0);
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  return elements(a, b, c, d);
}

/** SHA1C Qd, Sn, Vm.4S */
export function sha1c(cpu: usize, d: v128, n: u32, m: v128): v128 {
  return sha1Rounds(CHOOSE, d, n, m);
}

/** SHA1P Qd, Sn, Vm.4S */
export function sha1p(cpu: usize, d: v128, n: u32, m: v128): v128 {
  return sha1Rounds(PARITY, d, n, m);
}

/** SHA1M Qd, Sn, Vm.4S */
export function sha1m(cpu: usize, d: v128, n: u32, m: v128): v128 {
  return sha1Rounds(MAJORITY, d, n, m);
}

/** SHA1SU0 Vd.4S, Vn.4S, Vm.4S */
export function sha1su0(cpu: usize, d: v128, n: v128, m: v128): v128 {
  return v128.xor(v128.xor(v128.shuffle<u64>(d, n, 1, 2), d), m);
}

/** SHA1SU1 Vd.4S, Vn.4S */
export function sha1su1(cpu: usize, d: v128, n: v128): v128 {
  const zero = v128.splat<u32>(0);
  const t = v128.xor(d, v128.shuffle<u32>(n, zero, 1, 2, 3, 4));
  const rotated = v128.or(v128.shl<u32>(t, 1), v128.shr<u32>(t, 31));
  const last = rotl<u32>(v128.extract_lane<u32>(t, 0), 2);
  return v128.xor(rotated, v128.replace_lane<u32>(zero, 3, last));
}

/** SHA256hash(): four rounds; x holds A..D, y E..H, w four schedule words with the constants added. */
function sha256Hash(x: v128, y: v128, w: v128, part1: bool): v128 {
  let a = v128.extract_lane<u32>(x, 0);
  let b = v128.extract_lane<u32>(x, 1);
  let c = v128.extract_lane<u32>(x, 2);
  let d = v128.extract_lane<u32>(x, 3);
  let e = v128.extract_lane<u32>(y, 0);
  let f = v128.extract_lane<u32>(y, 1);
  let g = v128.extract_lane<u32>(y, 2);
  let h = v128.extract_lane<u32>(y, 3);
  for (let i = 0; i < 4; i++) {
    const t = h + shaHashSigma1(e) + shaChoose(e, f, g) + v128.extract_lane<u32>(w, 0);
    const next = t + shaHashSigma0(a) + shaMajority(a, b, c);
    w = v128.shuffle<u32>(w, w, 1, 2, 3, 0);
    h = g;
    g = f;
    f = e;
    e = d + t;
    d = c;
    c = b;
    b = a;
    a = next;
  }
  return part1 ? elements(a, b, c, d) : elements(e, f, g, h);
}

/** SHA256H Qd, Qn, Vm.4S */
export function sha256h(cpu: usize, d: v128, n: v128, m: v128): v128 {
  return sha256Hash(d, n, m, true);
}

/** SHA256H2 Qd, Qn, Vm.4S */
export function sha256h2(cpu: usize, d: v128, n: v128, m: v128): v128 {
  return sha256Hash(n, d, m, false);
}

function rotateRight(x: v128, count: i32): v128 {
  return v128.or(v128.shr<u32>(x, count), v128.shl<u32>(x, 32 - count));
}

/** SHA256SU0 Vd.4S, Vn.4S */
export function sha256su0(cpu: usize, d: v128, n: v128): v128 {
  const t = v128.shuffle<u32>(d, n, 1, 2, 3, 4);
  const sigma0 = v128.xor(v128.xor(rotateRight(t, 7), rotateRight(t, 18)), v128.shr<u32>(t, 3));
  return v128.add<u32>(sigma0, d);
}

function sha256Sigma1(x: v128): v128 {
  return v128.xor(v128.xor(rotateRight(x, 17), rotateRight(x, 19)), v128.shr<u32>(x, 10));
}

/** SHA256SU1 Vd.4S, Vn.4S, Vm.4S */
export function sha256su1(cpu: usize, d: v128, n: v128, m: v128): v128 {
  const sum = v128.add<u32>(d, v128.shuffle<u32>(n, m, 1, 2, 3, 4));
  // The upper two elements need the lower two of the result.
  const low = v128.add<u32>(sum, sha256Sigma1(v128.shuffle<u64>(m, m, 1, 1)));
  const high = v128.add<u32>(sum, sha256Sigma1(v128.shuffle<u64>(low, low, 0, 0)));
  return v128.shuffle<u64>(low, high, 0, 3);
}
