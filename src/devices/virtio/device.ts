import type { AccessSize, Clock, Dma, Stateful } from "../../bus/device.ts";
import { type Fields, hex, type Saved } from "../../snapshot/fields.ts";
import type { Chain } from "./chain.ts";
import { Queue } from "./queue.ts";

// Device status (virtio 1.2, 2.1).
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;

// Features that are not of a type (section 6), as bits of their word of 32.
const F_INDIRECT_DESC = 1 << 28;
const F_EVENT_IDX = 1 << 29;
/** Bit 32. */
const F_VERSION_1 = 1 << 0;
/** Bit 40. */
const F_RING_RESET = 1 << 8;

/** Nanoseconds that a device takes for a driver's requests at a time, so that PEs and other devices have their turns. */
const TURN = 2e6;

/** How a device tells its driver. A transport implements it. */
export interface VirtioNotifier {
  /** Buffers have been used. */
  used(): void;
  /** The configuration, or the status by DEVICE_NEEDS_RESET, has changed. */
  configChanged(): void;
}

/** The part of a virtio device that is the same in all types and on all transports (virtio 1.2, section 2). */
export abstract class VirtioDevice implements Stateful {
  /** Device ID (section 5). */
  abstract readonly id: number;
  readonly queues: readonly Queue[];
  /** Changes whenever the device changes its configuration. */
  configGeneration = 0;
  notifier: VirtioNotifier = { used: () => {}, configChanged: () => {} };

  /** Device-specific configuration, little-endian. */
  protected readonly config: DataView;
  readonly #offered: readonly [number, number];
  readonly #accepted: [number, number] = [0, 0];
  #status = 0;
  readonly #clock: Clock | undefined;
  /** When the turn is over, by that clock. */
  #turnEnd = Number.POSITIVE_INFINITY;
  /** Queues that go on in the next turn. */
  readonly #waiting = new Set<Queue>();

  /**
   * @param features bits 0 to 23, those of the type.
   * @param clock for devices whose requests take the host's time: what is not done in a turn goes on in the next.
   */
  constructor(dma: Dma, features: number, queueSizes: readonly number[], configBytes: number, clock?: Clock) {
    this.#clock = clock;
    this.#offered = [(features | F_INDIRECT_DESC | F_EVENT_IDX) >>> 0, F_VERSION_1 | F_RING_RESET];
    this.queues = queueSizes.map((size) => new Queue(dma, size, () => this.fail()));
    this.config = new DataView(new ArrayBuffer(configBytes));
  }

  get status(): number {
    return this.#status;
  }

  /** Writing 0 resets; FEATURES_OK stays clear when what the driver accepted cannot be (3.1.1). */
  setStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    const old = this.#status;
    let status = (value & 0xff) | (old & STATUS_NEEDS_RESET);
    if (!(old & STATUS_FEATURES_OK) && !this.#featuresAcceptable()) status &= ~STATUS_FEATURES_OK;
    this.#status = status;
    if (!(old & STATUS_DRIVER_OK) && this.running) this.started();
  }

