// What a domain may ask of the hypervisor because it knows that there is one: stolen time (DEN0057), and KVM's clock for PTP, which Linux
// has a driver for.

import type { Call, Results, Service } from "../machine/firmware/calls.ts";
import { SMCCC_RESULT } from "../machine/firmware/function-ids.ts";
import type { FrameAllocator } from "./allocator.ts";
import type { Domain } from "./domain.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import type { Stage2Space } from "./stage2-space.ts";

/** Where QEMU's `virt` has it. The guest may only read it. */
const STOLEN_TIME_IPA = 0x090a_0000;
/** Revision, attributes (4 bytes each, 0), stolen time in nanoseconds (8 bytes); aligned to 64 bytes (DEN0057, 3.2.3). */
const RECORD_BYTES = 64;
const RECORDS = PAGE_BYTES / RECORD_BYTES;

const PV_TIME_FEATURES = 0xc500_0020;
const PV_TIME_ST = 0xc500_0021;

/** The page in which each vCPU reads how long it was ready to run and had no PE. */
export class StolenTime {
  readonly #memory: MachineMemory;
  readonly #frames: FrameAllocator;
  readonly #owner: number;
  readonly #space: Stage2Space;
  readonly #cpus: number;
  #at = -1;

  constructor(memory: MachineMemory, frames: FrameAllocator, owner: number, space: Stage2Space, cpus: number) {
    this.#memory = memory;
    this.#frames = frames;
    this.#owner = owner;
    this.#space = space;
    this.#cpus = Math.min(cpus, RECORDS);
  }

  /** Gives the domain its page. False: there is no memory. */
  map(): boolean {
    const frame = this.#frames.take(this.#owner);
    if (frame < 0) return false;
    this.#memory.zero(frame);
    this.#at = this.#memory.linearOf(frame) >>> 2;
    // Not to be written; and no RAM, so that a write gives no copy either.
    return this.#space.map(STOLEN_TIME_IPA / PAGE_BYTES, frame, false);
  }

  /** The IPA of a vCPU's record; -1: it has none. */
  addressOf(vcpu: number): number {
    return vcpu < this.#cpus ? STOLEN_TIME_IPA + vcpu * RECORD_BYTES : -1;
  }

  tell(vcpu: number, nanoseconds: number): void {
    if (vcpu >= this.#cpus || this.#at < 0) return;
    const at = this.#at + (vcpu * RECORD_BYTES) / 4 + 2;
    const whole = Math.floor(nanoseconds);
    this.#memory.words[at] = (whole % 2 ** 32) | 0;
    this.#memory.words[at + 1] = Math.floor(whole / 2 ** 32);
  }
}

export function stolenTime(domain: Domain): Service {
  const supported = (id: number): Results => [
    id === PV_TIME_FEATURES || id === PV_TIME_ST ? SMCCC_RESULT.SUCCESS : SMCCC_RESULT.NOT_SUPPORTED,
  ];
  return new Map<number, (call: Call) => Results>([
    [PV_TIME_FEATURES, (call) => supported(call.arg(1)[0])],
    [
      PV_TIME_ST,
      (call) => {
        const address = domain.stolen.addressOf(call.cpuIndex);
        return [address < 0 ? SMCCC_RESULT.NOT_SUPPORTED : [address, 0]];
      },
    ],
  ]);
}

const VENDOR_UID = 0x8600_ff01;
/** 28b46fb6-2ec5-11e9-a9ca-4b564d003a74: the functions are KVM's, as its documentation has them (Documentation/virt/kvm/arm/hypercalls.rst). */
const KVM_UID = [0xb66fb428, 0xe911c52e, 0x564bcaa9, 0x743a004d] as const;
const VENDOR_FEATURES = 0x8600_0000;
const KVM_PTP = 0x8600_0001;
/** Bits of VENDOR_FEATURES: FEATURES itself and PTP. */
const FEATURES = 3;
const COUNTER_VIRTUAL = 0;
const COUNTER_PHYSICAL = 1;

/** KVM_PTP: the wall clock and the domain's counter at one time. A domain's physical counter is its virtual one. */
export function kvmServices(domain: Domain): Service {
  return new Map<number, (call: Call) => Results>([
    [VENDOR_UID, () => KVM_UID.map((word): readonly [number, number] => [word | 0, 0])],
    [VENDOR_FEATURES, () => [FEATURES, 0, 0, 0]],
    [
      KVM_PTP,
      (call) => {
        const [counter] = call.arg(1);
        const timer = domain.timers[call.cpuIndex];
        if (timer === undefined || (counter !== COUNTER_VIRTUAL && counter !== COUNTER_PHYSICAL))
          return [SMCCC_RESULT.NOT_SUPPORTED];
        const nanoseconds = BigInt(Math.round(domain.config.wallClock.now() * 1000)) * 1000n;
        const cycles = BigInt(timer.count);
        const halves = (value: bigint): [number, number][] => [
          [Number(value >> 32n) | 0, 0],
          [Number(value & 0xffff_ffffn) | 0, 0],
        ];
        return [...halves(nanoseconds), ...halves(cycles)];
      },
    ],
  ]);
}
