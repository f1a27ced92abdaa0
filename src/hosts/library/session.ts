// A machine with its run loop, in the thread where it runs. What is outside of that thread calls its functions and hears its events.

import type { SerialPort } from "../../bus/device.ts";
import { POINTER_MAX, type PointerButton } from "../../bus/input.ts";
import type { WatchdogAction } from "../../contract/limits.ts";
import type { ExceptionEvent } from "../../machine/inspection/exceptions.ts";
import type { HotCode } from "../../machine/inspection/inspector.ts";
import type { Walk } from "../../machine/inspection/walk.ts";
import type { Machine } from "../../machine/machine.ts";
import type { PeReport } from "../../machine/report.ts";
import type { MachineParts, Statistic } from "../../machine/runnable.ts";
import { type Checksum, crc32 } from "../../snapshot/crc32.ts";
import type { SavedValue } from "../../snapshot/fields.ts";
import type { SnapshotCodec } from "../../snapshot/format.ts";
import { sourceOfPieces } from "../../snapshot/streams.ts";
import { type CheckedConfiguration, checkConfiguration, type Source } from "./config.ts";
import { AtollError, asAtollError, type ErrorCode } from "./errors.ts";
import { InputQueue } from "./input-queue.ts";
import { type MachineOrigin, newMachine } from "./new-machine.ts";
import { type HostBindings, machineParts, type PackageFile, type WantedMachine } from "./parts.ts";
import { ProgramStreams, type StreamCommand, type StreamNotice } from "./program-streams.ts";
import { type Pace, RunLoop } from "./run-loop.ts";
import { restoredConfiguration, type SavedConfiguration, savedConfiguration } from "./saved-configuration.ts";
import { type Frame, Screen } from "./screen.ts";
import { StreamPort } from "./stream-port.ts";
import { type Closable, type Opener, type OpenWanted, openWanted } from "./wanted-machine.ts";

/** No more input is taken when so many bytes wait for the guest. */
const HIGH_WATER = 0x10000;
/** Bytes of output that are gathered before they are told: a serial port gives them one at a time. */
const GATHERED = 0x1000;

/** What a session needs of the host that it is on. */
export interface Platform extends Opener {
  readonly bindings: HostBindings;
  readonly pace: Pace;
  readonly snapshotCodec: SnapshotCodec;
  /** The host's own, where it has one. */
  readonly checksum?: Checksum;
  /** What a machine is plugged into where its configuration does not say. */
  readonly usualNetwork: "user" | "none";
  packageFile(name: PackageFile): Uint8Array | Promise<Uint8Array>;
  /** The pieces of a file, from its start. */
  stream(source: Source): Promise<AsyncIterable<Uint8Array>>;
}

/** paused: as it was created, and after `pause`. ended: the guest has powered off, or `reboot` is false and it has reset. */
export type MachineState = "paused" | "running" | "ended" | "closed";

/** Why a machine ended. exit: by semihosting, with a status. watchdog: the guest did not refresh it in time, and its action is `fail`. */
export type MachineEnd =
  | { readonly reason: "off" }
  | { readonly reason: "reset" }
  | { readonly reason: "watchdog" }
  | { readonly reason: "exit"; readonly status: number }
  | { readonly reason: "error"; readonly message: string };

export type SessionEvent =
  | { readonly kind: "output"; readonly bytes: Uint8Array }
  | { readonly kind: "state"; readonly state: MachineState }
  | { readonly kind: "ended"; readonly end: MachineEnd }
  | { readonly kind: "trace"; readonly text: string }
  | { readonly kind: "port"; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: "stream"; readonly notice: StreamNotice }
  | { readonly kind: "problem"; readonly problem: MachineProblem };

/** Something outside of the machine that failed while it runs. The guest sees a device that fails. */
export interface MachineProblem {
  readonly code: ErrorCode;
  /** One line that says what is wrong and what to do. */
  readonly message: string;
}

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

/** What a session is opened with; it may come from another thread. */
export interface SessionRequest {
  /** Not checked yet. */
  readonly configuration: unknown;
  /** What the machine goes on from, in place of power-on. */
  readonly snapshot?: Source | undefined;
}

interface SessionParts {
  readonly machine: Machine;
  readonly loop: RunLoop;
  readonly console: Console;
  /** Serial ports beside it, by name. */
  readonly ports: ReadonlyMap<string, StreamPort>;
  /** Where the guest's vsock leads to the program. */
  readonly streams: ProgramStreams | undefined;
  readonly opened: Closable;
  readonly platform: Platform;
  readonly saved: SavedConfiguration;
  readonly watchdog: WatchdogAction | undefined;
  /** From a snapshot. */
  readonly restored: boolean;
  readonly origin: MachineOrigin;
  readonly emit: (event: SessionEvent) => void;
}

export class Session {
  readonly #parts: SessionParts;
  readonly #machine: Machine;
  readonly #loop: RunLoop;
  readonly #console: Console;
  readonly #emit: (event: SessionEvent) => void;
  #state: MachineState = "paused";
  #screen: Screen | undefined;
  #started = false;

