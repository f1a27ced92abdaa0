import { Bus } from "../bus/bus.ts";
import type { WatchdogAction } from "../contract/limits.ts";
import { X } from "../cpu/state-layout.ts";
import { CNTV_CTL_EL0, CNTV_CVAL_EL0, ELR_EL2, PE_FEATURES, SPSR_EL2, VTTBR_EL2 } from "../cpu/sysreg-layout.ts";
import { affinityOf } from "../machine/board.ts";
import { BoardDevices, type DeviceParts } from "../machine/board-devices.ts";
import { type BootParts, bootPlanOf } from "../machine/boot/of-parts.ts";
import { MachineClock } from "../machine/clock.ts";
import type { SystemFirmware } from "../machine/firmware/firmware.ts";
import { MAP, POWER_KEY_PIN, PPI, SPI } from "../machine/memory-map.ts";
import { RamBalloon } from "../machine/ram-balloon.ts";
import { BadInput, type CpuModel, type MemoryBalloon } from "../machine/runnable.ts";
import { FIRST_DOMAIN, type FrameAllocator } from "./allocator.ts";
import { MemberEnd, type MemberPlace } from "./channels/member-end.ts";
import { domainFirmware, type PowerActions } from "./domain-firmware.ts";
import { DomainFlash } from "./domain-flash.ts";
import { DomainMemory } from "./domain-memory.ts";
import type { Refusal } from "./events.ts";
import { GenerationId } from "./generation-id.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import { StolenTime } from "./paravirtual.ts";
import { NANOSECONDS_PER_TICK } from "./physical-pe.ts";
import { PhysicalTimer } from "./physical-timer.ts";
import { DEFAULT_WEIGHT, ScheduleGroup, type Share } from "./scheduler.ts";
import { Stage2Space } from "./stage2-space.ts";
import { CONTEXT, SAVED_LISTS, VCPU_BYTES, Vcpu } from "./vcpu.ts";
import { VirtualGic } from "./virtual-gic.ts";

/** restart: it is reset. fail: it ends as one that cannot go on. pause: it stands still as it is, to be looked at. */

/** What a domain is made of: the parts of a machine that are a guest's own, and its share of the PEs. */
export type DomainConfig = Omit<
  DeviceParts & BootParts,
  "cpu" | "gicVersion" | "virtualization" | "secure" | "watchdog"
> & {
  readonly name: string;
  readonly share?: Partial<Share> | undefined;
  /** Its pages are kept once where others have the same; see SamePageMerging. */
  readonly sameMemory?: boolean | undefined;
  /** It has a watchdog, and that is what is done when the guest does not refresh it in time. */
  readonly watchdog?: WatchdogAction | undefined;
  /** PEs that each vCPU may run on, by index; absent: all. */
  readonly pinned?: readonly (readonly number[])[] | undefined;
};

/** What a domain needs of the hypervisor. */
export interface DomainHost {
  readonly memory: MachineMemory;
  readonly frames: FrameAllocator;
  readonly cpu: CpuModel;
  /** Nanoseconds of the machine's clock. */
  readonly now: () => number;
  /** Of a domain of that name. */
  readonly channels: (domain: string) => readonly MemberPlace[];
  /** A PE's registers after reset, for the parts of CONTEXT. */
  readonly template: Int32Array;
  /** PE_FEATURES. */
  readonly features: number;
  readonly invalidateStage2: (domain: Domain, first?: number, count?: number) => void;
  readonly frameGone: (frame: number) => void;
  readonly notify: (vcpu: Vcpu) => void;
  readonly power: PowerActions;
  readonly refused: (vcpu: Vcpu, what: Refusal, address: number, count: number) => void;
  readonly watchdogExpired: (domain: Domain) => void;
  /** Frames that guests' accesses leave free. */
  readonly reservedFrames: number;
  /** The machine has no memory for an access of the guest's, which is to be made again later. */
  readonly starved: (domain: Domain) => void;
}

const POWER_KEY_NANOSECONDS = 100e6;
/** SPSR_EL2 of a vCPU that starts: EL1h, all masked. */
const EL1H_MASKED = 0x3c5;

export const NO_MEMORY = (name: string): string =>
  `${name}: the machine has no memory left; give it more, or stop a domain`;

const lastPage = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES);

