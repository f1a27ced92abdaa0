// What people who learn want to see of a machine while it runs.

import type { PeState } from "../../cpu/pe-state.ts";
import { EL, HALTED, PC, POWER } from "../../cpu/state-layout.ts";
import { VBAR_EL1, VBAR_EL2 } from "../../cpu/sysreg-layout.ts";
import type { Native, NativeOutside } from "../../vmsa/native.ts";
import type { DebuggedPe } from "../gdb/debugger.ts";
import { SPI_COUNT } from "../memory-map.ts";
import { bits64 } from "../profiling/guest-view.ts";
import { type GuestSymbol, SymbolTable } from "../profiling/symbols.ts";
import { type PeReport, peReport } from "../report.ts";
import { type ExceptionEvent, ExceptionLog } from "./exceptions.ts";
import {
  type InterruptView,
  interruptViews,
  type ListRegisterView,
  listRegisterViews,
  type ReadDevice,
} from "./interrupts.ts";
import { type Walk, walkSteps } from "./walk.ts";

export interface InspectorOptions {
  readonly pes: readonly DebuggedPe[];
  readonly native: Pick<Native, "addressTranslate"> & Pick<NativeOutside, "noteWalk" | "walkNotes">;
  readonly buffer: ArrayBufferLike;
  readonly gicVersion: 2 | 3;
  /** Nanoseconds of the guest's time. */
  readonly now: () => number;
  readonly readDevice: ReadDevice;
  readonly kernelSymbols: (vectors: bigint, level: 1 | 2) => readonly GuestSymbol[] | undefined;
  /** A trace has the PEs' observers already. */
  readonly traced: boolean;
}

/** Code that was found running, by function where the guest's kernel has names for it, else by page. */
export interface HotCode {
  readonly name: string;
  /** Hexadecimal. */
  readonly address: string;
  readonly level: number;
  /** Of all samples. */
  readonly share: number;
}

/** Places that are kept between two looks. */
const MOST_PLACES = 4096;
const FIRST_SPI = 32;
const PAGE = 4096n;

export class Inspector {
  readonly #options: InspectorOptions;
  readonly #places = new Map<string, { readonly level: number; readonly pc: bigint; samples: number }>();
  #samples = 0;
  #logs: readonly ExceptionLog[] = [];
  readonly #symbols = new Map<bigint, SymbolTable | undefined>();

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  processors(): PeReport[] {
    return this.#options.pes.map(({ state }, index) => peReport(state, index));
  }

  /** How a read at exception level `el` of a virtual address goes. */
  walk(cpu: number, va: bigint, el: number): Walk | undefined {
    const state = this.#options.pes[cpu]?.state;
    return state && walkSteps(this.#options.native, this.#options.buffer, state, va, el);
  }

  interrupts(): { readonly lines: InterruptView[]; readonly listRegisters: ListRegisterView[] } {
    const { pes, gicVersion, readDevice } = this.#options;
    return {
      lines: interruptViews(readDevice, gicVersion, pes.length, FIRST_SPI + SPI_COUNT),
      listRegisters: gicVersion === 3 ? pes.flatMap(({ sysregs }, cpu) => listRegisterViews(cpu, sysregs)) : [],
    };
  }

  /** Whether exceptions are recorded, which costs some speed. False where a trace does that already. */
  record(on: boolean): boolean {
    const { pes, now, traced } = this.#options;
    if (traced) return false;
    this.#logs = on ? pes.map(({ state }, index) => new ExceptionLog(state, index, now)) : [];
    for (const [index, pe] of pes.entries()) pe.setObserver(this.#logs[index]);
    return on;
  }

  /** The exceptions that were recorded last, oldest first. */
  exceptions(): ExceptionEvent[] {
    return this.#logs.flatMap((log) => log.events()).sort((a, b) => a.time - b.time);
  }

  /** Notes what runs now. To be called between slices. */
  sample(): void {
    if (this.#places.size >= MOST_PLACES) this.#places.clear();
    for (const { state } of this.#options.pes) {
      if (state.word(POWER) !== 0 || state.word(HALTED) !== 0) continue;
      const level = state.word(EL);
      const pc = bits64(state, PC);
      const key = `${level} ${pc}`;
      const place = this.#places.get(key);
      if (place) place.samples++;
      else this.#places.set(key, { level, pc, samples: 1 });
      this.#samples++;
    }
  }

  /** What was found running since the last call, most of the time first. */
  hotCode(most: number): HotCode[] {
    const found = new Map<string, { name: string; address: bigint; level: number; samples: number }>();
    for (const { level, pc, samples } of this.#places.values()) {
      const symbol = level === 0 ? undefined : this.#symbolsOf(level)?.find(pc);
      const address = symbol?.address ?? pc - (pc % PAGE);
      const name = symbol?.name ?? (level === 0 ? "application" : "code");
      const key = `${level} ${address}`;
      const entry = found.get(key) ?? { name, address, level, samples: 0 };
      entry.samples += samples;
      found.set(key, entry);
    }
    const all = Math.max(1, this.#samples);
    this.#places.clear();
    this.#samples = 0;
    return [...found.values()]
      .sort((a, b) => b.samples - a.samples)
      .slice(0, most)
      .map(({ name, address, level, samples }) => ({
        name,
        level,
        address: address.toString(16).padStart(16, "0"),
        share: samples / all,
      }));
  }

  /** A kernel's own names of its functions, where there is one with exception vectors at that level. */
  #symbolsOf(level: number): SymbolTable | undefined {
    const state = this.#options.pes[0]?.state as PeState;
    const vectors = bits64(state, level === 2 ? VBAR_EL2 : VBAR_EL1);
    if (!this.#symbols.has(vectors)) {
      const symbols = vectors >> 63n ? this.#options.kernelSymbols(vectors, level === 2 ? 2 : 1) : undefined;
      this.#symbols.set(vectors, symbols && new SymbolTable(symbols));
    }
    return this.#symbols.get(vectors);
  }
}
