// ComputePAC(): QARMA5 (Arm ARM, shared/functions/pac; Avanzi, The QARMA Block Cipher Family, 2017), and a faster hash of our own.
// The cipher works on 16 cells of 4 bits. Here each cell has a byte of a v128, bits 3:0 of the 64-bit value first.

function cells(x: u64): v128 {
  const bytes = v128.splat<u64>(x);
  const low = v128.and(bytes, v128.splat<i8>(0xf));
  const high = v128.shr<u8>(bytes, 4);
  return v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function value(c: v128): u64 {
  const pairs = v128.or(c, v128.shr<u16>(c, 4));
  return v128.extract_lane<u64>(v128.swizzle(pairs, i8x16(0, 2, 4, 6, 8, 10, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0)), 0);
}

/** PACCellShuffle(). */
function pacCellShuffle(c: v128): v128 {
  return v128.shuffle<i8>(c, c, 13, 6, 11, 0, 7, 12, 1, 10, 8, 3, 14, 5, 2, 9, 4, 15);
}

/** PACCellInvShuffle(). */
function pacCellInvShuffle(c: v128): v128 {
  return v128.shuffle<i8>(c, c, 3, 6, 12, 9, 14, 11, 1, 4, 8, 13, 7, 2, 5, 0, 10, 15);
}

/** PACSub(). */
function pacSub(c: v128): v128 {
  return v128.swizzle(i8x16(0xb, 0x6, 0x8, 0xf, 0xc, 0x0, 0x9, 0xe, 0x3, 0x7, 0x4, 0x5, 0xd, 0x2, 0x1, 0xa), c);
}

/** PACInvSub(). */
function pacInvSub(c: v128): v128 {
  return v128.swizzle(i8x16(0x5, 0xe, 0xd, 0x8, 0xa, 0xb, 0x1, 0x9, 0x2, 0x6, 0xf, 0x0, 0x4, 0xc, 0x7, 0x3), c);
}

/** RotCell() of every cell, left by 1. */
function rotateCells(c: v128): v128 {
  return v128.and(v128.or(v128.shl<i8>(c, 1), v128.shr<u8>(c, 3)), v128.splat<i8>(0xf));
}

/** PACMult(): each column of cells times circ(0, rot1, rot2, rot1). */
function pacMult(c: v128): v128 {
  const down1 = v128.shuffle<i8>(c, c, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
  const down2 = v128.shuffle<i8>(c, c, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  const down3 = v128.shuffle<i8>(c, c, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
  return rotateCells(v128.xor(v128.xor(down1, down3), rotateCells(down2)));
}

/** The cells that TweakShuffle() passes through TweakCellRot(), after it has moved them. */
function rotatedCells(): v128 {
  return i8x16(0, 0, -1, 0, -1, 0, 0, -1, 0, 0, 0, -1, -1, 0, -1, -1);
}

/** TweakShuffle(). */
function tweakShuffle(c: v128): v128 {
  const moved = v128.shuffle<i8>(c, c, 4, 5, 6, 7, 11, 2, 3, 8, 12, 13, 14, 15, 0, 1, 10, 9);
  // TweakCellRot(): <b0 ^ b1, b3, b2, b1>
  const top = v128.and(v128.shl<i8>(v128.xor(moved, v128.shr<u8>(moved, 1)), 3), v128.splat<i8>(8));
  return v128.bitselect(v128.or(v128.shr<u8>(moved, 1), top), moved, rotatedCells());
}

/** TweakInvShuffle(). */
function tweakInvShuffle(c: v128): v128 {
  // TweakCellInvRot(): <b2, b1, b0, b0 ^ b3>
  const left = v128.and(v128.shl<i8>(c, 1), v128.splat<i8>(0xe));
  const low = v128.xor(v128.and(c, v128.splat<i8>(1)), v128.shr<u8>(c, 3));
  const turned = v128.bitselect(v128.or(left, low), c, rotatedCells());
  return v128.shuffle<i8>(turned, turned, 12, 13, 5, 6, 0, 1, 2, 3, 7, 15, 14, 4, 8, 9, 10, 11);
}

const ITERATIONS = 4;

function alpha(): v128 {
  return cells(0xc0ac29b7c97c50dd);
}

/** RC[i]. */
function roundConstant(i: i32): v128 {
  switch (i) {
    case 0: return cells(0);
    case 1: return cells(0x13198a2e03707344);
    case 2: return cells(0xa4093822299f31d0);
    case 3: return cells(0x082efa98ec4e6c89);
    default: return cells(0x452821e638d01377);
  }
}

/** ComputePACQARMA5() with the 128-bit key keyHigh:keyLow (key0 and key1 of the pseudocode). */
export function computePAC(data: u64, modifier: u64, keyLow: u64, keyHigh: u64): u64 {
  const key0 = cells(keyHigh);
  const key1 = cells(keyLow);
  const modk0 = cells(rotr<u64>(keyHigh, 1) ^ (keyHigh >> 63));
  let runningMod = cells(modifier);
  let working = v128.xor(cells(data), key0);

  for (let i = 0; i <= ITERATIONS; i++) {
    working = v128.xor(v128.xor(working, v128.xor(key1, runningMod)), roundConstant(i));
    if (i > 0) working = pacMult(pacCellShuffle(working));
    working = pacSub(working);
    runningMod = tweakShuffle(runningMod);
  }

  working = v128.xor(working, v128.xor(modk0, runningMod));
  working = pacSub(pacMult(pacCellShuffle(working)));
  working = v128.xor(pacMult(pacCellShuffle(working)), key1);
  working = pacMult(pacInvSub(pacCellInvShuffle(working)));
  working = v128.xor(v128.xor(pacCellInvShuffle(working), key0), runningMod);

  for (let i = 0; i <= ITERATIONS; i++) {
    working = pacInvSub(working);
    if (i < ITERATIONS) working = pacCellInvShuffle(pacMult(working));
    runningMod = tweakInvShuffle(runningMod);
    working = v128.xor(v128.xor(working, v128.xor(key1, runningMod)), roundConstant(ITERATIONS - i));
    working = v128.xor(working, alpha());
  }
  return value(v128.xor(working, modk0));
}

/**
 * The IMPLEMENTATION DEFINED algorithm: two rounds of multiply and fold. Every input bit reaches every output bit; it is no
 * cipher and keeps nobody out who can choose pointers and see many results.
 */
export function computePACFast(data: u64, modifier: u64, keyLow: u64, keyHigh: u64): u64 {
  let h = (data ^ keyLow) * 0x9e3779b97f4a7c15;
  h = (h ^ (h >> 32) ^ modifier ^ keyHigh) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 29)) * 0x94d049bb133111eb;
  return h ^ (h >> 32);
}
