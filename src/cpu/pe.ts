import type { Native } from "../vmsa/native.ts";
import { hypervisorCall, secureMonitorCall, supervisorCall } from "./calls.ts";
import { MDSCR_MDE, MDSCR_SS, stepActive } from "./debug.ts";
import { elrSlot, exceptionReturn, takeInterrupt, takeSynchronous } from "./exceptions.ts";
import { EXCEPTION, Fetch, RUN, STEP } from "./fetch.ts";
import { waitHint } from "./hints.ts";
import { deliverableInterrupt, pendingInterrupts } from "./interrupts.ts";
import { instructionTrap, isNested } from "./levels.ts";
import { msrImmediate } from "./msr-immediate.ts";
import type {
  NativeAuthentication,
  NativeExceptions,
  PeObserver,
  PeOptions,
  PerformanceMonitors,
  SteppingEngine,
  SystemRegisters,
} from "./pe-options.ts";
import type { PeState } from "./pe-state.ts";
import {
  type Firmware,
  type LevelOwner,
  type OutsideBreakpoints,
  OWNER_SWITCH,
  OWNER_WAIT,
  type SemihostingPort,
} from "./ports.ts";
import { resumeAfter } from "./pstate.ts";
import { clearState, resetState } from "./reset.ts";
import {
  ARG0,
  ARG1,
  ARG2,
  ATTENTION,
  BUDGET,
  EL,
  EXC_DEBUGGER,
  EXC_EC,
  EXC_ISS,
  EXC_STAGE2,
  EXIT,
  EXIT_EXCEPTION,
  EXIT_FETCH,
  EXIT_HOST,
  EXIT_RESUME,
  EXIT_WAIT,
  HALTED,
  HOST_PSTATE,
  HOST_RETURN,
  HOST_SVC,
  INSTRUCTIONS,
  NATIVE_TAKES,
  PC,
  POWER,
  PSTATE_SS,
} from "./state-layout.ts";
import {
  EC_ERET,
  EC_SOFTWARE_STEP,
  EC_UNKNOWN,
  FSC_DEBUG,
  isLoadExclusive,
  mayHaveSyndrome,
  raise,
  STEP_EX,
  STEP_ISV,
} from "./syndrome.ts";
import { updateGuard } from "./sysreg-guard.ts";
import { MDSCR_EL1 } from "./sysreg-layout.ts";
import { TRAP_ERET } from "./sysregs/fine-grained.ts";

/**
 * Why a slice ended. budget: it is used up, or ATTENTION was set. waiting: in WFI, nothing pending. yielding: in WFE or YIELD, the
 * other PEs should run. off: not powered on. stopped: at a breakpoint of a debugger's, or before an access that a watchpoint of its
 * watches (EXIT is EXIT_EXCEPTION, EXC_EC is EXC_DEBUGGER).
 */
export type SliceEnd = "budget" | "waiting" | "yielding" | "off" | "stopped";

/** What an entry to the owner of EL2 counts in a slice, by its time: a guest that does nothing but trap must not have longer slices than others. */
const OWNER_INSTRUCTIONS = 512;

/** What TLB maintenance counts in a slice beside itself, by its time, for the same reason. */
const TLBI_INSTRUCTIONS = 1024;
/** A slice is looked at when so much of it has been charged. */
const CHARGED_MOST = 8 * TLBI_INSTRUCTIONS;
/** Of a system instruction's identifier. */
const CRN_SHIFT = 7;
const CRN_TLBI = 8;

/** HLT's immediate for semihosting (Semihosting for AArch32 and AArch64, 3). */
const SEMIHOSTING = 0xf000;

/** One processing element: what runs between the instructions that generated code executes. */
export class Pe {
  readonly state: PeState;
  readonly index: number;
  readonly #native: Native & NativeAuthentication & NativeExceptions;
  readonly #engine: SteppingEngine;
  readonly #sysregs: SystemRegisters;
  readonly #everyone: readonly PeState[];
  readonly #pmu: PerformanceMonitors | undefined;
  readonly #firmware: Firmware | undefined;
  readonly #owner: LevelOwner | undefined;
  /** Who is told of exceptions. With one, all of them come to the PE, which costs some speed. */
  observer: PeObserver | undefined;
  readonly #fetch: Fetch;
  readonly #contextChanged: (cpu: number) => void;
  /** After a change of EL, PSTATE.PAN and PSTATE.UAO alone. */
  readonly #levelChanged: (cpu: number) => void;
  readonly #semihosting: SemihostingPort | undefined;
  /** A debugger's, where it has any. To be set while the PE does not run, after DEBUGGER_BREAKS, and followed by flushFetch. */
  breakpoints: OutsideBreakpoints | undefined;
  /** A register write of the current instruction changed the context. */
  #changed = false;
  /** Instructions that may still run in this slice, as far as INSTRUCTIONS knows. */
  #left = 0;
  /** Those of them that running code has not been given, so that it stops when an event counter overflows. */
  #withheld = 0;
  /** What instructions of this slice have cost beside what they count. */
  #charged = 0;
  /** The instruction that runs is single-stepped: BUDGET says nothing. */
  #single = false;

