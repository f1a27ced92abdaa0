// SHA-256 (FIPS 180-4) without the processor's instructions for it.

#include "abench.h"

#include <string.h>

// Fractional parts of the cube roots of the first 64 primes (section 4.2.2).
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void add_block(uint32_t h[8], const uint8_t *block) {
  uint32_t w[64];
  for (int t = 0; t < 16; t++) {
    memcpy(&w[t], block + 4 * t, 4);
    w[t] = __builtin_bswap32(w[t]);
  }
  for (int t = 16; t < 64; t++) {
    uint32_t s0 = ror(w[t - 15], 7) ^ ror(w[t - 15], 18) ^ w[t - 15] >> 3;
    uint32_t s1 = ror(w[t - 2], 17) ^ ror(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], i = h[7];
  for (int t = 0; t < 64; t++) {
    uint32_t t1 = i + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
    uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    i = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const uint32_t s[8] = {a, b, c, d, e, f, g, i};
  for (int k = 0; k < 8; k++) h[k] += s[k];
}

static void digest(uint32_t h[8], const uint8_t *data, size_t size) {
  memcpy(h, START, sizeof START);
  size_t whole = size & ~(size_t)63;
  for (size_t at = 0; at < whole; at += 64) add_block(h, data + at);
  uint8_t end[128] = {0};
  size_t rest = size - whole, length = rest < 56 ? 64 : 128;
  memcpy(end, data + whole, rest);
  end[rest] = 0x80;
  for (int i = 0; i < 8; i++) end[length - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
  for (size_t at = 0; at < length; at += 64) add_block(h, end + at);
}

struct result bench_sha256(void) {
  // Of "abc" (FIPS 180-4's example).
  uint32_t h[8];
  digest(h, (const uint8_t *)"abc", 3);
  if (h[0] != 0xba7816bf || h[7] != 0xf20015ad) fail("sha256: wrong digest");

  size_t size = 1 << 20;
  long turns = work(96);
  uint8_t *data = allocate(size);
  fill_text(data, size);
  uint64_t check = 0;
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    data[0] = (uint8_t)t;
    digest(h, data, size);
    check = fold(check, h[0]);
  }
  return (struct result){(double)turns * (double)size / (seconds() - start) * 1e-6, "MB/s", check};
}
