import type { Device, Line } from "../../bus/device.ts";
import type { PpiPort } from "../../cpu/ports.ts";
import { GicV2CpuInterface } from "./gicv2-cpu-interface.ts";
import { GicV2Distributor } from "./gicv2-distributor.ts";
import { GicV2Hypervisor } from "./gicv2-hypervisor.ts";
import { GicV2Virtual } from "./gicv2-virtual.ts";
import * as L from "./layout.ts";
import { spiLine } from "./spi-line.ts";
import { GicState, NONSECURE_MASK, type SetLines } from "./state.ts";
import { VirtualInterface } from "./virtual-interface.ts";

const MAX_CPUS = 8;

export interface GicV2Options {
  /** The machine's linear memory, whose GIC_STATE this controller owns. */
  readonly memory: ArrayBufferLike;
  /** 1..8. */
  readonly cpus: number;
  /** A PE's lines changed, or are told anew by a reset. */
  readonly setLines: SetLines;
  /** Index of the PE that makes the access to a banked register. */
  currentCpu(): number;
  /** Whether that access is Secure. With it the controller has the Security Extensions, without it has not. */
  readonly secureAccess?: (() => boolean) | undefined;
  /** Resets leave it to Non-secure software, as Secure firmware would: see GicState.giveToNonSecure. */
  readonly resetNonSecure?: boolean | undefined;
}

/**
 * A GICv2 with interrupt grouping and the Virtualization Extensions, 288 INTIDs, 32 priority levels (IHI0048B).
 * Group 0 is signalled as FIQ when GICC_CTLR.FIQEn is set, all else as IRQ.
 */
export class GicV2 implements PpiPort {
  readonly distributor: Device;
  readonly cpuInterface: Device;
  /** GICH. */
  readonly hypervisorInterface: Device;
  /** GICV. */
  readonly virtualCpuInterface: Device;
  readonly #state: GicState;
  readonly #virtual: VirtualInterface;
  readonly #routes: GicV2Distributor;
  readonly #resetNonSecure: boolean;

  constructor(options: GicV2Options) {
    const { cpus, secureAccess } = options;
    if (cpus > MAX_CPUS) throw new RangeError(`a GICv2 serves at most ${MAX_CPUS} PEs, not ${cpus}`);
    const currentCpu = (): number => options.currentCpu();
    const sees = secureAccess ?? (() => true);
    const reset = (): void => this.reset();
    this.#resetNonSecure = options.resetNonSecure === true;
    this.#state = new GicState(options.memory, cpus, options.setLines, secureAccess ? "grouped" : "single");
    this.#virtual = new VirtualInterface(this.#state);
    this.#routes = new GicV2Distributor(this.#state, currentCpu, sees, reset);
    this.distributor = this.#routes;
    this.cpuInterface = new GicV2CpuInterface(this.#state, currentCpu, sees, reset);
    this.hypervisorInterface = new GicV2Hypervisor(this.#virtual, cpus, currentCpu, reset);
    this.virtualCpuInterface = new GicV2Virtual(this.#virtual, currentCpu, reset);
    this.reset();
  }

  /** The level of a PPI; `ppi` is its INTID, 16..31. */
  set(cpuIndex: number, ppi: number, level: boolean): void {
    this.#state.setLevel(ppi, cpuIndex, level);
  }

  /** The input of SPI `spi`, 0..255 (INTID 32 and up). */
  line(spi: number): Line {
    return spiLine(this.#state, spi);
  }

  /** All of the controller, to the state after power-on. Levels of inputs stay. */
  reset(): void {
    this.#state.reset();
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) this.#resetInterface(cpu);
    if (this.#resetNonSecure) this.#state.giveToNonSecure();
    this.#routes.routeAll();
  }

  /** All of its state, for snapshots. */
  get words(): Int32Array {
    return this.#state.words;
  }

  /** `words` were restored. */
  restored(): void {
    this.#state.restored();
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) this.#virtual.update(cpu);
  }

  /** The CPU interface of one PE, when that PE is reset. */
  resetCpu(cpuIndex: number): void {
    this.#state.resetInterface(cpuIndex);
    this.#resetInterface(cpuIndex);
  }

  #resetInterface(cpu: number): void {
    if (this.#resetNonSecure) this.#state.setPe(cpu, L.PMR, NONSECURE_MASK);
    this.#virtual.reset(cpu, 0);
  }
}
