import { physical } from "../base/addresses.ts";
import type { Display } from "../bus/display.ts";
import type { InputPort } from "../bus/input.ts";
import { MAX_CPUS } from "../contract/limits.ts";
import type { PeState } from "../cpu/pe-state.ts";
import { CONTROLLER_LINES } from "../cpu/ports.ts";
import { ATTENTION, LINES } from "../cpu/state-layout.ts";
import { Engine } from "../engine/engine.ts";
import { PHYS_REGION_SECURE } from "../memory/linear-layout.ts";
import { affinityOf, Board, mostDisks } from "./board.ts";
import { LoadError } from "./boot/load-error.ts";
import { bootPlanOf } from "./boot/of-parts.ts";
import type { BootPlan } from "./boot/plan.ts";
import { MachineClock } from "./clock.ts";
import { SystemFirmware } from "./firmware/firmware.ts";
import type { PowerPort } from "./firmware/psci.ts";
import { type DebuggedPe, Debugger } from "./gdb/debugger.ts";
import { GuestAccess } from "./guest-access.ts";
import { Inspector } from "./inspection/inspector.ts";
import { levelsOf } from "./levels.ts";
import { allocate, planMemory } from "./linear-plan.ts";
import { MAP, POWER_KEY_PIN } from "./memory-map.ts";
import { NativeModule } from "./native-module.ts";
import { Processors, peStates } from "./processors.ts";
import { GuestView } from "./profiling/guest-view.ts";
import { readKallsyms } from "./profiling/kallsyms.ts";
import { stackRecorder } from "./profiling/recorder.ts";
import { Recording } from "./profiling/recording.ts";
import { Sampler } from "./profiling/sampler.ts";
import type { GuestSymbol } from "./profiling/symbols.ts";
import { RamBalloon } from "./ram-balloon.ts";
import { memoryMapOf, registersOf } from "./report.ts";
import type { MachineParts, MemoryBalloon, RunnableMachine, RunState, Statistic } from "./runnable.ts";
import { Semihosting } from "./semihosting/semihosting.ts";
import type { MachineAnatomy } from "./snapshot/anatomy.ts";
import { statisticsOf } from "./statistics.ts";
import { MachineTrace } from "./trace/machine-trace.ts";
import { Turns } from "./turns.ts";

const NANOSECONDS = 1e6;
/** Longer than guests take for bouncing. */
const POWER_KEY_NANOSECONDS = 100e6;
/** What a kernel takes in memory at most, from its exception vectors to either side. */
const KERNEL_BYTES = 64 * 2 ** 20;
/** Bytes of an unpacked file from which on it is worth its while to give them back at once. */
const LARGE = 2 ** 20;
const RUNNING: RunState = { kind: "running" };
const WATCHDOG: RunState = { kind: "watchdog" };
/** A debugger holds the machine. */
const STOPPED: RunState = { kind: "idle", nanoseconds: Number.POSITIVE_INFINITY };

/** `ram`: where the RAM begins in the machine's memory. */
export type MemoryAllocated = (memory: ArrayBufferLike, ram: number) => void;

/** A board with its processing elements, firmware, and something to boot. */
export class Machine implements RunnableMachine {
  readonly #clock: MachineClock;
  readonly #states: readonly PeState[];
  readonly #board: Board;
  readonly #processors: Processors;
  readonly #turns = new Turns();
  readonly #parts: MachineParts;
  /** What stops and steps the machine and looks into it, where parts.debug asks for it. */
  readonly debugger: Debugger | undefined;
  /** Looks into the machine while nothing of it runs, without the guest's noticing. */
  readonly inspector: Inspector;
  readonly #semihosting: Semihosting | undefined;
  #heap: { readonly base: number; readonly limit: number } | undefined;
  #deviceTree: Uint8Array | undefined;
  /** For snapshots. */
  readonly anatomy: MachineAnatomy;
  readonly #native: NativeModule;
  readonly #sampler: Sampler | undefined;
  readonly #trace: MachineTrace | undefined;
  /** The stacks that were sampled, where parts.measure asks for them. */
  readonly recording: Recording | undefined;
  readonly balloon: MemoryBalloon | undefined;
  readonly display: Display | undefined;
  readonly input: InputPort | undefined;
  #ended: RunState | undefined;
  /** `run` has not told of it yet. */
  #watchdogExpired = false;
  /** Nanoseconds inside of `run`. */
  #running = 0;

