import type { Line } from "../../bus/device.ts";
import type { PpiPort } from "../../cpu/ports.ts";
import * as L from "./layout.ts";
import { spiLine } from "./spi-line.ts";
import { GicState, NONSECURE_MASK, type Security, type SetLines } from "./state.ts";
import { VirtualInterface } from "./virtual-interface.ts";

export interface GicOptions {
  /** The machine's linear memory, whose GIC_STATE this controller owns. */
  readonly memory: ArrayBufferLike;
  readonly cpus: number;
  /** A PE's lines changed, or are told anew by a reset. */
  readonly setLines: SetLines;
  /** Whether the access to a device's register is Secure. With it the controller has two Security states, without it one. */
  readonly secureAccess?: (() => boolean) | undefined;
  /** Resets leave it to Non-secure software, as Secure firmware would: see GicState.giveToNonSecure. */
  readonly resetNonSecure?: boolean | undefined;
}

/** What a machine has of its interrupt controller, whichever version that is: inputs, resets, and all of its state. */
export abstract class Gic implements PpiPort {
  protected readonly state: GicState;
  protected readonly virtual: VirtualInterface;
  readonly #resetNonSecure: boolean;

  constructor({ memory, cpus, setLines, resetNonSecure }: GicOptions, security: Security) {
    this.state = new GicState(memory, cpus, setLines, security);
    this.virtual = new VirtualInterface(this.state);
    this.#resetNonSecure = resetNonSecure === true;
  }

  /** The level of a PPI; `ppi` is its INTID, 16..31. */
  set(cpuIndex: number, ppi: number, level: boolean): void {
    this.state.setLevel(ppi, cpuIndex, level);
  }

  /** The input of SPI `spi`, 0..255 (INTID 32 and up). */
  line(spi: number): Line {
    return spiLine(this.state, spi);
  }

  /** All of the controller, to the state after power-on. Levels of inputs stay. */
  reset(): void {
    this.state.reset();
    for (let cpu = 0; cpu < this.state.cpus; cpu++) {
      this.resetRedistributor(cpu);
      this.#resetInterface(cpu);
    }
    if (this.#resetNonSecure) this.state.giveToNonSecure();
    this.routeAll();
  }

  /** All of its state, for snapshots. */
  get words(): Int32Array {
    return this.state.words;
  }

  /** `words` were restored. */
  restored(): void {
    this.state.restored();
    for (let cpu = 0; cpu < this.state.cpus; cpu++) this.virtual.update(cpu);
  }

  /** The CPU interface of one PE, when that PE is reset. */
  resetCpu(cpuIndex: number): void {
    this.state.resetInterface(cpuIndex);
    this.#resetInterface(cpuIndex);
  }

  #resetInterface(cpu: number): void {
    if (this.#resetNonSecure) this.state.setPe(cpu, L.PMR, NONSECURE_MASK);
    this.resetInterface(cpu);
  }

  /** What the version has of a PE's CPU interface, physical and virtual, after a reset. */
  protected abstract resetInterface(cpu: number): void;
  /** ... and of its redistributor, where it has one. */
  protected resetRedistributor(_cpu: number): void {}
  /** Routes all SPIs anew. */
  protected abstract routeAll(): void;
}
