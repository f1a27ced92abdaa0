// The allocator: who owns what of the machine. Nothing is given twice; what a domain had is free when the domain is gone.

/** Owners: FREE, the hypervisor itself, then domains by their number from FIRST_DOMAIN up. */
export const FREE = 0;
export const HYPERVISOR = 1;
export const FIRST_DOMAIN = 2;
/** Channels by their number from here on: their frames are lent to members. */
export const FIRST_CHANNEL = 0x400;
/** Frames that several domains read: each counts for who shares it. */
export const SHARED = 0xffff;
const MOST_OWNERS = SHARED;

/** Frames that are given together where that is possible: 64 KiB, aligned. */
export const RUN_FRAMES = 16;
const WHOLE_RUN = 0xffff;

/** Page frames of the machine's memory. */
export class FrameAllocator {
  /** Frames that nobody owns. */
  free: number;
  /** Counts frames that became free. */
  freed = 0;
  readonly frames: number;
  readonly #owner: Uint16Array;
  /** Of shared frames: how many descriptors hold them. Of a channel's: how many do beside the channel itself. */
  readonly #holders: Uint32Array;
  /** A bit for each free frame of a run. */
  readonly #runs: Uint16Array;
  /** Of each run: 1, a frame of it was given since `HostMemory` has given the run back to the host. */
  readonly given: Uint8Array;
  readonly #owned = new Float64Array(MOST_OWNERS + 1);
  #nextRun = 0;
  #nextSingle = 0;

