import type { Bus } from "../../bus/bus.ts";
import type { Line } from "../../bus/device.ts";
import type { PeObserver, SystemRegisters } from "../../cpu/pe-options.ts";
import {
  type Firmware,
  LINE_FIQ,
  LINE_IRQ,
  LINE_NONSECURE_GROUP1,
  LINE_SECURE_GROUP1,
  LINE_VFIQ,
  LINE_VIRQ,
} from "../../cpu/ports.ts";
import { X } from "../../cpu/state-layout.ts";
import type { InterruptController } from "../board.ts";
import { bits64 } from "../profiling/guest-view.ts";
import { BusTrace } from "./bus-trace.ts";
import type { TraceOptions } from "./options.ts";
import { PeTrace } from "./pe-trace.ts";
import { SysregTrace } from "./sysreg-trace.ts";
import { Tracer, type TracerParts } from "./tracer.ts";

const FIRST_SPI = 32;

/** Where a machine is watched for a trace. What is not traced is left as it is. */
export class MachineTrace {
  readonly #tracer: Tracer;
  readonly #pes: readonly PeTrace[];

  constructor(options: TraceOptions, parts: TracerParts) {
    this.#tracer = new Tracer(options, parts);
    this.#pes = parts.states.map((_, index) => new PeTrace(this.#tracer, index));
  }

  /** Whether every access to a system register has to come to the processing element. */
  get seesRegisters(): boolean {
    return this.#tracer.traces("sysreg", "gic", "tlb");
  }

  observer(index: number): PeObserver | undefined {
    return this.#pes[index];
  }

  sysregs(index: number, inner: SystemRegisters): SystemRegisters {
    return this.seesRegisters ? new SysregTrace(inner, this.#tracer, index) : inner;
  }

  watch(bus: Bus, currentCpu: () => number): void {
    if (this.#tracer.traces("mmio", "gic")) bus.watcher = new BusTrace(this.#tracer, this.#pes, currentCpu);
  }

  /** Calls that firmware answers are no exceptions to a PE, but look like them to a guest. */
  firmware(inner: Firmware): Firmware {
    const tracer = this.#tracer;
    if (!tracer.traces("exceptions")) return inner;
    return {
      call: (cpu, conduit, immediate) => {
        const index = this.#indexOf(cpu);
        const s = tracer.state(index);
        const x0 = (): string => `X0 0x${bits64(s, X).toString(16)}`;
        const call = `${conduit.toUpperCase()} #0x${immediate.toString(16)} to firmware, ${x0()}`;
        const answered = inner.call(cpu, conduit, immediate);
        if (answered) tracer.atPc("exceptions", index, `${call}, done with ${x0()}`);
        return answered;
      },
    };
  }

  #indexOf(cpu: number): number {
    return this.#pes.findIndex((_, index) => this.#tracer.state(index).cpu === cpu);
  }

  /** Levels of the controller's inputs. */
  interrupts(inner: InterruptController): InterruptController {
    const tracer = this.#tracer;
    if (!tracer.traces("gic")) return inner;
    const changed = (levels: Map<number, boolean>, key: number, level: boolean): boolean => {
      if ((levels.get(key) ?? false) === level) return false;
      levels.set(key, level);
      return true;
    };
    const word = (level: boolean): string => (level ? "high" : "low");
    const shared = new Map<number, boolean>();
    const own = this.#pes.map(() => new Map<number, boolean>());
    return {
      line: (spi): Line => {
        const line = inner.line(spi);
        return {
          set: (level) => {
            if (changed(shared, spi, level)) {
              tracer.outside("gic", undefined, `input ${spi + FIRST_SPI} (SPI ${spi}) ${word(level)}`);
            }
            line.set(level);
          },
        };
      },
      set: (index, ppi, level) => {
        if (changed(own[index] as Map<number, boolean>, ppi, level)) {
          tracer.outside("gic", index, `input ${ppi} (PPI ${ppi - 16}) ${word(level)}`);
        }
        inner.set(index, ppi, level);
      },
      resetCpu: (index) => inner.resetCpu(index),
    };
  }

  /** Levels of a PE's inputs, which the controller's outputs are. */
  inputs(setLines: (cpuIndex: number, lines: number) => void): typeof setLines {
    const tracer = this.#tracer;
    if (!tracer.traces("gic")) return setLines;
    const last = this.#pes.map(() => 0);
    return (index, lines) => {
      if (last[index] !== lines) tracer.outside("gic", index, `output ${lineNames(lines)}`);
      last[index] = lines;
      setLines(index, lines);
    };
  }

  /** To be called when no PE runs. */
  betweenSlices(): void {
    this.#tracer.betweenSlices();
  }
}

const LINE_NAMES = [
  [LINE_IRQ, "IRQ"],
  [LINE_FIQ, "FIQ"],
  [LINE_SECURE_GROUP1, "Secure Group 1"],
  [LINE_NONSECURE_GROUP1, "Non-secure Group 1"],
  [LINE_VIRQ, "virtual IRQ"],
  [LINE_VFIQ, "virtual FIQ"],
] as const;

function lineNames(lines: number): string {
  const names = LINE_NAMES.flatMap(([bit, name]) => (lines & bit ? [name] : []));
  return names.length === 0 ? "low" : `${names.join(", ")} high`;
}
