// Executes floating-point instructions on random operands under random FPCR values and writes what they did.
//   oracle --names        the operations, one a line: the native function that should agree, then its arguments ("a", "b", "c" or a constant)
//   oracle SEED COUNT     COUNT records of struct record, little-endian, on standard output
// Build: aarch64-linux-gnu-gcc -O2 -static -march=armv8.5-a+fp16 oracle.c -o oracle; run it on an Arm machine or under qemu-aarch64.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
  uint32_t op, fpcr;
  uint64_t a, b, c, result;
  uint32_t fpsr, nzcv;
};

// a, b, c are in x9, x10, x11 and in v1, v2, v3; the result is left in v0 (FP, CMP: taken from there, or from the flags) or x0 (INT).
#define EXECUTE(insn, after)                                                                                            \
  register uint64_t x9 __asm__("x9") = r->a;                                                                              \
  register uint64_t x10 __asm__("x10") = r->b;                                                                            \
  register uint64_t x11 __asm__("x11") = r->c;                                                                            \
  register uint64_t x12 __asm__("x12") = r->fpcr;                                                                         \
  register uint64_t x0 __asm__("x0");                                                                                     \
  register uint64_t x13 __asm__("x13");                                                                                   \
  register uint64_t x14 __asm__("x14");                                                                                   \
  __asm__ volatile("msr fpcr, x12\n msr fpsr, xzr\n movi v0.2d, #0\n fmov d1, x9\n fmov d2, x10\n fmov d3, x11\n"         \
                   "mov x0, #0\n" insn "\n" after "mrs x13, fpsr\n mrs x14, nzcv\n msr fpcr, xzr\n"               \
                   : "=r"(x0), "=r"(x13), "=r"(x14)                                                                       \
                   : "r"(x9), "r"(x10), "r"(x11), "r"(x12)                                                                \
                   : "v0", "v1", "v2", "v3", "cc", "memory");                                                            \
  r->result = x0, r->fpsr = x13, r->nzcv = x14 >> 28;

typedef void (*executor)(struct record *);
struct operation {
  const char *name;
  int width; // of the operands that are floating-point numbers; 0: integers
  executor execute;
};

#define FP(width, name, insn)                                                                                           \
  {name, width, ({ void f(struct record *r) { EXECUTE(insn, "fmov x0, d0\n") } f; })}
#define INT(width, name, insn)                                                                                          \
  {name, width, ({ void f(struct record *r) { EXECUTE(insn, "") } f; })}
#define CMP(width, name, insn)                                                                                          \
  {name, width, ({ void f(struct record *r) { EXECUTE(insn, "mrs x0, nzcv\n lsr x0, x0, #28\n") } f; })}
#define MASK(width, name, insn)                                                                                         \
  {name, width, ({ void f(struct record *r) { EXECUTE(insn, "fmov x0, d0\n and x0, x0, #1\n") } f; })}
#define JS(width, name, insn)                                                                                           \
  {name, width,                                                                                                         \
   ({ void f(struct record *r) { EXECUTE(insn, "mrs x14, nzcv\n ubfx x14, x14, #30, #1\n orr x0, x0, x14, lsl #32\n") } f; })}

#define BINARY(name, insn)                                                                                              \
  FP(16, name "16 a b", insn " h0, h1, h2"), FP(32, name "32 a b", insn " s0, s1, s2"),                                  \
      FP(64, name "64 a b", insn " d0, d1, d2")
#define UNARY(name, args, insn)                                                                                         \
  FP(16, name "16 a" args, insn " h0, h1"), FP(32, name "32 a" args, insn " s0, s1"),                                    \
      FP(64, name "64 a" args, insn " d0, d1")
#define FUSED(name, insn)                                                                                               \
  FP(16, name "16 c a b", insn " h0, h1, h2, h3"), FP(32, name "32 c a b", insn " s0, s1, s2, s3"),                      \
      FP(64, name "64 c a b", insn " d0, d1, d2, d3")
#define COMPARE(name, args, insn)                                                                                       \
  CMP(16, name "16 a b " args, insn " h1, h2"), CMP(32, name "32 a b " args, insn " s1, s2"),                            \
      CMP(64, name "64 a b " args, insn " d1, d2")
