import type { SerialChannel } from "../../../bus/channel.ts";
import type { Clock, Dma } from "../../../bus/device.ts";
import { type Fields, hex, type Saved } from "../../../snapshot/fields.ts";
import type { Chain } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";

const DEVICE_ID_CONSOLE = 3;
const F_MULTIPORT = 1 << 1;
const QUEUE_SIZE = 64;
/** Configuration (virtio 1.2, 5.3.4). */
const MAX_NR_PORTS = 4;
const CONFIG_BYTES = 12;

// Queues (5.3.2): two of port 0, which is for consoles and not there, two for control messages, then two of each port.
const CONTROL_RECEIVEQ = 2;
const CONTROL_TRANSMITQ = 3;

// Control messages (5.3.6.2).
const CONTROL_BYTES = 8;
export const CONTROL = { deviceReady: 0, deviceAdd: 1, portReady: 3, portOpen: 6, portName: 7 } as const;

/** Control messages that wait for the driver's buffers; beyond them its own wait. */
const MESSAGES_MAX = 256;
/** Bytes of one: a name is at most as long as an option's. */
const MESSAGE_MAX = 4096;
/** As many as QEMU's device has. */
export const PORTS_MAX = 30;

export interface PortOptions {
  /** By which the guest finds it: bytes of UTF-8. */
  readonly name: Uint8Array;
  readonly channel: SerialChannel;
}

interface Port extends PortOptions {
  readonly receive: number;
  readonly transmit: number;
  /** The driver knows it. */
  ready: boolean;
  /** Somebody in the guest has it open. */
  open: boolean;
  /** What the driver was told of somebody outside. */
  told: boolean;
}

/** Console device with several ports (virtio 1.2, 5.3, VIRTIO_CONSOLE_F_MULTIPORT), none of which is a console. */
export class VirtioSerialPorts extends VirtioDevice {
  readonly id = DEVICE_ID_CONSOLE;
  /** Port 1 first. */
  readonly #ports: readonly Port[];
  #messages: Uint8Array[] = [];

  /** @param ports at most PORTS_MAX. */
  constructor(dma: Dma, clock: Clock, ports: readonly PortOptions[]) {
    super(dma, F_MULTIPORT, Array<number>(2 * ports.length + 4).fill(QUEUE_SIZE), CONFIG_BYTES, clock);
    this.config.setUint32(MAX_NR_PORTS, ports.length + 1, true);
    const state = { ready: false, open: false, told: false };
    this.#ports = ports.map((port, i) => ({ ...port, ...state, receive: 2 * i + 4, transmit: 2 * i + 5 }));
    for (const port of this.#ports) port.channel.onChange(() => this.#changed(port));
  }

  override reset(): void {
    super.reset();
    this.#messages = [];
    for (const port of this.#ports) port.ready = port.open = port.told = false;
  }

  override save(): Saved {
    const ports = this.#ports.map(({ ready, open, told }) => ({ ready, open, told }));
    return { ...super.save(), ports, messages: this.#messages.map(hex) };
  }

  override restore(state: Fields): void {
    super.restore(state);
    const ports = state.list("ports", this.#ports.length);
    if (ports.length !== this.#ports.length) throw state.wrong("ports");
    for (const [i, port] of this.#ports.entries()) {
      const saved = ports[i] as Fields;
      port.ready = saved.flag("ready");
      port.open = saved.flag("open");
      port.told = saved.flag("told");
    }
    this.#messages = state.hexes("messages", MESSAGES_MAX + 2 * PORTS_MAX, MESSAGE_MAX);
  }

  /** Who is at the ports now need not be who was there. */
  override resumed(): void {
    for (const port of this.#ports) this.#changed(port);
  }

  protected override notified(queue: Queue, index: number): void {
    if (index === CONTROL_RECEIVEQ) this.#sendMessages();
    else if (index === CONTROL_TRANSMITQ) this.#control(queue);
    else if (index > CONTROL_TRANSMITQ) {
      const port = this.#ports[(index - 4) >> 1] as Port;
      if (index === port.receive) this.#receive(port);
      else this.#transmit(port);
    }
  }

  #changed(port: Port): void {
    if (!this.running) return;
    this.#tellConnection(port);
    this.#receive(port);
    this.#transmit(port);
    this.#sendMessages();
  }

  #control(queue: Queue): void {
    this.serve(queue, (chain) => {
      if (this.#messages.length >= MESSAGES_MAX) return undefined;
      const bytes = new Uint8Array(CONTROL_BYTES);
      if (chain.read(0, bytes) === CONTROL_BYTES) this.#message(new DataView(bytes.buffer));
      return 0;
    });
    this.#sendMessages();
  }

  #message(view: DataView): void {
    const id = view.getUint32(0, true);
    const event = view.getUint16(4, true);
    const value = view.getUint16(6, true);
    if (event === CONTROL.deviceReady) {
      if (value === 1) for (const i of this.#ports.keys()) this.#say(i + 1, CONTROL.deviceAdd, 1);
      return;
    }
    const port = this.#ports[id - 1];
    if (port === undefined) return;
    if (event === CONTROL.portReady && value === 1) {
      port.ready = true;
      port.told = false;
      this.#say(id, CONTROL.portName, 1, port.name);
      this.#tellConnection(port);
    }
    if (event === CONTROL.portOpen) {
      port.open = value !== 0;
      this.#receive(port);
    }
  }

  #tellConnection(port: Port): void {
    const { connected } = port.channel;
    if (!port.ready || port.told === connected) return;
    port.told = connected;
    this.#say(this.#ports.indexOf(port) + 1, CONTROL.portOpen, connected ? 1 : 0);
  }

  #say(id: number, event: number, value: number, text: Uint8Array = new Uint8Array(0)): void {
    const bytes = new Uint8Array(CONTROL_BYTES + text.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    bytes.set(text, CONTROL_BYTES);
    this.#messages.push(bytes);
  }

  #sendMessages(): void {
    const crowded = this.#messages.length >= MESSAGES_MAX;
    this.serve(this.queues[CONTROL_RECEIVEQ] as Queue, (chain: Chain) => {
      const message = this.#messages.shift();
      return message === undefined ? undefined : chain.write(0, message);
    });
    if (crowded && this.#messages.length < MESSAGES_MAX) this.notify(CONTROL_TRANSMITQ);
  }

  /** Fills the buffers that wait. */
  #receive({ channel, open, receive }: Port): void {
    if (!open) return;
    this.serve(this.queues[receive] as Queue, (chain) => {
      if (chain.writableBytes === 0) return 0;
      const bytes = channel.read(chain.writableBytes);
      return bytes.length === 0 ? undefined : chain.write(0, bytes);
    });
  }

  #transmit({ channel, transmit }: Port): void {
    this.serve(this.queues[transmit] as Queue, (chain) => {
      if (channel.connected && channel.full) return undefined;
      for (const bytes of chain.readable) channel.write(bytes);
      return 0;
    });
  }
}
