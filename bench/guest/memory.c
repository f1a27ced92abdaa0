// Memory: STREAM's four kernels, and updates at random places (GUPS).

#include "abench.h"

enum { LENGTH = 1 << 21, CHECK_STRIDE = 4099 };

static double *a, *b, *c;

static void set_up(void) {
  size_t size = LENGTH * sizeof(double);
  a = allocate(size);
  b = allocate(size);
  c = allocate(size);
  for (long i = 0; i < LENGTH; i++) {
    a[i] = (double)i;
    b[i] = 2;
    c[i] = 0.5;
  }
}

// Megabytes a second of `arrays` arrays gone through in each turn.
static struct result rate(long turns, int arrays, double time, const double *result) {
  uint64_t check = 0;
  for (long i = 0; i < LENGTH; i += CHECK_STRIDE) check = fold_bytes(check, &result[i], sizeof *result);
  return (struct result){(double)turns * arrays * LENGTH * sizeof(double) / time * 1e-6, "MB/s", check};
}

struct result bench_stream_copy(void) {
  long turns = work(40);
  set_up();
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    a[t] = (double)t;
    for (long i = 0; i < LENGTH; i++) c[i] = a[i];
  }
  return rate(turns, 2, seconds() - start, c);
}

struct result bench_stream_scale(void) {
  long turns = work(40);
  set_up();
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    double factor = (double)(t + 3);
    for (long i = 0; i < LENGTH; i++) b[i] = factor * c[i];
  }
  return rate(turns, 2, seconds() - start, b);
}

struct result bench_stream_add(void) {
  long turns = work(40);
  set_up();
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    a[t] = (double)t;
    for (long i = 0; i < LENGTH; i++) c[i] = a[i] + b[i];
  }
  return rate(turns, 3, seconds() - start, c);
}

struct result bench_stream_triad(void) {
  long turns = work(30);
  set_up();
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    double factor = (double)(t + 3);
    for (long i = 0; i < LENGTH; i++) a[i] = b[i] + factor * c[i];
  }
  return rate(turns, 3, seconds() - start, a);
}

struct result bench_gups(void) {
  const uint64_t places = 1 << 23;
  long updates = work(10000000);
  uint64_t *table = allocate(places * sizeof *table);
  uint64_t random = 1;
  double start = seconds();
  for (long i = 0; i < updates; i++) {
    uint64_t r = next_random(&random);
    table[r & (places - 1)] ^= r;
  }
  double time = seconds() - start;
  uint64_t check = 0;
  for (uint64_t i = 0; i < places; i += CHECK_STRIDE) check = fold(check, table[i]);
  return (struct result){(double)updates / time * 1e-6, "Mupdates/s", check};
}
