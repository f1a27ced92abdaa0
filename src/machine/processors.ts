import { CPU_MODELS, type ModelOptions, modelFeatures } from "../arch/cpu-models.ts";
import { hostFunctions } from "../cpu/host-functions.ts";
import { pendingInterrupts } from "../cpu/interrupts.ts";
import { Pe, type SliceEnd } from "../cpu/pe.ts";
import { PeState } from "../cpu/pe-state.ts";
import { Pmu } from "../cpu/pmu.ts";
import type { Firmware, InterruptSysregs, LevelOwner, PpiPort, SemihostingPort } from "../cpu/ports.ts";
import { CPU_INDEX, CPU_STRIDE, POWER } from "../cpu/state-layout.ts";
import { Sysregs } from "../cpu/sysregs/index.ts";
import { Timers } from "../cpu/timers.ts";
import { Engine, type EngineStats } from "../engine/engine.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import { CPU_BASE } from "../memory/linear-layout.ts";
import { moduleFor } from "../wasm/instantiate.ts";
import { affinityOf } from "./board.ts";
import type { MachineClock } from "./clock.ts";
import type { DebuggedPe } from "./gdb/debugger.ts";
import type { Levels } from "./levels.ts";
import type { LinearPlan } from "./linear-plan.ts";
import type { NativeModule } from "./native-module.ts";
import type { Sampler } from "./profiling/sampler.ts";
import type { MachineParts } from "./runnable.ts";
import type { MachineTrace } from "./trace/machine-trace.ts";

/** What processing elements need of the board that they are on. */
export interface PeSurroundings {
  readonly memory: GuestMemory;
  readonly interrupts: PpiPort & { resetCpu(cpuIndex: number): void };
  readonly interruptSysregs: InterruptSysregs | undefined;
}

export interface ProcessorsOptions {
  readonly parts: Pick<
    MachineParts,
    | "cpus"
    | "cpu"
    | "gicVersion"
    | "tier"
    | "measure"
    | "entropy"
    | "monotonic"
    | "regionThread"
    | "keepRegions"
    | "artifacts"
  >;
  readonly memory: WebAssembly.Memory;
  /** `peStates` of the memory. */
  readonly states: readonly PeState[];
  readonly plan: LinearPlan;
  readonly clock: MachineClock;
  readonly board: PeSurroundings;
  readonly model: ModelOptions;
  readonly levels: Levels;
  readonly native: NativeModule;
  readonly firmware: Firmware;
  readonly sampler: Sampler | undefined;
  readonly semihosting?: SemihostingPort | undefined;
  /** Who owns EL2 natively. */
  readonly owner?: LevelOwner | undefined;
  readonly trace?: MachineTrace | undefined;
}

/** The states of a machine's PEs. */
export function peStates(memory: WebAssembly.Memory, cpus: number): PeState[] {
  return Array.from({ length: cpus }, (_, index) => {
    const state = new PeState(memory.buffer, CPU_BASE + index * CPU_STRIDE);
    state.setWord(CPU_INDEX, index);
    return state;
  });
}

/** A PE with what is beside it. */
export interface Processor {
  readonly pe: Pe;
  readonly sysregs: Sysregs;
  readonly state: PeState;
  readonly timers: Timers;
  readonly pmu: Pmu;
}

/** The processing elements of a machine and the engine that runs their code, one after the other in one thread. */
export class Processors {
  readonly #states: readonly PeState[];
  readonly #all: Processor[] = [];
  readonly #engine: Engine;
  readonly #native: NativeModule;
  readonly #board: PeSurroundings;
  readonly #levels: Levels;
  readonly #sampler: Sampler | undefined;

  constructor(options: ProcessorsOptions) {
    const { native, board } = options;
    this.#sampler = options.sampler;
    this.#native = native;
    this.#board = board;
    this.#levels = options.levels;
    this.#states = options.states;
    const pes: Pe[] = [];
    this.#engine = makeEngine(options, pes, () => this.#flushFetch());
    for (const state of this.#states) {
      const processor = this.#make(options, state);
      this.#all.push(processor);
      pes.push(processor.pe);
    }
    // A translation that a TLB holds may be of memory that has become a device's, or the other way round.
    board.memory.onFlagsChange = () => {
      for (const { cpu } of this.#states) native.exports.tlbInvalidateAll(cpu);
      this.#flushFetch();
    };
  }

  #make(
    { parts, memory, clock, board, model, native, firmware, semihosting, owner, trace }: ProcessorsOptions,
    state: PeState,
  ): Processor {
    const index = state.word(CPU_INDEX);
    const timers = new Timers(state, index, clock, board.interrupts, model);
    const pmu = new Pmu(state, index, clock, board.interrupts, model);
    let sysregs: Sysregs | undefined;
    const pe = new Pe({
      memory,
      state,
      index,
      native: native.exports,
      engine: this.#engine,
      everyone: this.#states,
      pmu,
      firmware,
      semihosting,
      owner,
      observer: trace?.observer(index),
      sysregs: (hooks) => {
        sysregs = new Sysregs({
          state,
          index,
          native: native.exports,
          engine: this.#engine,
          interrupts: board.interruptSysregs,
          model: CPU_MODELS[parts.cpu],
          options: { ...model, cpus: parts.cpus, mpidr: affinityOf(index, parts.gicVersion) },
          timers,
          pmu,
          entropy: parts.entropy,
          allTlbs: () => this.#states,
          ...hooks,
        });
        return trace?.sysregs(index, sysregs) ?? sysregs;
      },
    });
    return { pe, sysregs: sysregs as unknown as Sysregs, state, timers, pmu };
  }

