import type { AccessSize, Device } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import { type FlashBytes, FlashChip } from "./chip.ts";

/** Bytes of an erase block of both chips together. */
export const BLOCK_BYTES = 256 * 1024;

export interface FlashOptions {
  /** Refuses to program and to erase. */
  readonly readOnly?: boolean;
  /**
   * Whether reads show the array; then they may be of memory and need not come here. Writes always do. Called when that changes.
   */
  readonly onArrayVisible?: (visible: boolean) => void;
  /** Called after the guest has changed bytes [start, start + length), or some of them. */
  readonly onChange?: (start: number, length: number) => void;
}

/**
 * A bank of parallel NOR flash, 32 bits wide: two 16-bit chips side by side, the first in the low halves of the words. Software drives
 * both at once by writing each command twice into a word.
 */
export class Flash implements Device {
  readonly size: number;
  readonly #low: FlashChip;
  readonly #high: FlashChip;
  readonly #onArrayVisible: (visible: boolean) => void;
  #arrayVisible = true;

  /**
   * @param contents the array, which keeps its contents through reset.
   * @throws RangeError when its length is not a power of two, of 256 KiB at least.
   */
  constructor(contents: Uint8Array | FlashBytes, options: FlashOptions = {}) {
    const bytes = contents instanceof Uint8Array ? inMemory(contents) : contents;
    if (bytes.length < BLOCK_BYTES || !Number.isInteger(Math.log2(bytes.length))) {
      throw new RangeError(`flash of ${bytes.length} bytes: must be a power of two, ${BLOCK_BYTES} at least`);
    }
    this.size = bytes.length;
    this.#onArrayVisible = options.onArrayVisible ?? (() => {});
    const shared = {
      bytes,
      blockWords: BLOCK_BYTES / 4,
      readOnly: options.readOnly ?? false,
      changed: options.onChange ?? (() => {}),
    };
    this.#low = new FlashChip({ ...shared, lane: 0 });
    this.#high = new FlashChip({ ...shared, lane: 1 });
  }

  reset(): void {
    this.#low.reset();
    this.#high.reset();
    this.#update();
  }

  /** Without the array, which is memory of the machine's. */
  save(): Saved {
    return { low: this.#low.save(), high: this.#high.save() };
  }

  restore(state: Fields): void {
    this.#low.restore(state.object("low"));
    this.#high.restore(state.object("high"));
    this.#update();
  }

  read(offset: number, bytes: AccessSize): number {
    const address = offset >>> 2;
    if (bytes === 4) return (this.#low.read(address) | (this.#high.read(address) << 16)) >>> 0;
    const half = (offset & 2 ? this.#high : this.#low).read(address);
    return bytes === 2 ? half : (half >> ((offset & 1) * 8)) & 0xff;
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    const address = offset >>> 2;
    if (bytes === 4) {
      this.#low.write(address, value & 0xffff);
      this.#high.write(address, value >>> 16);
    } else {
      this.#writeNarrow(this.#low, (offset & 2) === 0, offset, bytes, value);
      this.#writeNarrow(this.#high, (offset & 2) !== 0, offset, bytes, value);
    }
    this.#update();
  }

  /**
   * Chips have no byte lanes: write enable is common to both, and the bus repeats what is narrower than it on all of its lanes. So a command
   * is one to both, whoever drives the bank as one chip of half its width. Lanes that have no data are high, which programs nothing.
   */
  #writeNarrow(chip: FlashChip, addressed: boolean, offset: number, bytes: 1 | 2, value: number): void {
    let half = value;
    if (chip.takesData) {
      if (!addressed) half = 0xffff;
      else if (bytes === 1) half = offset & 1 ? (value << 8) | 0xff : 0xff00 | value;
    }
    chip.write(offset >>> 2, half);
  }

  #update(): void {
    const visible = this.#low.readsArray && this.#high.readsArray;
    if (visible === this.#arrayVisible) return;
    this.#arrayVisible = visible;
    this.#onArrayVisible(visible);
  }
}

const inMemory = (bytes: Uint8Array): FlashBytes => ({
  length: bytes.length,
  get: (offset) => bytes[offset] as number,
  put: (offset, value) => {
    bytes[offset] = value;
  },
});
