import { utf8 } from "../base/text.ts";
import type { Bus } from "../bus/bus.ts";
import type { Clock, Dma, Line } from "../bus/device.ts";
import { Display } from "../bus/display.ts";
import { COUNTER_HZ } from "../cpu/timers.ts";
import { FwCfg } from "../devices/fw-cfg/fw-cfg.ts";
import { KEY } from "../devices/fw-cfg/keys.ts";
import { Ramfb } from "../devices/fw-cfg/ramfb.ts";
import { Pl011 } from "../devices/pl011/pl011.ts";
import { Pl031 } from "../devices/pl031/pl031.ts";
import { Pl061 } from "../devices/pl061/pl061.ts";
import { Virtio9p } from "../devices/virtio/9p/9p.ts";
import { VirtioBalloon } from "../devices/virtio/balloon/balloon.ts";
import { VirtioBlock } from "../devices/virtio/block/block.ts";
import { VirtioConsole } from "../devices/virtio/console/console.ts";
import { VirtioSerialPorts } from "../devices/virtio/console/ports.ts";
import type { VirtioDevice } from "../devices/virtio/device.ts";
import { VirtioEntropy } from "../devices/virtio/entropy/entropy.ts";
import { VirtioGpu } from "../devices/virtio/gpu/gpu.ts";
import { VirtioInputs } from "../devices/virtio/input/input-port.ts";
import { VirtioMmio } from "../devices/virtio/mmio.ts";
import { VirtioNet } from "../devices/virtio/net/net.ts";
import { VirtioVsock } from "../devices/virtio/vsock/vsock.ts";
import { Watchdog } from "../devices/watchdog/watchdog.ts";
import { ConsoleSwitch } from "./console-switch.ts";
import { MAP, SPI, VIRTIO_SLOTS, VIRTIO_STRIDE } from "./memory-map.ts";
import type { MachineParts } from "./runnable.ts";

/** The parts that devices are made of. */
export type DeviceParts = Pick<
  MachineParts,
  "memory" | "cpus" | "append" | "disks" | "serial" | "terminalSize" | "entropy" | "wallClock"
> &
  Partial<
    Pick<
      MachineParts,
      "kernel" | "initrd" | "bios" | "networks" | "shares" | "vsock" | "serialPorts" | "balloon" | "display"
    >
  >;

export interface BoardDevicesOptions {
  readonly parts: DeviceParts;
  readonly bus: Bus;
  readonly dma: Dma;
  readonly clock: Clock;
  /** Where the devices' interrupts go: SPIs of memory-map.ts. */
  readonly interrupts: { line(spi: number): Line };
  /** A watchdog's second signal. Absent: there is no watchdog. */
  readonly watchdogExpired?: (() => void) | undefined;
}

/** The devices of the board but for its interrupt controller and flash: of a machine, or of a domain of the hypervisor. */
export class BoardDevices {
  readonly gpio: Pl061;
  readonly consoles: ConsoleSwitch;
  readonly balloon: VirtioBalloon | undefined;
  readonly display: Display | undefined;
  readonly inputs: VirtioInputs | undefined;