  #flushFetch(): void {
    for (const { cpu } of this.#states) this.#native.exports.flushFetch(cpu);
  }

  /** Power-on: the first PE at `entry`, with X0; the others off, or there, too, where no firmware would start them. Any code may have changed. */
  reset(entry: number, x: readonly number[]): void {
    this.#engine.invalidateAllCode();
    for (const [index, { pe }] of this.#all.entries()) {
      this.start(index, entry, x[0] ?? 0);
      if (index > 0 && this.#levels.conduit !== undefined) pe.powerOff();
    }
  }

  /** The PEs' blocks were filled from a snapshot: what is derived from them is made anew. */
  restored(): void {
    this.#engine.invalidateAllCode();
    for (const { pe, pmu } of this.#all) {
      pe.restored();
      pmu.restart();
    }
    this.updateTimers();
  }

  /** Starts a PE that is off. `entry`, `x0`: exact below 2^53; x0High is for all 64 bits. */
  start(index: number, entry: number, x0: number, x0High = Math.floor(x0 / 2 ** 32)): void {
    this.#all[index]?.pe.reset(entry, this.#levels.entry, x0 | 0, x0High | 0);
    this.#board.interrupts.resetCpu(index);
  }

  /** Memory changed that is not RAM which guests look after themselves: its decoded and translated code is out of date. */
  codeChanged(start: number, bytes: number): void {
    this.#engine.invalidateCode(start, bytes);
  }

  powerOff(index: number): void {
    this.#all[index]?.pe.powerOff();
  }

  suspend(index: number): void {
    this.#all[index]?.pe.suspend();
  }

  powerState(index: number): "on" | "off" | "on-pending" {
    return (["on", "off", "on-pending"] as const)[this.#states[index]?.word(POWER) ?? 1] ?? "off";
  }

  /** Every PE runs up to about so many instructions. False: all of them wait. */
  turn(instructions: number): boolean {
    let busy = false;
    for (const { pe } of this.#all) {
      const end = this.#slice(pe, instructions);
      if (end === "budget" || end === "yielding") busy = true;
    }
    return busy;
  }

  #slice(pe: Pe, instructions: number): SliceEnd {
    const sampler = this.#sampler;
    if (!sampler) return pe.runSlice(instructions);
    return sampler.slice(pe.index, instructions, (budget) => pe.runSlice(budget));
  }

  /** All of them, for the owner of an exception level. */
  get all(): readonly Processor[] {
    return this.#all;
  }

  /** The PEs as a debugger drives them. */
  debugged(): DebuggedPe[] {
    return this.#all.map(({ pe, state, sysregs }) => ({
      ...{ state, sysregs },
      setBreakpoints: (breakpoints) => {
        pe.breakpoints = breakpoints;
      },
      setObserver: (observer) => {
        pe.observer = observer;
      },
      run: (instructions) => this.#slice(pe, instructions),
      stepOver: (interrupts) => pe.stepOver(interrupts),
    }));
  }

  /** Of the system registers that a debugger may look at. */
  sysregIds(): number[] {
    return this.#all[0]?.sysregs.ids() ?? [];
  }

  /** Whether a PE that waits would go on: woken in this turn by one that came later, or by a timer. */
  get woken(): boolean {
    return this.#states.some((state) => state.word(POWER) === 0 && pendingInterrupts(state) !== 0);
  }

  /** Brings the timers' and counters' interrupts up to date with the time. */
  updateTimers(): void {
    for (const { timers, pmu } of this.#all) {
      timers.update();
      pmu.update();
    }
  }

  /**
   * When a timer or a counter next makes an interrupt, in nanoseconds of the clock; Infinity: never. Those whose time has come by now are
   * left out: `updateTimers`, called afterwards, makes their interrupts.
   */
  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { timers, pmu } of this.#all) next = Math.min(next, timers.nextEvent(), pmu.nextEvent());
    return next;
  }

  /** They do not run any more. */
  close(): void {
    this.#engine.close();
  }

  get stats(): EngineStats {
    return this.#engine.stats;
  }
}

/** The one place that knows how an engine is made. */
function makeEngine(options: ProcessorsOptions, pes: readonly Pe[], flushFetch: () => void): Engine {
  const { parts, memory, plan, model, native } = options;
  const { interpreter, handlers } = parts.artifacts;
  return new Engine({
    memory,
    interpreter: { module: moduleFor(memory, interpreter), keys: JSON.parse(handlers) as number[] },
    native: native.exports,
    host: hostFunctions(pes, native.exports),
    features: modelFeatures(CPU_MODELS[parts.cpu], model),
    area: plan.area,
    tier: parts.tier,
    countTranslated: parts.measure !== undefined,
    onlyCpu: options.states.length === 1 ? options.states[0]?.cpu : undefined,
    directSysregs: options.trace?.seesRegisters !== true,
    regionThread: parts.regionThread,
    keepRegions: parts.keepRegions,
    now: parts.monotonic,
    flushFetch,
  });
}
