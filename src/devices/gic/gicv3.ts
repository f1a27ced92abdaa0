import type { Device } from "../../bus/device.ts";
import type { InterruptSysregs } from "../../cpu/ports.ts";
import { Gic, type GicOptions } from "./gic.ts";
import { GicV3Distributor } from "./gicv3-distributor.ts";
import { GicV3Redistributors } from "./gicv3-redistributor.ts";
import { GicV3Sysregs, virtualMachine } from "./gicv3-sysregs.ts";
import * as L from "./layout.ts";

export interface GicV3Options extends GicOptions {
  /** Aff3.Aff2.Aff1.Aff0 of a PE, a byte each, as its MPIDR_EL1 has them; by default 16 PEs to a value of Aff1. */
  readonly affinity?: (cpuIndex: number) => number;
  /** Resets leave the redistributors awake, as firmware would (GICR_WAKER): software that comes after it need not know of them. */
  readonly awake?: boolean | undefined;
}

/**
 * A GICv3 with affinity routing only, 288 INTIDs, 32 priority levels, and no LPIs (IHI0069). With one Security state, Group 0 is signalled
 * as FIQ and Group 1 as IRQ. `sysregs` are the ICC_*, ICV_* and ICH_* registers.
 */
export class GicV3 extends Gic {
  readonly distributor: Device;
  /** All PEs' redistributors, 128 KiB each. */
  readonly redistributors: Device;
  readonly sysregs: InterruptSysregs;
  readonly #routes: GicV3Distributor;
  readonly #awake: boolean;

  constructor(options: GicV3Options) {
    const { cpus, affinity = (cpu) => ((cpu >>> 4) << 8) | (cpu & 15), secureAccess } = options;
    super(options, secureAccess ? "split" : "single");
    this.#awake = options.awake === true;
    const affinities = Uint32Array.from({ length: cpus }, (_, cpu) => affinity(cpu));
    const reset = (): void => this.reset();
    const sees = secureAccess ?? (() => true);
    this.#routes = new GicV3Distributor(this.state, affinities, sees, reset);
    this.distributor = this.#routes;
    this.redistributors = new GicV3Redistributors(this.state, affinities, sees, reset);
    this.sysregs = new GicV3Sysregs(this.state, this.virtual, affinities);
    this.reset();
  }

  // ICC_SRE_ELx.Enable are set as firmware leaves them: the level below may use the system registers.
  protected override resetInterface(cpu: number): void {
    this.state.setPe(cpu, L.FIQ_ENABLE, 1);
    this.state.setPe(cpu, L.SRE_ENABLE, 3);
    this.virtual.reset(cpu, virtualMachine(0));
  }

  protected override resetRedistributor(cpu: number): void {
    this.state.setPe(cpu, L.SLEEP, this.#awake ? 0 : 1);
  }

  protected override routeAll(): void {
    this.#routes.routeAll();
  }
}
