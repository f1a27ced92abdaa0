import type { EntropySource, Line } from "../bus/device.ts";
import { MAP } from "../machine/memory-map.ts";
import type { FrameAllocator } from "./allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import type { Stage2Space } from "./stage2-space.ts";

/** Of a generation ID. */
const BYTES = 16;

export interface GenerationIdParts {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly owner: number;
  readonly space: Stage2Space;
  readonly entropy: EntropySource;
  readonly line: Line;
}

/**
 * The page that tells a guest which of its copies it is ("microsoft,vmgenid" in the device tree): 16 random bytes at its start, which are others
 * in each copy. A copy's are new before it executes its first instruction; the interrupt, a rising edge, tells it to look. Linux then seeds its random
 * numbers anew, and tells user space (NEW_VMGENID). The guest may only read it.
 */
export class GenerationId {
  readonly #parts: GenerationIdParts;
  #frame = -1;

  constructor(parts: GenerationIdParts) {
    this.#parts = parts;
  }

  /** Gives the domain its page, with an ID of its own. False: there is no memory. */
  map(): boolean {
    const { frames, owner, memory, space, entropy } = this.#parts;
    const frame = frames.take(owner);
    if (frame < 0) return false;
    memory.zero(frame);
    this.#frame = frame;
    // Not of memory that threads share: hosts' generators refuse that.
    const id = new Uint8Array(BYTES);
    entropy.fill(id);
    memory.bytes(frame).set(id);
    if (space.map(MAP.generationId.base / PAGE_BYTES, frame, false)) return true;
    frames.release(frame, owner);
    return false;
  }

  /** The ID; undefined before `map`. */
  get id(): Uint8Array | undefined {
    return this.#frame < 0 ? undefined : this.#parts.memory.bytes(this.#frame).slice(0, BYTES);
  }

  /** Goes on with the ID of the same guest elsewhere. After `map`. */
  continueAs(id: Uint8Array): void {
    if (this.#frame >= 0) this.#parts.memory.bytes(this.#frame).set(id.subarray(0, BYTES));
  }

  /** The guest is to look again. */
  signal(): void {
    this.#parts.line.set(true);
    this.#parts.line.set(false);
  }
}