  /** Whether the driver may use it. */
  get running(): boolean {
    const needed = STATUS_DRIVER_OK | STATUS_FEATURES_OK;
    return (this.#status & (needed | STATUS_NEEDS_RESET)) === needed;
  }

  /** To the state after power-on. */
  reset(): void {
    this.#status = 0;
    this.#accepted.fill(0);
    for (const queue of this.queues) queue.reset();
  }

  save(): Saved {
    return {
      id: this.id,
      status: this.#status,
      accepted: [...this.#accepted],
      configGeneration: this.configGeneration,
      config: hex(new Uint8Array(this.config.buffer)),
      queues: this.queues.map((queue) => queue.save()),
      waiting: [...this.#waiting].map((queue) => this.queues.indexOf(queue)),
    };
  }

  restore(state: Fields): void {
    if (state.whole("id") !== this.id) throw state.wrong("id");
    const [low = 0, high = 0] = state.wholes("accepted", 2);
    // A driver that has written bits which were not offered has not got FEATURES_OK; one that has keeps what it relies on.
    const status = state.whole("status", 0xff);
    const unknown = (low & ~this.#offered[0]) | (high & ~this.#offered[1]);
    if (status & STATUS_FEATURES_OK && unknown !== 0) throw state.wrong("features");
    this.#status = status;
    this.#accepted[0] = low;
    this.#accepted[1] = high;
    this.configGeneration = state.whole("configGeneration");
    const bytes = this.config.byteLength;
    new Uint8Array(this.config.buffer).set(state.bytes("config", bytes, bytes));
    const queues = state.list("queues", this.queues.length);
    if (queues.length !== this.queues.length) throw state.wrong("queues");
    for (const [i, queue] of this.queues.entries()) queue.restore(queues[i] as Fields);
    this.#waiting.clear();
    for (const index of state.wholes("waiting", this.queues.length, this.queues.length - 1))
      this.#goOnLater(this.queues[index] as Queue);
  }

  resumed(): void {}

  cloned(): void {}

  /** @param word which 32 feature bits. */
  offeredFeatures(word: number): number {
    return this.#offered[word] ?? 0;
  }

  acceptFeatures(word: number, bits: number): void {
    if (this.#status & STATUS_FEATURES_OK || word > 1) return;
    this.#accepted[word] = bits;
  }

  /** @param bit of the first 32, as a mask. */
  protected accepted(bit: number): boolean {
    return (this.#accepted[0] & bit) !== 0;
  }

  /** QueueReady. A queue's addresses and size are fixed while it is ready. */
  enableQueue(queue: Queue): void {
    if (!(this.#status & STATUS_FEATURES_OK)) return;
    queue.indirect = this.accepted(F_INDIRECT_DESC);
    queue.eventIndex = this.accepted(F_EVENT_IDX);
    queue.ready = true;
  }

  /** The driver's notification of a queue. */
  notify(index: number): void {
    const queue = this.queues[index];
    if (this.running && queue !== undefined) this.notified(queue, index);
  }

  readConfig(offset: number, bytes: AccessSize): number {
    if (offset + bytes > this.config.byteLength) return 0;
    if (bytes === 4) return this.config.getUint32(offset, true);
    return bytes === 2 ? this.config.getUint16(offset, true) : this.config.getUint8(offset);
  }

  /** Most types have nothing there that a driver may write. */
  writeConfig(_offset: number, _bytes: AccessSize, _value: number): void {}

  /** DRIVER_OK has been set. */
  protected started(): void {}

  protected abstract notified(queue: Queue, index: number): void;

  /** Queue.serve, for a device that may be stopped; tells the driver where it wants that. */
  protected serve(queue: Queue, handle: (chain: Chain) => number | undefined): void {
    if (!this.running) return;
    if (this.#clock !== undefined) this.#turnEnd = this.#clock.now() + TURN;
    let over = false;
    const wanted = queue.serve((chain) => {
      if (over) return undefined;
      const written = handle(chain);
      over = this.turnOver;
      return written;
    });
    if (wanted) this.notifier.used();
    if (over) this.#goOnLater(queue);
  }

  /** Whether what is left of a request should wait for the next turn. The handler then returns undefined; `queue.progress` is kept. */
  protected get turnOver(): boolean {
    return this.#clock !== undefined && this.#clock.now() >= this.#turnEnd;
  }

  #goOnLater(queue: Queue): void {
    if (this.#clock === undefined || this.#waiting.has(queue)) return;
    this.#waiting.add(queue);
    this.#clock.at(this.#clock.now(), () => {
      this.#waiting.delete(queue);
      this.notify(this.queues.indexOf(queue));
    });
  }

  /** Changes the configuration and tells the driver. */
  protected changeConfig(change: (config: DataView) => void): void {
    change(this.config);
    this.configGeneration = (this.configGeneration + 1) >>> 0;
    if (this.running) this.notifier.configChanged();
  }

  /** The driver has done what makes no sense: nothing more happens until it resets the device (2.1.2). */
  protected fail(): void {
    const driverOk = this.#status & STATUS_DRIVER_OK;
    this.#status |= STATUS_NEEDS_RESET;
    if (driverOk) this.notifier.configChanged();
  }

  #featuresAcceptable(): boolean {
    const [low, high] = this.#accepted;
    return ((low & ~this.#offered[0]) | (high & ~this.#offered[1])) === 0 && (high & F_VERSION_1) !== 0;
  }
}
