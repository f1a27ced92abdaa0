// The library's machine. It runs in this thread or in a worker: what is here does not know.

import type { Remote } from "./calls.ts";
import { ConsoleStreams } from "./console-streams.ts";
import { AtollError } from "./errors.ts";
import { type ConnectionListener, type GuestConnection, GuestConnections } from "./guest-connections.ts";
import { InspectedMachine } from "./inspected-machine.ts";
import type { MachineOrigin } from "./new-machine.ts";
import type { Frame } from "./screen.ts";
import type { InputEvent, MachineEnd, MachineProblem, MachineState, Session, SessionEvent } from "./session.ts";

/** Events, and what their listeners get. */
export interface MachineEvents {
  /** The state has changed. */
  readonly state: MachineState;
  /** The guest has ended. */
  readonly ended: MachineEnd;
  /** Bytes of the serial console, as they come. */
  readonly output: Uint8Array;
  /** Something outside of the machine that failed while it runs: storage is full, a disk's file cannot be read. */
  readonly problem: MachineProblem;
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

/** A machine, whatever host it is on. */
export class LibraryMachine extends InspectedMachine {
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
  readonly #ports = new Map<string, ConsoleStreams>();
  readonly #connections: GuestConnections;
  #state: MachineState = "paused";

  protected constructor(access: SessionAccess) {
    super(access.session);
    this.#access = access;
    this.console = new ConsoleStreams((bytes) => access.session.type(bytes));
    this.#connections = new GuestConnections((command) => access.session.stream(command));
    access.onEvent((event) => this.#heard(event));
  }

  /**
   * A serial port beside the console, `{ name, kind: "stream" }` of the configuration, as web streams. In the guest it is
   * /dev/virtio-ports/NAME, or the /dev/vportMpN of which /sys/class/virtio-ports/vportMpN/name says so.
   *
   * @example
   * const machine = await Machine.create({ serialPort: [{ name: "agent", kind: "stream" }] });
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("p=$(ls -d /dev/vport*p1); read -r line < $p; echo answer to $line > $p\n");
   * const port = machine.serialPort("agent");
   * const writer = port.writable.getWriter();
   * await writer.write(new TextEncoder().encode("a question\n"));
   * const { value } = await port.readable.getReader().read();
   * assert.match(new TextDecoder().decode(value), /answer to a question/);
   * await machine.close();
   */
  serialPort(name: string): ConsoleStreams {
    const known = this.#ports.get(name);
    if (known) return known;
    const port = new ConsoleStreams((bytes) => this.session.sendToPort(name, bytes));
    this.#ports.set(name, port);
    if (this.#state === "closed") port.end();
    return port;
  }

  /**
   * Connects to what listens at a vsock port in the guest (AF_VSOCK of Linux). The machine is created with `vsock: {}`, and runs.
   *
   * @throws AtollError "state" when nothing listens there; "configuration" when the machine has no vsock that leads here.
   * @example
   * const share = [{ folder: "test/systems/programs/bin", tag: "programs", readOnly: true }];
   * const machine = await Machine.create({ vsock: {}, share });
   * await machine.start();
   * await machine.waitFor("~# ");
   * await assert.rejects(machine.connect(7000), { code: "state" });
   * await machine.type("mount -t 9p -o trans=virtio programs /mnt; echo from the guest | /mnt/vsock listen 7000 &\n");
   * const connected = async () => await machine.connect(7000).catch(connected); // Until it listens.
   * const { readable, writable } = await connected();
   * await writable.close();
   * assert.equal(await new Response(readable).text(), "from the guest\n");
   * await machine.close();
   */
  connect(port: number): Promise<GuestConnection> {
    return this.#connections.connect(port);
  }

  /**
   * Takes connections that the guest makes to a vsock port of the host's (CID 2). The machine is created with `vsock: {}`.
   *
   * @returns what ends that; connections that there are stay.
   * @throws AtollError "state" when that is done already; "configuration" when the machine has no vsock that leads here.
   * @example
   * const share = [{ folder: "test/systems/programs/bin", tag: "programs", readOnly: true }];
   * const machine = await Machine.create({ vsock: {}, share });
   * const stop = await machine.listen(7000, async ({ readable, writable }) => {
   *   const writer = writable.getWriter();
   *   await writer.write(new TextEncoder().encode("who is there? "));
   *   for await (const bytes of readable) await writer.write(bytes);
   *   await writer.close();
   * });
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.type("mount -t 9p -o trans=virtio programs /mnt; echo the guest | /mnt/vsock connect 2 7000\n");
   * await machine.waitFor("who is there? the guest");
   * await stop();
   * await machine.close();
   */
  listen(port: number, listener: ConnectionListener): Promise<() => Promise<void>> {
    return this.#connections.listen(port, listener);
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
   * What the machine began with: "power-on", or a "snapshot". A machine that is made without options is booted already: it starts from a
   * snapshot that comes with the package, unless its configuration has `boot: true`.
   *
   * @example
   * const machine = await Machine.create();
   * assert.equal(await machine.origin(), "snapshot");
   * const other = await Machine.create({ boot: true });
   * assert.equal(await other.origin(), "power-on");
   * await Promise.all([machine.close(), other.close()]);
   */
  origin(): Promise<MachineOrigin> {
    return this.#access.session.origin();
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
    return this.session.start();
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
    return this.session.pause();
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
    return this.session.start();
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
    return this.session.reset();
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
    return this.session.pressPowerKey();
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
    return this.session.type(new TextEncoder().encode(text.replaceAll("\n", "\r")));
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
        this.on("ended", (end) =>
          fail(end.reason === "error" ? `the machine stopped (${end.message})` : "the guest ended"),
        ),
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
    return this.session.save();
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
    return this.session.frame();
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
    return this.session.input(event);
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
    return this.session.requestDisplaySize(width, height);
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
    await this.session.close().catch(() => {});
    this.#become("closed");
    this.console.end();
    for (const port of this.#ports.values()) port.end();
    this.#connections.end();
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
      case "port":
        this.serialPort(event.name).arrived(event.bytes);
        break;
      case "stream":
        this.#connections.heard(event.notice);
        break;
      case "problem":
        this.#tell("problem", event.problem);
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
