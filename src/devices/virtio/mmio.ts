import type { AccessSize, Device, Line } from "../../bus/device.ts";
import type { Fields, Saved } from "../../snapshot/fields.ts";
import type { VirtioDevice, VirtioNotifier } from "./device.ts";
import type { Queue } from "./queue.ts";

// Registers (virtio 1.2, 4.2.2).
export const MAGIC_VALUE = 0x000;
export const VERSION = 0x004;
export const DEVICE_ID = 0x008;
export const VENDOR_ID = 0x00c;
export const DEVICE_FEATURES = 0x010;
export const DEVICE_FEATURES_SEL = 0x014;
export const DRIVER_FEATURES = 0x020;
export const DRIVER_FEATURES_SEL = 0x024;
export const QUEUE_SEL = 0x030;
export const QUEUE_NUM_MAX = 0x034;
export const QUEUE_NUM = 0x038;
export const QUEUE_READY = 0x044;
export const QUEUE_NOTIFY = 0x050;
export const INTERRUPT_STATUS = 0x060;
export const INTERRUPT_ACK = 0x064;
export const STATUS = 0x070;
export const QUEUE_DESC_LOW = 0x080;
export const QUEUE_DESC_HIGH = 0x084;
export const QUEUE_DRIVER_LOW = 0x090;
export const QUEUE_DRIVER_HIGH = 0x094;
export const QUEUE_DEVICE_LOW = 0x0a0;
export const QUEUE_DEVICE_HIGH = 0x0a4;
export const SHM_LEN_LOW = 0x0b0;
export const SHM_LEN_HIGH = 0x0b4;
export const SHM_BASE_LOW = 0x0b8;
export const SHM_BASE_HIGH = 0x0bc;
export const QUEUE_RESET = 0x0c0;
export const CONFIG_GENERATION = 0x0fc;
export const CONFIG = 0x100;
export const VIRTIO_MMIO_SIZE = 0x200;

const MAGIC = 0x74726976;
/** "ATOL". */
const VENDOR = 0x4c4f5441;
const INTERRUPT_USED = 1;
const INTERRUPT_CONFIG = 2;

/** The memory-mapped transport of one device, or of none: then DeviceID is 0 and drivers pass by. */
export class VirtioMmio implements Device, VirtioNotifier {
  readonly size = VIRTIO_MMIO_SIZE;
  readonly device: VirtioDevice | undefined;
  readonly #line: Line;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;
  #interruptStatus = 0;

  constructor(device: VirtioDevice | undefined, line: Line) {
    this.device = device;
    this.#line = line;
    if (device !== undefined) device.notifier = this;
  }

  reset(): void {
    this.#deviceFeaturesSel = this.#driverFeaturesSel = this.#queueSel = 0;
    this.device?.reset();
    this.#setInterrupt(0);
  }

  save(): Saved {
    return {
      deviceFeaturesSel: this.#deviceFeaturesSel,
      driverFeaturesSel: this.#driverFeaturesSel,
      queueSel: this.#queueSel,
      interruptStatus: this.#interruptStatus,
      device: this.device?.save() ?? null,
    };
  }

  restore(state: Fields): void {
    this.#deviceFeaturesSel = state.whole("deviceFeaturesSel");
    this.#driverFeaturesSel = state.whole("driverFeaturesSel");
    this.#queueSel = state.whole("queueSel");
    this.#interruptStatus = state.whole("interruptStatus", INTERRUPT_USED | INTERRUPT_CONFIG);
    if (state.has("device") !== (this.device !== undefined)) throw state.wrong("device");
    this.device?.restore(state.object("device"));
  }

  resumed(): void {
    this.device?.resumed();
  }

  cloned(): void {
    this.device?.cloned();
  }

  used(): void {
    this.#setInterrupt(this.#interruptStatus | INTERRUPT_USED);
  }

  configChanged(): void {
    this.#setInterrupt(this.#interruptStatus | INTERRUPT_CONFIG);
  }

