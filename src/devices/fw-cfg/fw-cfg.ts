import type { AccessSize, Device, Dma } from "../../bus/device.ts";
import { scattered } from "../../bus/scattered.ts";
import { type Fields, hex, type Saved } from "../../snapshot/fields.ts";
import * as F from "./keys.ts";

const SIGNATURE = bytesOf("QEMU");
/** What the DMA register reads as. */
const DMA_SIGNATURE = bytesOf("QEMU CFG");
const NOTHING: Item = { bytes: new Uint8Array(0), writable: undefined };

interface Item {
  readonly bytes: Uint8Array;
  /** undefined: guests cannot write it. */
  readonly writable: WritableFile | undefined;
}

/** What is done with a file that guests may write. */
export interface WritableFile {
  /** Called after each write, and when a snapshot has been restored. */
  written(): void;
  /** The device is reset. */
  reset(): void;
}

/**
 * Firmware configuration: items of bytes under 16-bit keys, some of them files with names. The interface is that of QEMU's memory-mapped
 * device with DMA, which firmware expects on this board.
 */
export class FwCfg implements Device {
  readonly size = F.FW_CFG_SIZE;
  readonly #dma: Dma;
  readonly #items = new Map<number, Item>();
  readonly #files: { readonly name: string; readonly bytes: number; readonly key: number }[] = [];
  #selected = NOTHING;
  #key = 0;
  /** Where the item is read next. */
  #offset = 0;
  #dmaHigh = 0;

  constructor(dma: Dma) {
    this.#dma = dma;
    this.add(F.KEY.signature, SIGNATURE);
    this.addNumber(F.KEY.id, F.ID_FEATURES, 4);
    this.#writeDirectory();
    this.reset();
  }

  /** The item `key` becomes those bytes. */
  add(key: number, bytes: Uint8Array): void {
    this.#items.set(key, { bytes, writable: undefined });
  }

  /** An item that is one little-endian number, 0 .. 2^53 - 1. */
  addNumber(key: number, value: number, bytes: 2 | 4 | 8): void {
    const item = new Uint8Array(bytes);
    for (let i = 0, rest = value; i < bytes; i++, rest = Math.floor(rest / 256)) item[i] = rest;
    this.add(key, item);
  }

  /**
   * @param name such as "etc/system-states", at most 55 characters of ASCII.
   * @param writable lets guests write to `bytes`.
   * @returns its key.
   * @throws RangeError for a name that is too long, empty or taken.
   */
  addFile(name: string, bytes: Uint8Array, writable?: WritableFile): number {
    if (name.length === 0 || name.length > F.FILE_NAME_MAX) throw new RangeError(`${name}: no name for a file`);
    if (this.#files.some((file) => file.name === name)) throw new RangeError(`${name}: exists already`);
    const key = F.KEY.firstFile + this.#files.length;
    this.#files.push({ name, bytes: bytes.length, key });
    this.#items.set(key, { bytes, writable });
    this.#writeDirectory();
    return key;
  }

  reset(): void {
    this.#select(F.KEY.signature);
    this.#dmaHigh = 0;
    for (const { writable } of this.#items.values()) writable?.reset();
  }

  /** With the items that guests may write; the others are the board's. */
  save(): Saved {
    const written = [...this.#items]
      .filter(([, item]) => item.writable !== undefined)
      .map(([key, { bytes }]) => ({ key, bytes: hex(bytes) }));
    return { key: this.#key, offset: this.#offset, dmaHigh: this.#dmaHigh, written };
  }

  restore(state: Fields): void {
    for (const saved of state.list("written", F.FILES_MAX)) {
      const item = this.#items.get(saved.whole("key", 0xffff));
      if (item?.writable === undefined) throw saved.wrong("key");
      item.bytes.set(saved.bytes("bytes", item.bytes.length, item.bytes.length));
      item.writable.written();
    }
    this.#select(state.whole("key", 0xffff));
    this.#offset = state.whole("offset", Number.MAX_SAFE_INTEGER);
    this.#dmaHigh = state.whole("dmaHigh");
  }

  read(offset: number, bytes: AccessSize): number {
    if (offset < F.DATA_END) {
      // A string keeps its order: the next byte is at the lowest address.
      let value = 0;
      for (let i = 0; i < bytes; i++) value |= this.#next() << (8 * i);
      return value >>> 0;
    }
    if (offset < F.DMA_HIGH) return 0;
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (DMA_SIGNATURE[offset - F.DMA_HIGH + i] ?? 0) << (8 * i);
    return value >>> 0;
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    if (offset === F.SELECTOR && bytes === 2) this.#select(((value & 0xff) << 8) | (value >> 8));
    else if (offset === F.DMA_HIGH && bytes === 4) this.#dmaHigh = swap(value);
    else if (offset === F.DMA_LOW && bytes === 4) {
      const address = this.#dmaHigh * 2 ** 32 + swap(value);
      this.#dmaHigh = 0;
      this.#transfer(address);
    }
  }

  #select(key: number): void {
    this.#selected = this.#items.get(key & ~F.KEY_WRITE_CHANNEL) ?? NOTHING;
    this.#key = key;
    this.#offset = 0;
  }

  #next(): number {
    return this.#selected.bytes[this.#offset++] ?? 0;
  }

  #transfer(structure: number): void {
    const memory = this.#dma.view(structure, F.DMA_STRUCTURE, true);
    // There is nowhere to report the error to.
    if (memory === undefined) return;
    const fields = new DataView(memory.buffer, memory.byteOffset, memory.length);
    const control = fields.getUint32(0);
    const length = fields.getUint32(4);
    const address = fields.getUint32(8) * 2 ** 32 + fields.getUint32(12);
    if (control & F.DMA_SELECT) this.#select(control >>> 16);
    const done = this.#move(control, length, address);
    fields.setUint32(0, done ? 0 : F.DMA_ERROR);
  }

  /** False where that is an error. The offset moves on in any case, as after a read of that many bytes. */
  #move(control: number, length: number, address: number): boolean {
    const { bytes, writable } = this.#selected;
    const from = this.#offset;
    if (!(control & (F.DMA_READ | F.DMA_WRITE | F.DMA_SKIP))) return true;
    this.#offset += length;
    // Reading wins over writing, and writing over skipping.
    if (control & F.DMA_READ) {
      const targets = scattered(this.#dma, address, length, true);
      if (targets === undefined) return length === 0;
      let at = from;
      for (const target of targets) {
        const source = bytes.subarray(at, at + target.length);
        target.set(source);
        target.fill(0, source.length);
        at += target.length;
      }
      return true;
    }
    if (control & F.DMA_WRITE) {
      const sources = scattered(this.#dma, address, length, false);
      if (sources === undefined || writable === undefined || from + length > bytes.length) return false;
      let at = from;
      for (const source of sources) {
        bytes.set(source, at);
        at += source.length;
      }
      writable.written();
    }
    return true;
  }

  #writeDirectory(): void {
    const directory = new Uint8Array(4 + this.#files.length * F.FILE_ENTRY);
    const view = new DataView(directory.buffer);
    view.setUint32(0, this.#files.length);
    const sorted = [...this.#files].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const [index, file] of sorted.entries()) {
      const at = 4 + index * F.FILE_ENTRY;
      view.setUint32(at, file.bytes);
      view.setUint16(at + 4, file.key);
      directory.set(bytesOf(file.name), at + F.FILE_NAME_AT);
    }
    this.add(F.KEY.fileDirectory, directory);
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Between big-endian and little-endian words. */
function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
