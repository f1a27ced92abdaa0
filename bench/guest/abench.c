// abench ROW [SCALE]: runs one row of the benchmark and prints `ROW value unit check`.

#include "abench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
  const char *name;
  struct result (*run)(void);
} rows[] = {
    {"integer", bench_integer},
    {"lu", bench_lu},
    {"mandelbrot", bench_mandelbrot},
    {"stream-copy", bench_stream_copy},
    {"stream-scale", bench_stream_scale},
    {"stream-add", bench_stream_add},
    {"stream-triad", bench_stream_triad},
    {"gups", bench_gups},
    {"lz", bench_lz},
    {"sha256", bench_sha256},
    {"gzip", bench_gzip},
    {"sort", bench_sort},
    {"shell", bench_shell},
    {"awk", bench_awk},
    {"exec", bench_exec},
    {"pipe", bench_pipe},
    {"syscall", bench_syscall},
    {"mmap", bench_mmap},
    {"simd-dot", bench_simd_dot},
    {"simd-memcpy", bench_simd_memcpy},
    {"simd-blend", bench_simd_blend},
};

static double scale = 1;

double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

long work(long base) {
  long scaled = (long)((double)base * scale);
  return scaled < 1 ? 1 : scaled;
}

uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545f4914f6cdd1dULL;
}

uint64_t fold(uint64_t check, uint64_t value) {
  return (check ^ value) * 0x100000001b3ULL;
}

uint64_t fold_bytes(uint64_t check, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  while (size-- > 0) check = fold(check, *at++);
  return check;
}

void *allocate(size_t size) {
  void *memory = malloc(size);
  if (memory == NULL) fail("no memory");
  return memset(memory, 0, size);
}

void fill_text(uint8_t *text, size_t size) {
  enum { WORDS = 4096, LONGEST = 12 };
  static char vocabulary[WORDS][LONGEST + 1];
  uint64_t random = 42;
  for (int w = 0; w < WORDS; w++) {
    int length = 2 + (int)(next_random(&random) >> 40) % (LONGEST - 2);
    for (int i = 0; i < length; i++) vocabulary[w][i] = "etaoinshrdlucmfwyp"[(next_random(&random) >> 40) % 18];
    vocabulary[w][length] = 0;
  }
  size_t at = 0;
  while (at < size) {
    // The product of two even distributions prefers small numbers, as word frequencies do.
    uint64_t r = next_random(&random);
    unsigned w = (unsigned)((((r >> 52) & 0xfff) * ((r >> 40) & 0xfff)) >> 12);
    for (const char *c = vocabulary[w]; *c != 0 && at < size; c++) text[at++] = (uint8_t)*c;
    if (at < size) text[at++] = (r & 0xf) == 0 ? '\n' : ' ';
  }
}

void fail(const char *what) {
  fprintf(stderr, "abench: %s\n", what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "nothing") == 0) return 0;  // what the row `exec` executes
  if (argc > 2) scale = atof(argv[2]);
  for (size_t i = 0; argc > 1 && i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(argv[1], rows[i].name) != 0) continue;
    struct result r = rows[i].run();
    printf("%s %.6g %s %016llx\n", rows[i].name, r.value, r.unit, (unsigned long long)r.check);
    return 0;
  }
  fprintf(stderr, "usage: abench ROW [SCALE]; rows:");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) fprintf(stderr, " %s", rows[i].name);
  fprintf(stderr, "\n");
  return 2;
}
