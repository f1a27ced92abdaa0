import type { FrameAllocator } from "./allocator.ts";
import type { Domain } from "./domain.ts";
import type { Refusal } from "./events.ts";
import { PAGE_BYTES } from "./machine-memory.ts";
import type { MemoryKeeper } from "./memory-keeper.ts";
import type { PhysicalPe } from "./physical-pe.ts";
import { EXIT_KINDS, type ExitKind } from "./vcpu.ts";

/** Of a domain since it was started. Times in nanoseconds, memory in bytes. */
export interface DomainStatistics {
  readonly cpuTime: number;
  /** Time that vCPUs were ready to run and had no PE. */
  readonly stolen: number;
  readonly vcpus: readonly { readonly status: string; readonly cpuTime: number; readonly stolen: number }[];
  /** Exits to the hypervisor, by kind. */
  readonly exits: Readonly<Record<ExitKind, number>>;
  readonly refusals: Readonly<Partial<Record<Refusal, number>>>;
  readonly memory: {
    /** RAM that the guest has. */
    readonly size: number;
    /** Of it, what it has touched. */
    readonly resident: number;
    /** Of the machine's memory, what it alone has, with tables. */
    readonly private: number;
    /** Of its RAM, what its guest has given away by its balloon. */
    readonly balloon: number;
  };
  /** How often it had to wait for memory of the machine's. */
  readonly shortages: number;
  readonly deviceAccesses: number;
}

/** Of the machine. Memory in bytes. */
export interface NodeStatistics {
  readonly cpus: number;
  readonly memory: number;
  /** Of it, what nobody has. */
  readonly free: number;
  /** Of it, what may take memory of the host's. */
  readonly taken: number;
  /** Of each PE: nanoseconds in which it had something to run. */
  readonly busy: readonly number[];
  /** World switches. */
  readonly switches: number;
}

/** `now`: nanoseconds of the machine's clock. */
export function nodeStatistics(
  { frames, taken }: MemoryKeeper,
  pes: readonly PhysicalPe[],
  now: number,
): NodeStatistics {
  return {
    cpus: pes.length,
    memory: frames.frames * PAGE_BYTES,
    free: frames.free * PAGE_BYTES,
    taken,
    // What runs is charged when it stops.
    busy: pes.map(({ busy, vcpu, since }) => busy + (vcpu?.status === "running" ? Math.max(0, now - since) : 0)),
    switches: pes.reduce((sum, { switches }) => sum + switches, 0),
  };
}

/** `now`: nanoseconds of the machine's clock. */
export function domainStatistics(domain: Domain, frames: FrameAllocator, now: number): DomainStatistics {
  const { vcpus, space } = domain;
  const sum = (value: (index: number) => number): number => vcpus.reduce((total, _, index) => total + value(index), 0);
  return {
    cpuTime: sum((i) => vcpus[i]?.ran(now) ?? 0),
    stolen: sum((i) => vcpus[i]?.stolen ?? 0),
    vcpus: vcpus.map((vcpu) => ({ status: vcpu.status, cpuTime: vcpu.ran(now), stolen: vcpu.stolen })),
    exits: Object.fromEntries(EXIT_KINDS.map((kind, k) => [kind, sum((i) => vcpus[i]?.exits[k] ?? 0)])) as Record<
      ExitKind,
      number
    >,
    refusals: Object.fromEntries(domain.refusals),
    memory: {
      size: space.ram.bytes,
      resident: space.mapped * PAGE_BYTES,
      private: frames.owned(domain.owner) * PAGE_BYTES,
      balloon: domain.devices.balloon?.held ?? 0,
    },
    shortages: domain.shortages,
    deviceAccesses: domain.deviceAccesses,
  };
}
