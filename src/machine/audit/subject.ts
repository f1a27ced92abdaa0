import { CPU_MODELS, modelFeatures } from "../../arch/cpu-models.ts";
import type { Feature } from "../../arch/features.ts";
import { sysregId } from "../../arch/sysreg-names.ts";
import { physical } from "../../base/addresses.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { EL, EVENT_REGISTER, LINES, PC, SP, X } from "../../cpu/state-layout.ts";
import { ESR_EL1, ESR_EL2 } from "../../cpu/sysreg-layout.ts";
import { Engine } from "../../engine/engine.ts";
import { Board } from "../board.ts";
import { MachineClock } from "../clock.ts";
import type { DebuggedPe } from "../gdb/debugger.ts";
import { levelsOf } from "../levels.ts";
import { allocate, planMemory } from "../linear-plan.ts";
import { MAP } from "../memory-map.ts";
import { NativeModule } from "../native-module.ts";
import { Processors, peStates } from "../processors.ts";
import type { CpuModel, MachineParts } from "../runnable.ts";
import type { Setting } from "./controls.ts";

const MEMORY = 4 * 2 ** 20;
/** Where EL2 starts, with an ERET. */
const START = MAP.ram.base;
const ERET = 0xd69f03e0;
const CODE = START + 0x1000;
const VECTORS_EL1 = START + 0x1_0000;
const VECTORS_EL2 = START + 0x2_0000;
const DATA = START + 0x10_0000;
const VECTORS = 0x800;

/** What EL1 may allow or forbid to EL0 is allowed, so that EL2's controls alone decide. */
const EL1_ALLOWS: Readonly<Record<string, number>> = {
  // UMA, EnRCTX, EnDB, DZE, UCT, nTWI, nTWE, UCI, EnDA, EnIB, EnIA.
  SCTLR_EL1: 0xcc05_e600,
  CPACR_EL1: 3 << 20,
  // EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN.
  CNTKCTL_EL1: 0x303,
  PMUSERENR_EL0: 0xf,
  VBAR_EL1: VECTORS_EL1,
  VBAR_EL2: VECTORS_EL2,
  // For ERET: to EL1, interrupts masked.
  ELR_EL1: CODE + 4,
  SPSR_EL1: 0x3c5,
};

/** What became of an instruction. */
export type Outcome =
  | { readonly kind: "executed" }
  /** Taken to EL2. */
  | { readonly kind: "trapped"; readonly ec: number; readonly iss: number }
  /** Taken to EL1 as an undefined instruction. */
  | { readonly kind: "undefined" }
  /** Another exception to EL1. */
  | { readonly kind: "exception"; readonly ec: number };

export interface SubjectOptions {
  readonly cpu: CpuModel;
  readonly artifacts: MachineParts["artifacts"];
}

/** A machine with nothing on it but one instruction at a time, and us at EL2. */
export class Subject {
  readonly features: ReadonlySet<Feature>;
  readonly #board: Board;
  /** Of CODE. */
  readonly #linear: number;
  readonly #processors: Processors;
  readonly #state: PeState;
  readonly #pe: DebuggedPe;

  constructor({ cpu, artifacts }: SubjectOptions) {
    const parts = partsOf(cpu, artifacts);
    const levels = levelsOf(parts);
    const model = { el2: levels.el2, el3: levels.el3, gicv3: true };
    const plan = planMemory(parts.memory, parts.cpus, Engine.areaBytes());
    const memory = allocate(plan);
    const clock = new MachineClock(parts.monotonic);
    const states = peStates(memory, parts.cpus);
    const board: Board = new Board({
      ...{ parts, memory, plan, clock },
      firmware: new Uint8Array(0),
      codeChanged: (start, bytes) => this.#processors.codeChanged(start, bytes),
      setLines: (index, lines) => states[index]?.setWord(LINES, lines),
      currentCpu: () => native.currentCpu,
      secureAccess: () => native.currentSecure,
      securePower: () => {},
      watchdogExpired: () => {},
    });
    const bytes = artifacts.native;
    const native = new NativeModule({ bytes, memory, states, bus: board.bus, now: () => clock.now() });
    // Nobody answers an SMC that comes through.
    const firmware = { call: () => false };
    this.#processors = new Processors({
      ...{ parts, memory, states, plan, clock, board, model, levels, native, firmware },
      ...{ sampler: undefined, semihosting: undefined },
    });
    this.features = modelFeatures(CPU_MODELS[cpu], model);
    this.#board = board;
    this.#state = states[0] as PeState;
    this.#pe = this.#processors.debugged()[0] as DebuggedPe;
    this.#linear = board.memory.linearOf(physical(CODE)) as number;
    board.memory.write(physical(START), new Uint8Array(Uint32Array.of(ERET).buffer));
    this.#processors.reset(START, []);
  }

  /** Runs one instruction at EL0 or EL1, with EL2's registers as `setting` says. */
  run(word: number, level: 0 | 1, setting: Setting): Outcome {
    const s = this.#state;
    this.#processors.start(0, START, 0);
    this.#board.memory.write(physical(CODE), new Uint8Array(Int32Array.of(word).buffer));
    this.#processors.codeChanged(this.#linear, 4);
    for (const [name, value] of Object.entries(EL1_ALLOWS)) this.#write(name, value | 0, 0);
    for (const [name, [low, high]] of setting) this.#write(name, low, high);
    for (let n = 0; n < 31; n++) s.setNumber(X + 8 * n, DATA);
    s.setNumber(SP, DATA);
    this.#write("SP_EL0", DATA, 0);
    this.#write("ELR_EL2", CODE, 0);
    // Interrupts masked; EL1 with its own stack pointer.
    this.#write("SPSR_EL2", level === 0 ? 0x3c0 : 0x3c5, 0);
    s.setWord(LINES, 0);
    this.#pe.stepOver(false);
    // Else WFE does not wait, and is not trapped.
    s.setWord(EVENT_REGISTER, 0);
    if (s.word(EL) !== level || s.number(PC) !== CODE) throw new Error("EL2 did not get below");
    this.#pe.stepOver(false);
    return this.#outcome();
  }

  #write(name: string, low: number, high: number): void {
    this.#pe.sysregs.modify(sysregId(name), low, high);
  }

  #outcome(): Outcome {
    const s = this.#state;
    const pc = s.number(PC);
    const in_ = (vectors: number): boolean => pc >= vectors && pc < vectors + VECTORS;
    if (s.word(EL) === 2) {
      const esr = s.word(ESR_EL2);
      return { kind: "trapped", ec: esr >>> 26, iss: esr & 0x1ff_ffff };
    }
    if (!in_(VECTORS_EL1)) return { kind: "executed" };
    const ec = s.word(ESR_EL1) >>> 26;
    return ec === 0 ? { kind: "undefined" } : { kind: "exception", ec };
  }
}

function partsOf(cpu: CpuModel, artifacts: MachineParts["artifacts"]): MachineParts {
  let time = 0;
  return {
    ...{ memory: MEMORY, cpus: 1, cpu, gicVersion: 3, virtualization: true, tier: "interpreter" },
    ...{ append: "", loads: [], disks: [], artifacts },
    serial: { write() {}, read: () => new Uint8Array(0), onReadable() {} },
    terminalSize: { get: () => undefined, onChange() {} },
    entropy: { fill: (into) => into.fill(0x55) },
    wallClock: { now: () => 0 },
    monotonic: () => {
      time += 1000;
      return time;
    },
    inflate: (_, bytes) => bytes,
  };
}
