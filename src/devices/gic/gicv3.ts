import type { Device, Line } from "../../bus/device.ts";
import type { InterruptSysregs, PpiPort } from "../../cpu/ports.ts";
import { GicV3Distributor } from "./gicv3-distributor.ts";
import { GicV3Redistributors } from "./gicv3-redistributor.ts";
import { GicV3Sysregs } from "./gicv3-sysregs.ts";
import * as L from "./layout.ts";
import { spiLine } from "./spi-line.ts";
import { GicState, type SetLines } from "./state.ts";

export interface GicV3Options {
  /** The machine's linear memory, whose GIC_STATE this controller owns. */
  readonly memory: ArrayBufferLike;
  readonly cpus: number;
  /** A PE's IRQ and FIQ inputs changed, or are told anew by a reset. */
  readonly setLines: SetLines;
  /** Aff3.Aff2.Aff1.Aff0 of a PE, a byte each, as its MPIDR_EL1 has them; by default 16 PEs to a value of Aff1. */
  readonly affinity?: (cpuIndex: number) => number;
}

/**
 * A GICv3 with one Security state, affinity routing only, 288 INTIDs, 32 priority levels, and no LPIs (IHI0069).
 * Group 0 is signalled as FIQ, Group 1 as IRQ. `read` and `write` are the ICC_* registers.
 */
export class GicV3 implements InterruptSysregs, PpiPort {
  readonly distributor: Device;
  /** All PEs' redistributors, 128 KiB each. */
  readonly redistributors: Device;
  readonly #state: GicState;
  readonly #routes: GicV3Distributor;
  readonly #sysregs: GicV3Sysregs;

  constructor(options: GicV3Options) {
    const { cpus, affinity = (cpu) => ((cpu >>> 4) << 8) | (cpu & 15) } = options;
    this.#state = new GicState(options.memory, cpus, options.setLines);
    const affinities = Uint32Array.from({ length: cpus }, (_, cpu) => affinity(cpu));
    const reset = (): void => this.reset();
    this.#routes = new GicV3Distributor(this.#state, affinities, reset);
    this.distributor = this.#routes;
    this.redistributors = new GicV3Redistributors(this.#state, affinities, reset);
    this.#sysregs = new GicV3Sysregs(this.#state, affinities);
    this.reset();
  }

  /** The value as [low, high], in an array that the next read overwrites; undefined: no such register, or it cannot be read. */
  read(cpuIndex: number, id: number): readonly [number, number] | undefined {
    return this.#sysregs.read(cpuIndex, id);
  }

  write(cpuIndex: number, id: number, low: number, high: number): boolean {
    return this.#sysregs.write(cpuIndex, id, low, high);
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
      this.#state.setPe(cpu, L.FIQ_ENABLE, 1);
      this.#state.setPe(cpu, L.SLEEP, 1);
    }
    this.#routes.routeAll();
  }

  /** The CPU interface (ICC_*) of one PE, when that PE is reset. */
  resetCpu(cpuIndex: number): void {
    this.#state.resetInterface(cpuIndex);
    this.#state.setPe(cpuIndex, L.FIQ_ENABLE, 1);
  }
}