  /** @throws AtollError, BadInput, ImageError and SnapshotError when it cannot be made of this. */
  static async open(
    request: SessionRequest,
    platform: Platform,
    emit: (event: SessionEvent) => void,
  ): Promise<Session> {
    const console = new Console((bytes) => emit({ kind: "output", bytes }));
    const loop: { wake?: () => void } = {};
    const ports = new Map<string, StreamPort>();
    let streams: ProgramStreams | undefined;
    let opened: OpenWanted | undefined;
    const partsOf = async (configuration: CheckedConfiguration): Promise<MachineParts> => {
      const terminalSize = { get: () => configuration.consoleSize, onChange: () => {} };
      const outer = configuration.serialPort.filter((port) => port.kind !== "stream");
      const wake = (): void => loop.wake?.();
      const { vsock } = configuration;
      const { path } = vsock ?? {};
      const sockets = vsock && path !== undefined ? { ...vsock, path } : undefined;
      if (vsock && !sockets) streams = new ProgramStreams((notice) => emit({ kind: "stream", notice }), wake);
      opened = await openWanted({ ...configuration, serialPort: outer, vsock: sockets }, platform, terminalSize, wake);
      for (const { name, kind } of configuration.serialPort) {
        if (kind === "stream") ports.set(name, new StreamPort((bytes) => emit({ kind: "port", name, bytes })));
      }
      const serialPorts = [
        ...(opened.wanted.serialPorts ?? []),
        ...Array.from(ports, ([name, channel]) => ({ name, channel })),
      ];
      const own = vsock && streams && { vsock: { cid: vsock.cid, host: streams } };
      const wanted = { ...opened.wanted, serialPorts, ...own, ...developmentOf(configuration, emit) };
      return machineParts(wanted, console, platform.bindings, (name) => platform.packageFile(name), false);
    };
    try {
      // Loaded only now: most of the program is not needed to say that a file is missing.
      let configuration: CheckedConfiguration;
      let machine: Machine;
      let origin: MachineOrigin = "snapshot";
      if (request.snapshot === undefined) {
        configuration = checkConfiguration(request.configuration);
        ({ machine, origin } = await newMachine(configuration, partsOf, console, platform));
      } else {
        const { restoreMachine } = await import("../../machine/snapshot/restore.ts");
        const source = sourceOfPieces(await platform.stream(request.snapshot));
        let restored: CheckedConfiguration | undefined;
        machine = await restoreMachine({
          ...{ source, codec: platform.snapshotCodec, checksum: platform.checksum ?? crc32 },
          open: ({ host }) => {
            restored = restoredConfiguration(host, request.configuration);
            return partsOf(restored);
          },
        });
        configuration = restored as unknown as CheckedConfiguration;
      }
      const runLoop = new RunLoop(machine, {
        pace: platform.pace,
        reboot: !configuration.noReboot,
        afterSlice: () => machine.inspector.sample(),
        watchdog: configuration.watchdog && {
          action: configuration.watchdog,
          expired: () => session.watchdogExpired(),
        },
      });
      loop.wake = () => runLoop.wake();
      const saved = savedConfiguration(configuration);
      const session = new Session({
        ...{ machine, loop: runLoop, console, ports, streams, platform, saved, origin, emit },
        ...{ opened: opened as OpenWanted, watchdog: configuration.watchdog },
        restored: request.snapshot !== undefined,
      });
      return session;
    } catch (error) {
      await opened?.close();
      throw error;
    }
  }