  constructor({ parts, bus, dma, clock, interrupts, watchdogExpired }: BoardDevicesOptions) {
    const consoles = new ConsoleSwitch(parts.serial);
    this.consoles = consoles;
    bus.add(MAP.uart.name, MAP.uart.base, new Pl011(consoles.connect(), interrupts.line(SPI.uart)));
    bus.add(MAP.rtc.name, MAP.rtc.base, new Pl031(parts.wallClock, clock, interrupts.line(SPI.rtc)));
    this.gpio = new Pl061(interrupts.line(SPI.gpio));
    bus.add(MAP.gpio.name, MAP.gpio.base, this.gpio);
    if (watchdogExpired !== undefined) {
      const line = interrupts.line(SPI.watchdog);
      const watchdog = new Watchdog({ clock, ticks: COUNTER_HZ / 1e9, line, expired: watchdogExpired });
      bus.add(MAP.watchdogControl.name, MAP.watchdogControl.base, watchdog.control);
      bus.add(MAP.watchdogRefresh.name, MAP.watchdogRefresh.base, watchdog.refresh);
    }
    const configuration = firmwareConfiguration(dma, parts);
    bus.add(MAP.fwCfg.name, MAP.fwCfg.base, configuration);
    this.balloon = parts.balloon ? new VirtioBalloon(dma, clock) : undefined;
    const devices = virtioDevices(parts, dma, clock, consoles, this.balloon);
    if (parts.display) {
      this.display = new Display();
      this.inputs = new VirtioInputs(dma, clock);
      // The GPU comes first on the display when both have a picture.
      devices.push(new VirtioGpu(dma, this.display, clock), this.inputs.keyboard, this.inputs.tablet);
      new Ramfb(dma, configuration, this.display);
    }
    for (let slot = 0; slot < VIRTIO_SLOTS; slot++) {
      const transport = new VirtioMmio(devices[slot], interrupts.line(SPI.virtio0 + slot));
      bus.add(`${MAP.virtio.name}.${slot}`, MAP.virtio.base + slot * VIRTIO_STRIDE, transport);
    }
  }
}

/** Queues of a disk at most: each PE has one of its own up to here. */
const BLOCK_QUEUES = 8;

/** In the order in which guests number them: disks first, so that the first one is the first of its kind wherever it is looked for. */
function virtioDevices(
  parts: DeviceParts,
  dma: Dma,
  clock: Clock,
  consoles: ConsoleSwitch,
  balloon: VirtioBalloon | undefined,
): VirtioDevice[] {
  // Where the command line does not ask for it, a second console on the same terminal would only get a second login prompt.
  const wantsConsole = /(^|\s)console=hvc0\b/.test(parts.append);
  const ports = (parts.serialPorts ?? []).map(({ name, channel }) => ({ name: utf8(name), channel }));
  return [
    ...parts.disks.map((disk, i) => {
      const serial = disk.serial ?? `atoll-${i}`;
      return new VirtioBlock(dma, disk.store, { serial, clock, queues: Math.min(parts.cpus, BLOCK_QUEUES) });
    }),
    ...(parts.networks ?? []).map((link) => new VirtioNet(dma, link, clock)),
    new VirtioEntropy(dma, parts.entropy),
    ...(wantsConsole ? [new VirtioConsole(dma, consoles.connect(), parts.terminalSize)] : []),
    ...(parts.shares ?? []).map(({ tag, folder }) => new Virtio9p(dma, clock, folder, utf8(tag))),
    ...(parts.vsock ? [new VirtioVsock(dma, clock, parts.vsock.host, parts.vsock.cid)] : []),
    ...(balloon ? [balloon] : []),
    ...(ports.length > 0 ? [new VirtioSerialPorts(dma, clock, ports)] : []),
  ];
}

function firmwareConfiguration(dma: Dma, parts: DeviceParts): FwCfg {
  const config = new FwCfg(dma);
  config.addNumber(KEY.ramSize, parts.memory, 8);
  config.addNumber(KEY.noGraphic, parts.display ? 0 : 1, 2);
  config.addNumber(KEY.cpus, parts.cpus, 2);
  config.addNumber(KEY.maxCpus, parts.cpus, 2);
  const file = (size: number, data: number, bytes: Uint8Array): void => {
    config.addNumber(size, bytes.length, 4);
    config.add(data, bytes);
  };
  // What firmware boots when it is given a kernel; without firmware nobody looks.
  if (parts.bios !== undefined) {
    if (parts.kernel !== undefined) file(KEY.kernelSize, KEY.kernelData, parts.kernel.bytes);
    if (parts.initrd !== undefined) file(KEY.initrdSize, KEY.initrdData, parts.initrd.bytes);
    if (parts.append !== "") file(KEY.commandLineSize, KEY.commandLineData, utf8(`${parts.append}\0`));
  }
  return config;
}
