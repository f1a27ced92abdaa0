// Runs one machine that lasts, in this process, with its control socket and its console, from when its lock is taken to when it is let go.

import { rmSync, writeFileSync } from "node:fs";
import type { Progress } from "../contract/action.ts";
import { ActionError } from "../contract/action.ts";
import { type MachineDefinition, machineDefinition } from "../contract/definition.ts";
import { STOP_TIMEOUT, type WatchdogAction } from "../contract/limits.ts";
import { CONSOLE_PATH, type InputOf, MACHINE_ACTIONS, type OutputOf, type RunEnding } from "../contract/machines.ts";
import { mapPaths } from "../contract/paths.ts";
import { bootedGuestOf, STARTED_FROM_SNAPSHOT, startBootedGuest } from "../hosts/library/booted-guest.ts";
import { monotonic } from "../hosts/library/clocks.ts";
import { machineParts } from "../hosts/library/parts.ts";
import { type RunEnd, RunLoop } from "../hosts/library/run-loop.ts";
import { nodeBindings, nodePackageFile } from "../hosts/node/bindings.ts";
import { type DisplayServer, serveDisplay } from "../hosts/node/display-server.ts";
import { packageFile } from "../hosts/node/files.ts";
import { keepHeapsSmall } from "../hosts/node/heaps.ts";
import { pace } from "../hosts/node/pace.ts";
import { SavedMachine } from "../hosts/node/saved-machine.ts";
import type { NewSnapshotFile } from "../hosts/node/snapshot-file.ts";
import { openWanted } from "../hosts/node/wanted-machine.ts";
import type { Machine } from "../machine/machine.ts";
import { BadInput, type MachineParts } from "../machine/runnable.ts";
import { SnapshotError } from "../snapshot/error.ts";
import { ConsoleHub } from "./console-hub.ts";
import { ConsoleLog } from "./console-log.ts";
import { serveConsoles } from "./console-socket.ts";
import { endServer, listen } from "./control-socket.ts";
import { describe } from "./describe.ts";
import { asActionError } from "./errors.ts";
import { HoldClock } from "./hold-clock.ts";
import { type Handlers, httpApi } from "./http-api.ts";
import { MachineLock } from "./machine-lock.ts";
import { SavedState } from "./saved-state.ts";
import { shutDown } from "./shut-down.ts";
import type { MachineFolder, StateDirectory } from "./state-directory.ts";
import { MachineStore } from "./store.ts";
import { watchdogNote } from "./watchdog-note.ts";

export interface RunOptions {
  /** Forgets the saved state. */
  readonly cold: boolean;
  /** Boots, where it would start from the snapshot of the booted guest. */
  readonly boot: boolean;
  readonly progress: (progress: Progress) => void;
  /** The machine runs from here on, and answers at its socket. */
  readonly ready: (machine: RunningMachine) => void;
}

export interface RunResult {
  readonly end: RunEnding;
  /** The guest's own, with "exit". */
  readonly exitStatus: number | undefined;
}

/**
 * Runs a machine to its end.
 * @throws ActionError when there is none or somebody else has it; BadInput, ImageError when it cannot be made.
 */
export async function runMachine(state: StateDirectory, name: string, options: RunOptions): Promise<RunResult> {
  const store = new MachineStore(state.database);
  try {
    store.get(name);
    const folder = state.machine(name);
    const lock = await MachineLock.take(name, folder.path);
    try {
      return await runLocked(store, name, folder, options);
    } finally {
      lock.release();
    }
  } finally {
    store.close();
  }
}