  read(offset: number, bytes: AccessSize): number {
    const device = this.device;
    if (offset >= CONFIG) return device?.readConfig(offset - CONFIG, bytes) ?? 0;
    // 4.2.2.2: drivers use 32-bit accesses here.
    if (bytes !== 4) return 0;
    switch (offset) {
      case MAGIC_VALUE:
        return MAGIC;
      case VERSION:
        return 2;
      case DEVICE_ID:
        return device?.id ?? 0;
      case VENDOR_ID:
        return VENDOR;
    }
    return device === undefined ? 0 : this.#readRegister(device, offset);
  }

  write(offset: number, bytes: AccessSize, value: number): void {
    const device = this.device;
    if (device === undefined) return;
    if (offset >= CONFIG) device.writeConfig(offset - CONFIG, bytes, value);
    else if (bytes === 4) this.#writeRegister(device, offset, value);
  }

  #readRegister(device: VirtioDevice, offset: number): number {
    const queue = device.queues[this.#queueSel];
    switch (offset) {
      case DEVICE_FEATURES:
        return device.offeredFeatures(this.#deviceFeaturesSel);
      case QUEUE_NUM_MAX:
        return queue?.sizeMax ?? 0;
      case QUEUE_READY:
        return queue?.ready ? 1 : 0;
      case INTERRUPT_STATUS:
        return this.#interruptStatus;
      case STATUS:
        return device.status;
      // There is no shared memory region: its length and base read as all ones.
      case SHM_LEN_LOW:
      case SHM_LEN_HIGH:
      case SHM_BASE_LOW:
      case SHM_BASE_HIGH:
        return 0xffff_ffff;
      case CONFIG_GENERATION:
        return device.configGeneration;
      default:
        return 0;
    }
  }

  #writeRegister(device: VirtioDevice, offset: number, value: number): void {
    switch (offset) {
      case DEVICE_FEATURES_SEL:
        this.#deviceFeaturesSel = value;
        break;
      case DRIVER_FEATURES:
        device.acceptFeatures(this.#driverFeaturesSel, value);
        break;
      case DRIVER_FEATURES_SEL:
        this.#driverFeaturesSel = value;
        break;
      case QUEUE_SEL:
        this.#queueSel = value;
        break;
      case QUEUE_NOTIFY:
        device.notify(value);
        break;
      case INTERRUPT_ACK:
        this.#setInterrupt(this.#interruptStatus & ~value);
        break;
      case STATUS:
        device.setStatus(value);
        if (value === 0) this.#setInterrupt(0);
        break;
      default: {
        const queue = device.queues[this.#queueSel];
        if (queue !== undefined) writeQueueRegister(device, queue, offset, value);
      }
    }
  }

  #setInterrupt(status: number): void {
    this.#interruptStatus = status;
    this.#line.set(status !== 0);
  }
}

function writeQueueRegister(device: VirtioDevice, queue: Queue, offset: number, value: number): void {
  if (offset === QUEUE_READY) {
    if (value & 1) device.enableQueue(queue);
    else queue.ready = false;
    return;
  }
  if (offset === QUEUE_RESET) {
    if (value & 1) queue.reset();
    return;
  }
  // 4.2.2.2: not while the queue is ready.
  if (queue.ready) return;
  switch (offset) {
    case QUEUE_NUM:
      queue.setSize(value);
      break;
    case QUEUE_DESC_LOW:
      queue.descriptors = withLow(queue.descriptors, value);
      break;
    case QUEUE_DESC_HIGH:
      queue.descriptors = withHigh(queue.descriptors, value);
      break;
    case QUEUE_DRIVER_LOW:
      queue.driver = withLow(queue.driver, value);
      break;
    case QUEUE_DRIVER_HIGH:
      queue.driver = withHigh(queue.driver, value);
      break;
    case QUEUE_DEVICE_LOW:
      queue.device = withLow(queue.device, value);
      break;
    case QUEUE_DEVICE_HIGH:
      queue.device = withHigh(queue.device, value);
      break;
  }
}

// Halves of a 64-bit address. Above 2^53 it is no longer exact, and far from any memory either way.

function withLow(address: number, low: number): number {
  return Math.floor(address / 2 ** 32) * 2 ** 32 + low;
}

function withHigh(address: number, high: number): number {
  return high * 2 ** 32 + (address % 2 ** 32);
}
