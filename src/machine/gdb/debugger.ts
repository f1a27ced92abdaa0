// A machine's debugger: stops its PEs, lets them go, and looks at them and at memory, without the guest's noticing.

import type { SliceEnd } from "../../cpu/pe.ts";
import type { PeObserver } from "../../cpu/pe-options.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import type { OutsideBreakpoints } from "../../cpu/ports.ts";
import {
  DEBUGGER_BREAKS,
  DEBUGGER_WATCH,
  DEBUGGER_WATCH_BYTES,
  DEBUGGER_WATCH_MAX,
  DEBUGGER_WATCHES,
  EL,
  EXC_DEBUGGER,
  EXC_EC,
  EXC_FAR,
  EXC_ISS,
  EXIT,
  EXIT_EXCEPTION,
  HALTED,
  PC,
  POWER,
  SPSEL,
} from "../../cpu/state-layout.ts";
import type { GuestAccess } from "../guest-access.ts";
import { type DebuggedSysregs, PeRegisters, type RegisterNative } from "./registers.ts";

/** A PE as its debugger drives it. */
export interface DebuggedPe {
  readonly state: PeState;
  readonly sysregs: DebuggedSysregs;
  setBreakpoints(breakpoints: OutsideBreakpoints | undefined): void;
  /** Who is told of exceptions, or nobody. */
  setObserver(observer: PeObserver | undefined): void;
  /** Runs up to about so many instructions. */
  run(instructions: number): SliceEnd;
  /** Executes one instruction, or takes an exception. */
  stepOver(interrupts: boolean): SliceEnd;
}

export interface DebuggerOptions {
  readonly pes: readonly DebuggedPe[];
  /** Of the system registers that a debugger is shown. */
  readonly sysregIds: readonly number[];
  readonly access: GuestAccess;
  readonly native: RegisterNative & { flushFetch(cpu: number): void };
  /** Reads device registers at a physical address, as a guest does; undefined: nothing is there. */
  readonly readDevice: (cpu: number, pa: number, bytes: 1 | 2 | 4) => number | undefined;
  /** False: nothing is there. */
  readonly writeDevice: (cpu: number, pa: number, bytes: 1 | 2 | 4, value: number) => boolean;
  /** Holds the machine's time, or lets it go on. */
  readonly holdClock: (hold: boolean) => void;
}

/** How a PE goes on; undefined: not at all. */
export type Action =
  | { readonly kind: "continue" }
  /** One instruction; with a range, until PC is outside of it. */
  | { readonly kind: "step"; readonly first?: bigint; readonly end?: bigint };

export type WatchKind = "write" | "read" | "access";

/** Why the machine stopped, and which PE made it. */
export interface Stop {
  readonly cpu: number;
  readonly reason: "interrupt" | "step" | "breakpoint" | "watchpoint";
  /** Of a watchpoint. */
  readonly watch?: { readonly kind: WatchKind; readonly address: bigint };
}

interface Watchpoint {
  readonly kind: WatchKind;
  readonly first: bigint;
  readonly last: bigint;
}
/** Bits of DEBUGGER_WATCH: reads 1, writes 2. */
const WATCH_BITS: Readonly<Record<WatchKind, number>> = { read: 1, write: 2, access: 3 };

const MOST_BREAKPOINTS = 4096;
/** Instructions of the PEs that go on beside one that steps. */
const BESIDE_STEP = 0x100;
/** Steps in a range, of one turn. */
const RANGE_STEPS = 0x100;

export class Debugger {
  readonly registers: readonly PeRegisters[];
  readonly access: GuestAccess;
  readonly sysregIds: readonly number[];
  /** Whether a PE takes interrupts when it steps, and time goes on. */
  stepInterrupts = false;
  stepTime = false;
  /** Called when the machine stops, by whatever. */
  onStop: (stop: Stop) => void = () => {};
  readonly #options: DebuggerOptions;
  readonly #pes: readonly DebuggedPe[];
  readonly #breakpoints = new Breakpoints();
  #watchpoints: Watchpoint[] = [];
  /** By PE; undefined while the machine is stopped. */
  #actions: readonly (Action | undefined)[] | undefined;
  #plain = true;

  constructor(options: DebuggerOptions) {
    this.#options = options;
    this.#pes = options.pes;
    this.access = options.access;
    this.sysregIds = options.sysregIds;
    this.registers = options.pes.map(
      ({ state, sysregs }) => new PeRegisters(state, sysregs, options.sysregIds, options.native),
    );
    this.#actions = this.#everything();
  }

