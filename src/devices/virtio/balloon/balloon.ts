import type { AccessSize, Clock, Dma } from "../../../bus/device.ts";
import { scattered } from "../../../bus/scattered.ts";
import { clearPages } from "../../../memory/page-release.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import type { Chain } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import { STATISTICS, type StatisticName } from "./statistics.ts";

const DEVICE_ID_BALLOON = 5;
const QUEUE_SIZE = 128;
const F_STATS_VQ = 1 << 1;
const F_DEFLATE_ON_OOM = 1 << 2;
const F_PAGE_POISON = 1 << 4;
const F_PAGE_REPORTING = 1 << 5;

// Configuration (virtio 1.2, 5.5.4).
const NUM_PAGES = 0;
const ACTUAL = 4;
const POISON_VAL = 12;
const CONFIG_BYTES = 16;

/** Of a page of the balloon's, whatever the guest's pages are. */
const PAGE = 4096;
const PFN_BYTES = 4;
/** Of a statistic: its tag and its value. */
const STATISTIC_BYTES = 10;
/** Bytes that are given back between two looks at the clock, or page numbers that are read at once. */
const PIECE = 0x20_0000;
const PFNS_AT_ONCE = 256;

export interface BalloonMemory {
  /** Bytes that the guest has put into the balloon, as it says. */
  readonly held: number;
  /** Bytes that it should put there. */
  readonly wanted: number;
  /** Bytes of pages that the guest has reported as free since the device was reset; pages may be reported again. */
  readonly reported: number;
  /** What the guest last said of its memory. */
  readonly statistics: ReadonlyMap<StatisticName, number>;
}

/**
 * Traditional memory balloon (virtio 1.2, 5.5) with statistics and free page reporting. Pages that the guest gives away are zero at once, so
 * that a snapshot need not hold them; where the memory can be given back to the host, it is.
 */
export class VirtioBalloon extends VirtioDevice {
  readonly id = DEVICE_ID_BALLOON;
  readonly #dma: Dma;
  #reported = 0;
  readonly #statistics = new Map<StatisticName, number>();

  constructor(dma: Dma, clock: Clock) {
    const features = F_STATS_VQ | F_DEFLATE_ON_OOM | F_PAGE_POISON | F_PAGE_REPORTING;
    super(dma, features, Array<number>(5).fill(QUEUE_SIZE), CONFIG_BYTES, clock);
    this.#dma = dma;
    // A report is as long as the guest's largest blocks of free pages are.
    for (const queue of this.queues) queue.chainBytesMax = Number.POSITIVE_INFINITY;
  }

  override reset(): void {
    super.reset();
    this.#reported = 0;
    this.#statistics.clear();
    // The driver has all pages back; what is wanted stays.
    this.config.setUint32(ACTUAL, 0, true);
    this.config.setUint32(POISON_VAL, 0, true);
  }

