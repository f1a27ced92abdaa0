import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { loadNative } from "../../../test/support/native.ts";

const vector = loadNative("src/cpu/crypto/test-entry.as.ts");
const native = loadNative();

// Operands and results live here, 16 bytes each.
const SLOTS = 0x8000;
const RESULT = SLOTS;

/** Calls `<name>At`; byte arrays become addresses. */
function v128(name: string, ...args: (Uint8Array | number | bigint)[]): Uint8Array {
  const bytes = new Uint8Array(vector.memory.buffer);
  const values = args.map((arg, i) => {
    if (typeof arg !== "object") return arg;
    const at = SLOTS + 16 * (i + 1);
    bytes.set(arg, at);
    return at;
  });
  vector.get(`${name}At`)(RESULT, ...values);
  return bytes.slice(RESULT, RESULT + 16);
}

const hex = (s: string): Uint8Array => Uint8Array.from(Buffer.from(s.replaceAll(" ", ""), "hex"));
const words = (...w: number[]): Uint8Array => new Uint8Array(Uint32Array.from(w).buffer);
const lanes = (b: Uint8Array): Uint32Array => new Uint32Array(b.slice().buffer);
const add = (x: Uint8Array, y: Uint8Array): Uint8Array =>
  new Uint8Array(lanes(x).map((v, i) => v + (lanes(y)[i] ?? 0)).buffer);
const block = fc.uint8Array({ minLength: 16, maxLength: 16 });
const zero = new Uint8Array(16);

/** The key schedule of FIPS 197, 5.2, for 128-bit keys, with AESE as its S-box. */
function expandKey(key: Uint8Array): Uint8Array[] {
  const w = Array.from({ length: 4 }, (_, i) => key.slice(4 * i, 4 * i + 4));
  let rcon = 1;
  for (let i = 4; i < 44; i++) {
    let t = w[i - 1]!;
    if (i % 4 === 0) {
      // ShiftRows leaves a state of equal columns in place up to a rotation within rows, which equal columns do not show.
      const rotated = [t[1]!, t[2]!, t[3]!, t[0]!];
      t = v128("aese", Uint8Array.from([...rotated, ...rotated, ...rotated, ...rotated]), zero).slice(0, 4);
      t[0]! ^= rcon;
      rcon = (rcon << 1) ^ (rcon & 0x80 ? 0x11b : 0);
    }
    w.push(t.map((b, j) => b ^ w[i - 4]![j]!));
  }
  return Array.from({ length: 11 }, (_, r) => Uint8Array.from(w.slice(4 * r, 4 * r + 4).flatMap((x) => [...x])));
}
const xor = (x: Uint8Array, y: Uint8Array): Uint8Array => x.map((b, i) => b ^ (y[i] ?? 0));

function encrypt(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const k = expandKey(key);
  let s = plain;
  for (let r = 0; r < 9; r++) s = v128("aesmc", v128("aese", s, k[r]!));
  return xor(v128("aese", s, k[9]!), k[10]!);
}

function decrypt(key: Uint8Array, cipher: Uint8Array): Uint8Array {
  const k = expandKey(key);
  let s = v128("aesd", cipher, k[10]!);
  for (let r = 9; r > 0; r--) s = v128("aesd", v128("aesimc", s), v128("aesimc", k[r]!));
  return xor(s, k[0]!);
}

test("AESE and AESMC encrypt as FIPS 197, appendix C.1", () => {
  const cipher = encrypt(hex("000102030405060708090a0b0c0d0e0f"), hex("00112233445566778899aabbccddeeff"));
  assert.deepEqual(cipher, hex("69c4e0d86a7b0430d8cdb78070b4c55a"));
});

test("AESE/AESMC and AESD/AESIMC agree with a library on random keys and blocks", () => {
  fc.assert(
    fc.property(block, block, (key, data) => {
      const c = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
      assert.deepEqual(encrypt(key, data), Uint8Array.from(c.update(data)));
      const d = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
      assert.deepEqual(decrypt(key, data), Uint8Array.from(d.update(data)));
    }),
  );
});

/** FIPS 180-4, 5.1.1 and 5.2.1: the padded message in blocks of 16 big-endian words. */
function paddedBlocks(message: Uint8Array): Uint8Array[][] {
  const length = Math.ceil((message.length + 9) / 64) * 64;
  const padded = new Uint8Array(length);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 4, message.length * 8);
  return Array.from({ length: length / 64 }, (_, b) =>
    Array.from({ length: 4 }, (_, q) => words(...[0, 4, 8, 12].map((o) => view.getUint32(64 * b + 16 * q + o)))),
  );
}
const bigEndian = (...state: number[]): string => state.map((w) => (w >>> 0).toString(16).padStart(8, "0")).join("");

function sha1(message: Uint8Array): string {
  const K = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];
  const rounds = ["sha1c", "sha1p", "sha1m", "sha1p"];
  let abcd = words(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  let e = 0xc3d2e1f0;
  for (const w of paddedBlocks(message)) {
    const before = { abcd, e };
    for (let i = 0; i < 20; i++) {
      if (i >= 4) w.push(v128("sha1su1", v128("sha1su0", w[i - 4]!, w[i - 3]!, w[i - 2]!), w[i - 1]!));
      const part = Math.floor(i / 5);
      const a = lanes(abcd)[0]!;
      const k = K[part]!;
      abcd = v128(rounds[part]!, abcd, e, add(w[i]!, words(k, k, k, k)));
      e = (a << 30) | (a >>> 2);
    }
    abcd = add(abcd, before.abcd);
    e = (e + before.e) | 0;
  }
  return bigEndian(...lanes(abcd), e);
}

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
function sha256Constants(): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  return primes.map((p) => {
    // floor(cbrt(p) * 2^32) by bisection on exact integers
    let root = 0n;
    for (let bit = 1n << 36n; bit; bit >>= 1n) if ((root + bit) ** 3n <= BigInt(p) << 96n) root += bit;
    return Number(root & 0xffffffffn);
  });
}
const K256 = sha256Constants();

