import { type FrameAllocator, RUN_FRAMES } from "./allocator.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import {
  ADDRESS_HIGH,
  COPY_ON_WRITE,
  EXECUTE_NEVER,
  LOGGED,
  PAGE,
  READ,
  Stage2Tables,
  VALID,
  WATCHED,
  WATCHED_WRITES,
  WRITE,
} from "./stage2-tables.ts";

/** What a watcher wants to see of a page. */
export interface Watch {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

export type Access = "read" | "write" | "execute";

/** What became of an access that stage 2 did not allow. */
export type FaultOutcome =
  /** It is allowed now: the instruction is to be executed again. */
  | "again"
  /** There is no memory of the domain's. */
  | "outside"
  /** The machine has no free memory. */
  | "exhausted"
  /** A watched page. */
  | "watched";

/** RAM of the domain, by IPA. Whole pages. */
export interface RamWindow {
  readonly base: number;
  readonly bytes: number;
}

export interface Stage2Options {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly owner: number;
  readonly ram: RamWindow;
  /** TLBs may not hold what was there any more, of those pages; without them: of any. */
  readonly invalidate: (first?: number, count?: number) => void;
  /** A frame is no longer what it was: code that was made of it must go. */
  readonly frameGone: (frame: number) => void;
  /** Frames that the guest's accesses leave free. */
  readonly reserved?: number;
}

/** So many are told to the TLBs one by one. */
const FEW_PAGES = 8;

const pageOf = (ipa: number): number => Math.floor(ipa / PAGE_BYTES);

/** The address space of a domain. Pages come on their first touch. Pages are numbered by IPA / 4096. */
export class Stage2Space {
  readonly ram: RamWindow;
  readonly #o: Stage2Options;
  readonly #words: Int32Array;
  readonly #tables: Stage2Tables;
  /** Pages that are mapped. */
  #mapped = 0;
  /** A bit for each page of RAM that was written while writes are logged. */
  #dirty: Uint32Array | undefined;
  /** Called at the first write to a page that is protected, or shared, before it is allowed. For writes of devices, too. */
  onWriteFault: ((page: number) => void) | undefined;
  /** A device writes, or gives back, a page whose writes are watched: it is not kept from it. */
  onWatchedDevice: ((page: number) => void) | undefined;
  #closed = false;

  /** @throws RangeError when there is no memory for the first table. */
  constructor(options: Stage2Options) {
    this.#o = options;
    this.ram = options.ram;
    this.#words = options.memory.words;
    this.#tables = new Stage2Tables(options);
  }

  /** Physical address of the table of level 1, for VTTBR_EL2. */
  get root(): number {
    return this.#tables.root;
  }

  /** Pages that have a frame. */
  get mapped(): number {
    return this.#mapped;
  }

  /** Frames of the tables. */
  get tableFrames(): number {
    return this.#tables.count;
  }

  contains(ipa: number, bytes = 1): boolean {
    return ipa >= this.ram.base && ipa + bytes <= this.ram.base + this.ram.bytes;
  }

