import { linear, physical } from "../base/addresses.ts";
import { utf8 } from "../base/text.ts";
import { Bus } from "../bus/bus.ts";
import type { Clock, Dma, Line } from "../bus/device.ts";
import type { InterruptSysregs, PpiPort } from "../cpu/ports.ts";
import { Flash } from "../devices/flash/flash.ts";
import { FwCfg } from "../devices/fw-cfg/fw-cfg.ts";
import { KEY } from "../devices/fw-cfg/keys.ts";
import { GicV2 } from "../devices/gic/gicv2.ts";
import { GicV3, type GicV3Options } from "../devices/gic/gicv3.ts";
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
import { VirtioMmio } from "../devices/virtio/mmio.ts";
import { VirtioNet } from "../devices/virtio/net/net.ts";
import { VirtioVsock } from "../devices/virtio/vsock/vsock.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { PHYS_REGION_NO_READ, PHYS_REGION_READ_ONLY, PHYS_REGION_SECURE } from "../memory/linear-layout.ts";
import { ConsoleSwitch } from "./console-switch.ts";
import { levelsOf } from "./levels.ts";
import type { LinearPlan } from "./linear-plan.ts";
import { MAP, SECURE_GPIO_PIN, SPI, VIRTIO_SLOTS, VIRTIO_STRIDE, type Window } from "./memory-map.ts";
import type { MachineParts } from "./runnable.ts";
import type { MachineTrace } from "./trace/machine-trace.ts";

export interface BoardOptions {
  readonly parts: MachineParts;
  readonly memory: WebAssembly.Memory;
  readonly plan: LinearPlan;
  readonly clock: Clock;
  /** What the first bank of flash holds from its start. */
  readonly firmware: Uint8Array;
  /** A device has changed memory which a guest may execute: `bytes` from linear address `start`. */
  readonly codeChanged: (start: number, bytes: number) => void;
  /** Levels of the lines from the interrupt controller to a PE: LINE_* bits. */
  readonly setLines: (cpuIndex: number, lines: number) => void;
  /** Index of the PE that makes the access which a device sees. */
  readonly currentCpu: () => number;
  /** Whether that access is Secure. */
  readonly secureAccess: () => boolean;
  readonly trace?: MachineTrace | undefined;
  /** The secure GPIO controller's power and reset lines. */
  readonly securePower: (action: "off" | "reset") => void;
}

/** What the board's interrupt controller is to the rest of it, whichever version it has. */
export interface InterruptController extends PpiPort {
  line(spi: number): Line;
  /** The CPU interface of a PE that is reset. */
  resetCpu(cpuIndex: number): void;
}

/** Everything on the board but its processing elements. */
export class Board {
  readonly memory: GuestMemory;
  readonly bus = new Bus();
  readonly interrupts: InterruptController;
  /** CPU interface registers, with a GICv3. */
  readonly interruptSysregs: InterruptSysregs | undefined;
  readonly gpio: Pl061;
  readonly consoles: ConsoleSwitch;
  readonly balloon: VirtioBalloon | undefined;

  constructor(options: BoardOptions) {
    const { parts, plan, clock } = options;
    const { buffer } = options.memory;
    this.memory = new GuestMemory(buffer);
    this.memory.addRegion(physical(MAP.ram.base), parts.memory, linear(plan.ram), 0, MAP.ram.name);
    this.#addFlash(options, MAP.flash0, plan.flash0, options.firmware, parts.secure === true);
    this.#addFlash(options, MAP.flash1, plan.flash1, new Uint8Array(0), false);
    if (parts.secure) {
      const { name, base, size } = MAP.secureRam;
      this.memory.addRegion(physical(base), size, linear(plan.secureRam), PHYS_REGION_SECURE, name);
    }

    const gic = parts.gicVersion === 2 ? this.#addGicV2(options) : this.#addGicV3(options);
    this.interrupts = options.trace?.interrupts(gic) ?? gic;
    this.interruptSysregs = gic instanceof GicV3 ? gic.sysregs : undefined;

    const consoles = new ConsoleSwitch(parts.serial);
    this.consoles = consoles;
    this.bus.add(MAP.uart.name, MAP.uart.base, new Pl011(consoles.connect(), this.interrupts.line(SPI.uart)));
    this.bus.add(MAP.rtc.name, MAP.rtc.base, new Pl031(parts.wallClock, clock, this.interrupts.line(SPI.rtc)));
    this.gpio = new Pl061(this.interrupts.line(SPI.gpio));
    this.bus.add(MAP.gpio.name, MAP.gpio.base, this.gpio);
    this.bus.add(MAP.fwCfg.name, MAP.fwCfg.base, firmwareConfiguration(this.memory, parts));
    if (parts.secure) this.#addSecureDevices(options, consoles);
    this.balloon = parts.balloon ? new VirtioBalloon(this.memory, clock) : undefined;
    this.#addVirtio(virtioDevices(parts, this.memory, clock, consoles, this.balloon));
  }

