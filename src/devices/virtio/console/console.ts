import type { AccessSize, Dma, SerialPort, TerminalSize } from "../../../bus/device.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";

const DEVICE_ID_CONSOLE = 3;
const F_SIZE = 1 << 0;
const F_EMERG_WRITE = 1 << 2;

const RECEIVEQ = 0;
const TRANSMITQ = 1;
const QUEUE_SIZE = 64;

// Configuration (virtio 1.2, 5.3.4).
const COLS = 0;
const ROWS = 2;
const EMERG_WR = 8;
const CONFIG_BYTES = 12;

/** Console device with one port (virtio 1.2, 5.3). It has a size where there is a terminal at power-on. */
export class VirtioConsole extends VirtioDevice {
  readonly id = DEVICE_ID_CONSOLE;
  readonly #port: SerialPort;
  readonly #terminal: TerminalSize;

  constructor(dma: Dma, port: SerialPort, terminal: TerminalSize) {
    const size = terminal.get();
    super(dma, F_EMERG_WRITE | (size === undefined ? 0 : F_SIZE), [QUEUE_SIZE, QUEUE_SIZE], CONFIG_BYTES);
    this.#port = port;
    this.#terminal = terminal;
    this.#setSize(size);
    terminal.onChange(() => this.changeConfig(() => this.#setSize(terminal.get())));
    port.onReadable(() => this.#receive());
  }

  override writeConfig(offset: number, _bytes: AccessSize, value: number): void {
    // 5.3.4: works at any time, whatever has been negotiated.
    if (offset === EMERG_WR) this.#port.write(Uint8Array.of(value));
  }

  protected override started(): void {
    this.#receive();
  }

  override resumed(): void {
    const size = this.#terminal.get();
    if (size !== undefined) this.changeConfig(() => this.#setSize(size));
    this.#receive();
  }

  protected override notified(queue: Queue, index: number): void {
    if (index === RECEIVEQ) this.#receive();
    if (index === TRANSMITQ) this.#transmit(queue);
  }

  #transmit(queue: Queue): void {
    this.serve(queue, (chain) => {
      for (const bytes of chain.readable) this.#port.write(bytes);
      return 0;
    });
  }

  /** Fills the buffers that wait; what there is no buffer for stays outside. */
  #receive(): void {
    const queue = this.queues[RECEIVEQ];
    if (queue === undefined) return;
    this.serve(queue, (chain) => {
      if (chain.writableBytes === 0) return 0;
      const bytes = this.#port.read(chain.writableBytes);
      return bytes.length === 0 ? undefined : chain.write(0, bytes);
    });
  }

  #setSize(size: { readonly columns: number; readonly rows: number } | undefined): void {
    if (size === undefined) return;
    this.config.setUint16(COLS, size.columns, true);
    this.config.setUint16(ROWS, size.rows, true);
  }
}
