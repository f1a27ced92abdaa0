import type { BusWatcher, BusWindow } from "../../bus/bus.ts";
import { gicV2AccessText } from "./gic-text.ts";
import type { PeTrace } from "./pe-trace.ts";
import type { Tracer } from "./tracer.ts";

/** Traces accesses to devices. */
export class BusTrace implements BusWatcher {
  readonly #tracer: Tracer;
  readonly #pes: readonly PeTrace[];
  readonly #currentCpu: () => number;

  constructor(tracer: Tracer, pes: readonly PeTrace[], currentCpu: () => number) {
    this.#tracer = tracer;
    this.#pes = pes;
    this.#currentCpu = currentCpu;
  }

  /** PC is known only while an instruction runs alone: others come again. */
  admit({ name }: BusWindow): boolean {
    if (!this.#tracer.traces("mmio") && !name.startsWith("gic.")) return true;
    const pe = this.#pes[this.#currentCpu()];
    if (!pe?.together) return true;
    pe.putOff = true;
    return false;
  }

  done({ name }: BusWindow, offset: number, bytes: number, write: boolean, data: Uint32Array): void {
    const index = this.#currentCpu();
    const pe = this.#pes[index];
    // A debugger's access is none of the guest's.
    if (!pe?.alone && !pe?.together) return;
    const meaning = this.#tracer.traces("gic") ? gicV2AccessText(name, offset, write, data[0] ?? 0) : undefined;
    const kind = meaning === undefined ? this.#tracer.kindOf("mmio") : "gic";
    if (kind === undefined) return;
    let value = "";
    for (let at = 0; at < bytes; at += 4) value = (data[at >> 2] ?? 0).toString(16).padStart(8, "0") + value;
    value = value.slice(-2 * bytes);
    const text = `${name}+0x${offset.toString(16)} ${write ? "write" : "read"} ${bytes} 0x${value}`;
    this.#tracer.atPc(kind, index, meaning === undefined ? text : `${text}: ${meaning}`);
  }
}