  constructor(frames: number) {
    this.frames = frames;
    this.free = frames;
    this.#owner = new Uint16Array(frames);
    this.#holders = new Uint32Array(frames);
    this.#runs = new Uint16Array(Math.ceil(frames / RUN_FRAMES));
    this.given = new Uint8Array(this.#runs.length);
    for (let frame = 0; frame < frames; frame++) this.#mark(frame, true);
  }

  /** A frame for `owner`; -1: none is free. */
  take(owner: number): number {
    if (this.free === 0) return -1;
    // Whole runs are for those who want whole runs, as long as there are others.
    let run = this.#find(this.#nextSingle, (bits) => bits !== 0 && bits !== WHOLE_RUN);
    if (run < 0) run = this.#find(this.#nextSingle, (bits) => bits !== 0);
    this.#nextSingle = run;
    const bits = this.#runs[run] as number;
    const frame = run * RUN_FRAMES + (31 - Math.clz32(bits & -bits));
    this.#give(frame, owner);
    return frame;
  }

  /** The first of RUN_FRAMES frames, aligned, for `owner`; -1: there are none. */
  takeRun(owner: number): number {
    if (this.free < RUN_FRAMES) return -1;
    const run = this.#find(this.#nextRun, (bits) => bits === WHOLE_RUN);
    if (run < 0) return -1;
    this.#nextRun = run + 1;
    for (let i = 0; i < RUN_FRAMES; i++) this.#give(run * RUN_FRAMES + i, owner);
    return run * RUN_FRAMES;
  }

  /** `count` frames one after the other, for the hypervisor's own tables; -1: there are none. Slow. */
  takeTogether(owner: number, count: number): number {
    for (let first = 0, length = 0; first + length < this.frames; ) {
      if (this.#owner[first + length] !== FREE) {
        first += length + 1;
        length = 0;
      } else if (++length === count) {
        for (let i = 0; i < count; i++) this.#give(first + i, owner);
        return first;
      }
    }
    return -1;
  }

  /** Whether nobody has a frame of so many runs. */
  areRunsFree(first: number, count: number): boolean {
    for (let run = first; run < first + count; run++) if (this.#runs[run] !== WHOLE_RUN) return false;
    return true;
  }

  ownerOf(frame: number): number {
    return this.#owner[frame] ?? FREE;
  }

  /** How many frames an owner has, shared ones not among them. */
  owned(owner: number): number {
    return this.#owned[owner] ?? 0;
  }

  /** How many descriptors hold a frame. */
  holders(frame: number): number {
    if (this.#owner[frame] === SHARED) return this.#holders[frame] as number;
    return this.#owner[frame] === FREE ? 0 : 1 + (this.#holders[frame] as number);
  }

  /** Frames that are shared, and the descriptors that hold them. */
  shared(): { readonly frames: number; readonly holders: number } {
    let holders = 0;
    for (let frame = 0; frame < this.frames; frame++)
      if (this.#owner[frame] === SHARED) holders += this.#holders[frame] as number;
    return { frames: this.owned(SHARED), holders };
  }

  /** Gives back a frame of `owner`'s, or its hold on a shared one. True: nobody has it any more. @throws Error when it is not the owner's. */
  release(frame: number, owner: number): boolean {
    const has = this.#owner[frame] as number;
    const isLent = has >= FIRST_CHANNEL && has !== SHARED && (this.#holders[frame] as number) > 0;
    if (has === SHARED) {
      const left = (this.#holders[frame] as number) - 1;
      this.#holders[frame] = left;
      if (left > 0) return false;
    } else if (isLent && has !== owner) {
      this.#holders[frame] = (this.#holders[frame] as number) - 1;
      return false;
    } else if (has !== owner || owner === FREE || isLent) {
      throw new Error(isLent ? `frame ${frame} is lent` : `frame ${frame} is not of owner ${owner}`);
    }
    this.#owned[has] = (this.#owned[has] as number) - 1;
    this.#owner[frame] = FREE;
    this.#mark(frame, true);
    this.free++;
    this.freed++;
    return true;
  }

  /** A domain holds a frame of a channel's, until it releases it; it stays the channel's. @throws Error when it is no channel's. */
  lend(frame: number): void {
    const has = this.#owner[frame] as number;
    if (has < FIRST_CHANNEL || has === SHARED) throw new Error(`frame ${frame} is no channel's`);
    this.#holders[frame] = (this.#holders[frame] as number) + 1;
  }

  /** One more holds the frame: it becomes a shared one. */
  share(frame: number): void {
    const has = this.#owner[frame] as number;
    if (has === SHARED) {
      this.#holders[frame] = (this.#holders[frame] as number) + 1;
      return;
    }
    this.#owned[has] = (this.#owned[has] as number) - 1;
    this.#owned[SHARED] = (this.#owned[SHARED] as number) + 1;
    this.#owner[frame] = SHARED;
    this.#holders[frame] = 2;
  }

  /** A shared frame that only one holds any more is `owner`'s. False: others hold it, too. */
  unshare(frame: number, owner: number): boolean {
    if (this.#owner[frame] !== SHARED || this.#holders[frame] !== 1) return false;
    this.#holders[frame] = 0;
    this.#owner[frame] = owner;
    this.#owned[SHARED] = (this.#owned[SHARED] as number) - 1;
    this.#owned[owner] = (this.#owned[owner] as number) + 1;
    return true;
  }

  #give(frame: number, owner: number): void {
    this.#owner[frame] = owner;
    this.#owned[owner] = (this.#owned[owner] as number) + 1;
    this.#mark(frame, false);
    this.given[Math.floor(frame / RUN_FRAMES)] = 1;
    this.free--;
  }

  #mark(frame: number, free: boolean): void {
    const run = Math.floor(frame / RUN_FRAMES);
    const bit = 1 << (frame % RUN_FRAMES);
    const bits = this.#runs[run] as number;
    this.#runs[run] = free ? bits | bit : bits & ~bit;
  }

  #find(from: number, suits: (bits: number) => boolean): number {
    const count = this.#runs.length;
    for (let i = 0; i < count; i++) {
      const run = (from + i) % count;
      if (suits(this.#runs[run] as number)) return run;
    }
    return -1;
  }
}

/** Numbers from a range, each for one owner: VMIDs, domain numbers. */
export class NumberAllocator {
  readonly #free: number[];

  /** From `first` to `last`. */
  constructor(first: number, last: number) {
    this.#free = Array.from({ length: last - first + 1 }, (_, i) => last - i);
  }

  /** Undefined: all are taken. One that was given back comes again as late as possible. */
  take(): number | undefined {
    return this.#free.pop();
  }

  release(number: number): void {
    if (this.#free.includes(number)) throw new Error(`${number} is free`);
    this.#free.unshift(number);
  }
}

/** Things of the host that belong to one domain at a time: disks, serial ports, network links. */
export class Claims {
  readonly #owners = new Map<object, number>();

  /** False: another has it. */
  claim(thing: object, owner: number): boolean {
    const has = this.#owners.get(thing);
    if (has !== undefined && has !== owner) return false;
    this.#owners.set(thing, owner);
    return true;
  }

  releaseAll(owner: number): void {
    for (const [thing, has] of this.#owners) if (has === owner) this.#owners.delete(thing);
  }
}
