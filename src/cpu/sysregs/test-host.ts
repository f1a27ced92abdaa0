import { CPU_MODELS } from "../../arch/cpu-models.ts";
import type { Feature } from "../../arch/features.ts";
import { encodeSysreg, sysregId } from "../../arch/sysreg-names.ts";
import type { Native } from "../../vmsa/native.ts";
import { PeState } from "../pe-state.ts";
import { Pmu } from "../pmu.ts";
import type { InterruptSysregs } from "../ports.ts";
import {
  ARG0,
  ARG1,
  ARG2,
  CPU_STRIDE,
  DAIF,
  EL,
  EXC_EC,
  EXC_ISS,
  EXC_TARGET,
  EXIT,
  EXIT_EXCEPTION,
  RESULT,
  SPSEL,
  X,
} from "../state-layout.ts";
import { Timers } from "../timers.ts";
import { Sysregs } from "./index.ts";

// A PE for tests of its registers, with doubles of all around it.

export interface BenchOptions {
  readonly model?: keyof typeof CPU_MODELS;
  readonly el2?: boolean;
  readonly el3?: boolean;
  /** More than the model has. */
  readonly features?: readonly Feature[];
  readonly interrupts?: InterruptSysregs;
}

/** A CPU interface without registers. */
export const noInterrupts: InterruptSysregs = {
  low: 0,
  high: 0,
  read: () => false,
  write: () => false,
  hypervisorControl: () => 0,
  sreEnabled: () => true,
};

/** A 64-bit value as a string of 16 hexadecimal digits, as test expectations write it. */
const hex = (low: number, high: number): string =>
  (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0");

export class Bench {
  readonly state: PeState;
  readonly other: PeState;
  readonly timers: Timers;
  readonly pmu: Pmu;
  readonly sysregs: Sysregs;
  /** Nanoseconds. */
  now = 0;
  /** What native.maintain answers. */
  maintained = 0;
  /** Calls of the rooms around, in words. */
  readonly log: string[] = [];
  readonly lines = new Map<number, boolean>();
  /** What registers in memory (FEAT_NV2) hold, by address. */
  readonly memory = new Map<string, readonly [number, number]>();

  constructor({ model = "cortex-a72", el2 = false, el3 = false, interrupts, features = [] }: BenchOptions = {}) {
    const buffer = new ArrayBuffer(2 * CPU_STRIDE);
    const state = new PeState(buffer, 0);
    const other = new PeState(buffer, CPU_STRIDE);
    const { log, lines } = this;
    const of = (cpu: number): PeState => (cpu === 0 ? state : other);
    const arg = (cpu: number, slot: number): string => hex(of(cpu).word(slot), of(cpu).high(slot));
    const native: Native = {
      contextChanged() {},
      enterPage: () => 0,
      translateFetch: () => 0,
      fillFetch() {},
      flushFetch() {},
      tlbInvalidateAll() {},
      tlbInvalidate(cpu, regime, what, by = cpu) {
        const operands = [[], [ARG1], [ARG0, ARG1], [ARG0], [ARG0, ARG1, ARG2], [], [], [ARG0, ARG2]][what] as number[];
        const where = cpu === 0 ? "here" : "other";
        log.push([`tlb ${where} regime ${regime} what ${what}`, ...operands.map((slot) => arg(by, slot))].join(" "));
      },
      addressTranslate: (cpu, regime, el, write, pan, stages) =>
        void log.push(`at ${arg(cpu, ARG0)} regime ${regime} el ${el} write ${write} pan ${pan} stages ${stages}`),
      maintain: (cpu, access) => {
        log.push(`maintain ${arg(cpu, ARG0)} access ${access}`);
        return this.maintained;
      },
      readCounter: (_cpu, kind) => state.set64(RESULT, 0x1000 + kind, 0x22),
      clearExclusive() {},
      fpUpdateFast() {},
      nestedAccess: (_cpu, write) => {
        if (write) this.memory.set(arg(0, ARG0), [state.word(ARG1), state.high(ARG1)]);
        else state.set64(RESULT, ...(this.memory.get(arg(0, ARG0)) ?? ([0, 0] as const)));
        return 0;
      },
    };
    const clock = { now: () => this.now };
    const ppis = { set: (_index: number, ppi: number, level: boolean) => void lines.set(ppi, level) };
    this.state = state;
    this.other = other;
    this.timers = new Timers(state, 0, clock, ppis, { el2, el3 });
    this.pmu = new Pmu(state, 0, clock, ppis, { el3 });
    this.sysregs = new Sysregs({
      state,
      index: 0,
      native,
      engine: {
        run() {},
        decodedPage: () => 0,
        invalidateCode: (start, bytes) => void log.push(`invalidate ${start.toString(16)} ${bytes}`),
        invalidateAllCode: () => log.push("invalidate all") > 0,
      },
      interrupts,
      model: { ...CPU_MODELS[model], features: new Set([...CPU_MODELS[model].features, ...features]) },
      options: { el2, el3, gicv3: interrupts !== undefined, cpus: 2, mpidr: 0x102 },
      timers: this.timers,
      pmu: this.pmu,
      entropy: { fill: (into) => void into.fill(0xa5) },
      allTlbs: () => [state, other],
      contextChanged: () => void log.push("context"),
      spaceChanged: () => void log.push("space"),
      debugChanged: () => void log.push("debug"),
    });
    this.sysregs.reset();
    this.at(1);
  }

  /** Goes to an exception level, SPSel being 1. */
  at(el: number): this {
    this.state.setWord(EL, el);
    this.state.setWord(SPSEL, 1);
    this.state.setWord(DAIF, 0);
    return this;
  }

  /** MRS of a register by name: its value in 16 digits, or what the exception is. */
  mrs(name: string): string {
    return this.mrsId(sysregId(name));
  }
  mrsId(id: number, rt = 3): string {
    this.state.setWord(EXIT, 0);
    const ok = this.sysregs.read(id, rt);
    return ok ? hex(this.state.word(X + 8 * rt), this.state.high(X + 8 * rt)) : this.#exception();
  }

  /** MSR; "" when it is done. */
  msr(name: string, low: number, high = 0): string {
    this.state.setWord(EXIT, 0);
    this.state.set64(X + 8 * 4, low, high);
    return this.sysregs.write(sysregId(name), 4) ? "" : this.#exception();
  }

  /** SYS #op1, C<n>, C<m>, #op2, X5; "" when it is done. */
  sys(op1: number, crn: number, crm: number, op2: number, low = 0, high = 0): string {
    this.state.setWord(EXIT, 0);
    this.state.set64(X + 8 * 5, low, high);
    this.sysregs.system(encodeSysreg(1, op1, crn, crm, op2), 5);
    return this.state.word(EXIT) === EXIT_EXCEPTION ? this.#exception() : "";
  }

  #exception(): string {
    if (this.state.word(EXIT) !== EXIT_EXCEPTION) return "no exception";
    const target = this.state.word(EXC_TARGET);
    const ec = this.state.word(EXC_EC);
    if (ec === 0) return "UNDEFINED";
    const iss = this.state.word(EXC_ISS).toString(16);
    return `EC ${ec.toString(16)} ISS ${iss}${target ? ` to EL${target}` : ""}`;
  }
}
