import type { Device, Line } from "../../bus/device.ts";
import type { PpiPort } from "../../cpu/ports.ts";
import { GicV2CpuInterface } from "./gicv2-cpu-interface.ts";
import { GicV2Distributor } from "./gicv2-distributor.ts";
import { spiLine } from "./spi-line.ts";
import { GicState, type SetLines } from "./state.ts";

const MAX_CPUS = 8;

export interface GicV2Options {
  /** The machine's linear memory, whose GIC_STATE this controller owns. */
  readonly memory: ArrayBufferLike;
  /** 1..8. */
  readonly cpus: number;
  /** A PE's IRQ and FIQ inputs changed, or are told anew by a reset. */
  readonly setLines: SetLines;
  /** Index of the PE that makes the access to a banked register. */
  currentCpu(): number;
}

/**
 * A GICv2 with interrupt grouping and without the Security Extensions, 288 INTIDs, 32 priority levels (IHI0048B).
 * Group 0 is signalled as FIQ when GICC_CTLR.FIQEn is set, all else as IRQ.
 */
export class GicV2 implements PpiPort {
  readonly distributor: Device;
  readonly cpuInterface: Device;
  readonly #state: GicState;
  readonly #routes: GicV2Distributor;

  constructor(options: GicV2Options) {
    if (options.cpus > MAX_CPUS) throw new RangeError(`a GICv2 serves at most ${MAX_CPUS} PEs, not ${options.cpus}`);
    const currentCpu = (): number => options.currentCpu();
    const reset = (): void => this.reset();
    this.#state = new GicState(options.memory, options.cpus, options.setLines);
    this.#routes = new GicV2Distributor(this.#state, currentCpu, reset);
    this.distributor = this.#routes;
    this.cpuInterface = new GicV2CpuInterface(this.#state, currentCpu, reset);
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
    this.#routes.routeAll();
  }

  /** The CPU interface of one PE, when that PE is reset. */
  resetCpu(cpuIndex: number): void {
    this.#state.resetInterface(cpuIndex);
  }
}