/** A guest that runs: its vCPUs, memory, interrupt controller and devices. All of it is given back by `close`. */
export class Domain {
  readonly config: DomainConfig;
  /** Also its owner's number of frames, less FIRST_DOMAIN. */
  readonly vmid: number;
  readonly owner: number;
  readonly space: Stage2Space;
  readonly memory: DomainMemory;
  readonly bus = new Bus();
  readonly gic: VirtualGic;
  /** The domain's time: it stands still while it is paused. */
  readonly clock: MachineClock;
  readonly vcpus: readonly Vcpu[];
  readonly group: ScheduleGroup<Vcpu>;
  readonly firmware: SystemFirmware;
  readonly flash: DomainFlash;
  readonly devices: BoardDevices;
  readonly balloon: MemoryBalloon | undefined;
  readonly timers: readonly PhysicalTimer[];
  readonly stolen: StolenTime;
  readonly generation: GenerationId;
  /** What it shares with others. A copy of a domain shares nothing. */
  readonly channels: readonly MemberEnd[];
  /** The device tree that the guest was given. */
  deviceTree: Uint8Array = new Uint8Array(0);
  /** Why it runs no more; undefined while it does. */
  ended: "off" | "reset" | "stopped" | "failed" | undefined;
  reason: string | undefined;
  // VTTBR_EL2, CNTVOFF_EL2.
  readonly vttbrLow: number;
  readonly vttbrHigh: number;
  /** Ticks. */
  counterOffset = 0;
  counterOffsetLow = 0;
  counterOffsetHigh = 0;
  /** Accesses to devices. */
  deviceAccesses = 0;
  /** How often it had to wait for memory of the machine's. */
  shortages = 0;
  readonly refusals = new Map<Refusal, number>();
  readonly #host: DomainHost;

  /** @throws BadInput when something cannot be used, or there is too little memory. */
  constructor(config: DomainConfig, vmid: number, host: DomainHost) {
    this.config = config;
    this.vmid = vmid;
    this.owner = FIRST_DOMAIN + vmid;
    this.#host = host;
    const { memory, frames } = host;
    const { cpus } = config;
    const gicFrames = lastPage(VirtualGic.bytes(cpus));
    const vcpuFrames = VCPU_BYTES / PAGE_BYTES;
    const own = frames.takeTogether(this.owner, gicFrames + cpus * vcpuFrames);
    if (own < 0) throw new BadInput(NO_MEMORY(config.name));
    memory.zero(own, gicFrames + cpus * vcpuFrames);
    try {
      this.space = new Stage2Space({
        ...{ memory, frames, owner: this.owner, frameGone: host.frameGone },
        ram: { base: MAP.ram.base, bytes: config.memory },
        invalidate: (first, count) => host.invalidateStage2(this, first, count),
        reserved: host.reservedFrames,
      });
    } catch (error) {
      for (let i = 0; i < gicFrames + cpus * vcpuFrames; i++) frames.release(own + i, this.owner);
      throw error;
    }
    this.#ownFrames = { first: own, count: gicFrames + cpus * vcpuFrames };
    this.vttbrLow = this.space.root | 0;
    this.vttbrHigh = (vmid << 16) | Math.floor(this.space.root / 2 ** 32);
    this.memory = new DomainMemory(memory, this.space);
    this.clock = new MachineClock(host.now);
    this.vcpus = Array.from({ length: cpus }, (_, index) => {
      const block = memory.linearOf(own + gicFrames + index * vcpuFrames);
      const vcpu = new Vcpu(this, index, affinityOf(index, 3), memory.buffer, block);
      const pinned = config.pinned?.[index];
      if (pinned !== undefined) vcpu.pinned = pinned.reduce((bits, pe) => bits | (1 << pe), 0);
      return vcpu;
    });
    // Who executes TLB maintenance for the domain (Native.tlbInvalidate): what it is told by, besides a PE.
    for (const { saved } of this.vcpus) {
      saved.set64(VTTBR_EL2, this.vttbrLow, this.vttbrHigh);
      saved.setWord(PE_FEATURES, host.features);
    }
    this.gic = new VirtualGic({
      ...{ buffer: memory.buffer, base: memory.linearOf(own), cpus },
      affinity: (index) => affinityOf(index, 3),
      notify: (index) => host.notify(this.vcpus[index] as Vcpu),
    });
    this.timers = this.vcpus.map(
      ({ saved, index }) =>
        new PhysicalTimer(saved, this.clock, (level) => this.gic.setPrivate(index, PPI.physicalTimer, level)),
    );
    this.group = new ScheduleGroup<Vcpu>(this.vcpus, shareOf(config.share));
    this.stolen = new StolenTime(memory, frames, this.owner, this.space, cpus);
    this.generation = new GenerationId({
      ...{ memory, frames, owner: this.owner, space: this.space, entropy: config.entropy },
      line: this.gic.line(SPI.generationId),
    });
    this.channels = host.channels(config.name).map((place) => new MemberEnd(place, (spi) => this.gic.line(spi)));
    this.firmware = domainFirmware(this, host.power);
    this.flash = new DomainFlash({ memory, frames, owner: this.owner, space: this.space, bus: this.bus });
    this.devices = this.#addDevices();
    this.balloon = this.devices.balloon && new RamBalloon(this.devices.balloon, config.memory);
  }

  readonly #ownFrames: { readonly first: number; readonly count: number };

