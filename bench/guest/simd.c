// Advanced SIMD: dot product of floats, copying, alpha blending. Where there is none, the same in plain C.

#include "abench.h"

#include <string.h>

#ifdef __aarch64__
#include <arm_neon.h>
#endif

enum { FLOATS = 16384, BYTES = 262144 };

static float dot(const float *a, const float *b) {
  float sums[16];
#ifdef __aarch64__
  float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
  for (int i = 0; i < FLOATS; i += 16) {
    s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    s1 = vfmaq_f32(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    s2 = vfmaq_f32(s2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
    s3 = vfmaq_f32(s3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
  }
  vst1q_f32(sums, s0);
  vst1q_f32(sums + 4, s1);
  vst1q_f32(sums + 8, s2);
  vst1q_f32(sums + 12, s3);
#else
  for (int lane = 0; lane < 16; lane++) sums[lane] = 0;
  for (int i = 0; i < FLOATS; i += 16) {
    for (int lane = 0; lane < 16; lane++) sums[lane] += a[i + lane] * b[i + lane];
  }
#endif
  float sum = 0;
  for (int lane = 0; lane < 16; lane++) sum += sums[lane];
  return sum;
}

struct result bench_simd_dot(void) {
  long turns = work(12000);
  float *a = allocate(FLOATS * sizeof *a), *b = allocate(FLOATS * sizeof *b);
  uint64_t random = 5;
  // Small whole numbers: every sum is exact, fused or not.
  for (int i = 0; i < FLOATS; i++) {
    a[i] = (float)(next_random(&random) >> 61);
    b[i] = (float)(next_random(&random) >> 61);
  }
  uint64_t check = 0;
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    a[t % FLOATS] = (float)(t & 7);
    check = fold(check, (uint64_t)dot(a, b));
  }
  return (struct result){(double)turns * 2 * FLOATS / (seconds() - start) * 1e-6, "MFLOPS", check};
}

static void copy(uint8_t *to, const uint8_t *from) {
#ifdef __aarch64__
  for (int i = 0; i < BYTES; i += 64) {
    uint8x16_t a = vld1q_u8(from + i), b = vld1q_u8(from + i + 16);
    uint8x16_t c = vld1q_u8(from + i + 32), d = vld1q_u8(from + i + 48);
    vst1q_u8(to + i, a);
    vst1q_u8(to + i + 16, b);
    vst1q_u8(to + i + 32, c);
    vst1q_u8(to + i + 48, d);
  }
#else
  memcpy(to, from, BYTES);
#endif
}

struct result bench_simd_memcpy(void) {
  long turns = work(32000);
  uint8_t *from = allocate(BYTES), *to = allocate(BYTES);
  fill_text(from, BYTES);
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    from[t % BYTES] = (uint8_t)t;
    copy(to, from);
  }
  double time = seconds() - start;
  if (memcmp(from, to, BYTES) != 0) fail("simd-memcpy: the copy differs");
  return (struct result){(double)turns * BYTES / time * 1e-6, "MB/s", fold_bytes(0, to, BYTES)};
}

// to = (from * alpha + to * (256 - alpha) + 128) / 256, by bytes.
static void blend(uint8_t *to, const uint8_t *from, uint8_t alpha) {
#ifdef __aarch64__
  uint8x8_t a = vdup_n_u8(alpha), rest = vdup_n_u8((uint8_t)(256 - alpha));
  for (int i = 0; i < BYTES; i += 16) {
    uint8x16_t f = vld1q_u8(from + i), t = vld1q_u8(to + i);
    uint16x8_t low = vmlal_u8(vmull_u8(vget_low_u8(f), a), vget_low_u8(t), rest);
    uint16x8_t high = vmlal_u8(vmull_u8(vget_high_u8(f), a), vget_high_u8(t), rest);
    vst1q_u8(to + i, vcombine_u8(vrshrn_n_u16(low, 8), vrshrn_n_u16(high, 8)));
  }
#else
  for (int i = 0; i < BYTES; i++) to[i] = (uint8_t)((from[i] * alpha + to[i] * (256 - alpha) + 128) >> 8);
#endif
}

struct result bench_simd_blend(void) {
  long turns = work(3000);
  uint8_t *from = allocate(BYTES), *to = allocate(BYTES);
  fill_text(from, BYTES);
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    from[t % BYTES] = (uint8_t)t;
    blend(to, from, (uint8_t)(1 + t % 255));
  }
  double time = seconds() - start;
  return (struct result){(double)turns * (BYTES / 4) / time * 1e-6, "Mpixels/s", fold_bytes(0, to, BYTES)};
}