  get cpus(): number {
    return this.#pes.length;
  }

  get stopped(): boolean {
    return this.#actions === undefined;
  }

  /** Whether the machine runs as it would without a debugger, but for breakpoints and watchpoints. */
  get plain(): boolean {
    return this.#plain;
  }

  /** For people. */
  describe(cpu: number): string {
    const { state } = this.#pes[cpu] as DebuggedPe;
    const power = ["", "off", "starting"][state.word(POWER)] ?? "";
    const mode = `EL${state.word(EL)}${state.word(SPSEL) ? "h" : "t"}`;
    return `CPU ${cpu} [${power || `${mode}, ${state.word(HALTED) ? "waiting" : "running"}`}]`;
  }

  /** Stops all PEs, if they run. */
  interrupt(): void {
    if (!this.stopped) this.#stop({ cpu: this.#firstRunning(), reason: "interrupt" });
  }

  /** Stops all PEs without telling. */
  hold(): void {
    this.#actions = undefined;
    this.#options.holdClock(true);
  }

  /** Lets PEs go on, by index. */
  resume(actions: readonly (Action | undefined)[] = this.#everything()): void {
    this.#actions = actions;
    this.#plain = actions.every((action) => action?.kind === "continue");
    const frozen =
      !this.stepTime &&
      actions.every((action, i) => !action || (action.kind === "step" && !action.end && this.#isOn(i)));
    this.#options.holdClock(frozen);
  }

  /** Removes all breakpoints and watchpoints. */
  clear(): void {
    this.#breakpoints.clear();
    this.#watchpoints = [];
    this.#breakpointsChanged();
    this.#watchpointsChanged();
  }

  /** `kind` keeps software's and hardware's apart, which are the same but for who removes them. False: there are too many. */
  addBreakpoint(kind: "software" | "hardware", address: bigint): boolean {
    if (!this.#breakpoints.add(kind, address)) return false;
    this.#breakpointsChanged();
    return true;
  }

  removeBreakpoint(kind: "software" | "hardware", address: bigint): void {
    this.#breakpoints.remove(kind, address);
    this.#breakpointsChanged();
  }

  /** Whether one of hardware's is at PC. */
  hasHardwareBreakpoint(state: PeState): boolean {
    return this.#breakpoints.has("hardware", slot(state, PC));
  }

  /** False: there are too many. */
  addWatchpoint(kind: WatchKind, first: bigint, length: bigint): boolean {
    this.removeWatchpoint(kind, first, length);
    if (this.#watchpoints.length === DEBUGGER_WATCH_MAX) return false;
    this.#watchpoints.push({ kind, first, last: BigInt.asUintN(64, first + length - 1n) });
    this.#watchpointsChanged();
    return true;
  }

  removeWatchpoint(kind: WatchKind, first: bigint, length: bigint): void {
    const last = BigInt.asUintN(64, first + length - 1n);
    this.#watchpoints = this.#watchpoints.filter((w) => !(w.kind === kind && w.first === first && w.last === last));
    this.#watchpointsChanged();
  }

  readDevice(cpu: number, pa: number, bytes: 1 | 2 | 4): number | undefined {
    return this.#options.readDevice(cpu, pa, bytes);
  }

  writeDevice(cpu: number, pa: number, bytes: 1 | 2 | 4, value: number): boolean {
    return this.#options.writeDevice(cpu, pa, bytes, value);
  }

  /** One turn of the PEs, up to about so many instructions each. Whether there is more to run now. */
  turn(instructions: number): boolean {
    const actions = this.#actions ?? [];
    const stepping = actions.some((action) => action?.kind === "step");
    let busy = false;
    for (const [cpu, pe] of this.#pes.entries()) {
      if (actions[cpu]?.kind !== "continue") continue;
      const end = pe.run(stepping ? Math.min(instructions, BESIDE_STEP) : instructions);
      if (end === "stopped") {
        this.#stopAt(cpu);
        return true;
      }
      if (end === "budget" || end === "yielding") busy = true;
    }
    for (const [cpu, action] of actions.entries()) {
      if (action?.kind !== "step") continue;
      const more = this.#step(cpu, action);
      if (this.stopped) return true;
      if (more) busy = true;
    }
    return busy;
  }

  /** Whether the PE has more to do now. */
  #step(cpu: number, { first = 0n, end = 0n }: Action & { kind: "step" }): boolean {
    const pe = this.#pes[cpu] as DebuggedPe;
    for (let i = 0; i < RANGE_STEPS; i++) {
      const how = pe.stepOver(this.stepInterrupts);
      if (how === "off") return false;
      if (how === "stopped") {
        this.#stopAt(cpu);
        return true;
      }
      const pc = slot(pe.state, PC);
      const inside = pc >= first && pc < end;
      if (inside && this.#breakpoints.at(pe.state.word(PC), pe.state.high(PC)))
        this.#stop({ cpu, reason: "breakpoint" });
      else if (!inside) this.#stop({ cpu, reason: "step" });
      if (this.stopped) return true;
      // It waits: the others, and time, come first.
      if (pe.state.word(HALTED)) return false;
    }
    return true;
  }

  #stopAt(cpu: number): void {
    const { state } = this.#pes[cpu] as DebuggedPe;
    if (state.word(EXIT) !== EXIT_EXCEPTION || state.word(EXC_EC) !== EXC_DEBUGGER) {
      this.#stop({ cpu, reason: "breakpoint" });
      return;
    }
    const { kind } = this.#watchpoints[state.word(EXC_ISS)] as Watchpoint;
    this.#stop({ cpu, reason: "watchpoint", watch: { kind, address: slot(state, EXC_FAR) } });
  }

  #stop(stop: Stop): void {
    this.hold();
    this.onStop(stop);
  }

  #everything(): Action[] {
    return this.#pes.map(() => ({ kind: "continue" }));
  }

  #isOn(cpu: number): boolean {
    return this.#pes[cpu]?.state.word(POWER) === 0;
  }