function sha256(message: Uint8Array): string {
  let x = words(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a);
  let y = words(0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  for (const w of paddedBlocks(message)) {
    const before = { x, y };
    for (let i = 0; i < 16; i++) {
      if (i >= 4) w.push(v128("sha256su1", v128("sha256su0", w[i - 4]!, w[i - 3]!), w[i - 2]!, w[i - 1]!));
      const wk = add(w[i]!, words(...K256.slice(4 * i, 4 * i + 4)));
      [x, y] = [v128("sha256h", x, y, wk), v128("sha256h2", y, x, wk)];
    }
    x = add(x, before.x);
    y = add(y, before.y);
  }
  return bigEndian(...lanes(x), ...lanes(y));
}

test("the SHA1 instructions make the hashes of FIPS 180", () => {
  assert.equal(sha1(Buffer.from("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), (m) => {
      assert.equal(sha1(m), createHash("sha1").update(m).digest("hex"));
    }),
  );
});

test("the SHA256 instructions make the hashes of FIPS 180", () => {
  assert.equal(sha256(Buffer.from("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), (m) => {
      assert.equal(sha256(m), createHash("sha256").update(m).digest("hex"));
    }),
  );
});

function carryLess(a: bigint, b: bigint): bigint {
  let r = 0n;
  for (let i = 0n; b >> i; i++) if ((b >> i) & 1n) r ^= a << i;
  return r;
}
const number = (b: Uint8Array): bigint => b.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n);

test("PMULL of doublewords is the 128-bit carry-less product", () => {
  const ones = (1n << 64n) - 1n;
  assert.equal(number(v128("pmull64", ones, ones)), carryLess(ones, ones));
  fc.assert(
    fc.property(fc.bigInt(0n, ones), fc.bigInt(0n, ones), (a, b) => {
      assert.equal(number(v128("pmull64", a, b)), carryLess(a, b));
    }),
    { numRuns: 1000 },
  );
});

test("PMUL and PMULL of bytes are carry-less products", () => {
  fc.assert(
    fc.property(block, block, (a, b) => {
      const product = (i: number): number => Number(carryLess(BigInt(a[i]!), BigInt(b[i]!)));
      assert.deepEqual(
        v128("pmul8", a, b),
        a.map((_, i) => product(i)),
      );
      const wide = Uint16Array.from({ length: 8 }, (_, i) => product(i));
      assert.deepEqual(v128("pmull8", a, b), new Uint8Array(wide.buffer));
    }),
  );
});

const nativeCrc32 = native.get("crc32");
function crc(bytes: Uint8Array, chunk: 1 | 2 | 4 | 8, castagnoli: 0 | 1): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let a = -1;
  for (let i = 0; i < bytes.length; i += chunk) {
    // Bytes above the chunk must not matter.
    let value = 0x5a5a5a5a5a5a5a5an;
    if (chunk === 8) value = view.getBigUint64(i, true);
    else for (let j = chunk - 1; j >= 0; j--) value = BigInt.asUintN(64, (value << 8n) | BigInt(bytes[i + j]!));
    a = Number(nativeCrc32(0, a, value, chunk, castagnoli));
  }
  return ~a >>> 0;
}
const chunks = [1, 2, 4, 8] as const;

test("CRC32 is zlib's in every operand size", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.constantFrom(...chunks), (bytes, chunk) => {
      assert.equal(crc(bytes, chunk, 0), zlibCrc32(bytes));
    }),
  );
});

test("CRC32C has its check value and is the same in every operand size", () => {
  // RFC 3720, B.4, and the catalogue's check value
  assert.equal(crc(Uint8Array.from(Buffer.from("123456789")), 1, 1), 0xe3069283);
  for (const chunk of chunks) assert.equal(crc(new Uint8Array(32), chunk, 1), 0x8a9136aa);
  for (const chunk of chunks) assert.equal(crc(new Uint8Array(32).fill(0xff), chunk, 1), 0x62a8ab43);
});

const computePAC = native.get("computePAC");
const u64 = (x: number | bigint): bigint => BigInt.asUintN(64, BigInt(x));

test("ComputePAC is QARMA-64 with 5 rounds and S-box sigma 2 (test vector of the QARMA paper)", () => {
  const pac = computePAC(0xfb623599da6e8127n, 0x477d469dec0b8762n, 0xec2802d4e0a488e9n, 0x84be85ce9804e94bn);
  assert.equal(u64(pac), 0xc003b93999b33765n);
});

test("the fast PAC depends on every bit of pointer, modifier and key", () => {
  const fast = native.get("computePACFast");
  const input = [0x0000aaaad5c31234n, 0x0000fffff7a3b5e0n, 0x1234567890abcdefn, 0xfedcba0987654321n];
  const base = u64(fast(...input));
  for (let i = 0; i < 256; i++) {
    const flipped = input.map((v, j) => (j === i >> 6 ? v ^ (1n << BigInt(i & 63)) : v));
    const change = base ^ u64(fast(...flipped));
    const bits = change.toString(2).replaceAll("0", "").length;
    assert.ok(bits >= 12 && bits <= 52, `bit ${i} changes ${bits} bits of the result`);
  }
});
