import type { FrameAllocator } from "../allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "../machine-memory.ts";
import type { MemberEnd } from "./member-end.ts";

export interface ChannelMember {
  /** A domain's name, whether there is one or not. */
  readonly domain: string;
  /** It reads the memory, and does not write it. It rings and hears all the same. */
  readonly readOnly: boolean;
}

/** Memory that some domains share, and a doorbell for each of them. */
export interface ChannelConfig {
  readonly name: string;
  /** Bytes of memory, whole pages. */
  readonly bytes: number;
  /** By their number in the channel: each once. */
  readonly members: readonly ChannelMember[];
}

/** Who wants to ring a member: what became of it. */
export type Rang = "rang" | "absent" | "nobody";

/**
 * A channel. Its memory is its own, from the moment that it is defined, zeroed, until it is removed: members that start map it and members that end
 * do not take it with them.
 */
export class Channel {
  readonly config: ChannelConfig;
  /** Its number as an owner of frames. */
  readonly owner: number;
  readonly frames: readonly number[];
  /** The ends of members that run. */
  readonly #ends: (MemberEnd | undefined)[];
  readonly #memory: MachineMemory;
  readonly #allocator: FrameAllocator;

  /** @throws RangeError when there is no memory. */
  constructor(config: ChannelConfig, owner: number, memory: MachineMemory, allocator: FrameAllocator) {
    this.config = config;
    this.owner = owner;
    this.#memory = memory;
    this.#allocator = allocator;
    this.#ends = config.members.map(() => undefined);
    const frames: number[] = [];
    for (let page = 0; page < config.bytes / PAGE_BYTES; page++) {
      const frame = allocator.take(owner);
      if (frame < 0) {
        for (const each of frames) allocator.release(each, owner);
        throw new RangeError("no memory for a channel");
      }
      memory.zero(frame);
      frames.push(frame);
    }
    this.frames = frames;
  }

  /** Somebody who runs is a member of it. */
  get inUse(): boolean {
    return this.#ends.some((end) => end !== undefined);
  }

  /** Those of its members that run, or are paused, but for one. */
  others(than: string): string[] {
    return this.config.members.map(({ domain }) => domain).filter((each, i) => each !== than && this.#ends[i]);
  }

  attach(member: number, end: MemberEnd): void {
    this.#ends[member] = end;
  }

  detach(member: number, end: MemberEnd): void {
    if (this.#ends[member] === end) this.#ends[member] = undefined;
  }

  /** A member rings another's doorbell. */
  ring(from: number, to: number): Rang {
    if (!(to >= 0 && to < this.#ends.length) || to === from) return "nobody";
    const end = this.#ends[to];
    if (end === undefined) return "absent";
    end.rung(from);
    return "rang";
  }

  /** A member rings the doorbells of all others that run. */
  ringOthers(from: number): void {
    for (const [member, end] of this.#ends.entries()) if (member !== from) end?.rung(from);
  }

  /** A copy of its memory, for who looks in from outside. @throws RangeError when not all of it is there. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#pieces(offset, length, (piece, at) => bytes.set(piece, at));
    return bytes;
  }

  /** @throws RangeError when not all of it is there. */
  write(offset: number, bytes: Uint8Array): void {
    this.#pieces(offset, bytes.length, (piece, at) => piece.set(bytes.subarray(at, at + piece.length)));
  }

  #pieces(offset: number, length: number, see: (piece: Uint8Array, at: number) => void): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.config.bytes))
      throw new RangeError("not in the channel");
    for (let at = 0; at < length; ) {
      const inPage = (offset + at) % PAGE_BYTES;
      const size = Math.min(PAGE_BYTES - inPage, length - at);
      const page = this.#memory.bytes(this.frames[Math.floor((offset + at) / PAGE_BYTES)] as number);
      see(page.subarray(inPage, inPage + size), at);
      at += size;
    }
  }

  /** Gives back its memory. None of its members may run. @throws Error when one does. */
  close(): void {
    for (const frame of this.frames) {
      this.#memory.zero(frame);
      this.#allocator.release(frame, this.owner);
    }
  }
}
