import type { Dma, EntropySource } from "../../../bus/device.ts";
import { pieces } from "../chain.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";

const DEVICE_ID_ENTROPY = 4;
const QUEUE_SIZE = 8;
/** Bytes for one request, so that none takes long: the device may give less than was asked for (5.4.6). */
const REQUEST_MAX = 0x10000;

/** Entropy device (virtio 1.2, 5.4). */
export class VirtioEntropy extends VirtioDevice {
  readonly id = DEVICE_ID_ENTROPY;
  readonly #source: EntropySource;

  constructor(dma: Dma, source: EntropySource) {
    super(dma, 0, [QUEUE_SIZE], 0);
    this.#source = source;
  }

  protected override notified(queue: Queue): void {
    this.serve(queue, (chain) => {
      const length = Math.min(chain.writableBytes, REQUEST_MAX);
      for (const piece of pieces(chain.writable, 0, length)) this.#source.fill(piece);
      return length;
    });
  }
}
