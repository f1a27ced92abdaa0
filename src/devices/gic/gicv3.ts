import type { Device, Line } from "../../bus/device.ts";
import type { InterruptSysregs, PpiPort } from "../../cpu/ports.ts";
import { GicV3Distributor } from "./gicv3-distributor.ts";
import { GicV3Redistributors } from "./gicv3-redistributor.ts";
import { GicV3Sysregs, virtualMachine } from "./gicv3-sysregs.ts";
import * as L from "./layout.ts";
import { spiLine } from "./spi-line.ts";
import { GicState, NONSECURE_MASK, type SetLines } from "./state.ts";
import { VirtualInterface } from "./virtual-interface.ts";

export interface GicV3Options {
  /** The machine's linear memory, whose GIC_STATE this controller owns. */
  readonly memory: ArrayBufferLike;
  readonly cpus: number;
  /** A PE's lines changed, or are told anew by a reset. */
  readonly setLines: SetLines;
  /** Aff3.Aff2.Aff1.Aff0 of a PE, a byte each, as its MPIDR_EL1 has them; by default 16 PEs to a value of Aff1. */
  readonly affinity?: (cpuIndex: number) => number;
  /** Whether the access to a device's register is Secure. With it there are two Security states, without one. */
  readonly secureAccess?: (() => boolean) | undefined;
  /** Resets leave it to Non-secure software, as Secure firmware would: see GicState.giveToNonSecure. */
  readonly resetNonSecure?: boolean | undefined;
  /** Resets leave the redistributors awake, as firmware would (GICR_WAKER): software that comes after it need not know of them. */
  readonly awake?: boolean | undefined;
}

/**
 * A GICv3 with affinity routing only, 288 INTIDs, 32 priority levels, and no LPIs (IHI0069). With one Security state, Group 0 is signalled
 * as FIQ and Group 1 as IRQ. `sysregs` are the ICC_*, ICV_* and ICH_* registers.
 */
export class GicV3 implements PpiPort {
  readonly distributor: Device;
  /** All PEs' redistributors, 128 KiB each. */
  readonly redistributors: Device;
  readonly sysregs: InterruptSysregs;
  readonly #state: GicState;
  readonly #virtual: VirtualInterface;
  readonly #routes: GicV3Distributor;
  readonly #resetNonSecure: boolean;
  readonly #awake: boolean;

  constructor(options: GicV3Options) {
    const { cpus, affinity = (cpu) => ((cpu >>> 4) << 8) | (cpu & 15), secureAccess } = options;
    this.#resetNonSecure = options.resetNonSecure === true;
    this.#awake = options.awake === true;
    this.#state = new GicState(options.memory, cpus, options.setLines, secureAccess ? "split" : "single");
    const affinities = Uint32Array.from({ length: cpus }, (_, cpu) => affinity(cpu));
    const reset = (): void => this.reset();
    const sees = secureAccess ?? (() => true);
    this.#routes = new GicV3Distributor(this.#state, affinities, sees, reset);
    this.distributor = this.#routes;
    this.redistributors = new GicV3Redistributors(this.#state, affinities, sees, reset);
    this.#virtual = new VirtualInterface(this.#state);
    this.sysregs = new GicV3Sysregs(this.#state, this.#virtual, affinities);
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
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) {
      this.#state.setPe(cpu, L.SLEEP, this.#awake ? 0 : 1);
      this.#resetInterface(cpu);
    }
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

  // ICC_SRE_ELx.Enable are set as firmware leaves them: the level below may use the system registers.
  #resetInterface(cpu: number): void {
    this.#state.setPe(cpu, L.FIQ_ENABLE, 1);
    this.#state.setPe(cpu, L.SRE_ENABLE, 3);
    if (this.#resetNonSecure) this.#state.setPe(cpu, L.PMR, NONSECURE_MASK);
    this.#virtual.reset(cpu, virtualMachine(0));
  }
}
