// What is done with the machine's memory while domains run: who waits for some, who is asked to give some, what is kept once, what the host gets back.

import type { PageRelease } from "../memory/page-release.ts";
import { FrameAllocator } from "./allocator.ts";
import type { Domain } from "./domain.ts";
import { HostMemory } from "./host-memory.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import { MemoryPressure } from "./memory-pressure.ts";
import { SamePageMerging } from "./same-page-merging.ts";
import { RETRY, Starvation, type StarvationOptions } from "./starvation.ts";

/** 2 MiB. */
const RESERVED_FRAMES_MAX = 512;

export interface MemoryKeeperOptions extends Pick<StarvationOptions, "hold" | "release" | "waits" | "givesUp"> {
  readonly memory: MachineMemory;
  /** How the host gets back what nobody has; absent: it does not. */
  readonly host: PageRelease | undefined;
}

export class MemoryKeeper {
  readonly frames: FrameAllocator;
  /** Frames that guests' accesses leave free. */
  readonly reserved: number;
  readonly starvation: Starvation;
  readonly #pressure: MemoryPressure;
  readonly #merging: SamePageMerging;
  readonly #host: HostMemory;

  constructor(options: MemoryKeeperOptions) {
    const { memory } = options;
    const frames = new FrameAllocator(memory.frames);
    this.frames = frames;
    this.reserved = Math.min(RESERVED_FRAMES_MAX, Math.floor(memory.frames / 64));
    this.starvation = new Starvation({ ...options, frames, reserved: this.reserved });
    this.#pressure = new MemoryPressure(frames);
    this.#merging = new SamePageMerging(memory, frames);
    this.#host = new HostMemory({ memory, frames, release: options.host });
  }

  /** Between turns of the PEs. @param now nanoseconds. */
  look(now: number, domains: Iterable<Domain>): void {
    this.#pressure.look(now, domains);
    if (this.starvation.any) this.starvation.look(now);
    this.#host.look(now);
  }

  /** When `look` has something to do though nothing runs: nanoseconds. */
  next(now: number): number {
    return Math.min(this.starvation.any ? now + RETRY : Number.POSITIVE_INFINITY, this.#host.next);
  }

  /** See Hypervisor.scan. */
  scan(domains: readonly Domain[], pages: number): number {
    return this.#merging.scan(
      domains.map(({ space }) => space),
      pages,
    );
  }

  /** Bytes that are used once and would be used more often. */
  get saved(): number {
    const { frames, holders } = this.frames.shared();
    return (holders - frames) * PAGE_BYTES;
  }

  /** Bytes of the host's memory that the machine's RAM may take. */
  get taken(): number {
    return this.#host.taken;
  }
}
