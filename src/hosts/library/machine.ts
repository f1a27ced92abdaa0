// The library's machine. It runs in this thread or in a worker: what is here does not know.

import type { ExceptionEvent } from "../../machine/inspection/exceptions.ts";
import type { HotCode } from "../../machine/inspection/inspector.ts";
import type { Walk } from "../../machine/inspection/walk.ts";
import type { PeReport } from "../../machine/report.ts";
import type { Statistic } from "../../machine/runnable.ts";
import type { Remote } from "./calls.ts";
import { ConsoleStreams } from "./console-streams.ts";
import { AtollError } from "./errors.ts";
import type { Frame } from "./screen.ts";
import type { InputEvent, MachineEnd, MachineState, Session, SessionEvent } from "./session.ts";

/** Events, and what their listeners get. */
export interface MachineEvents {
  /** The state has changed. */
  readonly state: MachineState;
  /** The guest has ended. */
  readonly ended: MachineEnd;
  /** Bytes of the serial console, as they come. */
  readonly output: Uint8Array;
  /** Whole lines of the trace that the configuration asks for (docs/tracing.md). */
  readonly trace: string;
}

type Listener<Name extends keyof MachineEvents> = (detail: MachineEvents[Name]) => void;

/** Where a machine runs. */
export interface SessionAccess {
  readonly session: Remote<Session>;
  /** One listener, before anything else. */
  onEvent(listener: (event: SessionEvent) => void): void;
  /** Ends the thread, where it has one of its own. */
  terminate(): void;
}

/**
 * A 64-bit Arm machine.
 *
 * @example
 * const machine = await Machine.create({ memory: "256M", consoleSize: { columns: 80, rows: 25 } });
 * await machine.start();
 * await machine.waitFor("~# ");
 * await machine.type("echo $((6 * 7)) answers\n");
 * await machine.waitFor("42 answers");
 * await machine.close();
 */
export class LibraryMachine {
  /**
   * The serial console. Both streams carry bytes. Of output that nobody reads, the last MiB is kept.
   *
   * @example
   * const machine = await Machine.create();
   * const reader = machine.console.readable.getReader();
   * await machine.start();
   * const { value } = await reader.read();
   * assert(value instanceof Uint8Array);
   * reader.releaseLock();
   * const writer = machine.console.writable.getWriter();
   * await writer.write(new TextEncoder().encode("\n"));
   * await machine.close();
   */
  readonly console: ConsoleStreams;
  readonly #access: SessionAccess;
  readonly #listeners = new Map<keyof MachineEvents, Set<(detail: never) => void>>();
  #state: MachineState = "paused";

