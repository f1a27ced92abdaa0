// Node gives no part of a WebAssembly memory back by itself. V8's memory control (--experimental-wasm-memory-control) does: what a
// MemoryMapDescriptor was mapped over is fresh memory of the process when it is unmapped.

import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { RELEASE_BLOCKS_MAX, RELEASE_MIN, type ReleasePages } from "../../memory/page-release.ts";
import { setFlag } from "./v8-flags.ts";

interface MemoryMapDescriptor {
  /** Maps its (empty) file over a part of an unshared memory. */
  map(memory: WebAssembly.Memory, offset: number): number;
  /** Anonymous memory, private to the process, where it is mapped. */
  unmap(): boolean;
}
type DescriptorClass = new (bytes: number) => MemoryMapDescriptor;

/** The first V8 that has been seen to do it. Older ones name unknown flags on the terminal. */
const FIRST_V8 = [14, 6] as const;
const LARGEST = 32 * 2 ** 20;
/** Where the kernel does not say. */
const MAPPINGS_MAX = 65530;

let descriptorClass: DescriptorClass | null | undefined;
/** By their bytes. Each holds a file descriptor until the collector finds it: so there is only ever one of a size. */
const descriptors = new Map<number, MemoryMapDescriptor>();
/** Memories of which parts are given back: the process has so many mappings for each at most. */
let memories: WeakRef<WebAssembly.Memory>[] = [];
let memoriesMax = 0;

/**
 * How parts of an unshared memory are given back; undefined where this process cannot. The first call takes some 20 ms. It sets V8's flag for
 * good, as the descriptors need it.
 */
export function pageRelease(): ReleasePages | undefined {
  if (descriptorClass === undefined) descriptorClass = findClass() ?? null;
  return descriptorClass === null ? undefined : release;
}

const release: ReleasePages = (memory, offset, bytes) => {
  if (!admit(memory)) return false;
  try {
    for (let at = offset, left = bytes; left > 0; ) {
      let size = LARGEST;
      while (size > left) size /= 2;
      releaseOne(memory, at, size);
      at += size;
      left -= size;
    }
    return true;
  } catch {
    // No file descriptor is left for a new one.
    return false;
  }
};

/** Nothing runs between the two calls: nobody writes to the file, which has no contents ever. */
function releaseOne(memory: WebAssembly.Memory, offset: number, size: number): void {
  const Descriptor = descriptorClass as DescriptorClass;
  let descriptor = descriptors.get(size);
  if (descriptor === undefined) {
    descriptor = new Descriptor(size);
    descriptors.set(size, descriptor);
  }
  descriptor.map(memory, offset);
  descriptor.unmap();
}

function admit(memory: WebAssembly.Memory): boolean {
  if (memories.some((each) => each.deref() === memory)) return true;
  memories = memories.filter((each) => each.deref() !== undefined);
  if (memories.length >= memoriesMax) return false;
  memories.push(new WeakRef(memory));
  return true;
}

function findClass(): DescriptorClass | undefined {
  const [major = 0, minor = 0] = process.versions.v8.split(".").map(Number);
  if (process.platform !== "linux" || major < FIRST_V8[0] || (major === FIRST_V8[0] && minor < FIRST_V8[1])) {
    return undefined;
  }
  // Where the kernel counts memory before it is used, a mapping may be refused, and V8 would end the process.
  if (systemSetting("overcommit_memory", 0) === 2) return undefined;
  try {
    setFlag("--experimental-wasm-memory-control", "--no-experimental-wasm-memory-control");
    const found: DescriptorClass | undefined = runInNewContext("WebAssembly.MemoryMapDescriptor");
    if (typeof found !== "function" || !works(found)) return undefined;
    // Half of what the process may have.
    memoriesMax = Math.floor(systemSetting("max_map_count", MAPPINGS_MAX) / 2 / RELEASE_BLOCKS_MAX);
    return found;
  } catch {
    return undefined;
  }
}

/** Whether the second of four pages is zero afterwards, can be written, and its neighbours are as they were. */
function works(Descriptor: DescriptorClass): boolean {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4 });
  const bytes = new Uint8Array(memory.buffer).fill(7);
  const descriptor = new Descriptor(RELEASE_MIN);
  descriptors.set(RELEASE_MIN, descriptor);
  descriptor.map(memory, RELEASE_MIN);
  descriptor.unmap();
  const zero = bytes.subarray(RELEASE_MIN, 2 * RELEASE_MIN).every((byte) => byte === 0);
  bytes[RELEASE_MIN] = 9;
  return zero && bytes[RELEASE_MIN] === 9 && bytes[RELEASE_MIN - 1] === 7 && bytes[2 * RELEASE_MIN] === 7;
}

function systemSetting(name: string, otherwise: number): number {
  try {
    return Number(readFileSync(`/proc/sys/vm/${name}`, "utf8"));
  } catch {
    return otherwise;
  }
}