#define COMPARE_MASK(name, insn)                                                                                        \
  MASK(16, name "16 a b", insn " h0, h1, h2"), MASK(32, name "32 a b", insn " s0, s1, s2"),                              \
      MASK(64, name "64 a b", insn " d0, d1, d2")
// Of each rounding: to 16-bit integers (vector form only), to 32 and 64 bits.
#define TO_INT_U(unsigned, rounding, insn)                                                                              \
  FP(16, "fpToFixed16to16 a 0 " unsigned " " rounding, insn " h0, h1"),                                                  \
      INT(16, "fpToFixed16to32 a 0 " unsigned " " rounding, insn " w0, h1"),                                             \
      INT(16, "fpToFixed16to64 a 0 " unsigned " " rounding, insn " x0, h1"),                                             \
      INT(32, "fpToFixed32to32 a 0 " unsigned " " rounding, insn " w0, s1"),                                             \
      INT(32, "fpToFixed32to64 a 0 " unsigned " " rounding, insn " x0, s1"),                                             \
      INT(64, "fpToFixed64to32 a 0 " unsigned " " rounding, insn " w0, d1"),                                             \
      INT(64, "fpToFixed64to64 a 0 " unsigned " " rounding, insn " x0, d1")
#define TO_INT(rounding, insn) TO_INT_U("0", rounding, insn "s"), TO_INT_U("1", rounding, insn "u")
#define TO_FIXED_U(unsigned, insn, fbits)                                                                               \
  INT(16, "fpToFixed16to32 a " fbits " " unsigned " 3", insn " w0, h1, #" fbits),                                       \
      INT(16, "fpToFixed16to64 a " fbits " " unsigned " 3", insn " x0, h1, #" fbits),                                    \
      INT(32, "fpToFixed32to32 a " fbits " " unsigned " 3", insn " w0, s1, #" fbits),                                    \
      INT(32, "fpToFixed32to64 a " fbits " " unsigned " 3", insn " x0, s1, #" fbits),                                    \
      INT(64, "fpToFixed64to32 a " fbits " " unsigned " 3", insn " w0, d1, #" fbits),                                    \
      INT(64, "fpToFixed64to64 a " fbits " " unsigned " 3", insn " x0, d1, #" fbits)
#define TO_FIXED(fbits) TO_FIXED_U("0", "fcvtzs", fbits), TO_FIXED_U("1", "fcvtzu", fbits)
#define FROM_FIXED_U(unsigned, insn, fbits)                                                                             \
  FP(0, "fixed32toFp16 a " fbits " " unsigned, insn " h0, w9, #" fbits),                                                \
      FP(0, "fixed64toFp16 a " fbits " " unsigned, insn " h0, x9, #" fbits),                                             \
      FP(0, "fixed32toFp32 a " fbits " " unsigned, insn " s0, w9, #" fbits),                                             \
      FP(0, "fixed64toFp32 a " fbits " " unsigned, insn " s0, x9, #" fbits),                                             \
      FP(0, "fixed32toFp64 a " fbits " " unsigned, insn " d0, w9, #" fbits),                                             \
      FP(0, "fixed64toFp64 a " fbits " " unsigned, insn " d0, x9, #" fbits)
#define FROM_FIXED(fbits) FROM_FIXED_U("0", "scvtf", fbits), FROM_FIXED_U("1", "ucvtf", fbits)
#define FROM_INT_U(unsigned, insn)                                                                                      \
  FP(0, "fixed16toFp16 a 0 " unsigned, insn " h0, h1"), FP(0, "fixed16toFp16 a 5 " unsigned, insn " h0, h1, #5"),       \
      FP(0, "fixed16toFp16 a 16 " unsigned, insn " h0, h1, #16"), FP(0, "fixed32toFp16 a 0 " unsigned, insn " h0, w9"), \
      FP(0, "fixed64toFp16 a 0 " unsigned, insn " h0, x9"), FP(0, "fixed32toFp32 a 0 " unsigned, insn " s0, w9"),       \
      FP(0, "fixed64toFp32 a 0 " unsigned, insn " s0, x9"), FP(0, "fixed32toFp64 a 0 " unsigned, insn " d0, w9"),       \
      FP(0, "fixed64toFp64 a 0 " unsigned, insn " d0, x9")
