// The board's physical memory map and interrupt numbers: those of QEMU's `virt` machine, so that software built for it runs unchanged.

const MiB = 0x100000;

export interface Window {
  readonly name: string;
  readonly base: number;
  readonly size: number;
}

/** Every window of the physical address space that something answers, by name. */
export const MAP = {
  /** Two banks; a firmware image starts in the first. */
  flash0: { name: "flash.0", base: 0x0000_0000, size: 64 * MiB },
  flash1: { name: "flash.1", base: 0x0400_0000, size: 64 * MiB },
  /** Distributor, of either version. */
  gicd: { name: "gic.distributor", base: 0x0800_0000, size: 0x1_0000 },
  /** GICv2 only. */
  gicc: { name: "gic.cpu-interface", base: 0x0801_0000, size: 0x1_0000 },
  /** GICv2 with virtualization only: the hypervisor's control of the virtual interface of the PE that looks, and of each PE. */
  gich: { name: "gic.hypervisor-interface", base: 0x0803_0000, size: 0x1_0000 },
  /** GICv2 with virtualization only: what a hypervisor maps in the place of `gicc` for its guests. */
  gicv: { name: "gic.virtual-cpu-interface", base: 0x0804_0000, size: 0x1_0000 },
  /** GICv3 only: room for 123 redistributors, GICR_STRIDE each. */
  gicr: { name: "gic.redistributors", base: 0x080a_0000, size: 0xf6_0000 },
  uart: { name: "pl011", base: 0x0900_0000, size: 0x1000 },
  rtc: { name: "pl031", base: 0x0901_0000, size: 0x1000 },
  fwCfg: { name: "fw-cfg", base: 0x0902_0000, size: 0x18 },
  gpio: { name: "pl061", base: 0x0903_0000, size: 0x1000 },
  /** With Secure state only, and only for Secure accesses. */
  secureUart: { name: "pl011.secure", base: 0x0904_0000, size: 0x1000 },
  secureGpio: { name: "pl061.secure", base: 0x090b_0000, size: 0x1000 },
  /** Domains of the hypervisor only: which copy of a guest it is (microsoft,vmgenid). */
  generationId: { name: "generation-id", base: 0x090d_0000, size: 0x1000 },
  /** A generic watchdog's two frames, where there is one. */
  watchdogControl: { name: "watchdog.control", base: 0x0912_0000, size: 0x1000 },
  watchdogRefresh: { name: "watchdog.refresh", base: 0x0913_0000, size: 0x1000 },
  /** Domains of the hypervisor only: doorbells of channels, one page each. */
  doorbells: { name: "doorbell", base: 0x0b00_0000, size: 0x2_0000 },
  secureRam: { name: "ram.secure", base: 0x0e00_0000, size: 16 * MiB },
  /** VIRTIO_SLOTS transports, VIRTIO_STRIDE each. */
  virtio: { name: "virtio-mmio", base: 0x0a00_0000, size: 0x4000 },
  /** RAM starts here; its size is an option of the machine. */
  ram: { name: "ram", base: 0x4000_0000, size: 0 },
  /** Domains of the hypervisor only: memory that they share with others, channel after channel. Above all RAM that there can be. */
  channels: { name: "channels", base: 0x8_0000_0000, size: 0x4000_0000 },
} as const satisfies Record<string, Window>;

/** RD_base and SGI_base frames of one PE (no virtual LPIs). */
export const GICR_STRIDE = 0x2_0000;
export const VIRTIO_SLOTS = 32;
export const VIRTIO_STRIDE = 0x200;
export const DOORBELL_STRIDE = 0x1000;
/** INTID of SPI `n`. */
export const spi = (n: number): number => 32 + n;

/** Shared peripheral interrupts: numbers as a device tree has them, so INTID - 32. */
export const SPI = {
  uart: 1,
  rtc: 2,
  gpio: 7,
  secureUart: 8,
  secureGpio: 0,
  generationId: 10,
  watchdog: 11,
  virtio0: 16,
  channel0: 64,
} as const;
/** SPIs that the interrupt controller implements: INTIDs 32..287, as QEMU's board. */
export const SPI_COUNT = 256;

/** Private peripheral interrupts, as INTIDs. The Server Base System Architecture fixes these numbers. */
export const PPI = {
  pmu: 23,
  hypervisorTimer: 26,
  virtualTimer: 27,
  hypervisorVirtualTimer: 28,
  securePhysicalTimer: 29,
  physicalTimer: 30,
  gicMaintenance: 25,
} as const;

/** Line of the GPIO controller that the power key is on. */
export const POWER_KEY_PIN = 3;
/** Lines of the secure GPIO controller: a rising edge turns the machine off, or resets it. */
export const SECURE_GPIO_PIN = { poweroff: 0, restart: 1 } as const;
/** Frequency of the clock that the PrimeCell devices run from. */
export const PCLK_HZ = 24_000_000;