async function runLocked(
  store: MachineStore,
  name: string,
  folder: MachineFolder,
  { cold, boot, progress, ready }: RunOptions,
): Promise<RunResult> {
  // It may have been removed before the lock was taken.
  const definition = mapPaths(store.get(name).definition, (path) => folder.resolve(path));
  const saved = new SavedState(name, folder, definition);
  saved.clean();
  const restored = saved.exists && !cold;
  if (restored) saved.check();
  writeFileSync(folder.process, JSON.stringify({ pid: process.pid }));
  let loop: RunLoop | undefined;
  let display: DisplayServer | undefined;
  const wake = (): void => loop?.wake();
  const hub = new ConsoleHub(wake);
  const log = new ConsoleLog(folder.consoleLog);
  if (restored) hub.recall(log.tail(RECALLED));
  hub.join((bytes) => log.write(bytes));
  progress({ step: "making the machine" });
  const opened = await openWanted(definition, hub, wake);
  // However the process ends, what the guest wrote is to be on the host's disk.
  process.once("exit", opened.close);
  try {
    const clock = new HoldClock(monotonic);
    const parts = await machineParts(
      opened.wanted,
      hub,
      { ...nodeBindings, monotonic: clock.now },
      nodePackageFile,
      false,
    );
    const machine = restored
      ? await saved.restore(parts, progress)
      : await newMachine(definition, boot, parts, hub, progress);
    let running: RunningMachine | undefined;
    const watchdog = definition.watchdog && {
      action: definition.watchdog,
      expired: () => running?.watchdogExpired(definition.watchdog as WatchdogAction),
    };
    loop = new RunLoop(machine, { pace, reboot: !definition.noReboot, watchdog });
    display = definition.display && (await serveDisplay(definition.display, machine, wake));
    if (display !== undefined) progress({ step: display.description });
    const began = new RunningMachine(store, name, folder, { machine, loop, clock, hub, saved, close: opened.close });
    running = began;
    return await began.run(() => ready(began));
  } finally {
    display?.close();
    opened.close();
    log.close();
    rmSync(folder.process, { force: true });
  }
}

/** From the snapshot of the booted guest, where the machine is the usual one. */
async function newMachine(
  definition: MachineDefinition,
  boot: boolean,
  parts: MachineParts,
  hub: ConsoleHub,
  progress: (progress: Progress) => void,
): Promise<Machine> {
  const guest = boot ? undefined : bootedGuestOf(definition, machineDefinition.parse({}), "user");
  try {
    if (guest !== undefined) {
      const saved = await SavedMachine.open(packageFile(...guest.split("/")));
      const machine = await startBootedGuest(parts, hub, (all) => saved.restore(all));
      progress({ step: STARTED_FROM_SNAPSHOT });
      return machine;
    }
  } catch (error) {
    if (!(error instanceof SnapshotError || error instanceof BadInput)) throw error;
    progress({ step: `${error.message}; it boots` });
  }
  const { Machine } = await import("../machine/machine.ts");
  await parts.readToBoot?.();
  return Machine.create(parts);
}

/** Bytes of the log that who comes to the console of a machine that was restored sees first. */
const RECALLED = 0x4000;

interface Parts {
  readonly machine: Machine;
  readonly loop: RunLoop;
  readonly clock: HoldClock;
  readonly hub: ConsoleHub;
  readonly saved: SavedState;
  /** Closes disks and devices. */
  readonly close: () => void;
}

/** A machine that runs, and what can be asked of it. */
export class RunningMachine {
  readonly hub: ConsoleHub;
  readonly #store: MachineStore;
  readonly #name: string;
  readonly #folder: MachineFolder;
  readonly #parts: Parts;
  #paused = false;
  /** The state that was saved, once it is; then the machine ends. */
  #state: NewSnapshotFile | undefined;
  /** A save is under way. */
  #saving = false;
  readonly #ended = Promise.withResolvers<RunEnding>();

  constructor(store: MachineStore, name: string, folder: MachineFolder, parts: Parts) {
    this.#store = store;
    this.#name = name;
    this.#folder = folder;
    this.#parts = parts;
    this.hub = parts.hub;
    // Nobody may be waiting for it.
    this.#ended.promise.catch(() => {});
  }

