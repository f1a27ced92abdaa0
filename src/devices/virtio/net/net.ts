import type { Clock, Dma } from "../../../bus/device.ts";
import { ETHERNET_BYTES, FRAME_MAX, Frame, TCP4, TCP6, WHOLE } from "../../../network/frame.ts";
import type { NetworkLink } from "../../../network/link.ts";
import { completeChecksum, Segmenter } from "../../../network/segmenter.ts";
import { readVirtioHeader, VIRTIO_HEADER_BYTES, writeVirtioHeader } from "../../../network/virtio-header.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import type { Chain } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import { ReceiveFilter } from "./receive-filter.ts";

const DEVICE_ID_NET = 1;

// Features (virtio 1.2, 5.1.3).
export const F_CSUM = 1 << 0;
export const F_GUEST_CSUM = 1 << 1;
export const F_CTRL_GUEST_OFFLOADS = 1 << 2;
export const F_MAC = 1 << 5;
export const F_GUEST_TSO4 = 1 << 7;
export const F_GUEST_TSO6 = 1 << 8;
export const F_GUEST_ECN = 1 << 9;
export const F_HOST_TSO4 = 1 << 11;
export const F_HOST_TSO6 = 1 << 12;
export const F_HOST_ECN = 1 << 13;
export const F_MRG_RXBUF = 1 << 15;
export const F_STATUS = 1 << 16;
export const F_CTRL_VQ = 1 << 17;
export const F_CTRL_RX = 1 << 18;
export const F_CTRL_RX_EXTRA = 1 << 20;
export const F_GUEST_ANNOUNCE = 1 << 21;
export const F_CTRL_MAC_ADDR = 1 << 23;
const FEATURES =
  F_CSUM |
  F_GUEST_CSUM |
  F_CTRL_GUEST_OFFLOADS |
  F_MAC |
  F_GUEST_TSO4 |
  F_GUEST_TSO6 |
  F_GUEST_ECN |
  F_HOST_TSO4 |
  F_HOST_TSO6 |
  F_HOST_ECN |
  F_MRG_RXBUF |
  F_STATUS |
  F_CTRL_VQ |
  F_CTRL_RX |
  F_CTRL_RX_EXTRA |
  F_GUEST_ANNOUNCE |
  F_CTRL_MAC_ADDR;
/** What CTRL_GUEST_OFFLOADS_SET may turn off and on. */
const GUEST_OFFLOADS = F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN;

const RECEIVEQ = 0;
const TRANSMITQ = 1;
const CONTROLQ = 2;
const QUEUE_SIZE = 256;
const CONTROL_QUEUE_SIZE = 64;

// Configuration (5.1.4).
const CONFIG_MAC = 0;
const CONFIG_STATUS = 6;
const CONFIG_BYTES = 12;
const S_LINK_UP = 1;
const S_ANNOUNCE = 2;

// struct virtio_net_hdr (5.1.6): that of virtio-header.ts, and num_buffers.
const HEADER_BYTES = 12;
const HEADER_NUM_BUFFERS = VIRTIO_HEADER_BYTES;

// Commands (5.1.6.5): a class, a command, its data; and a byte for the answer.
const CTRL_RX = 0;
const CTRL_MAC = 1;
const CTRL_MAC_TABLE_SET = 0;
const CTRL_MAC_ADDR_SET = 1;
const CTRL_ANNOUNCE = 3;
const CTRL_ANNOUNCE_ACK = 0;
const CTRL_GUEST_OFFLOADS = 5;
const CTRL_GUEST_OFFLOADS_SET = 0;
const COMMAND_MAX = 4096;
const OK = 0;
const ERR = 1;

/** Network device with one pair of queues (virtio 1.2, 5.1). */
export class VirtioNet extends VirtioDevice {
  readonly id = DEVICE_ID_NET;
  readonly #link: NetworkLink;
  readonly #clock: Clock;
  readonly #filter = new ReceiveFilter();
  readonly #sent = new Frame();
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #headerView = new DataView(this.#header.buffer);
  readonly #segmenter = new Segmenter();
  /** Of F_GUEST_*: what the driver takes over at the moment. */
  #guestOffloads = 0;
  /** A frame that the guest has had no room for yet. */
  #waiting: Frame | undefined;
  #scheduled = false;

