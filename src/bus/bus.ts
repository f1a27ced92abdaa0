import type { AccessSize, Device } from "./device.ts";

export interface BusWindow {
  readonly name: string;
  readonly base: number;
  readonly device: Device;
  readonly access: BusAccess;
  /** Reads and writes of guests since the machine was made. */
  readonly accesses: number;
}

/** Which accesses reach a device: any, or those that are Secure. */
export type BusAccess = "any" | "secure";

/** Sees the accesses that reach devices, for traces. */
export interface BusWatcher {
  /** False: the access is refused, as if nothing answered. */
  admit(window: BusWindow): boolean;
  /** An access has been made; `data` is what was read or written, low word first. */
  done(window: BusWindow, offset: number, bytes: number, write: boolean, data: Uint32Array): void;
}

type CountingWindow = { -readonly [Name in keyof BusWindow]: BusWindow[Name] };

/** What answers where in the physical address space, besides memory. It is a BusPort (cpu/ports.ts). */
export class Bus {
  /** By address. */
  readonly #windows: CountingWindow[] = [];
  #last: CountingWindow | undefined;
  watcher: BusWatcher | undefined;

  /** @throws RangeError when the window overlaps another. */
  add(name: string, base: number, device: Device, access: BusAccess = "any"): void {
    const other = this.#windows.find((w) => base < w.base + w.device.size && w.base < base + device.size);
    if (other !== undefined) throw new RangeError(`${name} overlaps ${other.name}`);
    this.#windows.push({ name, base, device, access, accesses: 0 });
    this.#windows.sort((a, b) => a.base - b.base);
  }

  /** By address. */
  windows(): readonly BusWindow[] {
    return this.#windows;
  }

  /** Resets every device. */
  reset(): void {
    for (const window of this.#windows) window.device.reset();
  }

  /** Whether a device answers at an address. */
  holds(address: number): boolean {
    return this.#find(address, 1) !== undefined;
  }

  read(address: number, bytes: number, data: Uint32Array, secure = true): boolean {
    const window = this.#find(address, bytes);
    if (window === undefined || (window.access === "secure" && !secure)) return false;
    if (this.watcher?.admit(window) === false) return false;
    window.accesses++;
    const { device } = window;
    const offset = address - window.base;
    const unit = accessSize(offset, bytes);
    for (let at = 0; at < bytes; at += 4) data[at >> 2] = 0;
    for (let at = 0; at < bytes; at += unit) {
      const word = at >> 2;
      data[word] = (data[word] ?? 0) | (truncate(device.read(offset + at, unit), unit) << ((at & 3) * 8));
    }
    this.watcher?.done(window, offset, bytes, false, data);
    return true;
  }

  write(address: number, bytes: number, data: Uint32Array, secure = true): boolean {
    const window = this.#find(address, bytes);
    if (window === undefined || (window.access === "secure" && !secure)) return false;
    if (this.watcher?.admit(window) === false) return false;
    window.accesses++;
    const { device } = window;
    const offset = address - window.base;
    const unit = accessSize(offset, bytes);
    for (let at = 0; at < bytes; at += unit) {
      const word = (data[at >> 2] ?? 0) >>> ((at & 3) * 8);
      device.write(offset + at, unit, truncate(word, unit));
    }
    this.watcher?.done(window, offset, bytes, true, data);
    return true;
  }

  /** The window that holds the whole access. */
  #find(address: number, bytes: number): CountingWindow | undefined {
    const last = this.#last;
    if (last !== undefined && holds(last, address, bytes)) return last;
    let low = 0;
    let high = this.#windows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const window = this.#windows[middle] as CountingWindow;
      if (address < window.base) high = middle;
      else if (address >= window.base + window.device.size) low = middle + 1;
      else {
        if (!holds(window, address, bytes)) return undefined;
        this.#last = window;
        return window;
      }
    }
    return undefined;
  }
}

function holds(window: BusWindow, address: number, bytes: number): boolean {
  return address >= window.base && address + bytes <= window.base + window.device.size;
}

/** A device sees words at most, and only aligned: larger accesses become words, unaligned ones bytes. */
function accessSize(offset: number, bytes: number): AccessSize {
  const unit = bytes >= 4 ? 4 : bytes === 2 ? 2 : 1;
  return (offset & (unit - 1)) === 0 ? unit : 1;
}

/** A device may answer a narrow access with the whole of a register. */
function truncate(value: number, unit: AccessSize): number {
  return unit === 4 ? value : value & (unit === 2 ? 0xffff : 0xff);
}
