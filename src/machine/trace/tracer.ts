import { hostApplications } from "../../cpu/levels.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { EL, PC, SECURE } from "../../cpu/state-layout.ts";
import { HCR_EL2, VBAR_EL1, VBAR_EL2 } from "../../cpu/sysreg-layout.ts";
import { bits64 } from "../profiling/guest-view.ts";
import type { GuestSymbol } from "../profiling/symbols.ts";
import { Locations } from "./locations.ts";
import type { TraceKind, TraceOptions } from "./options.ts";

/** Events that are held back until their addresses are named, and lines that are written in one go. */
const MOST_EVENTS = 2048;
const HCR_VM = 1;

export interface TracerParts {
  readonly states: readonly PeState[];
  /** Nanoseconds of the guest's time. */
  readonly now: () => number;
  /** The symbols that a kernel at exception level `level` with these exception vectors has of itself. */
  readonly kernelSymbols: (vectors: bigint, level: 1 | 2) => readonly GuestSymbol[] | undefined;
}

interface Event {
  readonly time: number;
  /** "cpu0 EL1". */
  readonly who: string;
  readonly pc: bigint | undefined;
  readonly vectors: bigint;
  readonly text: string;
}

/** Makes lines of events. They are written at the end of each slice of the machine, and whenever there are many. */
export class Tracer {
  readonly #options: TraceOptions;
  readonly #parts: TracerParts;
  readonly #locations: Locations;
  #events: Event[] = [];

  constructor(options: TraceOptions, parts: TracerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#locations = new Locations(options.symbols);
  }

  /** Whether there is a line for any of these. */
  traces(...kinds: readonly TraceKind[]): boolean {
    return kinds.some((kind) => this.#options.kinds.has(kind));
  }

  /** The first of some kinds that is traced: what an event of all of them is called. */
  kindOf(...kinds: readonly TraceKind[]): TraceKind | undefined {
    return kinds.find((kind) => this.#options.kinds.has(kind));
  }

  /** Whether what a PE does at an exception level is traced. */
  selects(index: number, level: number): boolean {
    const { cpus, levels } = this.#options;
    return (cpus.size === 0 || cpus.has(index)) && (levels.size === 0 || levels.has(level));
  }

  state(index: number): PeState {
    return this.#parts.states[index] as PeState;
  }

  /** A PE does something at PC. */
  atPc(kind: TraceKind, index: number, text: string): void {
    const s = this.state(index);
    this.at(kind, index, s.word(EL), s.word(SECURE) !== 0, bits64(s, PC), text);
  }

  /** A PE does something at an address. */
  at(kind: TraceKind, index: number, level: number, secure: boolean, pc: bigint, text: string): void {
    if (!this.selects(index, level)) return;
    const who = `cpu${index} ${secure ? "S-" : ""}EL${level}`;
    this.#add({ time: this.#parts.now(), who, pc, vectors: this.#vectors(index, level), text: `${kind}: ${text}` });
  }

  /** Something happens that no instruction does. `index`: to one PE. */
  outside(kind: TraceKind, index: number | undefined, text: string): void {
    const { cpus } = this.#options;
    if (index !== undefined && cpus.size > 0 && !cpus.has(index)) return;
    const who = `${index === undefined ? "-" : `cpu${index}`} -`;
    this.#add({ time: this.#parts.now(), who, pc: undefined, vectors: 0n, text: `${kind}: ${text}` });
  }

  /** Names an address as a PE sees it at an exception level; "" where it has no name. */
  name(index: number, level: number, address: bigint): string {
    const name = this.#locations.name(address, this.#vectors(index, level));
    return name === "-" ? "" : ` (${name})`;
  }

  /** The exception vectors of the kernel that an exception level belongs to, which are its own where there is none. */
  #vectors(index: number, level: number): bigint {
    const s = this.state(index);
    return bits64(s, level === 2 || (level === 0 && hostApplications(s)) ? VBAR_EL2 : VBAR_EL1);
  }

  #add(event: Event): void {
    this.#events.push(event);
    if (this.#events.length >= MOST_EVENTS) this.#write();
  }

  /** To be called when no PE runs. */
  betweenSlices(): void {
    if (this.#events.length === 0) return;
    for (const [index, s] of this.#parts.states.entries()) {
      // A guest behind stage 2 is not looked into: where its memory is, its hypervisor knows.
      if (!(s.word(HCR_EL2) & HCR_VM)) this.#findKernel(index, 1);
      this.#findKernel(index, 2);
    }
    this.#write();
  }

  #findKernel(index: number, level: 1 | 2): void {
    const vectors = bits64(this.state(index), level === 2 ? VBAR_EL2 : VBAR_EL1);
    // Linux runs in the upper range.
    if (vectors >> 63n === 0n || !this.#locations.isNew(vectors)) return;
    this.#locations.add(vectors, () => this.#parts.kernelSymbols(vectors, level));
  }

  #write(): void {
    const lines = this.#events.map(({ time, who, pc, vectors, text }) => {
      const place =
        pc === undefined ? "- -" : `${pc.toString(16).padStart(16, "0")} ${this.#locations.name(pc, vectors)}`;
      return `${(time / 1e9).toFixed(9)} ${who} ${place} ${text}\n`;
    });
    this.#events = [];
    this.#options.write(lines.join(""));
  }
}
