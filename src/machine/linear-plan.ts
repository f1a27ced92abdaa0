import { CPU_STRIDE } from "../cpu/state-layout.ts";
import { CPU_BASE } from "../memory/linear-layout.ts";
import { LoadError, sized } from "./boot/load-error.ts";
import { MAP } from "./memory-map.ts";

/** Where what a machine is made of is in its linear memory, beyond linear-layout.ts. All are page aligned. */
export interface LinearPlan {
  /** For the engine's decoded pages. */
  readonly area: number;
  readonly flash0: number;
  readonly flash1: number;
  /** Secure memory; 0: there is none. */
  readonly secureRam: number;
  readonly ram: number;
  /** Bytes in all, whole pages of WebAssembly. */
  readonly bytes: number;
}

const WASM_PAGE = 0x1_0000;
/** Of hosts: flash and RAM begin where one does, so that a guest's large pages are large pages of its host's. */
const LARGE_PAGE = 0x20_0000;
/** What a 32-bit WebAssembly memory can have; one page less, so that an address past the end is a 32-bit number, too. */
const MAX_BYTES = 2 ** 32 - WASM_PAGE;
const MiB = 0x10_0000;
/** The least that a Linux kernel, or a bare-metal program at its place, is of any use with. */
export const MIN_MEMORY = 2 * MiB;

const up = (bytes: number, page = WASM_PAGE): number => Math.ceil(bytes / page) * page;

/**
 * @param memory bytes of RAM.
 * @param area bytes that the engine wants. @param secure whether there is secure memory.
 * @throws LoadError when RAM is too small, or all does not fit into 4 GiB.
 */
export function planMemory(memory: number, cpus: number, area: number, secure = false): LinearPlan {
  const areaAt = up(CPU_BASE + cpus * CPU_STRIDE);
  const flash0 = up(areaAt + area, LARGE_PAGE);
  const flash1 = flash0 + MAP.flash0.size;
  const afterFlash = flash1 + MAP.flash1.size;
  const secureRam = secure ? afterFlash : 0;
  const ram = afterFlash + (secure ? MAP.secureRam.size : 0);
  const most = MAX_BYTES - ram;
  if (memory < MIN_MEMORY) throw new LoadError(`${sized(memory)} is too little memory; give --memory 512M`);
  if (memory > most) {
    const suggestion = Math.floor(most / MiB / 256) * 256;
    throw new LoadError(`${sized(memory)} of memory is more than this machine can have; give --memory ${suggestion}M`);
  }
  return { area: areaAt, flash0, flash1, secureRam, ram, bytes: ram + up(memory) };
}

/**
 * Whether this process has had no machine yet. V8 looks for garbage where a large memory is made, for what else may have one, and not where a
 * small one grows: that would be a tenth of a start's time, and finds nothing in a process that has just begun.
 */
let isFirst = true;

/** The machine's memory. @param shared whether other threads can have it. @throws LoadError when the host has not that much address space. */
export function allocate(plan: LinearPlan, shared = true): WebAssembly.Memory {
  const pages = plan.bytes / WASM_PAGE;
  try {
    const memory = new WebAssembly.Memory({ initial: isFirst ? 1 : pages, maximum: pages, shared });
    if (isFirst) memory.grow(pages - 1);
    isFirst = false;
    return memory;
  } catch {
    throw new LoadError(`the host cannot give ${sized(plan.bytes)} of memory to the machine: give it less`);
  }
}
