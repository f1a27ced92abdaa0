import type { Device } from "../../bus/device.ts";
import { Gic, type GicOptions } from "./gic.ts";
import { GicV2CpuInterface } from "./gicv2-cpu-interface.ts";
import { GicV2Distributor } from "./gicv2-distributor.ts";
import { GicV2Hypervisor } from "./gicv2-hypervisor.ts";
import { GicV2Virtual } from "./gicv2-virtual.ts";

/** GICD_TYPER.CPUNumber and the distributor's targets have no more. */
const MAX_CPUS = 8;

export interface GicV2Options extends GicOptions {
  /** Index of the PE that makes the access to a banked register. */
  currentCpu(): number;
}

/**
 * A GICv2 with interrupt grouping and the Virtualization Extensions, 288 INTIDs, 32 priority levels (IHI0048B).
 * Group 0 is signalled as FIQ when GICC_CTLR.FIQEn is set, all else as IRQ.
 */
export class GicV2 extends Gic {
  readonly distributor: Device;
  readonly cpuInterface: Device;
  /** GICH. */
  readonly hypervisorInterface: Device;
  /** GICV. */
  readonly virtualCpuInterface: Device;
  readonly #routes: GicV2Distributor;

  constructor(options: GicV2Options) {
    const { cpus, secureAccess } = options;
    if (cpus > MAX_CPUS) throw new RangeError(`a GICv2 serves at most ${MAX_CPUS} PEs, not ${cpus}`);
    super(options, secureAccess ? "grouped" : "single");
    const currentCpu = (): number => options.currentCpu();
    const sees = secureAccess ?? (() => true);
    const reset = (): void => this.reset();
    this.#routes = new GicV2Distributor(this.state, currentCpu, sees, reset);
    this.distributor = this.#routes;
    this.cpuInterface = new GicV2CpuInterface(this.state, currentCpu, sees, reset);
    this.hypervisorInterface = new GicV2Hypervisor(this.virtual, cpus, currentCpu, reset);
    this.virtualCpuInterface = new GicV2Virtual(this.virtual, currentCpu, reset);
    this.reset();
  }

  protected override resetInterface(cpu: number): void {
    this.virtual.reset(cpu, 0);
  }

  protected override routeAll(): void {
    this.#routes.routeAll();
  }
}