  /** @throws BadInput when the parts do not fit together. */
  static create(parts: MachineParts): Promise<Machine> {
    return Promise.resolve().then(() => {
      checkParts(parts);
      return new Machine(parts, bootPlanOf(parts));
    });
  }

  /**
   * One with nothing in its memory, for a snapshot to be restored to. @throws as `create`.
   * @param allocated is told of its memory, and where its RAM is in that, before anything else is made.
   */
  static blank(parts: MachineParts, allocated?: MemoryAllocated): Promise<Machine> {
    return Promise.resolve().then(() => {
      checkParts(parts);
      return new Machine(parts, undefined, allocated);
    });
  }

  private constructor(parts: MachineParts, boot: BootPlan | undefined, allocated?: MemoryAllocated) {
    const plan = planMemory(parts.memory, parts.cpus, Engine.areaBytes(), parts.secure);
    const memory = allocate(plan, parts.sharedMemory);
    parts.largePages?.(memory);
    allocated?.(memory.buffer, plan.ram);
    const clock = new MachineClock(parts.monotonic);
    const states = peStates(memory, parts.cpus);
    const trace =
      parts.trace &&
      new MachineTrace(parts.trace, {
        states,
        now: () => clock.now(),
        kernelSymbols: (vectors, level) => this.#kernelSymbols(vectors, level),
      });
    const toLines = (cpu: number, lines: number): void => setLines(states[cpu] as PeState, lines);
    const board: Board = new Board({
      ...{ parts, memory, plan, clock },
      firmware: boot?.flash ?? new Uint8Array(0),
      codeChanged: (start, bytes) => this.#processors.codeChanged(start, bytes),
      setLines: trace?.inputs(toLines) ?? toLines,
      currentCpu: () => native.currentCpu,
      secureAccess: () => native.currentSecure,
      trace,
      securePower: (action) => this.#end({ kind: action }),
      watchdogExpired: () => {
        this.#watchdogExpired = true;
      },
    });
    const bytes = parts.artifacts.native;
    const native = new NativeModule({ bytes, memory, states, bus: board.bus, now: () => clock.now() });
    const levels = levelsOf(parts);
    const model = { el2: levels.el2, el3: levels.el3, gicv3: parts.gicVersion === 3 };
    trace?.watch(board.bus, () => native.currentCpu);
    const ownFirmware = this.#firmware(parts);
    const firmware = trace?.firmware(ownFirmware) ?? ownFirmware;
    this.#parts = parts;
    this.#trace = trace;
    this.recording = parts.measure === "stacks" ? new Recording(parts.cpus) : undefined;
    const onSample = this.recording && stackRecorder(this.recording, states, board.memory, native.exports);
    const sampler =
      parts.measure &&
      new Sampler({
        states,
        now: parts.monotonic,
        translation: () => this.#processors.stats.translationMilliseconds * 1e6,
        onSample,
      });
    this.#native = native;
    this.#sampler = sampler;
    this.#clock = clock;
    this.#states = states;
    this.#board = board;
    this.display = board.display;
    this.input = board.input;
    this.balloon = board.balloon && new RamBalloon(board.balloon, parts.memory);
    const access = new GuestAccess({
      memory: board.memory,
      native: native.exports,
      codeChanged: (start, bytes) => this.#processors.codeChanged(start, bytes),
    });
    this.#semihosting = this.#makeSemihosting(access);
    this.#processors = new Processors({
      parts,
      memory,
      states,
      plan,
      clock,
      board,
      model,
      levels,
      native,
      firmware,
      sampler,
      semihosting: this.#semihosting,
      trace,
    });
    const pes = this.#processors.debugged();
    this.debugger = parts.debug && this.#makeDebugger(access, pes);
    this.inspector = new Inspector({
      ...{ pes, native: native.exports, buffer: memory.buffer, gicVersion: parts.gicVersion },
      now: () => clock.now(),
      readDevice: (cpu, pa) => this.#readDevice(cpu, pa, 4) ?? 0,
      kernelSymbols: (vectors, level) => this.#kernelSymbols(vectors, level),
      traced: trace !== undefined,
    });
    if (parts.debug === "wait") this.debugger?.hold();
    const { buffer } = memory;
    const processors = this.#processors;
    this.anatomy = {
      ...{ parts, board, clock, processors, states, buffer, native: native.exports },
      ...{ powerKey: undefined, held: false },
    };
    this.#deviceTree = boot && this.#powerOn(boot);
    if (boot === undefined) this.#toReset();
  }

  /** As a PE reads it; undefined: nothing is there. */
  #readDevice(cpu: number, pa: number, bytes: 1 | 2 | 4): number | undefined {
    const data = new Uint32Array(1);
    this.#native.currentCpu = cpu;
    return this.#board.bus.read(pa, bytes, data) ? data[0] : undefined;
  }

  #makeDebugger(access: GuestAccess, pes: readonly DebuggedPe[]): Debugger {
    const { bus } = this.#board;
    const data = new Uint32Array(1);
    return new Debugger({
      pes,
      sysregIds: this.#processors.sysregIds(),
      access,
      native: this.#native.exports,
      readDevice: (cpu, pa, bytes) => this.#readDevice(cpu, pa, bytes),
      writeDevice: (cpu, pa, bytes, value) => {
        this.#native.currentCpu = cpu;
        data[0] = value;
        return bus.write(pa, bytes, data);
      },
      holdClock: (held) => this.#clock.hold(held),
    });
  }

  #makeSemihosting(access: GuestAccess): Semihosting | undefined {
    const { semihosting: host, wallClock } = this.#parts;
    if (host === undefined) return undefined;
    return new Semihosting({
      ...{ host, access, wallClock, states: this.#states },
      console: this.#board.consoles.connect(),
      now: () => this.#clock.now(),
      heap: () => this.#heap,
      exit: (status) => this.#end({ kind: "exit", status }),
    });
  }

  #firmware(parts: MachineParts): SystemFirmware {
    const power: PowerPort = {
      cpus: parts.cpus,
      mpidr: (index) => ({ low: affinityOf(index, parts.gicVersion), aff3: 0 }),
      powerState: (index) => this.#processors.powerState(index),
      powerOn: (index, entryLow, entryHigh, x0Low, x0High) =>
        this.#processors.start(index, entryHigh * 2 ** 32 + entryLow, x0Low, x0High),
      powerOff: (index) => this.#processors.powerOff(index),
      suspend: (index) => this.#processors.suspend(index),
      systemOff: () => this.#end({ kind: "off" }),
      systemReset: () => this.#end({ kind: "reset" }),
    };
    return new SystemFirmware({
      conduit: levelsOf(parts).conduit,
      ownsEL3: parts.secure === true,
      power,
      entropy: parts.entropy,
      isEntry: (low, high) => this.#board.memory.linearOf(physical(high * 2 ** 32 + low)) !== undefined,
      pe: (cpu) => {
        const index = this.#states.findIndex((state) => state.cpu === cpu);
        return { state: this.#states[index] as PeState, index };
      },
    });
  }

  /** The guest has ended: no PE runs any more. */
  #end(how: RunState): void {
    this.#ended = how;
    for (const index of this.#states.keys()) this.#processors.powerOff(index);
  }

  /** Lets go of what the host gave it besides its parts. It is not run any more. */
  close(): void {
    this.#processors.close();
  }

  run(milliseconds: number): RunState {
    const started = this.#clock.now();
    const state = this.#runUntil(started + milliseconds * NANOSECONDS);
    this.#trace?.betweenSlices();
    this.#running += this.#clock.now() - started;
    return state;
  }

  #runUntil(deadline: number): RunState {
    const turns = this.#turns;
    let now = this.#clock.now();
    while (this.#ended === undefined) {
      if (this.anatomy.held) return STOPPED;
      if (this.debugger?.stopped) return STOPPED;
      this.#clock.runDue();
      if (this.#watchdogExpired) {
        this.#watchdogExpired = false;
        return WATCHDOG;
      }
      this.#processors.updateTimers();
      const { instructions } = turns;
      const busy = this.debugger?.turn(instructions) ?? this.#processors.turn(instructions);
      if (this.#ended !== undefined) break;
      if (!busy) {
        const sleep = this.#sleepTime();
        if (sleep > 0) return { kind: "idle", nanoseconds: sleep };
      }
      const before = now;
      now = this.#clock.now();
      turns.took(now - before);
      if (now >= deadline) return RUNNING;
    }
    return this.#ended;
  }

  /** Nanoseconds until something happens that all PEs wait for; not above 0: it has happened. */
  #sleepTime(): number {
    const next = Math.min(this.#clock.next(), this.#processors.nextEvent());
    this.#processors.updateTimers();
    return this.#processors.woken ? 0 : next - this.#clock.now();
  }

  async readyToBoot(): Promise<void> {
    await this.#parts.readToBoot?.();
  }

  /** The device tree has new random seeds after each reset, as it has after power-on. */
  reset(): void {
    this.#deviceTree = this.#powerOn(bootPlanOf(this.#parts));
  }

  /** Everything but RAM to the state after power-on, and what is to be booted to RAM. Returns the device tree. */
  #powerOn({ writes, entry, x, deviceTree }: BootPlan): Uint8Array {
    this.#ended = undefined;
    this.#heap = largestGap(writes, this.#parts.memory);
    this.#toReset();
    const { memory } = this.#board;
    for (const { address, bytes, zeroes } of writes) {
      memory.write(physical(address), bytes);
      if (zeroes > 0) memory.fill(physical(address + bytes.length), zeroes, 0);
    }
    this.#releaseUnpacked(writes);
    this.#processors.reset(entry, x);
    return deviceTree;
  }

  /** What was unpacked for RAM is there now. It may be tens of megabytes, and with little else to do the collector leaves it where it is. */
  #releaseUnpacked(writes: BootPlan["writes"]): void {
    const { kernel, initrd, dtb, bios, loads } = this.#parts;
    const given = [kernel, initrd, dtb, bios, ...loads.map(({ file }) => file)].map((file) => file?.bytes.buffer);
    for (const { bytes } of writes) {
      const { buffer } = bytes;
      if (bytes.length >= LARGE && buffer instanceof ArrayBuffer && !given.includes(buffer)) buffer.transfer(0);
    }
  }

  #toReset(): void {
    this.#semihosting?.reset();
    this.#board.bus.reset();
    this.#processors.reset(0, []);
  }

  /** Presses and releases the power key: guests then shut down in order. */
  pressPowerKey(): void {
    this.#board.gpio.setInput(POWER_KEY_PIN, true);
    this.anatomy.powerKey = this.#clock.now() + POWER_KEY_NANOSECONDS;
    this.#releasePowerKey();
  }

  #releasePowerKey(): void {
    const { powerKey } = this.anatomy;
    if (powerKey === undefined) return;
    this.#clock.at(powerKey, () => {
      this.anatomy.powerKey = undefined;
      this.#board.gpio.setInput(POWER_KEY_PIN, false);
    });
  }

  /** A snapshot has been restored to `anatomy`: what this machine itself had under way goes on. */
  restored(): void {
    this.#releasePowerKey();
  }

  /** Stops the guest's time while nothing runs, or lets it go on. */
  holdClock(held: boolean): void {
    this.#clock.hold(held);
  }

  deviceTree(): Uint8Array {
    this.#deviceTree ??= bootPlanOf(this.#parts).deviceTree;
    return this.#deviceTree;
  }

  registers(): string {
    return this.#states.map(registersOf).join("\n\n");
  }

  memoryMap(): string {
    const { bus, memory } = this.#board;
    const regions = memory.regions();
    const note = (secure: boolean): { note?: string } => (secure ? { note: "Secure" } : {});
    return memoryMapOf([
      ...regions.map(({ name, pa, bytes, flags }) => ({
        ...{ name, base: pa, size: bytes },
        ...note((flags & PHYS_REGION_SECURE) !== 0),
      })),
      ...bus
        .windows()
        .filter(({ base }) => !regions.some(({ pa }) => pa === base))
        .map(({ name, base, device, access }) => ({ name, base, size: device.size, ...note(access === "secure") })),
    ]);
  }

  statistics(): readonly Statistic[] {
    return statisticsOf({
      states: this.#states,
      engine: this.#processors.stats,
      windows: this.#board.bus.windows(),
      elapsed: this.#clock.now(),
      running: this.#running,
      tiers: this.#sampler?.tiers,
    });
  }

  /** The symbols that a Linux kernel which runs has of itself, found around its exception vectors; undefined where there are none. */
  kernelSymbols(): GuestSymbol[] | undefined {
    const vectors = this.recording?.vectors;
    return vectors === undefined ? undefined : this.#kernelSymbols(vectors, 1);
  }

  #kernelSymbols(vectors: bigint, level: 1 | 2): GuestSymbol[] | undefined {
    const { memory } = this.#board;
    for (const state of this.#states) {
      const at = new GuestView(state, memory, this.#native.exports).physical(vectors, level);
      const region = memory.regions().find(({ pa, bytes }) => at !== undefined && at >= pa && at < pa + bytes);
      if (at === undefined || region === undefined) continue;
      const start = Math.max(region.pa, at - KERNEL_BYTES);
      const end = Math.min(region.pa + region.bytes, at + KERNEL_BYTES);
      const bytes = memory.view(start, end - start, false);
      return bytes && readKallsyms(bytes);
    }
    return undefined;
  }
}