  #firstRunning(): number {
    return Math.max(
      0,
      this.#pes.findIndex((_, cpu) => this.#isOn(cpu)),
    );
  }

  #breakpointsChanged(): void {
    const some = this.#breakpoints.count > 0;
    for (const pe of this.#pes) {
      pe.state.setWord(DEBUGGER_BREAKS, some ? 1 : 0);
      pe.setBreakpoints(some ? this.#breakpoints : undefined);
      this.#options.native.flushFetch(pe.state.cpu);
    }
  }

  #watchpointsChanged(): void {
    for (const { state } of this.#pes) {
      for (const [n, { kind, first, last }] of this.#watchpoints.entries()) {
        const at = DEBUGGER_WATCH + n * DEBUGGER_WATCH_BYTES;
        setSlot(state, at, first);
        setSlot(state, at + 8, last);
        state.setWord(at + 16, WATCH_BITS[kind]);
      }
      state.setWord(DEBUGGER_WATCHES, this.#watchpoints.length);
      this.#options.native.contextChanged(state.cpu);
    }
  }
}

/** Addresses by their halves, so that code in a page with a breakpoint makes no garbage. */
class Breakpoints implements OutsideBreakpoints {
  readonly #all = new Set<string>();
  /** High halves by the low one. */
  readonly #addresses = new Map<number, number[]>();
  readonly #pages = new Map<number, number[]>();

  get count(): number {
    return this.#all.size;
  }

  add(kind: string, address: bigint): boolean {
    const key = keyOf(kind, address);
    if (this.#all.has(key)) return true;
    if (this.#all.size === MOST_BREAKPOINTS) return false;
    this.#all.add(key);
    this.#renew();
    return true;
  }

  remove(kind: string, address: bigint): void {
    if (this.#all.delete(keyOf(kind, address))) this.#renew();
  }

  has(kind: string, address: bigint): boolean {
    return this.#all.has(keyOf(kind, address));
  }

  clear(): void {
    this.#all.clear();
    this.#renew();
  }

  inPage(low: number, high: number): boolean {
    return this.#pages.get(low & ~0xfff)?.includes(high) === true;
  }

  at(low: number, high: number): boolean {
    return this.#addresses.get(low)?.includes(high) === true;
  }

  #renew(): void {
    this.#addresses.clear();
    this.#pages.clear();
    for (const key of this.#all) {
      const address = BigInt(key.slice(key.indexOf(" ") + 1));
      const low = Number(address & 0xffff_ffffn) | 0;
      const high = Number(address >> 32n) | 0;
      append(this.#addresses, low, high);
      append(this.#pages, low & ~0xfff, high);
    }
  }
}

function keyOf(kind: string, address: bigint): string {
  return `${kind} ${address}`;
}

function append(map: Map<number, number[]>, key: number, value: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function slot(state: PeState, offset: number): bigint {
  return (BigInt(state.high(offset) >>> 0) << 32n) | BigInt(state.word(offset) >>> 0);
}

function setSlot(state: PeState, offset: number, value: bigint): void {
  state.set64(offset, Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0);
}
