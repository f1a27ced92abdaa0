// What Linux is told of a WebAssembly memory (madvise), by Node's own interface to the host's C library (node:ffi). It is advice: where it cannot be
// given, everything is as before, but slower, or takes more of the host's memory.

import { RELEASE_MIN, type ReleasePages } from "../../memory/page-release.ts";

// linux/mman-common.h
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;

type Ffi = typeof import("node:ffi");
/** @returns 0, or -1 for an error. */
type Madvise = (memory: WebAssembly.Memory, offset: number, bytes: number, advice: number) => number;

let found: Madvise | null | undefined;

/**
 * Asks the host for large pages behind a memory, as QEMU does for its guests: a TLB miss of the host's takes long in a virtual machine, and
 * finding memory 4 KiB at a time takes longer than filling it.
 */
export function largePages(memory: WebAssembly.Memory): void {
  madvise()?.(memory, 0, memory.buffer.byteLength, MADV_HUGEPAGE);
}

/** How parts of a memory are given back to the host; undefined where this process cannot. */
export function pageRelease(): ReleasePages | undefined {
  const advise = madvise();
  return advise && ((memory, offset, bytes) => advise(memory, offset, bytes, MADV_DONTNEED) === 0);
}

function madvise(): Madvise | undefined {
  if (found === undefined) found = find() ?? null;
  return found ?? undefined;
}

function find(): Madvise | undefined {
  // Others have other numbers, and other meanings: what is not needed need not be zero afterwards.
  if (process.platform !== "linux") return undefined;
  try {
    const ffi = withoutWarning(() => process.getBuiltinModule("node:ffi") as Ffi);
    const { functions } = ffi.dlopen(null, {
      madvise: { arguments: ["pointer", "uint64", "int32"], return: "int32" },
    });
    const advise: Madvise = ({ buffer }, offset, bytes, advice) =>
      functions.madvise(ffi.getRawPointer(new Uint8Array(buffer, offset, bytes)), BigInt(bytes), advice);
    return works(advise) ? advise : undefined;
  } catch {
    // This Node has none, or its user permits none.
    return undefined;
  }
}

/** Whether the second of three pages is zero afterwards, and its neighbours are as they were. */
function works(advise: Madvise): boolean {
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
  const words = new Int32Array(memory.buffer).fill(7);
  const page = RELEASE_MIN / 4;
  if (advise(memory, RELEASE_MIN, RELEASE_MIN, MADV_DONTNEED) !== 0) return false;
  return words.indexOf(0) === page && words.indexOf(7, page) === 2 * page;
}

/** Node says that its interface may change. It is looked at whether it works. */
function withoutWarning<T>(action: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return action();
  } finally {
    process.emitWarning = emitWarning;
  }
}