  /** Reads are of memory while the flash shows its array; writes are commands. Without contents it is not touched, and costs nothing. */
  #addFlash(
    { memory, codeChanged }: BoardOptions,
    { name, base, size }: Window,
    at: number,
    contents: Uint8Array,
    secure: boolean,
  ): void {
    const flags = PHYS_REGION_READ_ONLY | (secure ? PHYS_REGION_SECURE : 0);
    const array = new Uint8Array(memory.buffer, at, size);
    array.set(contents);
    this.memory.addRegion(physical(base), size, linear(at), flags, name);
    const flash = new Flash(array, {
      onArrayVisible: (visible) => this.memory.setFlags(physical(base), flags | (visible ? 0 : PHYS_REGION_NO_READ)),
      onChange: (start, length) => codeChanged(at + start, length),
    });
    this.bus.add(name, base, flash, secure ? "secure" : "any");
  }

  #addSecureDevices({ securePower }: BoardOptions, consoles: ConsoleSwitch): void {
    const uart = new Pl011(consoles.connect(), this.interrupts.line(SPI.secureUart));
    this.bus.add(MAP.secureUart.name, MAP.secureUart.base, uart, "secure");
    const gpio = new Pl061(this.interrupts.line(SPI.secureGpio), (pin, level) => {
      if (level && pin === SECURE_GPIO_PIN.poweroff) securePower("off");
      if (level && pin === SECURE_GPIO_PIN.restart) securePower("reset");
    });
    this.bus.add(MAP.secureGpio.name, MAP.secureGpio.base, gpio, "secure");
  }

  #addGicV2(options: BoardOptions): GicV2 {
    const { parts, memory, setLines, currentCpu } = options;
    const gic = new GicV2({ memory: memory.buffer, cpus: parts.cpus, setLines, currentCpu, ...security(options) });
    this.bus.add(MAP.gicd.name, MAP.gicd.base, gic.distributor);
    this.bus.add(MAP.gicc.name, MAP.gicc.base, gic.cpuInterface);
    if (parts.virtualization) {
      this.bus.add(MAP.gich.name, MAP.gich.base, gic.hypervisorInterface);
      this.bus.add(MAP.gicv.name, MAP.gicv.base, gic.virtualCpuInterface);
    }
    return gic;
  }

  #addGicV3(options: BoardOptions): GicV3 {
    const { parts, memory, setLines } = options;
    const affinity = (cpu: number): number => affinityOf(cpu, 3);
    const awake = levelsOf(parts).conduit !== undefined;
    const gic = new GicV3({ memory: memory.buffer, cpus: parts.cpus, setLines, affinity, awake, ...security(options) });
    this.bus.add(MAP.gicd.name, MAP.gicd.base, gic.distributor);
    this.bus.add(MAP.gicr.name, MAP.gicr.base, gic.redistributors);
    return gic;
  }

  #addVirtio(devices: readonly VirtioDevice[]): void {
    for (let slot = 0; slot < VIRTIO_SLOTS; slot++) {
      const transport = new VirtioMmio(devices[slot], this.interrupts.line(SPI.virtio0 + slot));
      this.bus.add(`${MAP.virtio.name}.${slot}`, MAP.virtio.base + slot * VIRTIO_STRIDE, transport);
    }
  }
}

/** The interrupt controller has Secure groups where the machine has EL3; the machine's firmware there leaves them to the guest. */
function security({ parts, secureAccess }: BoardOptions): Pick<GicV3Options, "secureAccess" | "resetNonSecure"> {
  return parts.secure ? { secureAccess, resetNonSecure: levelsOf(parts).entry < 3 } : {};
}

/** MPIDR_EL1's Aff2, Aff1 and Aff0 of a PE: clusters of as many PEs as one SGI of the interrupt controller can go to. */
export function affinityOf(cpu: number, gicVersion: 2 | 3): number {
  const cluster = gicVersion === 2 ? 8 : 16;
  return (Math.floor(cpu / cluster) << 8) | (cpu % cluster);
}

/** Queues of a disk at most: each PE has one of its own up to here. */
const BLOCK_QUEUES = 8;

/** In the order in which guests number them: disks first, so that the first one is the first of its kind wherever it is looked for. */
function virtioDevices(
  parts: MachineParts,
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

/** Disks that there are slots for, beside the other devices. */
export function mostDisks({ networks, shares, vsock, balloon, serialPorts }: MachineParts): number {
  const several = (networks?.length ?? 0) + (shares?.length ?? 0);
  const single = [vsock, balloon, serialPorts?.length].filter(Boolean).length;
  return VIRTIO_SLOTS - 2 - several - single;
}

function firmwareConfiguration(dma: Dma, parts: MachineParts): FwCfg {
  const config = new FwCfg(dma);
  config.addNumber(KEY.ramSize, parts.memory, 8);
  config.addNumber(KEY.noGraphic, 1, 2);
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