  private constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#machine = parts.machine;
    this.#loop = parts.loop;
    this.#console = parts.console;
    this.#emit = parts.emit;
    this.#machine.holdClock(true);
  }

  origin(): MachineOrigin {
    return this.#parts.origin;
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

  watchdogExpired(): void {
    if (this.#parts.watchdog === "pause") this.pause();
  }

  /** As the reset button does: to the state after power-on. An ended machine runs again. */
  async reset(): Promise<void> {
    if (this.#state === "closed") throw closed();
    const [missing] = this.#parts.saved.missing;
    if (this.#parts.restored && missing !== undefined) {
      throw new AtollError("state", `the machine was restored without its ${missing}, which a reset would need`);
    }
    await this.#machine.readyToBoot();
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
    this.#loop.attend();
    return room;
  }

  /** Done when the guest has taken all of it. */
  sendToPort(name: string, bytes: Uint8Array): Promise<void> {
    if (this.#state === "closed") throw closed();
    const port = this.#parts.ports.get(name);
    if (port === undefined) {
      throw new AtollError("configuration", `the machine has no serial port ${name} of the kind stream`);
    }
    const taken = port.send(bytes);
    this.#loop.attend();
    return taken;
  }

  /** What the program wants of the guest's vsock. */
  stream(command: StreamCommand): Promise<void> | undefined {
    if (this.#state === "closed") throw closed();
    const { streams } = this.#parts;
    if (streams === undefined) {
      throw new AtollError("configuration", "the machine's vsock does not lead here: give vsock without a path");
    }
    const done = streams.do(command);
    this.#loop.attend();
    return done;
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

  async deviceTree(): Promise<Uint8Array> {
    await this.#machine.readyToBoot();
    return this.#machine.deviceTree().slice();
  }

  /** Saves all of it between two instructions; it goes on afterwards as before. */
  async save(): Promise<Blob> {
    if (this.#state === "closed") throw closed();
    const { saveMachine } = await import("../../machine/snapshot/save.ts");
    const pieces: Blob[] = [];
    const sink = { write: (bytes: Uint8Array): void => void pieces.push(new Blob([bytes as Uint8Array<ArrayBuffer>])) };
    const host = JSON.parse(JSON.stringify(this.#parts.saved)) as SavedValue;
    this.#loop.hold(true);
    try {
      await saveMachine(this.#machine, { sink, host, codec: this.#parts.platform.snapshotCodec });
    } finally {
      const isRunning = this.#state === "running";
      this.#machine.holdClock(!isRunning);
      this.#loop.hold(!isRunning);
    }
    return new Blob(pieces);
  }

  /** What of the display has changed since the last call; undefined: nothing. */
  frame(): Frame | undefined {
    const { display } = this.#machine;
    if (display === undefined) throw noDisplay();
    this.#screen ??= new Screen(display);
    return this.#screen.frame();
  }

  /** Something that its user does with keyboard or pointer. */
  input(event: InputEvent): void {
    const { input } = this.#machine;
    if (input === undefined) throw noDisplay();
    switch (event.kind) {
      case "key":
        input.key(event.code, event.pressed);
        break;
      case "pointer":
        input.pointer(unit(event.x), unit(event.y), new Set(event.buttons));
        break;
      case "wheel":
        input.wheel(event.vertical, event.horizontal);
        break;
    }
    this.#loop.attend();
  }

  /** False where the guest cannot be asked for another size. */
  requestDisplaySize(width: number, height: number): boolean {
    const asked = this.#machine.display?.requestSize(width, height) ?? false;
    this.#loop.wake();
    return asked;
  }

  // What people who learn look at.

  processors(): PeReport[] {
    return this.#machine.inspector.processors();
  }

  /** @param address hexadecimal. */
  walk(cpu: number, address: string, level: number): Walk {
    const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(address.trim().replaceAll("_", ""))?.[1];
    const isLevel = level === 0 || level === 1 || level === 2 || level === 3;
    if (digits === undefined || !isLevel)
      throw new AtollError("configuration", "give an address such as ffff800008000000");
    const walk = this.#machine.inspector.walk(cpu, BigInt(`0x${digits}`), level);
    if (walk === undefined) throw new AtollError("configuration", `there is no CPU ${cpu}`);
    return walk;
  }

  interrupts(): ReturnType<Machine["inspector"]["interrupts"]> {
    return this.#machine.inspector.interrupts();
  }

  recordExceptions(on: boolean): boolean {
    return this.#machine.inspector.record(on);
  }

  exceptions(): ExceptionEvent[] {
    return this.#machine.inspector.exceptions();
  }

  hotCode(most: number): HotCode[] {
    return this.#machine.inspector.hotCode(most);
  }

  /** Ends it, and gives back what it had open. What the guest wrote is in its disks. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#loop.stop("quit");
    this.#become("closed");
    this.#console.close();
    for (const port of this.#parts.ports.values()) port.close();
    this.#parts.streams?.close();
    this.#machine.close();
    await this.#parts.opened.close();
  }

  async #run(): Promise<void> {
    let end: MachineEnd;
    try {
      const how = await this.#loop.run();
      if (how === "quit") return;
      end =
        how === "exit"
          ? { reason: "exit", status: this.#loop.exitStatus }
          : { reason: how === "reset" || how === "watchdog" ? how : "off" };
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

/** What is done with a keyboard or a pointer. */
export type InputEvent =
  /** `code`: KEY_* of linux/input-event-codes.h. */
  | { readonly kind: "key"; readonly code: number; readonly pressed: boolean }
  /** Where the pointer is, from 0 to 1 in both directions, and what is pressed. */
  | { readonly kind: "pointer"; readonly x: number; readonly y: number; readonly buttons: readonly PointerButton[] }
  /** Notches, away from the user and to the right positive. */
  | { readonly kind: "wheel"; readonly vertical: number; readonly horizontal: number };

const unit = (part: number): number => Math.round(Math.min(1, Math.max(0, part)) * POINTER_MAX);
const noDisplay = (): AtollError => new AtollError("state", "the machine has no display: create it with display: {}");

const closed = (): AtollError => new AtollError("state", "the machine is closed");

function developmentOf(
  { tier, measure, trace }: CheckedConfiguration,
  emit: (event: SessionEvent) => void,
): Pick<WantedMachine, "tier" | "measure" | "trace"> {
  const write = (text: string): void => emit({ kind: "trace", text });
  return {
    ...{ tier, measure },
    trace: trace && {
      kinds: new Set(trace.kinds),
      levels: new Set(trace.levels),
      cpus: new Set(trace.cpus),
      symbols: [],
      write,
    },
  };
}