  constructor(options: PeOptions) {
    this.state = options.state;
    this.index = options.index;
    this.#native = options.native;
    this.#engine = options.engine;
    this.#everyone = options.everyone;
    this.#pmu = options.pmu;
    this.#firmware = options.firmware;
    this.#owner = options.owner;
    this.observer = options.observer;
    this.#semihosting = options.semihosting;
    this.#fetch = new Fetch(options);
    this.#contextChanged = (cpu) => {
      updateGuard(this.state);
      this.#native.contextChanged(cpu);
    };
    this.#levelChanged = (cpu) => {
      if (this.#native.restoreContext?.(cpu)) return;
      updateGuard(this.state);
      if (this.#native.keepContext) this.#native.keepContext(cpu);
      else this.#native.contextChanged(cpu);
    };
    this.#sysregs = options.sysregs({
      contextChanged: () => {
        this.#changed = true;
        this.#contextChanged(this.state.cpu);
      },
      spaceChanged: () => {
        this.#changed = true;
        if (this.#native.spaceChanged) this.#native.spaceChanged(this.state.cpu);
        else this.#contextChanged(this.state.cpu);
      },
      debugChanged: () => {
        this.#changed = true;
        // Pages with breakpoints must not be entered by way of the instruction TLB, nor those with watchpoints by the data TLB.
        this.#native.flushFetch(this.state.cpu);
        this.#contextChanged(this.state.cpu);
      },
    });
  }

  /**
   * Cold reset, powered on at `pc`. `level`: the exception level to start at, the highest by default; below it, the levels above are
   * set up as boot firmware leaves them (Non-secure, AArch64). X0 as signed halves.
   */
  reset(pc: number, level?: 1 | 2 | 3, x0Low = 0, x0High = 0): void {
    clearState(this.state);
    this.#sysregs.reset();
    resetState(this.state, pc, level, x0Low, x0High);
    this.#refresh();
  }

  /** PSCI CPU_OFF: it runs no more until `reset`. */
  powerOff(): void {
    this.state.setWord(POWER, 1);
    this.state.setWord(HALTED, 0);
  }

  /** PSCI CPU_SUSPEND: waits as in WFI. */
  suspend(): void {
    this.state.setWord(HALTED, 1);
  }

  /** After the PE's block was filled from a snapshot: drops what is derived from it. */
  restored(): void {
    this.#refresh();
  }

  #refresh(): void {
    const { cpu } = this.state;
    this.#native.tlbInvalidateAll(cpu);
    this.#native.flushFetch(cpu);
    this.#native.fpUpdateFast(cpu);
    this.#contextChanged(cpu);
  }

  /** Runs up to about `budget` instructions. */
  runSlice(budget: number): SliceEnd {
    const s = this.state;
    this.#left = budget;
    for (;;) {
      if (s.word(POWER) !== 0) return "off";
      if (s.word(HALTED)) {
        if (pendingInterrupts(s) === 0) return "waiting";
        s.setWord(HALTED, 0);
      }
      if (this.#left <= 0) return "budget";
      s.setWord(ATTENTION, 0);
      this.#takeInterrupt();
      if (this.#owner !== undefined && s.word(EL) === 2) {
        this.#enterOwner(this.#owner);
        continue;
      }
      if (this.breakpoints?.at(s.word(PC), s.high(PC))) {
        s.setWord(EXIT, EXIT_RESUME);
        return "stopped";
      }
      const how = this.#fetch.prepare(false, this.breakpoints, this.observer?.putOff === true);
      if (how === RUN) this.#run();
      else if (how !== EXCEPTION) this.#step(how === STEP);
      switch (s.word(EXIT)) {
        case EXIT_EXCEPTION:
          if (s.word(EXC_EC) === EXC_DEBUGGER) return "stopped";
          if (!this.observer?.putOff) this.#takeException();
          break;
        case EXIT_WAIT:
          if (!s.word(HALTED)) return "yielding";
          break;
        case EXIT_FETCH:
          this.#fetch.leftPage();
      }
    }
  }

  /**
   * For a debugger: executes the one instruction at PC, whether it has a breakpoint or not, or takes the exception in its place. A PE that
   * waits goes on: WFI and WFE may end at any time (Arm ARM D1.7). `interrupts`: one that is pending is taken instead.
   */
  stepOver(interrupts: boolean): SliceEnd {
    const s = this.state;
    if (s.word(POWER) !== 0) return "off";
    s.setWord(HALTED, 0);
    s.setWord(ATTENTION, 0);
    if (interrupts && this.#takeInterrupt()) return "budget";
    this.#left = 1;
    const how = this.#fetch.prepare(true, this.breakpoints, this.observer?.putOff === true);
    if (how !== EXCEPTION) this.#step(how === STEP);
    if (s.word(EXIT) === EXIT_FETCH) this.#fetch.leftPage();
    if (s.word(EXIT) !== EXIT_EXCEPTION) return "budget";
    if (s.word(EXC_EC) === EXC_DEBUGGER) return "stopped";
    this.#takeException();
    return "budget";
  }

  /** EL2 is native: its owner does what code at its vectors would, and the PE goes on as it says. */
  #enterOwner(owner: LevelOwner): void {
    const s = this.state;
    this.#left -= OWNER_INSTRUCTIONS;
    const how = owner.enter(this.index);
    if (how === OWNER_WAIT) {
      s.setWord(HALTED, 1);
      return;
    }
    s.copy64(PC, elrSlot(2));
    exceptionReturn(s, how === OWNER_SWITCH ? this.#contextChanged : this.#levelChanged);
    this.observer?.returned(2);
    this.#native.clearExclusive(s.cpu);
  }

  /** After an exception was taken. What EL2's code would see is of no use where there is none. */
  #afterEntry(): void {
    if (this.#owner === undefined || this.state.word(EL) !== 2) this.#levelChanged(this.state.cpu);
  }

  #takeInterrupt(): boolean {
    const s = this.state;
    const line = deliverableInterrupt(s);
    if (line === 0) return false;
    this.#beforeLevelChange();
    const from = s.word(EL);
    takeInterrupt(s, line);
    this.#afterEntry();
    this.observer?.taken(from, line);
    return true;
  }

  #takeException(): void {
    const s = this.state;
    if (s.word(EXC_STAGE2) && mayHaveSyndrome(s.word(EXC_EC), s.word(EXC_ISS))) this.#fetch.addSyndrome();
    this.#beforeLevelChange();
    const from = s.word(EL);
    takeSynchronous(s);
    this.#afterEntry();
    this.observer?.taken(from, 0);
    // Whatever a guest's vectors do, a slice ends.
    this.#left--;
  }

  #run(): void {
    const pmu = this.#pmu;
    const counting = pmu?.active === true;
    const budget = counting ? Math.max(1, Math.min(this.#left, pmu.instructionsToOverflow())) : this.#left;
    this.#withheld = this.#left - budget;
    const observer = this.observer;
    this.state.setWord(NATIVE_TAKES, counting || observer || !this.#native.restoreContext ? 0 : 1);
    if (observer) observer.together = true;
    this.#engine.run(this.state.cpu, budget);
    if (this.state.word(EXIT) === EXIT_HOST) this.#leftToHost();
    if (observer) observer.together = false;
    this.#account();
    this.#left -= this.#charged;
    this.#charged = 0;
    if (counting) pmu.sync();
  }

  /** Brings INSTRUCTIONS up to date with BUDGET. */
  #account(): void {
    if (this.#single) return;
    const left = this.state.word(BUDGET) + this.#withheld;
    this.#retire(this.#left - left);
    this.#left = left;
  }

  #retire(instructions: number): void {
    const s = this.state;
    const low = s.word(INSTRUCTIONS);
    const sum = (low + instructions) | 0;
    s.set64(INSTRUCTIONS, sum, s.high(INSTRUCTIONS) + (sum >>> 0 < low >>> 0 ? 1 : 0));
  }

  /** Runs one instruction, as software step if `stepping` (Arm ARM D2.12.4): its exception follows at once. */
  #step(stepping: boolean): void {
    const s = this.state;
    const exclusive = stepping && isLoadExclusive(this.#fetch.instruction());
    const observer = this.observer;
    if (observer) {
      observer.alone = true;
      observer.putOff = false;
    }
    this.#single = true;
    s.setWord(NATIVE_TAKES, 0);
    this.#engine.step(s.cpu);
    if (s.word(EXIT) === EXIT_HOST) this.#leftToHost();
    this.#single = false;
    if (observer) observer.alone = false;
    this.#left--;
    if (s.word(EXIT) === EXIT_EXCEPTION) return;
    this.#retire(1);
    if (!stepping) return;
    s.setWord(PSTATE_SS, 0);
    if (!stepActive(s)) return;
    s.setWord(HALTED, 0);
    raise(s, EC_SOFTWARE_STEP, FSC_DEBUG | STEP_ISV | (exclusive ? STEP_EX : 0));
  }

  #beforeLevelChange(): void {
    if (this.#pmu?.active) this.#pmu.sync();
  }

  /** Does the instruction at PC that native code has left to the host. */
  #leftToHost(): void {
    const s = this.state;
    const first = s.word(ARG1);
    switch (s.word(ARG0)) {
      case HOST_RETURN:
        this.exceptionReturn(first);
        break;
      case HOST_PSTATE:
        if (this.pstateWrite(first, s.word(ARG2)) === 0) resumeAfter(s);
        break;
      case HOST_SVC:
        this.svc(first);
    }
  }

  // Host functions (ir/helpers.ts, HOST): 0 = done, on to the next instruction; 1 = leave, EXIT and PC are set.

  sysregRead(id: number, rt: number): 0 | 1 {
    if (this.#pmu?.active) this.#account();
    const attention = this.#before();
    return this.#after(this.#sysregs.read(id, rt), attention);
  }
  sysregWrite(id: number, rt: number): 0 | 1 {
    if (this.#pmu?.active) this.#account();
    const attention = this.#before();
    const goOn = this.#after(this.#sysregs.write(id, rt), attention);
    if (this.#pmu?.active) this.state.setWord(NATIVE_TAKES, 0);
    return goOn;
  }
  systemInstruction(id: number, rt: number): 0 | 1 {
    const attention = this.#before();
    const goOn = this.#after(this.#sysregs.system(id, rt), attention);
    if (this.#single || ((id >>> CRN_SHIFT) & 15) !== CRN_TLBI) return goOn;
    this.#charged += TLBI_INSTRUCTIONS;
    if (this.#charged < CHARGED_MOST) return goOn;
    // Native code does not go on by itself.
    this.state.setWord(ATTENTION, 1);
    return goOn === 0 ? resumeAfter(this.state) : goOn;
  }
  #before(): number {
    this.#changed = false;
    return this.state.word(ATTENTION);
  }
  #after(goOn: boolean, attention: number): 0 | 1 {
    const s = this.state;
    // Writes of DAIF are frequent: what the register asked attention for is looked at here, and does not end the slice.
    s.setWord(ATTENTION, attention);
    const debug = s.word(MDSCR_EL1) & (MDSCR_SS | MDSCR_MDE);
    if (goOn && !this.#changed && !debug && deliverableInterrupt(s) === 0) return 0;
    if (s.word(EXIT) === EXIT_EXCEPTION) return 1;
    return resumeAfter(s);
  }

  pstateWrite(field: number, value: number): 0 | 1 {
    return msrImmediate(this.state, field, value, this.#levelChanged);
  }

  /** `kind`: 0 ERET, 1 ERETAA, 2 ERETAB. */
  exceptionReturn(kind: number): 1 {
    const s = this.state;
    const el = s.word(EL);
    if (el === 0) return raise(s, EC_UNKNOWN, 0);
    // ISS: ERET, ERETA; ERETAA or ERETAB.
    if (isNested(s) || (el === 1 && instructionTrap(s, TRAP_ERET)))
      return raise(s, EC_ERET, kind === 0 ? 0 : kind + 1, 2);
    if (kind === 0) s.copy64(PC, elrSlot(el));
    else if (!this.#native.authenticateReturn) return raise(s, EC_UNKNOWN, 0);
    else if (!this.#native.authenticateReturn(s.cpu, elrSlot(el), kind - 1)) return 1;
    if (this.#pmu?.active) this.#account();
    this.#beforeLevelChange();
    exceptionReturn(s, this.#levelChanged);
    this.observer?.returned(el);
    this.#native.clearExclusive(s.cpu);
    s.setWord(EXIT, EXIT_RESUME);
    return 1;
  }

  waitHint(hint: number): 0 | 1 {
    return waitHint(this.state, this.#everyone, hint);
  }
  svc(immediate: number): 1 {
    return supervisorCall(this.state, immediate);
  }
  hvc(immediate: number): 1 {
    return hypervisorCall(this.state, immediate, this.#firmware);
  }
  smc(immediate: number): 1 {
    return secureMonitorCall(this.state, immediate, this.#firmware);
  }
  /** Halting debug is never allowed. */
  hlt(immediate: number): 1 {
    const s = this.state;
    if (immediate !== SEMIHOSTING || this.#semihosting === undefined) return raise(s, EC_UNKNOWN, 0);
    if (this.#semihosting.call(this.index)) return resumeAfter(s);
    // An interrupt that is pending but masked must not end the wait at once, again and again.
    s.setWord(HALTED, pendingInterrupts(s) === 0 ? 1 : 0);
    s.setWord(EXIT, EXIT_WAIT);
    return 1;
  }
  debugState(): 1 {
    return raise(this.state, EC_UNKNOWN, 0);
  }
  /** Registers take effect when they are written, so that only an interrupt is left to look for. */
  isb(): 0 | 1 {
    return deliverableInterrupt(this.state) === 0 ? 0 : resumeAfter(this.state);
  }
}