  async run(ready: () => void): Promise<RunResult> {
    const { loop, hub, saved, close } = this.#parts;
    const name = this.#name;
    const server = await listen(httpApi(MACHINE_ACTIONS, this.#handlers()), this.#folder.socket);
    const endConsoles = serveConsoles(server, (path) =>
      path === CONSOLE_PATH.replace("{name}", name) ? hub : undefined,
    );
    let end: RunEnding = "failed";
    let exitStatus: number | undefined;
    try {
      this.#store.began(name);
      saved.discard();
      ready();
      keepHeapsSmall();
      const how = await loop.run();
      end = this.#endingOf(how);
      exitStatus = how === "exit" ? loop.exitStatus : undefined;
      close();
      if (this.#state !== undefined) {
        // Not before: closing a disk may still write to it.
        saved.finish(this.#state);
        end = "saved";
      }
      return { end, exitStatus };
    } catch (error) {
      this.#state?.abandon();
      end = "failed";
      this.#ended.reject(error);
      throw error;
    } finally {
      this.#store.ended(name, end, exitStatus);
      hub.flush();
      endConsoles(end);
      this.#ended.resolve(end);
      await endServer(server);
      rmSync(this.#folder.socket, { force: true });
    }
  }

  #endingOf(end: RunEnd): RunEnding {
    if (end === "quit") return "forced";
    return end === "off" || end === "exit" || end === "reset" || end === "watchdog" ? end : "failed";
  }

  #handlers(): Partial<Handlers<typeof MACHINE_ACTIONS>> {
    const mine =
      <Input extends { readonly name: string }, Output>(
        act: (input: Input, progress: (progress: Progress) => void) => Output,
      ) =>
      (input: Input, progress: (progress: Progress) => void): Output => {
        if (input.name === this.#name) return act(input, progress);
        throw new ActionError("no-such-machine", `this is ${this.#name}, not ${input.name}`);
      };
    return {
      info: mine(() =>
        describe(this.#store.get(this.#name), this.#folder, this.#paused ? "paused" : "running", process.pid),
      ),
      pause: mine(() => this.#pause(true)),
      resume: mine(() => this.#pause(false)),
      stop: mine((input: InputOf<"stop">, progress) => this.stop(input, progress)),
    };
  }

  #pause(paused: boolean): Record<string, never> {
    if (this.#saving) throw this.#isSaving();
    if (paused === this.#paused) {
      throw new ActionError("wrong-state", `${this.#name} is ${paused ? "paused already" : "not paused"}`);
    }
    this.#hold(paused);
    return {};
  }

  watchdogExpired(action: WatchdogAction): void {
    if (action === "pause") this.#hold(true);
    this.hub.write(new TextEncoder().encode(watchdogNote(action)));
  }

  #isSaving(): ActionError {
    return new ActionError("wrong-state", `${this.#name} is being saved`);
  }

  #hold(held: boolean): void {
    this.#paused = held;
    this.#parts.clock.hold(held);
    this.#parts.loop.hold(held);
  }

  /** Stops it; done when disks are closed and the end is on record. */
  async stop(
    { how, timeout }: Pick<InputOf<"stop">, "how" | "timeout">,
    progress: (progress: Progress) => void,
  ): Promise<OutputOf<"stop">> {
    const { loop } = this.#parts;
    let note: string | undefined;
    if (how === "force") loop.stop("quit");
    else {
      if (this.#saving) throw this.#isSaving();
      if (how !== "shutdown") note = await this.#save(how === "default", progress);
      if (this.#state !== undefined) loop.stop("quit");
      else if (!(await this.#shutDown(timeout, progress))) {
        note = [note, `it did not shut down within ${timeout} s, and was stopped by force`]
          .filter((part) => part !== undefined)
          .join("; ");
      }
    }
    return { end: await this.#ended.promise, ...(note === undefined ? {} : { note }) };
  }

  /** @param optional whether it may fail. @returns why it failed. @throws BadInput */
  async #save(optional: boolean, progress: (progress: Progress) => void): Promise<string | undefined> {
    const { machine, loop, saved } = this.#parts;
    this.#saving = true;
    loop.hold(true);
    try {
      this.#state = await saved.save(machine, progress);
      return undefined;
    } catch (error) {
      if (!this.#paused) loop.hold(false);
      const { code, message } = asActionError(error);
      if (optional && code === "bad-input") return `it cannot be saved, and was shut down: ${message}`;
      throw error;
    } finally {
      this.#saving = false;
    }
  }

  /** @returns whether it did. */
  async #shutDown(timeout: number, progress: (progress: Progress) => void): Promise<boolean> {
    const { machine, loop } = this.#parts;
    if (this.#paused) this.#hold(false);
    const pressPowerKey = (): void => {
      machine.pressPowerKey();
      // The guest may be asleep, waiting for just this.
      loop.wake();
    };
    const ended = this.#ended.promise;
    const done = await shutDown({ name: this.#name, timeout, pressPowerKey, ended, progress });
    if (!done) loop.stop("quit");
    return done;
  }

  /** What a signal does: as `stop`, and at once the second time. */
  onSignal = (): void => {
    const how = this.#signalled ? "force" : "default";
    this.#signalled = true;
    this.stop({ how, timeout: STOP_TIMEOUT }, () => {}).catch(() => this.#parts.loop.stop("quit"));
  };
  #signalled = false;
}