#define ROUND_N(rounding, intsize, insn)                                                                                \
  FP(32, "fpRoundIntN32 a " rounding " " intsize, insn " s0, s1"),                                                      \
      FP(64, "fpRoundIntN64 a " rounding " " intsize, insn " d0, d1")

static uint64_t state;
static uint64_t next(void) { // splitmix64
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// A number whose bits come in runs: carries, ties and limits live there.
static uint64_t runs(int width) {
  uint64_t v = 0;
  for (int i = 0; i < width;) {
    int n = 1 + next() % (next() & 1 ? 4 : width);
    if (next() & 1) v |= (n >= 64 ? ~0ull : (1ull << n) - 1) << i;
    i += n;
  }
  return width == 64 ? v : v & ((1ull << width) - 1);
}

static uint64_t number(int width) {
  int F = width == 16 ? 10 : width == 32 ? 23 : 52;
  int E = width - 1 - F;
  uint64_t top = (1ull << E) - 1, bias = top >> 1;
  uint64_t f = (next() & 1 ? runs(F) : next()) & ((1ull << F) - 1), e;
  switch (next() % 10) {
  case 0: e = 0; break;
  case 1: e = top; if (next() & 1) f = 0; break;
  case 2: e = next() % (F + 3); break;
  case 3: e = top - 1 - next() % 3; break;
  case 4: e = next() & top; break;
  case 5: e = bias + next() % (width + 2) ; break;
  case 6: e = bias - next() % 4; break;
  case 7: e = bias + F - 2 + next() % 4; break;
  case 8: e = bias + 29 + next() % 6; break;
  default: e = bias - F + next() % (2 * F);
  }
  if (next() % 12 == 0) f = 0, e = next() & 1 ? 0 : e;
  return (next() << (width - 1) & (1ull << (width - 1))) | (e & top) << F | f;
}

static uint64_t integer(void) {
  uint64_t v = next() & 1 ? runs(64) : next() >> next() % 64;
  return next() & 1 ? v : -v;
}

static void operands(struct record *r, int width) {
  if (!width) {
    r->a = integer(), r->b = integer(), r->c = integer();
    return;
  }
  uint64_t sign = 1ull << (width - 1), mask = width == 64 ? ~0ull : (1ull << width) - 1;
  r->a = number(width), r->b = number(width), r->c = number(width);
  switch (next() % 8) {
  case 0: r->b = r->a; break;
  case 1: r->b = (r->a ^ sign) + next() % 5 - 2; break;
  case 2: // an addend near minus the product
    if (width == 64) {
      double a, b, c;
      memcpy(&a, &r->a, 8), memcpy(&b, &r->b, 8);
      c = -(a * b), memcpy(&r->c, &c, 8);
    } else if (width == 32) {
      float a, b, c;
      memcpy(&a, &r->a, 4), memcpy(&b, &r->b, 4);
      c = -(a * b), memcpy(&r->c, &c, 4);
    } else {
      __fp16 a, b, c;
      memcpy(&a, &r->a, 2), memcpy(&b, &r->b, 2);
      c = -(a * b), memcpy(&r->c, &c, 2);
    }
    r->c += next() % 3 - 1;
    break;
  }
  r->a &= mask, r->b &= mask, r->c &= mask;
}

int main(int argc, char **argv) {
  const struct operation operations[] = {
      BINARY("fpAdd", "fadd"), BINARY("fpSub", "fsub"), BINARY("fpMul", "fmul"), BINARY("fpMulX", "fmulx"),
      BINARY("fpDiv", "fdiv"), BINARY("fpMax", "fmax"), BINARY("fpMin", "fmin"), BINARY("fpMaxNum", "fmaxnm"),
      BINARY("fpMinNum", "fminnm"), BINARY("fpRecipStep", "frecps"), BINARY("fpRSqrtStep", "frsqrts"),
      FUSED("fpMulAdd", "fmadd"), FUSED("fpMulAdd", "fmadd"), UNARY("fpSqrt", "", "fsqrt"),
      UNARY("fpRecipEstimate", "", "frecpe"), UNARY("fpRSqrtEstimate", "", "frsqrte"), UNARY("fpRecpX", "", "frecpx"),
      COMPARE("fpCompare", "0", "fcmp"), COMPARE("fpCompare", "1", "fcmpe"), COMPARE_MASK("fpCmpEQ", "fcmeq"),
      COMPARE_MASK("fpCmpGE", "fcmge"), COMPARE_MASK("fpCmpGT", "fcmgt"),
      UNARY("fpRoundInt", " 0 0", "frintn"), UNARY("fpRoundInt", " 1 0", "frintp"), UNARY("fpRoundInt", " 2 0", "frintm"),
      UNARY("fpRoundInt", " 3 0", "frintz"), UNARY("fpRoundInt", " 4 0", "frinta"), UNARY("fpRoundInt", " -1 0", "frinti"),
      UNARY("fpRoundInt", " -1 1", "frintx"), ROUND_N("3", "32", "frint32z"), ROUND_N("-1", "32", "frint32x"),
      ROUND_N("3", "64", "frint64z"), ROUND_N("-1", "64", "frint64x"),
      FP(16, "fpConvert16to32 a", "fcvt s0, h1"), FP(16, "fpConvert16to64 a", "fcvt d0, h1"),
      FP(32, "fpConvert32to16 a", "fcvt h0, s1"), FP(32, "fpConvert32to64 a", "fcvt d0, s1"),
      FP(64, "fpConvert64to16 a", "fcvt h0, d1"), FP(64, "fpConvert64to32 a", "fcvt s0, d1"),
      FP(64, "fpConvert64to32Odd a", "fcvtxn s0, d1"),
      TO_INT("0", "fcvtn"), TO_INT("1", "fcvtp"), TO_INT("2", "fcvtm"), TO_INT("3", "fcvtz"), TO_INT("4", "fcvta"),
      TO_FIXED("1"), TO_FIXED("7"), TO_FIXED("31"), INT(16, "fpToFixed16to16 a 5 0 3", "fcvtzs v0.4h, v1.4h, #5\n umov w0, v0.h[0]"),
      FP(16, "fpToFixed16to16 a 16 1 3", "fcvtzu h0, h1, #16"), INT(64, "fpToFixed64to64 a 64 0 3", "fcvtzs x0, d1, #64"),
      INT(32, "fpToFixed32to64 a 64 1 3", "fcvtzu x0, s1, #64"), FROM_INT_U("0", "scvtf"), FROM_INT_U("1", "ucvtf"),
      FROM_FIXED("1"), FROM_FIXED("9"), FROM_FIXED("31"), FP(0, "fixed64toFp16 a 64 0", "scvtf h0, x9, #64"),
      FP(0, "fixed64toFp64 a 64 1", "ucvtf d0, x9, #64"), JS(64, "fpToJS a", "fjcvtzs w0, d1"),
      FP(0, "recipEstimateU32 a", "urecpe v0.2s, v1.2s\n mov v0.s[1], wzr"),
      FP(0, "rsqrtEstimateU32 a", "ursqrte v0.2s, v1.2s\n mov v0.s[1], wzr"),
  };
  const unsigned n = sizeof operations / sizeof *operations;
  if (argc == 2 && !strcmp(argv[1], "--names")) {
    for (unsigned i = 0; i < n; i++) puts(operations[i].name);
    return 0;
  }
  if (argc != 3) return 2;
  state = strtoull(argv[1], 0, 0);
  for (uint64_t count = strtoull(argv[2], 0, 0); count; count--) {
    struct record r = {.op = next() % n};
    if (next() & 1) r.fpcr = next() & 0x07c80000; // AHP, DN, FZ, RMode, FZ16
    else if (next() & 1) r.fpcr = next() & 0x00c00000;
    operands(&r, operations[r.op].width);
    operations[r.op].execute(&r);
    fwrite(&r, sizeof r, 1, stdout);
  }
  return 0;
}
