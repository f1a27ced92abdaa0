// What the rows of the benchmark share. A row does a fixed amount of work, times itself, and returns a rate: more is better.
#ifndef ABENCH_H
#define ABENCH_H

#include <stddef.h>
#include <stdint.h>

struct result {
  double value;
  const char *unit;
  // Of what was computed: the same on every machine that computes right.
  uint64_t check;
};

// Seconds of a clock that never goes back.
double seconds(void);

// `base` scaled by the second argument of the command, at least 1.
long work(long base);

// Pseudo-random numbers (xorshift64*); the state must not be 0.
uint64_t next_random(uint64_t *state);

// Folds a value into a check sum (FNV-1a by 64-bit words).
uint64_t fold(uint64_t check, uint64_t value);
uint64_t fold_bytes(uint64_t check, const void *bytes, size_t size);

// Memory, filled with zeroes and touched; ends the program when there is none.
void *allocate(size_t size);

// Text-like data: words of a Zipf-like vocabulary.
void fill_text(uint8_t *text, size_t size);

// Ends the program with a message on the standard error and status 1.
_Noreturn void fail(const char *what);

struct result bench_integer(void);
struct result bench_lu(void);
struct result bench_mandelbrot(void);
struct result bench_stream_copy(void);
struct result bench_stream_scale(void);
struct result bench_stream_add(void);
struct result bench_stream_triad(void);
struct result bench_gups(void);
struct result bench_lz(void);
struct result bench_sha256(void);
struct result bench_gzip(void);
struct result bench_sort(void);
struct result bench_shell(void);
struct result bench_awk(void);
struct result bench_exec(void);
struct result bench_pipe(void);
struct result bench_syscall(void);
struct result bench_mmap(void);
struct result bench_simd_dot(void);
struct result bench_simd_memcpy(void);
struct result bench_simd_blend(void);

#endif
