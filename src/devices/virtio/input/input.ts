import type { AccessSize, Clock, Dma } from "../../../bus/device.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import type { Chain } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import { EV, SYN_REPORT } from "./event-codes.ts";

const DEVICE_ID_INPUT = 18;
const EVENTQ = 0;
const QUEUE_SIZE = 64;

// Configuration (virtio 1.2, 5.8.4).
const SELECT = 0;
const SUBSEL = 1;
const SIZE = 2;
const UNION = 8;
const UNION_BYTES = 128;
const CONFIG_BYTES = UNION + UNION_BYTES;

// What may be selected (5.8.4).
const ID_NAME = 0x01;
const ID_SERIAL = 0x02;
const ID_DEVIDS = 0x03;
const EV_BITS = 0x11;
const ABS_INFO = 0x12;
/** linux/input.h. */
const BUS_VIRTUAL = 0x06;
const VENDOR = 0x0627;

/** struct virtio_input_event: type, code (16 bits each), value. */
const EVENT_BYTES = 8;
/** Events that wait for the driver's buffers; those that come when there are more are lost. */
const EVENTS_MAX = 1024;

/** ... with those that are not lost: each key and button is let go once at most. */
const SAVED_EVENTS_MAX = 2 * EVENTS_MAX;

export interface InputEvent {
  readonly type: number;
  readonly code: number;
  readonly value: number;
}

export interface InputDescription {
  /** ASCII. */
  readonly name: string;
  readonly product: number;
  /** Codes of each type of events that it has. */
  readonly codes: ReadonlyMap<number, readonly number[]>;
  /** The greatest value of absolute axes; the least is 0. */
  readonly absoluteMax?: number;
}

/** Input device (virtio 1.2, 5.8). */
export class VirtioInput extends VirtioDevice {
  readonly id = DEVICE_ID_INPUT;
  readonly #description: InputDescription;
  #events: InputEvent[] = [];

  constructor(dma: Dma, description: InputDescription, clock?: Clock) {
    super(dma, 0, [QUEUE_SIZE, QUEUE_SIZE], CONFIG_BYTES, clock);
    this.#description = description;
  }

  override reset(): void {
    super.reset();
    this.#events = [];
    this.#select(0, 0);
  }

  override save(): Saved {
    return { ...super.save(), events: this.#events.flatMap(({ type, code, value }) => [type, code, value >>> 0]) };
  }

  override restore(state: Fields): void {
    super.restore(state);
    const words = state.wholes("events", SAVED_EVENTS_MAX * 3);
    if (words.length % 3 !== 0) throw state.wrong("events");
    this.#events = [];
    for (let i = 0; i < words.length; i += 3) {
      const [type = 0, code = 0, value = 0] = words.slice(i, i + 3);
      this.#events.push({ type, code, value });
    }
  }

  /** The driver selects what the rest of the configuration is to say (5.8.5.1). */
  override writeConfig(offset: number, bytes: AccessSize, value: number): void {
    if (offset > SUBSEL || offset + bytes > SIZE) return;
    for (let i = 0; i < bytes; i++) this.config.setUint8(offset + i, value >>> (8 * i));
    this.#select(this.config.getUint8(SELECT), this.config.getUint8(SUBSEL));
  }

  /**
   * Events that belong together, for the driver; SYN_REPORT is added. @param important they are not lost while the driver is slow.
   * @returns whether the driver gets them, now or later.
   */
  protected send(events: readonly InputEvent[], important = false): boolean {
    if (!this.running) return false;
    if (events.length === 0) return true;
    if (!important && this.#events.length + events.length >= EVENTS_MAX) return false;
    this.#events.push(...events, { type: EV.syn, code: SYN_REPORT, value: 0 });
    this.#deliver();
    return true;
  }

  /** What the driver tells the device, such as LEDs. */
  protected told(_event: InputEvent): void {}

  protected override notified(queue: Queue, index: number): void {
    if (index === EVENTQ) this.#deliver();
    else this.serve(queue, (chain) => this.#status(chain));
  }

  #deliver(): void {
    if (this.#events.length === 0) return;
    const bytes = new Uint8Array(EVENT_BYTES);
    const fields = new DataView(bytes.buffer);
    let sent = 0;
    this.serve(this.queues[EVENTQ] as Queue, (chain) => {
      const event = this.#events[sent];
      if (event === undefined) return undefined;
      sent++;
      fields.setUint16(0, event.type, true);
      fields.setUint16(2, event.code, true);
      fields.setInt32(4, event.value, true);
      return chain.write(0, bytes);
    });
    this.#events.splice(0, sent);
  }

  #status(chain: Chain): number {
    const fields = new DataView(new ArrayBuffer(EVENT_BYTES));
    if (chain.read(0, new Uint8Array(fields.buffer)) === EVENT_BYTES) {
      this.told({ type: fields.getUint16(0, true), code: fields.getUint16(2, true), value: fields.getInt32(4, true) });
    }
    return 0;
  }

  #select(select: number, subsel: number): void {
    const bytes = this.#selected(select, subsel);
    this.config.setUint8(SELECT, select);
    this.config.setUint8(SUBSEL, subsel);
    this.config.setUint8(SIZE, bytes.length);
    const union = new Uint8Array(this.config.buffer, UNION);
    union.fill(0);
    union.set(bytes);
  }

  #selected(select: number, subsel: number): Uint8Array {
    const { name, product, codes, absoluteMax = 0 } = this.#description;
    switch (select) {
      case ID_NAME:
        return Uint8Array.from(name, (character) => character.charCodeAt(0));
      case ID_SERIAL:
        return Uint8Array.of(0x31);
      case ID_DEVIDS:
        return new Uint8Array(Uint16Array.of(BUS_VIRTUAL, VENDOR, product, 1).buffer);
      case EV_BITS:
        return bitmap(codes.get(subsel) ?? []);
      case ABS_INFO:
        if (!codes.get(EV.abs)?.includes(subsel)) break;
        // min, max, fuzz, flat, res.
        return new Uint8Array(Uint32Array.of(0, absoluteMax, 0, 0, 0).buffer);
    }
    return new Uint8Array(0);
  }
}

/** As long as the highest of them needs. */
function bitmap(bits: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(bits.length === 0 ? 0 : (Math.max(...bits) >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
  return bytes;
}