  #addDevices(): BoardDevices {
    const { bus, gic, clock, config } = this;
    bus.add(MAP.gicd.name, MAP.gicd.base, gic.distributor);
    bus.add(MAP.gicr.name, MAP.gicr.base, gic.redistributors);
    for (const end of this.channels) bus.add(`${MAP.doorbells.name}.${end.place.index}`, end.doorbell, end);
    const watchdogExpired = config.watchdog === undefined ? undefined : (): void => this.#host.watchdogExpired(this);
    return new BoardDevices({ watchdogExpired, parts: config, bus, dma: this.memory, clock, interrupts: gic });
  }

  /** To the state after power-on, with what it boots in its memory, and its first vCPU ready. @throws BadInput when that cannot be used. */
  powerOn(): void {
    const { config, clock } = this;
    const plan = bootPlanOf(
      { ...config, cpu: this.#host.cpu, gicVersion: 3, watchdog: config.watchdog !== undefined },
      { channels: this.channels.map((end) => end.describe()) },
    );
    this.ended = undefined;
    this.reason = undefined;
    this.bus.reset();
    this.gic.reset();
    this.space.clear();
    for (const { address, bytes, zeroes } of plan.writes) {
      if (!this.memory.write(address, bytes) || !this.memory.zero(address + bytes.length, zeroes))
        throw new BadInput(NO_MEMORY(config.name));
    }
    this.flash.load(plan.flash);
    this.deviceTree = plan.deviceTree;
    if (!this.stolen.map() || !this.generation.map() || !this.channels.every((end) => end.connect(this.space)))
      throw new BadInput(NO_MEMORY(config.name));
    clock.hold(false);
    this.countFromNow();
    this.resetVcpu(0, plan.entry, plan.x[0], 0);
  }

  /** For a fork: interrupt controller and vCPUs are as those of another, which has as many and none on a PE. */
  copyProcessors(other: Domain): void {
    const { memory } = this.#host;
    for (let i = 0; i < this.#ownFrames.count; i++) memory.copy(other.#ownFrames.first + i, this.#ownFrames.first + i);
    for (const [index, vcpu] of this.vcpus.entries()) {
      vcpu.saved.set64(VTTBR_EL2, this.vttbrLow, this.vttbrHigh);
      vcpu.stolen = other.vcpus[index]?.stolen ?? 0;
    }
    this.gic.continueAs(other.gic);
  }

  /** CNTVOFF_EL2 as the domain's clock says, after it stood still. */
  countFromNow(): void {
    // Less than 0 where the domain is older than the machine: the counter is modulo 2^64.
    const offset = Math.floor((this.#host.now() - this.clock.now()) / NANOSECONDS_PER_TICK);
    this.counterOffset = offset;
    this.counterOffsetLow = offset | 0;
    this.counterOffsetHigh = Math.floor(offset / 2 ** 32);
  }

  /** A vCPU that is off, to the state after reset, to start at an address with X0. It is the caller's to make it ready. */
  resetVcpu(index: number, entry: number, x0Low: number, x0High: number): void {
    const { saved } = this.vcpus[index] as Vcpu;
    const words = this.#host.memory.words;
    let at = 0;
    for (const [from, to] of CONTEXT) {
      const count = (to - from) >>> 2;
      words.set(this.#host.template.subarray(at, at + count), (saved.cpu + from) >>> 2);
      at += count;
    }
    for (let offset = SAVED_LISTS; offset < SAVED_LISTS + 0x80; offset += 4) saved.setWord(offset, 0);
    saved.set64(X, x0Low | 0, x0High | 0);
    saved.setNumber(ELR_EL2, entry);
    saved.set64(SPSR_EL2, EL1H_MASKED, 0);
    saved.set64(CNTV_CTL_EL0, 0, 0);
    saved.set64(CNTV_CVAL_EL0, 0, 0);
    (this.timers[index] as PhysicalTimer).reset();
    this.gic.resetCpu(index);
  }

  /** Whether a vCPU can start at that IPA. */
  isEntry(low: number, high: number): boolean {
    return this.space.contains(high * 2 ** 32 + low);
  }

  /** The guest powered itself off, or asks for a reset; or it cannot go on. */
  end(how: NonNullable<Domain["ended"]>, reason?: string): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.reason = reason;
  }

  /** There is no memory for what one of its vCPUs wants to access. It stands still, and tries again when there may be some. */
  starve(): void {
    this.#host.starved(this);
  }

  /** Presses and lets go the power key: a guest that listens to it shuts down. */
  pressPowerKey(): void {
    const { gpio } = this.devices;
    gpio.setInput(POWER_KEY_PIN, true);
    this.clock.at(this.clock.now() + POWER_KEY_NANOSECONDS, () => gpio.setInput(POWER_KEY_PIN, false));
  }

  refuse(vcpu: Vcpu, what: Refusal, address: number): void {
    const count = (this.refusals.get(what) ?? 0) + 1;
    this.refusals.set(what, count);
    // Doubled: a guest that tries all the time must not fill logs.
    if ((count & (count - 1)) === 0) this.#host.refused(vcpu, what, address, count);
  }

  /** Gives back all that it has. None of its vCPUs may be on a PE. */
  close(): void {
    for (const end of this.channels) end.disconnect();
    this.space.close();
    const { first, count } = this.#ownFrames;
    for (let i = 0; i < count; i++) {
      this.#host.memory.zero(first + i);
      this.#host.frames.release(first + i, this.owner);
    }
  }
}

export function shareOf(share: Partial<Share> = {}): Share {
  return { weight: DEFAULT_WEIGHT, cap: Number.POSITIVE_INFINITY, reservation: 0, ...share };
}
