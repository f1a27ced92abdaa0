// A machine with its run loop, in the thread where it runs. What is outside of that thread calls its functions and hears its events.

import type { SerialPort } from "../../bus/device.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Statistic } from "../../machine/runnable.ts";
import type { CheckedConfiguration } from "./config.ts";
import { AtollError, asAtollError } from "./errors.ts";
import { InputQueue } from "./input-queue.ts";
import { type HostBindings, machineParts, type PackageFile, type WantedMachine } from "./parts.ts";
import { type Pace, RunLoop } from "./run-loop.ts";
import { type Closable, type Opener, openWanted } from "./wanted-machine.ts";

/** No more input is taken when so many bytes wait for the guest. */
const HIGH_WATER = 0x10000;
/** Bytes of output that are gathered before they are told: a serial port gives them one at a time. */
const GATHERED = 0x1000;

/** What a session needs of the host that it is on. */
export interface Platform extends Opener {
  readonly bindings: HostBindings;
  readonly pace: Pace;
  packageFile(name: PackageFile): Uint8Array | Promise<Uint8Array>;
}

/** paused: as it was created, and after `pause`. ended: the guest has powered off, or `reboot` is false and it has reset. */
export type MachineState = "paused" | "running" | "ended" | "closed";

/** Why a machine ended. exit: by semihosting, with a status. */
export type MachineEnd =
  | { readonly reason: "off" }
  | { readonly reason: "reset" }
  | { readonly reason: "exit"; readonly status: number }
  | { readonly reason: "error"; readonly message: string };

export type SessionEvent =
  | { readonly kind: "output"; readonly bytes: Uint8Array }
  | { readonly kind: "state"; readonly state: MachineState }
  | { readonly kind: "ended"; readonly end: MachineEnd }
  | { readonly kind: "trace"; readonly text: string };

/** The guest's serial console. */
class Console implements SerialPort {
  readonly #queue = new InputQueue();
  readonly #gathered = new Uint8Array(GATHERED);
  #length = 0;
  #readable = (): void => {};
  #taken: (() => void)[] = [];
  readonly #emit: (bytes: Uint8Array) => void;

  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#length === GATHERED) this.flush();
      if (this.#length === 0) queueMicrotask(() => this.flush());
      const part = bytes.subarray(at, at + GATHERED - this.#length);
      this.#gathered.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
    }
  }

