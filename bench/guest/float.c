// Scalar floating point: LU factorization with partial pivoting, and the Mandelbrot set.

#include "abench.h"

#include <string.h>

enum { N = 256 };

static double a[N][N], b[N];

// Row operations only, so that the inner loop goes along memory.
static void factor_and_solve(void) {
  for (int k = 0; k < N; k++) {
    int pivot = k;
    for (int i = k + 1; i < N; i++) {
      if (__builtin_fabs(a[i][k]) > __builtin_fabs(a[pivot][k])) pivot = i;
    }
    if (pivot != k) {
      for (int j = 0; j < N; j++) {
        double t = a[k][j];
        a[k][j] = a[pivot][j];
        a[pivot][j] = t;
      }
      double t = b[k];
      b[k] = b[pivot];
      b[pivot] = t;
    }
    for (int i = k + 1; i < N; i++) {
      double factor = a[i][k] / a[k][k];
      a[i][k] = factor;
      for (int j = k + 1; j < N; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (int i = N - 1; i >= 0; i--) {
    for (int j = i + 1; j < N; j++) b[i] -= a[i][j] * b[j];
    b[i] /= a[i][i];
  }
}

struct result bench_lu(void) {
  long turns = work(40);
  uint64_t random = 3, check = 0;
  double time = 0;
  for (long t = 0; t < turns; t++) {
    // The right side is what x = (1, ..., 1) gives.
    for (int i = 0; i < N; i++) {
      b[i] = 0;
      for (int j = 0; j < N; j++) b[i] += a[i][j] = (double)(int64_t)next_random(&random) * 0x1p-63;
    }
    double start = seconds();
    factor_and_solve();
    time += seconds() - start;
    for (int i = 0; i < N; i++) {
      if (__builtin_fabs(b[i] - 1) > 1e-8) fail("lu: wrong solution");
    }
    check = fold_bytes(check, b, sizeof b);
  }
  double operations = 2.0 / 3 * N * N * N + 2.0 * N * N;
  return (struct result){(double)turns * operations / time * 1e-6, "MFLOPS", check};
}

struct result bench_mandelbrot(void) {
  enum { WIDTH = 640, MOST = 200 };
  long lines = work(1200);
  uint64_t check = 0, steps = 0;
  double start = seconds();
  for (long y = 0; y < lines; y++) {
    for (int x = 0; x < WIDTH; x++) {
      double cr = -2.2 + 3.0 * x / WIDTH, ci = -1.2 + 2.4 * (double)y / (double)lines;
      double zr = 0, zi = 0;
      int n = 0;
      for (; n < MOST && zr * zr + zi * zi <= 4; n++) {
        double t = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = t;
      }
      steps += (uint64_t)n;
      check = fold(check, (uint64_t)n);
    }
  }
  return (struct result){(double)steps / (seconds() - start) * 1e-6, "Msteps/s", check};
}