  protected constructor(access: SessionAccess) {
    this.#access = access;
    this.console = new ConsoleStreams((bytes) => access.session.type(bytes));
    access.onEvent((event) => this.#heard(event));
  }

  /**
   * What the machine does now.
   *
   * @example
   * const machine = await Machine.create();
   * assert.equal(machine.state, "paused");
   * await machine.close();
   * assert.equal(machine.state, "closed");
   */
  get state(): MachineState {
    return this.#state;
  }

  /**
   * Runs the machine: from power-on, or from where it was paused.
   *
   * @throws AtollError "state" when it has ended or is closed.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * assert.equal(machine.state, "running");
   * await machine.close();
   */
  start(): Promise<void> {
    return this.#access.session.start();
  }

  /**
   * Stops the machine, and its time, between two instructions.
   *
   * @throws AtollError "state" when it has ended or is closed.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.pause();
   * const before = await machine.registers();
   * assert.equal(await machine.registers(), before);
   * await machine.resume();
   * await machine.close();
   */
  pause(): Promise<void> {
    return this.#access.session.pause();
  }

  /**
   * The same as `start`, for a machine that was paused.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.pause();
   * await machine.resume();
   * assert.equal(machine.state, "running");
   * await machine.close();
   */
  resume(): Promise<void> {
    return this.#access.session.start();
  }

  /**
   * To the state after power-on, whatever the guest does. A machine that has ended runs again.
   *
   * @throws AtollError "state" when it is closed.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.reset();
   * await machine.waitFor("~# ");
   * await machine.close();
   */
  reset(): Promise<void> {
    return this.#access.session.reset();
  }

  /**
   * Presses and lets go the power key: a guest that listens to it shuts down.
   *
   * @throws AtollError "state" when it does not run.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * const ended = machine.ended();
   * await machine.pressPowerKey();
   * assert.deepEqual(await ended, { reason: "off" });
   * await machine.close();
   */
  pressPowerKey(): Promise<void> {
    return this.#access.session.pressPowerKey();
  }

  /**
   * When the guest ends next, and why.
   *
   * @throws AtollError "state" when the machine is closed before.
   * @example
   * const machine = await Machine.create();
   * const ended = machine.ended();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("poweroff -f\n");
   * assert.equal((await ended).reason, "off");
   * await machine.close();
   */
  ended(): Promise<MachineEnd> {
    return new Promise((resolve, reject) => {
      const stops = [
        this.on("ended", (end) => {
          for (const stop of stops) stop();
          resolve(end);
        }),
        this.on("state", (state) => {
          if (state !== "closed") return;
          for (const stop of stops) stop();
          reject(new AtollError("state", "the machine is closed"));
        }),
      ];
    });
  }

  /**
   * Types into the serial console. Done when the guest has room for more.
   *
   * @param text characters, sent as UTF-8; "\n" is the enter key's carriage return.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("uname -m\n");
   * await machine.waitFor("aarch64");
   * await machine.close();
   */
  type(text: string): Promise<void> {
    return this.#access.session.type(new TextEncoder().encode(text.replaceAll("\n", "\r")));
  }

  /**
   * Waits until the console's output, from what an earlier call has waited for on, has this text. Gives what came up to its end.
   *
   * @param timeout milliseconds. @throws AtollError "state" when they pass, or the machine ends or is closed, before.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * const banner = await machine.waitFor("~# ", 60_000);
   * assert.match(banner, /Linux/);
   * await machine.close();
   */
  waitFor(text: string | RegExp, timeout = 60_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        for (const stop of stops) stop();
      };
      const fail = (reason: string): void => {
        done();
        reject(new AtollError("state", `${reason} before the console showed ${String(text)}`));
      };
      const look = (): void => {
        const found = this.console.take(text);
        if (found === undefined) return;
        done();
        resolve(found);
      };
      const timer = setTimeout(() => fail(`${timeout} ms passed`), timeout);
      const stops = [
        this.on("output", look),
        this.on("ended", () => fail("the guest ended")),
        this.on("state", (state) => state === "closed" && fail("the machine was closed")),
      ];
      look();
    });
  }

  /**
   * Calls a function at each event. Returns what ends that.
   *
   * @example
   * const machine = await Machine.create();
   * const states = [];
   * const stop = machine.on("state", (state) => states.push(state));
   * await machine.start();
   * stop();
   * await machine.close();
   * assert.deepEqual(states, ["running"]);
   */
  on<Name extends keyof MachineEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /**
   * Counters since power-on, each with a section, a name, a value and its unit.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * const counters = await machine.statistics();
   * const all = counters.find(({ section, name }) => section === "instructions" && name === "all");
   * assert(all.value > 1e6);
   * await machine.close();
   */
  statistics(): Promise<readonly Statistic[]> {
    return this.#access.session.statistics();
  }

  /**
   * Registers of every processing element, as lines for people.
   *
   * @example
   * const machine = await Machine.create();
   * assert.match(await machine.registers(), /PC=0000000040\w+ .* EL1h/);
   * await machine.close();
   */
  registers(): Promise<string> {
    return this.#access.session.registers();
  }

  /**
   * The physical memory map, as lines for people.
   *
   * @example
   * const machine = await Machine.create();
   * assert.match(await machine.memoryMap(), /000009000000-000009000fff/);
   * await machine.close();
   */
  memoryMap(): Promise<string> {
    return this.#access.session.memoryMap();
  }

  /**
   * The device tree blob that the guest is given.
   *
   * @example
   * const machine = await Machine.create();
   * assert.deepEqual([...(await machine.deviceTree()).slice(0, 4)], [0xd0, 0x0d, 0xfe, 0xed]);
   * await machine.close();
   */
  deviceTree(): Promise<Uint8Array> {
    return this.#access.session.deviceTree();
  }

  /**
   * Saves the whole machine, but not what its disks hold: those are flushed. It goes on as before.
   *
   * @returns the snapshot, to be kept anywhere; its `stream()` is a web stream.
   * @throws AtollError "state" when it is closed.
   * @example
   * const machine = await Machine.create({ memory: "128M" });
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("x=42\n");
   * await machine.waitFor("~# ");
   * const snapshot = await machine.save();
   * await machine.close();
   * const restored = await Machine.restore(snapshot);
   * await restored.start();
   * await restored.type("echo again $x\n");
   * await restored.waitFor("again 42");
   * await restored.close();
   */
  save(): Promise<Blob> {
    return this.#access.session.save();
  }

  /**
   * What of the display has changed since the last call. Ask again and again, as often as it is to be shown.
   *
   * @returns undefined: nothing has.
   * @throws AtollError "state" when the machine has none: create it with `display: {}`.
   * @example
   * const machine = await Machine.create({ display: {} });
   * await machine.start();
   * await machine.waitFor("~# ");
   * const frame = await machine.frame();
   * assert.equal(frame.pixels.length, frame.area.width * frame.area.height * 4);
   * await machine.close();
   */
  frame(): Promise<Frame | undefined> {
    return this.#access.session.frame();
  }

  /**
   * Presses keys, moves the pointer.
   *
   * @throws AtollError "state" when the machine has no display.
   * @example
   * const machine = await Machine.create({ display: {} });
   * await machine.input({ kind: "key", code: 30, pressed: true });
   * await machine.input({ kind: "key", code: 30, pressed: false });
   * await machine.input({ kind: "pointer", x: 0.5, y: 0.5, buttons: ["left"] });
   * await machine.close();
   */
  input(event: InputEvent): Promise<void> {
    return this.#access.session.input(event);
  }

  /**
   * Asks the guest to make its picture of that size.
   *
   * @param width in pixels. @returns false where it cannot be asked.
   * @example
   * const machine = await Machine.create({ display: {} });
   * assert.equal(await machine.requestDisplaySize(800, 600), false); // No driver is there yet.
   * await machine.close();
   */
  requestDisplaySize(width: number, height: number): Promise<boolean> {
    return this.#access.session.requestDisplaySize(width, height);
  }

  /**
   * The registers of every processing element, for programs.
   *
   * @example
   * const machine = await Machine.create({ cpus: 2 });
   * const [first, second] = await machine.processors();
   * assert.equal(first.level, 1);
   * assert.equal(second.power, "off");
   * await machine.close();
   */
  processors(): Promise<PeReport[]> {
    return this.#access.session.processors();
  }

  /**
   * How a read of a virtual address goes: every descriptor of both stages, in the order in which the walk reads them. The guest notices
   * nothing.
   *
   * @param cpu index of the processing element. @param address hexadecimal. @param level exception level of the read.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.pause();
   * const [{ system }] = await machine.processors();
   * const vectors = system.find(([name]) => name === "VBAR_EL1")[1];
   * const walk = await machine.walk(0, vectors, 1);
   * assert.equal(walk.steps[0].kind, "table");
   * assert.match(walk.physical, /^0x4/);
   * await machine.close();
   */
  walk(cpu: number, address: string, level: number): Promise<Walk> {
    return this.#access.session.walk(cpu, address, level);
  }

  /**
   * Interrupts that are enabled, pending or active, and what is in the list registers of the virtual interfaces.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * const { lines } = await machine.interrupts();
   * assert(lines.some(({ name, enabled }) => name === "virtual timer" && enabled));
   * await machine.close();
   */
  interrupts(): ReturnType<Remote<Session>["interrupts"]> {
    return this.#access.session.interrupts();
  }

  /**
   * Records exceptions from now on, or ends that. The machine is slower while it does.
   *
   * @returns whether they are recorded: not where the configuration has a trace.
   * @example
   * const machine = await Machine.create();
   * assert.equal(await machine.recordExceptions(true), true);
   * await machine.close();
   */
  recordExceptions(on: boolean): Promise<boolean> {
    return this.#access.session.recordExceptions(on);
  }

  /**
   * The last exceptions and returns that were recorded, oldest first.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.recordExceptions(true);
   * await machine.type("true\n");
   * await machine.waitFor("~# ");
   * const events = await machine.exceptions();
   * assert(events.some(({ from, to, text }) => from === 0 && to === 1 && text.startsWith("SVC")));
   * await machine.close();
   */
  exceptions(): Promise<ExceptionEvent[]> {
    return this.#access.session.exceptions();
  }

  /**
   * The code that was found running since the last call, the most frequent first. Functions of a Linux kernel have their names.
   *
   * @param most entries at most.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * assert((await machine.hotCode(5)).length > 0);
   * await machine.close();
   */
  hotCode(most: number): Promise<HotCode[]> {
    return this.#access.session.hotCode(most);
  }

  /**
   * Ends the machine at once, as pulling the plug does, and gives back what it had. What the guest wrote to its disks stays.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.close();
   * await assert.rejects(machine.start(), { code: "state" });
   */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    await this.#access.session.close().catch(() => {});
    this.#become("closed");
    this.console.end();
    this.#access.terminate();
  }

  #heard(event: SessionEvent): void {
    switch (event.kind) {
      case "output":
        this.console.arrived(event.bytes);
        this.#tell("output", event.bytes);
        break;
      case "state":
        this.#become(event.state);
        break;
      case "ended":
        this.#tell("ended", event.end);
        break;
      case "trace":
        this.#tell("trace", event.text);
        break;
    }
  }

  #become(state: MachineState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell("state", state);
  }

  #tell<Name extends keyof MachineEvents>(name: Name, detail: MachineEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) (listener as Listener<Name>)(detail);
  }
}
