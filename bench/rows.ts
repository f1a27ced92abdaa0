// The rows that bench/guest/abench.c has, and what they are to reach.

export interface Row {
  readonly name: string;
  readonly what: string;
  /** Least ratio to QEMU's TCG that is aimed at. */
  readonly target: number;
}

const INTEGER = 1.5;
const FLOAT = 3;
const SYSTEM = 1;

export const ROWS: readonly Row[] = [
  { name: "integer", what: "lists, matrices, a state machine, CRC", target: INTEGER },
  { name: "lu", what: "LU factorization, double", target: FLOAT },
  { name: "mandelbrot", what: "Mandelbrot set, double", target: FLOAT },
  { name: "stream-copy", what: "STREAM copy", target: FLOAT },
  { name: "stream-scale", what: "STREAM scale", target: FLOAT },
  { name: "stream-add", what: "STREAM add", target: FLOAT },
  { name: "stream-triad", what: "STREAM triad", target: FLOAT },
  { name: "gups", what: "updates at random places of 64 MiB", target: SYSTEM },
  { name: "lz", what: "LZ77 and arithmetic coding, and back", target: INTEGER },
  { name: "sha256", what: "SHA-256 in C", target: INTEGER },
  { name: "gzip", what: "busybox gzip", target: INTEGER },
  { name: "sort", what: "heap sort of 64-bit keys", target: INTEGER },
  { name: "shell", what: "busybox sh, a counting loop", target: INTEGER },
  { name: "awk", what: "busybox awk, a loop", target: INTEGER },
  { name: "exec", what: "fork, exec, wait", target: SYSTEM },
  { name: "pipe", what: "two processes, a word back and forth", target: SYSTEM },
  { name: "syscall", what: "getppid", target: SYSTEM },
  { name: "mmap", what: "mmap, touch, munmap 4 MiB", target: SYSTEM },
  { name: "simd-dot", what: "Advanced SIMD dot product of floats", target: FLOAT },
  { name: "simd-memcpy", what: "Advanced SIMD copy", target: FLOAT },
  { name: "simd-blend", what: "Advanced SIMD alpha blend of bytes", target: FLOAT },
];

/** Of each row's work, with --quick. */
export const QUICK_SCALE = 0.2;