  /** Handles an access to `ipa` that faulted. */
  fault(ipa: number, access: Access): FaultOutcome {
    if (!this.contains(ipa)) return "outside";
    const page = pageOf(ipa);
    const at = this.#tables.valid(page);
    if (at < 0) {
      if (!this.#mayTake()) return "exhausted";
      return this.#populate(page) ? "again" : "exhausted";
    }
    const high = this.#words[at + 1] as number;
    if (high & WATCHED && isWatched(this.#words[at] as number, high, access)) return "watched";
    if (access === "write" && !((this.#words[at] as number) & WRITE)) {
      if (high & COPY_ON_WRITE && this.#o.frames.holders(this.#tables.frame(at)) > 1 && !this.#mayTake())
        return "exhausted";
      return this.#allowWrite(page, at);
    }
    // Another PE was faster.
    return "again";
  }

  /** The frame of a page; -1: it has none yet, or is no RAM. */
  frameOf(page: number): number {
    const at = this.#tables.valid(page);
    if (at < 0) return -1;
    return this.#tables.frame(at);
  }

  /** As frameOf, for a device or a loader that reads or writes it: with a frame of its own where it writes. -1: no RAM, or no memory. */
  frameFor(page: number, write: boolean): number {
    if (!this.contains(page * PAGE_BYTES)) return -1;
    const at = this.#tables.valid(page);
    if (at < 0) {
      if (!this.#populate(page)) return -1;
      if (write) this.#noteDirty(page);
      return this.frameOf(page);
    }
    const high = this.#words[at + 1] as number;
    if (write && high & WATCHED_WRITES) this.onWatchedDevice?.(page);
    if (write && high & (COPY_ON_WRITE | LOGGED) && this.#allowWrite(page, at) !== "again") return -1;
    return this.#tables.frame(at);
  }

  /** Maps a page to a frame that the domain has. `writable` false: a write gives it a copy (copy-on-write). */
  map(page: number, frame: number, writable: boolean): boolean {
    const at = this.#tables.entry(page, true);
    if (at < 0) return false;
    if (!((this.#words[at] as number) & VALID)) this.#mapped++;
    this.#tables.set(at, frame, PAGE | READ | (writable ? WRITE : 0), writable ? 0 : COPY_ON_WRITE);
    return true;
  }

  /** Maps a page that is no RAM to a frame of a channel's, to be read, or written, too, and never executed. It is given back by `clear`. */
  lend(page: number, frame: number, writable: boolean): boolean {
    const at = this.#tables.entry(page, true);
    if (at < 0) return false;
    this.#o.frames.lend(frame);
    this.#tables.set(at, frame, PAGE | READ | (writable ? WRITE : 0), EXECUTE_NEVER);
    return true;
  }

  /** The page has no frame any more; the frame that it had is given back. Its next touch gives it one of zeroes. */
  discard(page: number): void {
    this.discardMapped(page, 1);
  }

  /** Discards what is mapped of `count` pages, RAM or not. */
  discardMapped(first: number, count: number): void {
    const gone: number[] = [];
    for (let page = first; page < first + count; page++) {
      const at = this.#tables.entry(page, false);
      if (at < 0) {
        // Nothing of what one table of level 3 is for.
        page |= 511;
        continue;
      }
      if (!((this.#words[at] as number) & VALID)) continue;
      gone.push(this.#tables.frame(at));
      if ((this.#words[at + 1] as number) & WATCHED_WRITES) this.onWatchedDevice?.(page);
      this.#tables.clear(at);
      this.#mapped--;
      this.#noteDirty(page);
    }
    if (gone.length === 0) return;
    // Nobody gets a frame that somebody may still find.
    this.#o.invalidate(first, count);
    for (const frame of gone) this.#release(frame);
  }

  /** The first page of RAM from `page` on that has a frame and is not watched; -1: there is none. */
  nextPage(page: number): number {
    const end = pageOf(this.ram.base) + this.ram.bytes / PAGE_BYTES;
    for (let next = Math.max(page, pageOf(this.ram.base)); next < end; ) {
      const at = this.#tables.entry(next, false);
      if (at < 0) next = (next | 511) + 1;
      else if ((this.#words[at] as number) & VALID && !((this.#words[at + 1] as number) & WATCHED)) return next;
      else next++;
    }
    return -1;
  }

  /** After `replaceByShared`, before anything of the domain is executed. */
  forgetTranslations(): void {
    if (!this.#closed) this.#o.invalidate();
  }

  /**
   * Replaces the frame of a page by a shared one of the same contents, which the caller has made the domain a holder of. TLBs still have what was
   * there: see forgetTranslations.
   */
  replaceByShared(page: number, frame: number): void {
    const at = this.#tables.entry(page, false);
    const old = this.#tables.frame(at);
    const low = this.#words[at] as number;
    const kept = (this.#words[at + 1] as number) & (LOGGED | WATCHED | WATCHED_WRITES | EXECUTE_NEVER);
    this.#tables.set(at, frame, PAGE | (low & READ), COPY_ON_WRITE | kept);
    if (old !== frame) this.#release(old);
  }

  /** Writes to RAM are logged from here on, from none: every page is write-protected. */
  startLogging(): void {
    this.#dirty = new Uint32Array(Math.ceil(this.ram.bytes / PAGE_BYTES / 32));
    this.forEachPage((page) => this.#protect(page));
    this.#o.invalidate();
  }

  /** Write-protects `count` pages, those that have a frame, until their first write: onWriteFault is told of it. */
  protect(first: number, count: number): void {
    for (let page = first; page < first + count; page++) this.#protect(page);
    this.#o.invalidate(first, count);
  }

  /** How many pages takeDirty would give. */
  get dirtyPages(): number {
    let count = 0;
    for (let bits of this.#dirty ?? []) for (; bits !== 0; bits &= bits - 1) count++;
    return count;
  }

  /** The pages that were written since it was called last, ascending; they are write-protected again. Empty unless writes are logged. */
  takeDirty(): number[] {
    const dirty = this.#dirty;
    if (dirty === undefined) return [];
    const pages: number[] = [];
    const first = pageOf(this.ram.base);
    for (let word = 0; word < dirty.length; word++) {
      let bits = dirty[word] as number;
      dirty[word] = 0;
      while (bits !== 0) {
        const page = first + word * 32 + (31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
        pages.push(page);
        this.#protect(page);
      }
    }
    if (pages.length > FEW_PAGES) this.#o.invalidate();
    else for (const page of pages) this.#o.invalidate(page, 1);
    return pages;
  }

  stopLogging(): void {
    this.#dirty = undefined;
    this.forEachPage((_page, at) => {
      const high = this.#words[at + 1] as number;
      if (!(high & LOGGED)) return;
      this.#words[at + 1] = high & ~LOGGED;
      if (!(high & (COPY_ON_WRITE | WATCHED_WRITES))) this.#words[at] = (this.#words[at] as number) | WRITE;
    });
    this.#o.invalidate();
  }

  /** Watches `count` pages by their permissions, or no longer. False: one of them has no frame. */
  watch(page: number, watch: Watch | undefined, count = 1): boolean {
    let all = true;
    for (let each = page; each < page + count; each++) all = this.#watch(each, watch) && all;
    this.#o.invalidate(page, count);
    return all;
  }

  #watch(page: number, watch: Watch | undefined): boolean {
    const at = this.#tables.valid(page);
    if (at < 0) return false;
    const high = (this.#words[at + 1] as number) & ~(WATCHED | WATCHED_WRITES | EXECUTE_NEVER);
    let low = ((this.#words[at] as number) & ~WRITE) | READ;
    if (!(high & (COPY_ON_WRITE | LOGGED))) low |= WRITE;
    if (watch === undefined) {
      this.#words[at] = low;
      this.#words[at + 1] = high;
      return true;
    }
    // Memory that can be written and not read is of no use to guests.
    const writes = watch.write || watch.read;
    this.#words[at] = low & ~(watch.read ? READ : 0) & ~(writes ? WRITE : 0);
    this.#words[at + 1] = high | WATCHED | (writes ? WATCHED_WRITES : 0) | (watch.execute ? EXECUTE_NEVER : 0);
    return true;
  }

  /**
   * For a fork: `child`, of the same RAM and without a page, has all pages that this one has. Both read the same frames; who writes gets a
   * copy. False: there was no memory for its tables; it has some of the pages.
   */
  shareWith(child: Stage2Space): boolean {
    const words = this.#words;
    const { frames } = this.#o;
    const start = pageOf(this.ram.base);
    const end = start + this.ram.bytes / PAGE_BYTES;
    let room = true;
    for (let page = start; room && page < end; page = (page | 511) + 1) {
      const from = this.#tables.entry(page, false);
      if (from < 0) continue;
      const last = from + 2 * (Math.min(end, (page | 511) + 1) - page);
      let to = -1;
      for (let at = from; at < last; at += 2) {
        const low = words[at] as number;
        if (!(low & VALID)) continue;
        if (to < 0) to = child.#tables.entry(page, true);
        room = to >= 0;
        if (!room) break;
        const high = words[at + 1] as number;
        frames.share(this.#tables.frame(at));
        words[at] = low & ~WRITE;
        words[at + 1] = high | COPY_ON_WRITE;
        // Neither logged nor watched, which may have taken the right to read.
        words[to + at - from] = (low & ~WRITE) | READ;
        words[to + at - from + 1] = (high & ADDRESS_HIGH) | COPY_ON_WRITE;
        child.#mapped++;
      }
    }
    this.#o.invalidate();
    return room;
  }

  /** Every page of RAM that has a frame, ascending. `at` is for this class. */
  forEachPage(see: (page: number, at: number, frame: number) => void): void {
    this.#tables.forEach((page, at, frame) => {
      if (this.contains(page * PAGE_BYTES)) see(page, at, frame);
    });
  }

  /** No page has a frame any more. */
  clear(): void {
    this.#o.invalidate();
    this.#tables.forEach((page, at, frame) => {
      this.#noteDirty(page);
      this.#tables.clear(at);
      this.#release(frame);
    });
    this.#mapped = 0;
  }

  /** Gives back everything. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.clear();
    this.#tables.close();
  }

  #protect(page: number): void {
    const at = this.#tables.valid(page);
    if (at < 0) return;
    this.#words[at] = (this.#words[at] as number) & ~WRITE;
    this.#words[at + 1] = (this.#words[at + 1] as number) | LOGGED;
  }

  #noteDirty(page: number): void {
    const dirty = this.#dirty;
    if (dirty === undefined || !this.contains(page * PAGE_BYTES)) return;
    const bit = page - pageOf(this.ram.base);
    dirty[bit >>> 5] = (dirty[bit >>> 5] as number) | (1 << (bit & 31));
  }

  /** A write to a page that may not be written as it is. */
  #allowWrite(page: number, at: number): FaultOutcome {
    const { frames, owner, memory } = this.#o;
    const high = this.#words[at + 1] as number;
    if (high & (COPY_ON_WRITE | LOGGED)) this.onWriteFault?.(page);
    if (high & COPY_ON_WRITE) {
      const old = this.#tables.frame(at);
      if (!frames.unshare(old, owner)) {
        const frame = this.#take();
        if (frame < 0) return "exhausted";
        memory.copy(old, frame);
        this.#tables.set(at, frame, (this.#words[at] as number) & 0xfff, high);
        this.#o.invalidate(page, 1);
        this.#release(old);
      }
    }
    if (high & (COPY_ON_WRITE | LOGGED)) {
      this.#noteDirty(page);
      if (!(high & WATCHED_WRITES)) this.#words[at] = (this.#words[at] as number) | WRITE;
      this.#words[at + 1] = high & ~(COPY_ON_WRITE | LOGGED);
    }
    return "again";
  }

  /** Gives a page a frame of zeroes: where there is room, and none has one yet, with its neighbours. */
  #populate(page: number): boolean {
    const { frames, owner, memory } = this.#o;
    const first = page & ~(RUN_FRAMES - 1);
    const logged = this.#dirty ? LOGGED : 0;
    const rights = PAGE | READ | (logged ? 0 : WRITE);
    if (this.contains(first * PAGE_BYTES, RUN_FRAMES * PAGE_BYTES) && this.#isEmpty(first)) {
      const run = frames.takeRun(owner);
      if (run >= 0) {
        memory.zero(run, RUN_FRAMES);
        const at = this.#tables.entry(first, true);
        if (at >= 0) {
          for (let i = 0; i < RUN_FRAMES; i++) this.#tables.set(at + 2 * i, run + i, rights, logged);
          this.#mapped += RUN_FRAMES;
          return true;
        }
        for (let i = 0; i < RUN_FRAMES; i++) frames.release(run + i, owner);
      }
    }
    const at = this.#tables.entry(page, true);
    if (at < 0) return false;
    const frame = this.#take();
    if (frame < 0) return false;
    memory.zero(frame);
    this.#tables.set(at, frame, rights, logged);
    this.#mapped++;
    return true;
  }

  #isEmpty(first: number): boolean {
    const at = this.#tables.entry(first, false);
    if (at < 0) return true;
    for (let i = 0; i < RUN_FRAMES; i++) if ((this.#words[at + 2 * i] as number) & VALID) return false;
    return true;
  }

  #take(): number {
    return this.#o.frames.take(this.#o.owner);
  }

  /** What is reserved is for those who cannot wait: devices, tables, registers. A guest's touch can be made again later. */
  #mayTake(): boolean {
    return this.#o.frames.free > (this.#o.reserved ?? 0);
  }

  #release(frame: number): void {
    if (this.#o.frames.release(frame, this.#o.owner)) this.#o.frameGone(frame);
  }
}

/** Whether a watched page's descriptor keeps an access from the guest for its watcher. */
function isWatched(low: number, high: number, access: Access): boolean {
  if (access === "execute") return (high & EXECUTE_NEVER) !== 0;
  return access === "write" ? (high & WATCHED_WRITES) !== 0 : (low & READ) === 0;
}
