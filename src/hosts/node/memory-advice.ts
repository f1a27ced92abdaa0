// What Linux is told of a WebAssembly memory (madvise). It is advice: where it cannot be given, everything is as before, but slower, or takes more
// of the host's memory.

import { RELEASE_MIN, type ReleasePages } from "../../memory/page-release.ts";
import { type CLibrary, cLibrary } from "./c-library.ts";

// linux/mman-common.h
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;

let releases: boolean | undefined;

/**
 * Asks the host for large pages behind a memory, as QEMU does for its guests: a TLB miss of the host's takes long in a virtual machine, and
 * finding memory 4 KiB at a time takes longer than filling it.
 */
export function largePages({ buffer }: WebAssembly.Memory): void {
  cLibrary()?.madvise(new Uint8Array(buffer), MADV_HUGEPAGE);
}

/** How parts of a memory are given back to the host; undefined where this process cannot. */
export function pageRelease(): ReleasePages | undefined {
  const library = cLibrary();
  if (library === undefined) return undefined;
  releases ??= works(library);
  if (!releases) return undefined;
  return ({ buffer }, offset, bytes) => library.madvise(new Uint8Array(buffer, offset, bytes), MADV_DONTNEED) === 0;
}

/** Whether the second of three pages is zero afterwards, and its neighbours are as they were: systems that are like Linux may differ. */
function works({ madvise }: CLibrary): boolean {
  const { buffer } = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
  const words = new Int32Array(buffer).fill(7);
  const page = RELEASE_MIN / 4;
  if (madvise(new Uint8Array(buffer, RELEASE_MIN, RELEASE_MIN), MADV_DONTNEED) !== 0) return false;
  return words.indexOf(0) === page && words.indexOf(7, page) === 2 * page;
}