  constructor(dma: Dma, link: NetworkLink, clock: Clock) {
    super(dma, FEATURES, [QUEUE_SIZE, QUEUE_SIZE, CONTROL_QUEUE_SIZE], CONFIG_BYTES);
    this.#link = link;
    this.#clock = clock;
    for (const [i, byte] of link.mac.entries()) this.config.setUint8(CONFIG_MAC + i, byte);
    this.config.setUint16(CONFIG_STATUS, S_LINK_UP, true);
    this.#filter.reset(link.mac);
    link.attach({ clock, ready: () => this.#ready(), announce: () => this.#announce() });
  }

  override reset(): void {
    super.reset();
    this.#guestOffloads = 0;
    this.#waiting = undefined;
    this.#segmenter.clear();
    this.#filter.reset(this.#link.mac);
    this.config.setUint16(CONFIG_STATUS, S_LINK_UP, true);
    this.#link.reset();
  }

  /** A frame that has not reached the guest yet is lost, as on a wire. */
  override save(): Saved {
    const link = this.#link.save?.() ?? null;
    return { ...super.save(), filter: this.#filter.save(), guestOffloads: this.#guestOffloads, link };
  }

  override restore(state: Fields): void {
    super.restore(state);
    this.#filter.restore(state.object("filter"));
    this.#guestOffloads = state.whole("guestOffloads", GUEST_OFFLOADS) & GUEST_OFFLOADS;
    if (state.has("link")) this.#link.restore?.(state.object("link"));
  }

  /** The driver learns of the new address when it starts anew; until then the guest goes on with the one that it has read. */
  override cloned(): void {
    for (const [i, byte] of this.#link.mac.entries()) this.config.setUint8(CONFIG_MAC + i, byte);
  }

  override resumed(): void {
    if (!this.running) return;
    this.#setGuestOffloads(this.#guestOffloads);
    // On a switch others have to learn anew where the guest is.
    this.#announce();
    this.#ready();
  }

  protected override started(): void {
    this.#setGuestOffloads(GUEST_OFFLOADS);
    this.#ready();
  }

  protected override notified(queue: Queue, index: number): void {
    if (index === TRANSMITQ) this.#transmit(queue);
    if (index === CONTROLQ) this.serve(queue, (chain) => this.#command(chain));
    // What was sent may have been answered, or there is room for what waited.
    this.#receive();
  }

  /** The link's events come from outside of the machine's turn. */
  #ready(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.at(this.#clock.now(), () => {
      this.#scheduled = false;
      this.#receive();
    });
  }

  #announce(): void {
    if (!this.accepted(F_GUEST_ANNOUNCE)) return;
    this.changeConfig((config) => config.setUint16(CONFIG_STATUS, S_LINK_UP | S_ANNOUNCE, true));
  }

  #transmit(queue: Queue): void {
    this.serve(queue, (chain) => {
      const frame = this.#sent;
      const length = chain.readableBytes - HEADER_BYTES;
      // 5.1.6.2 has no way to say that a frame is no good: it is lost, as on a wire.
      if (length < ETHERNET_BYTES || length > FRAME_MAX) return 0;
      chain.read(0, this.#header);
      chain.read(HEADER_BYTES, frame.bytes.subarray(0, length));
      frame.complete(length);
      if (this.#readHeader(frame)) this.#link.transmit(frame);
      return 0;
    });
  }

  /** What the driver has left to be done on its frame; false where it makes no sense. */
  #readHeader(frame: Frame): boolean {
    if (!readVirtioHeader(this.#headerView, 0, frame)) return false;
    if (frame.checksumStart !== 0 && !this.accepted(F_CSUM)) return false;
    return frame.segmentation === WHOLE || this.accepted(frame.segmentation === TCP4 ? F_HOST_TSO4 : F_HOST_TSO6);
  }

  /** Gives the guest what there is for it and it has room for. */
  #receive(): void {
    const queue = this.queues[RECEIVEQ];
    if (queue === undefined || !this.running) return;
    const mergeable = this.accepted(F_MRG_RXBUF);
    const wanted = (): number => {
      this.#waiting ??= this.#next();
      const frame = this.#waiting;
      if (frame === undefined) return 0;
      return mergeable ? HEADER_BYTES + frame.length : 1;
    };
    const used = queue.serveTogether(wanted, (chains) => {
      const frame = this.#waiting as Frame;
      this.#waiting = undefined;
      return this.#fill(frame, chains);
    });
    if (used) this.notifier.used();
  }

  /** The next frame that passes the filter, with no more left to be done on it than the driver takes over. */
  #next(): Frame | undefined {
    for (;;) {
      const frame = this.#segmenter.next() ?? this.#link.receive();
      if (frame === undefined) return undefined;
      if (!this.#filter.passes(frame.bytes)) continue;
      const needed = frame.segmentation === TCP4 ? F_GUEST_TSO4 : frame.segmentation === TCP6 ? F_GUEST_TSO6 : 0;
      if (needed !== 0 && (this.#guestOffloads & needed) === 0) {
        this.#segmenter.start(frame);
        continue;
      }
      if (frame.checksumStart !== 0 && (this.#guestOffloads & F_GUEST_CSUM) === 0) completeChecksum(frame);
      return frame;
    }
  }

  /** @returns bytes written to the chains, one after the other. */
  #fill(frame: Frame, chains: readonly Chain[]): number {
    const total = HEADER_BYTES + frame.length;
    const room = chains.reduce((sum, chain) => sum + chain.writableBytes, 0);
    // Buffers that are too small are used, and empty.
    if (room < total) return 0;
    this.#writeHeader(frame, chains.length);
    (chains[0] as Chain).write(0, this.#header);
    let done = 0;
    let skip = HEADER_BYTES;
    for (const chain of chains) {
      done += chain.write(skip, frame.bytes.subarray(done, frame.length));
      skip = Math.max(0, skip - chain.writableBytes);
    }
    return total;
  }

  #writeHeader(frame: Frame, buffers: number): void {
    const view = this.#headerView;
    writeVirtioHeader(view, 0, frame, (this.#guestOffloads & F_GUEST_ECN) !== 0);
    view.setUint16(HEADER_NUM_BUFFERS, buffers, true);
  }

  #setGuestOffloads(bits: number): void {
    let offloads = 0;
    for (const bit of [F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, F_GUEST_ECN]) {
      if (bits & bit && this.accepted(bit)) offloads |= bit;
    }
    // 5.1.3.1: the others require it.
    if (!(offloads & F_GUEST_CSUM)) offloads = 0;
    this.#guestOffloads = offloads;
    this.#link.setOffloads({
      checksum: (offloads & F_GUEST_CSUM) !== 0,
      tcp4: (offloads & F_GUEST_TSO4) !== 0,
      tcp6: (offloads & F_GUEST_TSO6) !== 0,
    });
  }

  #command(chain: Chain): number {
    const data = new Uint8Array(Math.min(chain.readableBytes, COMMAND_MAX));
    chain.read(0, data);
    const accepted = chain.readableBytes <= COMMAND_MAX && data.length >= 2 && this.accepted(F_CTRL_VQ);
    const done = accepted && this.#execute(data[0] as number, data[1] as number, data.subarray(2));
    return chain.write(0, Uint8Array.of(done ? OK : ERR));
  }

  #execute(group: number, command: number, data: Uint8Array): boolean {
    switch (group) {
      case CTRL_RX:
        return data.length === 1 && this.#setMode(command, data[0] !== 0);
      case CTRL_MAC:
        if (command === CTRL_MAC_TABLE_SET) return this.accepted(F_CTRL_RX) && this.#filter.setTables(data);
        if (command !== CTRL_MAC_ADDR_SET || !this.accepted(F_CTRL_MAC_ADDR) || data.length !== 6) return false;
        this.#filter.mac.set(data);
        return true;
      case CTRL_ANNOUNCE:
        if (command !== CTRL_ANNOUNCE_ACK) return false;
        this.config.setUint16(CONFIG_STATUS, S_LINK_UP, true);
        return true;
      case CTRL_GUEST_OFFLOADS: {
        if (command !== CTRL_GUEST_OFFLOADS_SET || data.length !== 8) return false;
        const view = new DataView(data.buffer, data.byteOffset, data.length);
        const bits = view.getUint32(0, true);
        if (!this.accepted(F_CTRL_GUEST_OFFLOADS) || bits & ~GUEST_OFFLOADS || view.getUint32(4, true) !== 0)
          return false;
        this.#setGuestOffloads(bits);
        return true;
      }
      default:
        return false;
    }
  }

  #setMode(command: number, on: boolean): boolean {
    const filter = this.#filter;
    if (!this.accepted(command < 2 ? F_CTRL_RX : F_CTRL_RX_EXTRA)) return false;
    switch (command) {
      case 0:
        filter.promiscuous = on;
        return true;
      case 1:
        filter.allMulticast = on;
        return true;
      case 2:
        filter.allUnicast = on;
        return true;
      case 3:
        filter.noMulticast = on;
        return true;
      case 4:
        filter.noUnicast = on;
        return true;
      case 5:
        filter.noBroadcast = on;
        return true;
      default:
        return false;
    }
  }
}
