import type { Clock, Dma } from "../../../bus/device.ts";
import type { SharedFolder } from "../../../bus/folder.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { VirtioDevice } from "../device.ts";
import type { Queue } from "../queue.ts";
import { ERROR_BYTES, MSIZE_MAX } from "./messages.ts";
import { Session } from "./session.ts";

const DEVICE_ID_9P = 9;
/** Linux's transport uses 128 descriptors, whatever there are. */
const QUEUE_SIZE = 128;
const F_MOUNT_TAG = 1 << 0;

// Configuration.
const TAG_LENGTH = 0;
const TAG = 2;

/** 9P transport (linux/include/uapi/linux/virtio_9p.h; device ID 9 in virtio 1.2, section 5) of one shared folder. */
export class Virtio9p extends VirtioDevice {
  readonly id = DEVICE_ID_9P;
  readonly #session: Session;
  /** Messages are copied, so that what is checked is what is used, however a driver's buffers overlap. */
  readonly #request = new Uint8Array(MSIZE_MAX);
  readonly #reply = new Uint8Array(MSIZE_MAX);

  /** @param tag UTF-8 by which the guest mounts the folder; 1 to TAG_MAX (contract/limits.ts) bytes. */
  constructor(dma: Dma, clock: Clock, folder: SharedFolder, tag: Uint8Array) {
    super(dma, F_MOUNT_TAG, [QUEUE_SIZE], TAG + tag.length, clock);
    this.#session = new Session(folder);
    this.config.setUint16(TAG_LENGTH, tag.length, true);
    for (const [i, byte] of tag.entries()) this.config.setUint8(TAG + i, byte);
  }

  override reset(): void {
    super.reset();
    this.#session.reset();
  }

  override save(): Saved {
    return { ...super.save(), session: this.#session.save() };
  }

  override restore(state: Fields): void {
    super.restore(state);
    this.#session.restore(state.object("session"));
  }

  protected override notified(queue: Queue): void {
    this.serve(queue, (chain) => {
      const length = chain.read(0, this.#request);
      const room = Math.min(chain.writableBytes, MSIZE_MAX);
      const done =
        room < ERROR_BYTES ? 0 : this.#session.handle(this.#request.subarray(0, length), this.#reply.subarray(0, room));
      if (done === 0) {
        this.fail();
        return undefined;
      }
      return chain.write(0, this.#reply.subarray(0, done));
    });
  }
}