  flush(): void {
    if (this.#length > 0) this.#emit(this.#gathered.slice(0, this.#length));
    this.#length = 0;
  }

  read(max: number): Uint8Array {
    const bytes = this.#queue.take(max);
    if (this.#queue.length < HIGH_WATER) for (const resolve of this.#taken.splice(0)) resolve();
    return bytes;
  }

  onReadable(listener: () => void): void {
    this.#readable = listener;
    if (this.#queue.length > 0) listener();
  }

  /** Done when there is room for more. */
  type(bytes: Uint8Array): Promise<void> | undefined {
    this.#queue.push(bytes);
    this.#readable();
    return this.#queue.length < HIGH_WATER ? undefined : new Promise((resolve) => this.#taken.push(resolve));
  }

  /** Nobody will take any more. */
  close(): void {
    for (const resolve of this.#taken.splice(0)) resolve();
  }
}

export class Session {
  readonly #machine: Machine;
  readonly #loop: RunLoop;
  readonly #console: Console;
  readonly #opened: Closable;
  readonly #emit: (event: SessionEvent) => void;
  #state: MachineState = "paused";
  #started = false;

  /** @throws AtollError, BadInput and ImageError when it cannot be made of this. */
  static async open(
    configuration: CheckedConfiguration,
    platform: Platform,
    emit: (event: SessionEvent) => void,
  ): Promise<Session> {
    const loop: { wake?: () => void } = {};
    const console = new Console((bytes) => emit({ kind: "output", bytes }));
    const { consoleSize, tier, measure, trace, noReboot } = configuration;
    const terminalSize = { get: () => consoleSize, onChange: () => {} };
    const opened = await openWanted(configuration, platform, terminalSize, () => loop.wake?.());
    const wanted: WantedMachine = {
      ...opened.wanted,
      ...{ tier, measure },
      trace: trace && {
        kinds: new Set(trace.kinds),
        levels: new Set(trace.levels),
        cpus: new Set(trace.cpus),
        symbols: [],
        write: (text) => emit({ kind: "trace", text }),
      },
    };
    try {
      const parts = await machineParts(wanted, console, platform.bindings, (name) => platform.packageFile(name));
      // Loaded only now: most of the program is not needed to say that a file is missing.
      const { Machine } = await import("../../machine/machine.ts");
      const machine = await Machine.create(parts);
      const runLoop = new RunLoop(machine, { pace: platform.pace, reboot: !noReboot });
      loop.wake = () => runLoop.wake();
      return new Session(machine, runLoop, console, opened, emit);
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  private constructor(
    machine: Machine,
    loop: RunLoop,
    console: Console,
    opened: Closable,
    emit: (event: SessionEvent) => void,
  ) {
    this.#machine = machine;
    this.#loop = loop;
    this.#console = console;
    this.#opened = opened;
    this.#emit = emit;
    machine.holdClock(true);
  }

  /** Runs, from power-on or from where it was paused. */
  start(): void {
    if (this.#state === "running") return;
    this.#mustBe("paused");
    this.#become("running");
    this.#machine.holdClock(false);
    this.#loop.hold(false);
    if (!this.#started) void this.#run();
    this.#started = true;
  }

  pause(): void {
    if (this.#state === "paused") return;
    this.#mustBe("running");
    this.#loop.hold(true);
    this.#machine.holdClock(true);
    this.#become("paused");
  }

  /** As the reset button does: to the state after power-on. An ended machine runs again. */
  reset(): void {
    if (this.#state === "closed") throw closed();
    this.#machine.reset();
    if (this.#state === "ended") {
      this.#started = false;
      this.#become("paused");
      this.start();
    }
    this.#loop.wake();
  }

  pressPowerKey(): void {
    this.#mustBe("running");
    this.#machine.pressPowerKey();
    this.#loop.wake();
  }

  /** Done when the guest has room for more. */
  type(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#state === "closed") throw closed();
    const room = this.#console.type(bytes);
    this.#loop.wake();
    return room;
  }

  statistics(): readonly Statistic[] {
    return this.#machine.statistics();
  }

  registers(): string {
    return this.#machine.registers();
  }

  memoryMap(): string {
    return this.#machine.memoryMap();
  }

  deviceTree(): Uint8Array {
    return this.#machine.deviceTree().slice();
  }

  /** Ends it, and gives back what it had open. What the guest wrote is in its disks. */
  close(): void {
    if (this.#state === "closed") return;
    this.#loop.stop("quit");
    this.#become("closed");
    this.#console.close();
    this.#opened.close();
  }

  async #run(): Promise<void> {
    let end: MachineEnd;
    try {
      const how = await this.#loop.run();
      if (how === "quit") return;
      end =
        how === "exit" ? { reason: "exit", status: this.#loop.exitStatus } : { reason: how === "reset" ? how : "off" };
    } catch (error) {
      end = { reason: "error", message: asAtollError(error).message };
    }
    this.#console.flush();
    this.#become("ended");
    this.#emit({ kind: "ended", end });
  }

  #become(state: MachineState): void {
    this.#state = state;
    this.#emit({ kind: "state", state });
  }

  #mustBe(state: MachineState): void {
    if (this.#state === "closed") throw closed();
    if (this.#state !== state)
      throw new AtollError("state", `the machine is ${this.#state}, and must be ${state} for that`);
  }
}

const closed = (): AtollError => new AtollError("state", "the machine is closed");
