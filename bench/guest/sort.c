// Heap sort of 64-bit keys.

#include "abench.h"

static void sift_down(uint64_t *heap, size_t at, size_t size) {
  uint64_t key = heap[at];
  for (size_t child; (child = 2 * at + 1) < size; at = child) {
    if (child + 1 < size && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= key) break;
    heap[at] = heap[child];
  }
  heap[at] = key;
}

struct result bench_sort(void) {
  size_t size = (size_t)work(1500000);
  uint64_t *keys = allocate(size * sizeof *keys);
  uint64_t random = 11;
  for (size_t i = 0; i < size; i++) keys[i] = next_random(&random);
  double start = seconds();
  for (size_t i = size / 2; i-- > 0;) sift_down(keys, i, size);
  for (size_t end = size; end-- > 1;) {
    uint64_t greatest = keys[0];
    keys[0] = keys[end];
    keys[end] = greatest;
    sift_down(keys, 0, end);
  }
  double time = seconds() - start;
  for (size_t i = 1; i < size; i++) {
    if (keys[i - 1] > keys[i]) fail("sort: not sorted");
  }
  return (struct result){(double)size / time * 1e-6, "Mkeys/s", fold(keys[0], keys[size - 1])};
}