  override save(): Saved {
    return { ...super.save(), reported: this.#reported, statistics: Object.fromEntries(this.#statistics) };
  }

  override restore(state: Fields): void {
    super.restore(state);
    this.#reported = state.number("reported", Number.MAX_VALUE);
    this.#statistics.clear();
    const statistics = state.object("statistics");
    for (const name of STATISTICS) {
      if (statistics.has(name)) this.#statistics.set(name, statistics.number(name, 2 ** 64));
    }
  }

  /** Asks the guest to give that many bytes, in whole pages. */
  want(bytes: number): void {
    this.changeConfig((config) => config.setUint32(NUM_PAGES, Math.floor(bytes / PAGE), true));
  }

  /** Bytes that the guest is asked for. */
  get wanted(): number {
    return this.config.getUint32(NUM_PAGES, true) * PAGE;
  }

  /** Bytes that the guest has given, as it says. */
  get held(): number {
    return this.config.getUint32(ACTUAL, true) * PAGE;
  }

  /** What is known; asks the guest for newer statistics. */
  memory(): BalloonMemory {
    const status = {
      held: this.held,
      wanted: this.wanted,
      reported: this.#reported,
      statistics: new Map(this.#statistics),
    };
    // 5.5.6.3: the buffer that is used is filled anew.
    const index = this.queues.findIndex((_, i) => this.#role(i) === "statistics");
    if (index >= 0) this.serve(this.queues[index] as Queue, () => 0);
    return status;
  }

  /** 5.5.4.1: the driver writes what it holds, and what it fills free pages with. */
  override writeConfig(offset: number, bytes: AccessSize, value: number): void {
    if (bytes === 4 && (offset === ACTUAL || offset === POISON_VAL)) this.config.setUint32(offset, value, true);
  }

  /** Drivers number the queues that they have negotiated, as QEMU's device does; the specification has reports at 4 always. */
  #role(index: number): "inflate" | "deflate" | "statistics" | "reports" | undefined {
    if (index === 0) return "inflate";
    if (index === 1) return "deflate";
    const statistics = this.accepted(F_STATS_VQ);
    if (index === 2 && statistics) return "statistics";
    return this.accepted(F_PAGE_REPORTING) && (index === 4 || index === (statistics ? 3 : 2)) ? "reports" : undefined;
  }

  protected override started(): void {
    // Drivers offer the first statistics before they say that they are ready.
    for (const index of this.queues.keys()) this.notify(index);
  }

  protected override notified(queue: Queue, index: number): void {
    switch (this.#role(index)) {
      case "inflate":
        this.serve(queue, (chain) => this.#inflate(chain, queue));
        break;
      case "deflate":
        // The pages are the guest's as they are.
        this.serve(queue, () => 0);
        break;
      case "statistics":
        this.serve(queue, (chain) => this.#learn(chain));
        break;
      case "reports":
        queue.names = true;
        this.serve(queue, (chain) => this.#takeReported(chain, queue));
        break;
    }
  }

  #inflate(chain: Chain, queue: Queue): number | undefined {
    const numbers = new Uint8Array(PFNS_AT_ONCE * PFN_BYTES);
    const view = new DataView(numbers.buffer);
    for (;;) {
      const bytes = chain.read(queue.progress, numbers);
      for (let at = 0; at + PFN_BYTES <= bytes; ) {
        const run = runAt(view, at, bytes);
        this.#giveBack(run.first, run.count);
        at += run.count * PFN_BYTES;
        queue.progress += run.count * PFN_BYTES;
        if (this.turnOver) return undefined;
      }
      if (bytes < numbers.length) return 0;
    }
  }

  #giveBack(first: number, count: number): void {
    const { discard } = this.#dma;
    if (discard) {
      discard.call(this.#dma, first * PAGE, count * PAGE);
      return;
    }
    const pages = this.#dma.view(first * PAGE, count * PAGE, true);
    if (pages === undefined) {
      // Those that are memory, if any are.
      for (let page = first; count > 1 && page < first + count; page++) this.#giveBack(page, 1);
    } else this.#clear(pages, 0);
  }

  #clear(pages: Uint8Array, value: number): void {
    const { release } = this.#dma;
    if (release && value === 0) release(pages);
    else clearPages(pages, value);
  }

  /** 5.5.6.7: what is free may hold zeroes, or what the driver says that its free pages hold. */
  #takeReported(chain: Chain, queue: Queue): number | undefined {
    const value = this.accepted(F_PAGE_POISON) ? this.config.getUint32(POISON_VAL, true) : 0;
    let before = 0;
    for (const { address, length } of chain.named) {
      while (queue.progress < before + length) {
        const done = queue.progress - before;
        const part = Math.min(PIECE, length - done);
        if (!this.#takeFree(address + done, part, value)) {
          this.fail();
          return undefined;
        }
        queue.progress += part;
        this.#reported += part;
        if (this.turnOver && queue.progress < chain.writableBytes) return undefined;
      }
      before += length;
    }
    return 0;
  }

  /** False: it is not the guest's memory. */
  #takeFree(address: number, length: number, value: number): boolean {
    // Where memory can be given back, none is taken only to be filled.
    if (this.#dma.discard) {
      if (value === 0) this.#dma.discard(address, length);
      return true;
    }
    const buffers = scattered(this.#dma, address, length, true);
    for (const piece of buffers ?? []) this.#clear(piece, value);
    return buffers !== undefined;
  }

  /** The buffer stays with the device until it wants newer statistics. */
  #learn(chain: Chain): undefined {
    const bytes = new Uint8Array(Math.min(chain.readableBytes, STATISTICS.length * STATISTIC_BYTES));
    const view = new DataView(bytes.buffer);
    const length = chain.read(0, bytes);
    for (let at = 0; at + STATISTIC_BYTES <= length; at += STATISTIC_BYTES) {
      const name = STATISTICS[view.getUint16(at, true)];
      const value = view.getUint32(at + 2, true) + view.getUint32(at + 6, true) * 2 ** 32;
      if (name !== undefined) this.#statistics.set(name, value);
    }
    return undefined;
  }
}

/** The longest run of pages next to each other, upwards or downwards, that a list of page numbers has at `at`. */
function runAt(list: DataView, at: number, end: number): { readonly first: number; readonly count: number } {
  const number = (index: number): number => list.getUint32(at + index * PFN_BYTES, true);
  const most = Math.floor((end - at) / PFN_BYTES);
  const start = number(0);
  const step = most > 1 && number(1) === start - 1 ? -1 : 1;
  let count = 1;
  while (count < most && number(count) === start + step * count) count++;
  return { first: step < 0 ? start - count + 1 : start, count };
}
