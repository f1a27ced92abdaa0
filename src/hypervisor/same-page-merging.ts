import { type FrameAllocator, SHARED } from "./allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import type { Stage2Space } from "./stage2-space.ts";

const WORDS = PAGE_BYTES / 4;

interface Candidate {
  readonly space: Stage2Space;
  readonly page: number;
  readonly frame: number;
}

/**
 * Finds pages of the same content, and keeps one frame for all of them, copy-on-write. Pages are looked at in turns; one that has changed since
 * the last pass is left alone, as it is likely to change again. A hash only says where to look: pages are merged when all of their bytes are the same.
 */
export class SamePageMerging {
  readonly #memory: MachineMemory;
  readonly #frames: FrameAllocator;
  /** Of each frame's content when it was looked at last. */
  readonly #hashes: Uint32Array;
  /** By hash: frames that are shared, whose content stays as long as they are. */
  readonly #shared = new Map<number, number>();
  /** By hash: pages of this pass that did not change, and had no equal so far. */
  readonly #alone = new Map<number, Candidate>();
  #space: Stage2Space | undefined;
  #page = 0;
  /** Passes over all pages. */
  passes = 0;
  /** Pages that were given another's frame. */
  merged = 0;

  constructor(memory: MachineMemory, frames: FrameAllocator) {
    this.#memory = memory;
    this.#frames = frames;
    this.#hashes = new Uint32Array(memory.frames);
  }

  /** Looks at so many pages at most, from where the last call ended. Gives how many frames more are free. Nothing of the domains may run meanwhile. */
  scan(spaces: readonly Stage2Space[], pages: number): number {
    const before = this.#frames.free;
    const changed = new Set<Stage2Space>();
    // A call ends with the pass at the latest: what follows has just been looked at.
    const passes = this.passes;
    let index = Math.max(0, this.#space ? spaces.indexOf(this.#space) : 0);
    if (spaces[index] !== this.#space) this.#page = 0;
    for (let left = pages; left > 0 && this.passes === passes && spaces.length > 0; left--) {
      const space = spaces[index] as Stage2Space;
      const page = space.nextPage(this.#page);
      if (page >= 0) {
        this.#look(space, page, changed);
        this.#page = page + 1;
        continue;
      }
      this.#page = 0;
      index = (index + 1) % spaces.length;
      if (index === 0) this.#endPass();
    }
    this.#space = spaces[index];
    for (const space of changed) space.forgetTranslations();
    return this.#frames.free - before;
  }

  #endPass(): void {
    this.passes++;
    this.#alone.clear();
    for (const [hash, frame] of this.#shared) if (this.#frames.ownerOf(frame) !== SHARED) this.#shared.delete(hash);
  }

  #look(space: Stage2Space, page: number, changed: Set<Stage2Space>): void {
    const frames = this.#frames;
    const frame = space.frameOf(page);
    const hash = this.#hash(frame);
    const isShared = frames.ownerOf(frame) === SHARED;
    const unchanged = this.#hashes[frame] === hash;
    this.#hashes[frame] = hash;
    const known = this.#shared.get(hash);
    if (known === frame) return;
    if (!isShared && !unchanged) return;
    if (known !== undefined && frames.ownerOf(known) === SHARED && this.#equal(known, frame)) {
      this.#merge(space, page, known, changed);
      return;
    }
    if (isShared) {
      this.#shared.set(hash, frame);
      return;
    }
    const other = this.#alone.get(hash);
    const stands = other !== undefined && other.frame !== frame && this.#stands(other);
    if (!stands || !this.#equal(other.frame, frame)) {
      this.#alone.set(hash, { space, page, frame });
      return;
    }
    // The other's page becomes a shared one first: this page's hold is the second.
    this.#merge(space, page, other.frame, changed);
    other.space.replaceByShared(other.page, other.frame);
    changed.add(other.space);
    this.#alone.delete(hash);
    this.#shared.set(hash, other.frame);
  }

  /** Whether a page still has the frame, and alone. */
  #stands({ space, page, frame }: Candidate): boolean {
    return space.nextPage(page) === page && space.frameOf(page) === frame && this.#frames.ownerOf(frame) !== SHARED;
  }

  #merge(space: Stage2Space, page: number, frame: number, changed: Set<Stage2Space>): void {
    this.#frames.share(frame);
    space.replaceByShared(page, frame);
    changed.add(space);
    this.merged++;
  }

  #hash(frame: number): number {
    const { words } = this.#memory;
    const first = this.#memory.linearOf(frame) >>> 2;
    let hash = 0x811c9dc5;
    for (let i = first; i < first + WORDS; i++) {
      hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }

  #equal(one: number, other: number): boolean {
    const { words } = this.#memory;
    const a = this.#memory.linearOf(one) >>> 2;
    const b = this.#memory.linearOf(other) >>> 2;
    for (let i = 0; i < WORDS; i++) if (words[a + i] !== words[b + i]) return false;
    return true;
  }
}