function checkParts(parts: MachineParts): void {
  const { gicVersion, cpus, disks } = parts;
  const most = MAX_CPUS[gicVersion];
  if (cpus > most) {
    const advice = gicVersion === 2 ? "give fewer --cpus, or --machine virt,gic-version=3" : "give fewer --cpus";
    throw new LoadError(`a GICv${gicVersion} serves at most ${most} CPUs; ${advice}`);
  }
  const room = mostDisks(parts);
  if (disks.length > room)
    throw new LoadError(`there is room for ${Math.max(0, room)} disks beside the other devices; give fewer`);
}

/** The largest part of RAM that nothing is booted to, in whole pages. */
function largestGap(writes: BootPlan["writes"], memory: number): { base: number; limit: number } | undefined {
  const end = MAP.ram.base + memory;
  const taken = writes
    .map(({ address, bytes, zeroes }) => [address, address + bytes.length + zeroes] as const)
    .filter(([from, to]) => to > MAP.ram.base && from < end)
    .sort(([a], [b]) => a - b);
  let best: { base: number; limit: number } | undefined;
  let base: number = MAP.ram.base;
  for (const [from, to] of [...taken, [end, end] as const]) {
    const limit = from - (from % 4096);
    if (limit - base > (best ? best.limit - best.base : 0)) best = { base, limit };
    base = Math.max(base, Math.ceil(to / 4096) * 4096);
  }
  return best;
}

function setLines(state: PeState, lines: number): void {
  state.setWord(LINES, (state.word(LINES) & ~CONTROLLER_LINES) | lines);
  state.setWord(ATTENTION, 1);
}
