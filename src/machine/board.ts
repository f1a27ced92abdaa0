import { linear, physical } from "../base/addresses.ts";
import { Bus } from "../bus/bus.ts";
import type { Clock, Line } from "../bus/device.ts";
import type { Display } from "../bus/display.ts";
import type { InputPort } from "../bus/input.ts";
import type { InterruptSysregs, PpiPort } from "../cpu/ports.ts";
import { Flash } from "../devices/flash/flash.ts";
import { GicV2 } from "../devices/gic/gicv2.ts";
import { GicV3, type GicV3Options } from "../devices/gic/gicv3.ts";
import { Pl011 } from "../devices/pl011/pl011.ts";
import { Pl061 } from "../devices/pl061/pl061.ts";
import type { VirtioBalloon } from "../devices/virtio/balloon/balloon.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { PHYS_REGION_NO_READ, PHYS_REGION_READ_ONLY, PHYS_REGION_SECURE } from "../memory/linear-layout.ts";
import { PageRelease } from "../memory/page-release.ts";
import { BoardDevices } from "./board-devices.ts";
import type { ConsoleSwitch } from "./console-switch.ts";
import { levelsOf } from "./levels.ts";
import type { LinearPlan } from "./linear-plan.ts";
import { MAP, SECURE_GPIO_PIN, SPI, VIRTIO_SLOTS, type Window } from "./memory-map.ts";
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
  /** The watchdog's second signal. */
  readonly watchdogExpired: () => void;
}

/** What the board's interrupt controller is to the rest of it, whichever version it has. */
export interface InterruptController extends PpiPort {
  line(spi: number): Line;
  /** The CPU interface of a PE that is reset. */
  resetCpu(cpuIndex: number): void;
}

/** The part of it that snapshots see, beneath whatever looks on. */
export interface SavedController {
  /** All of its state. */
  readonly words: Int32Array;
  /** `words` were restored. */
  restored(): void;
}

/** Everything on the board but its processing elements. */
export class Board {
  readonly memory: GuestMemory;
  readonly bus = new Bus();
  readonly interrupts: InterruptController;
  readonly controller: SavedController;
  /** CPU interface registers, with a GICv3. */
  readonly interruptSysregs: InterruptSysregs | undefined;
  readonly gpio: Pl061;
  readonly consoles: ConsoleSwitch;
  readonly balloon: VirtioBalloon | undefined;
  readonly display: Display | undefined;
  readonly input: InputPort | undefined;

  constructor(options: BoardOptions) {
    const { parts, plan, clock } = options;
    const { buffer } = options.memory;
    this.memory = new GuestMemory(buffer);
    this.memory.addRegion(physical(MAP.ram.base), parts.memory, linear(plan.ram), 0, MAP.ram.name);
    if (parts.releasePages) {
      const release = new PageRelease(options.memory, plan.ram, parts.memory, parts.releasePages);
      this.memory.release = (bytes) => release.clear(bytes.byteOffset, bytes.length);
    }
    this.#addFlash(options, MAP.flash0, plan.flash0, options.firmware, parts.secure === true);
    this.#addFlash(options, MAP.flash1, plan.flash1, new Uint8Array(0), false);
    if (parts.secure) {
      const { name, base, size } = MAP.secureRam;
      this.memory.addRegion(physical(base), size, linear(plan.secureRam), PHYS_REGION_SECURE, name);
    }

    const gic = parts.gicVersion === 2 ? this.#addGicV2(options) : this.#addGicV3(options);
    this.controller = gic;
    this.interrupts = options.trace?.interrupts(gic) ?? gic;
    this.interruptSysregs = gic instanceof GicV3 ? gic.sysregs : undefined;

    const devices = new BoardDevices({
      ...{ parts, clock },
      bus: this.bus,
      dma: this.memory,
      interrupts: this.interrupts,
      watchdogExpired: parts.watchdog ? options.watchdogExpired : undefined,
    });
    this.consoles = devices.consoles;
    this.gpio = devices.gpio;
    this.balloon = devices.balloon;
    this.display = devices.display;
    this.input = devices.inputs;
    if (parts.secure) this.#addSecureDevices(options, devices.consoles);
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

/** Disks that there are slots for, beside the other devices. */
export function mostDisks({
  networks,
  shares,
  vsock,
  balloon,
  serialPorts,
  display,
}: Pick<MachineParts, "networks" | "shares" | "vsock" | "balloon" | "serialPorts" | "display">): number {
  const several = (networks?.length ?? 0) + (shares?.length ?? 0);
  const single = [vsock, balloon, serialPorts?.length].filter(Boolean).length;
  return VIRTIO_SLOTS - 2 - several - single - (display ? 3 : 0);
}
