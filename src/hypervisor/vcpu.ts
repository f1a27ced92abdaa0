import { PeState } from "../cpu/pe-state.ts";
import { FPCR, V, X } from "../cpu/state-layout.ts";
import {
  APIAKEYLO_EL1,
  CNTV_CTL_EL0,
  CNTV_CVAL_EL0,
  DBGWCR15_EL1,
  ELR_EL2,
  SCTLR_EL1,
  SCTLR_EL2,
  SPSR_EL2,
  VDISR_EL2,
  VSESR_EL2,
} from "../cpu/sysreg-layout.ts";
import type { Domain } from "./domain.ts";
import { PAGE_BYTES } from "./machine-memory.ts";
import type { PhysicalPe } from "./physical-pe.ts";

/** Bytes of a vCPU's block: the part of a PE's block (cpu/state-layout.ts) that a guest sees, at the same offsets, and what follows. */
export const VCPU_BYTES = 2 * PAGE_BYTES;
// Beyond the system registers: the virtual CPU interface while the vCPU is on no PE.
/** ICH_LR<n>_EL2. */
export const SAVED_LISTS = 0x1800;
export const SAVED_VMCR = 0x1840;
export const SAVED_AP0R0 = 0x1848;
export const SAVED_AP1R0 = 0x1850;

/** What is a guest's own in a PE's block: [first byte, byte after the last). The EL2 registers among them say where it goes on. */
export const CONTEXT: readonly (readonly [number, number])[] = [
  [X, X + 31 * 8],
  [FPCR, FPCR + 8],
  [V, V + 32 * 16],
  [SCTLR_EL1, SCTLR_EL2],
  [ELR_EL2, SPSR_EL2 + 8],
  [VSESR_EL2, VDISR_EL2 + 8],
  [CNTV_CTL_EL0, CNTV_CVAL_EL0 + 8],
  [APIAKEYLO_EL1, DBGWCR15_EL1 + 8],
];

/** off: by PSCI, or not started. ready: waits for a PE. running: on one. blocked: waits for an interrupt. */
export type VcpuStatus = "off" | "ready" | "running" | "blocked";

/** Kinds of exits to the hypervisor that are counted, in the order of a statistic. */
export const EXIT_KINDS = [
  "interrupt",
  "wait",
  "hypercall",
  "firmware call",
  "system register",
  "memory",
  "device",
  "refused",
] as const;
export type ExitKind = (typeof EXIT_KINDS)[number];

export class Vcpu {
  readonly domain: Domain;
  readonly index: number;
  /** Its block in the machine's memory. */
  readonly saved: PeState;
  /** EL1's affinity fields. */
  readonly affinity: number;
  status: VcpuStatus = "off";
  /** The PE that has its registers. */
  pe: PhysicalPe | undefined;
  /** Where it ran last. */
  lastPe = -1;
  /** PEs that it may run on, a bit each. */
  pinned = -1;
  /** When its virtual timer would signal, while it is on no PE: nanoseconds of the machine's clock. */
  wakeAt = Number.POSITIVE_INFINITY;
  /** Nanoseconds on a PE. */
  cpuTime = 0;
  /** Nanoseconds that it was ready and had no PE. */
  stolen = 0;
  readySince = 0;
  /** By EXIT_KINDS. */
  readonly exits = new Float64Array(EXIT_KINDS.length);

  /** @param block where its VCPU_BYTES are in linear memory. */
  constructor(domain: Domain, index: number, affinity: number, buffer: ArrayBufferLike, block: number) {
    this.domain = domain;
    this.index = index;
    this.affinity = affinity;
    this.saved = new PeState(buffer, block, VCPU_BYTES);
  }

  /** Nanoseconds on a PE until `now`: what runs is charged when it stops. */
  ran(now: number): number {
    const { pe, status, cpuTime } = this;
    return cpuTime + (status === "running" && pe !== undefined ? Math.max(0, now - pe.since) : 0);
  }

  get loadedOn(): number {
    return this.pe?.index ?? -1;
  }

  /** Its registers, wherever they are now. On a PE, PC and PSTATE are in ELR_EL2 and SPSR_EL2 only while the hypervisor has it. */
  get registers(): PeState {
    return this.pe?.state ?? this.saved;
  }
}
