// What can be asked of the machines of a state directory, whether they run or not: the command line asks here, in its own process.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ActionError, type Progress } from "../contract/action.ts";
import { machineDefinition } from "../contract/definition.ts";
import {
  type InputOf,
  MACHINE_ACTIONS,
  type MachineAction,
  type MachineInfo,
  machineInfo,
  type OutputOf,
} from "../contract/machines.ts";
import { callAction, NoAnswer } from "./api-client.ts";
import { describe } from "./describe.ts";
import { isDomain } from "./domains/store.ts";
import { asActionError } from "./errors.ts";
import { checkFiles } from "./given-files.ts";
import type { Handlers } from "./http-api.ts";
import { withAddresses } from "./interfaces.ts";
import { END_PATIENCE, isHeld, MachineLock, released } from "./machine-lock.ts";
import { flushFolder, makeDisks } from "./new-disks.ts";
import { startProcess } from "./start-process.ts";
import type { StateDirectory } from "./state-directory.ts";
import { exists, MachineStore, type StoredMachine } from "./store.ts";

/** Milliseconds that a machine's process has to say how it is. */
const INFO_PATIENCE = 2000;

type Report = (progress: Progress) => void;
const SILENT: Report = () => {};

export class Machines implements Handlers<typeof MACHINE_ACTIONS> {
  readonly state: StateDirectory;
  readonly #store: MachineStore;
  readonly #command: readonly string[];

  /** @param command how the `atoll` command is run: machines run in processes of it. @throws BadInput when the store cannot be used. */
  constructor(state: StateDirectory, command: readonly string[]) {
    this.state = state;
    this.#store = new MachineStore(state.database);
    this.#command = command;
  }

  close(): void {
    this.#store.close();
  }

  readonly list = async (): Promise<OutputOf<"list">> => ({
    machines: await Promise.all(this.#store.list().map((stored) => this.#describe(stored))),
  });

  readonly info = async ({ name }: InputOf<"info">): Promise<MachineInfo> => this.#describe(this.#store.get(name));

  readonly create = async ({ name, definition }: InputOf<"create">): Promise<MachineInfo> => {
    if (this.#store.find(name) !== undefined) throw exists(name);
    if (isDomain(this.state, name)) {
      throw new ActionError("wrong-state", `there is a domain ${name} already: a machine needs another name`);
    }
    checkFiles(definition);
    if (definition.net.some((each) => each.kind === "tap" && typeof each.device === "number"))
      throw new ActionError("bad-input", "a file descriptor is one process's: give tap:NAME or tap:/dev/tapN");
    const { path } = this.state.machine(name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = await MachineLock.take(name, path);
    try {
      if (this.#store.find(name) !== undefined) throw exists(name);
      // What a command left behind that was killed while it made or removed a machine of this name.
      for (const entry of readdirSync(path)) rmSync(join(path, entry), { recursive: true });
      try {
        const disk = makeDisks(definition.disk, path);
        flushFolder(path);
        flushFolder(dirname(path));
        this.#store.add(name, machineDefinition.parse({ ...definition, net: withAddresses(definition.net), disk }));
      } catch (error) {
        rmSync(path, { recursive: true, force: true });
        throw error;
      }
    } finally {
      lock.release();
    }
    return this.info({ name });
  };

  readonly remove = async ({ name, force }: InputOf<"remove">): Promise<Record<string, never>> => {
    this.#store.get(name);
    const folder = this.state.machine(name);
    if (isHeld(folder.path)) {
      if (!force) {
        throw new ActionError("wrong-state", `${name} runs: stop it with atoll stop ${name}, or give --force`);
      }
      await this.#forceStop(name);
    }
    // Makes it where somebody removed it by hand: the lock is beside it.
    mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    const lock = await MachineLock.take(name, folder.path);
    try {
      this.#store.get(name);
      // In this order: a folder without a machine is only space, and `create` clears it.
      this.#store.remove(name);
      rmSync(folder.path, { recursive: true, force: true });
      rmSync(folder.socket, { force: true });
    } finally {
      lock.release();
    }
    return {};
  };

  readonly start = async ({ name, cold, boot }: InputOf<"start">, progress: Report = SILENT): Promise<MachineInfo> => {
    this.#store.get(name);
    const folder = this.state.machine(name);
    if (isHeld(folder.path)) throw new ActionError("wrong-state", `${name} runs already, or is about to`);
    const command = [
      ...this.#command,
      "start",
      name,
      "--foreground",
      ...(cold ? ["--cold"] : []),
      ...(boot ? ["--boot"] : []),
    ];
    await startProcess(command, this.state, folder.processLog, progress);
    return this.info({ name });
  };

  readonly stop = async (input: InputOf<"stop">, progress: Report = SILENT): Promise<OutputOf<"stop">> => {
    if (input.how === "force") {
      this.#running(input.name);
      return this.#forceStop(input.name);
    }
    const result = (await this.#ask("stop", input, { progress })) as OutputOf<"stop">;
    await this.#gone(input.name);
    return result;
  };

  readonly pause = async (input: InputOf<"pause">): Promise<Record<string, never>> => {
    await this.#ask("pause", input, { timeout: END_PATIENCE });
    return {};
  };

  readonly resume = async (input: InputOf<"resume">): Promise<Record<string, never>> => {
    await this.#ask("resume", input, { timeout: END_PATIENCE });
    return {};
  };

  /** The socket of a machine that runs. @throws ActionError when it does not. */
  socketOf(name: string): string {
    this.#running(name);
    return this.state.machine(name).socket;
  }

  #running(name: string): void {
    this.#store.get(name);
    if (isHeld(this.state.machine(name).path)) return;
    throw new ActionError("wrong-state", `${name} is not running: atoll start ${name} starts it`);
  }

  async #ask(
    action: MachineAction,
    input: { readonly name: string },
    options: { timeout?: number; progress?: Report },
  ): Promise<unknown> {
    const socket = this.socketOf(input.name);
    try {
      return await callAction(socket, MACHINE_ACTIONS[action], input, options);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      throw new ActionError(
        "wrong-state",
        `${input.name} does not answer (${error.message}): try again, or end it with atoll stop --force ${input.name}`,
      );
    }
  }

  /** Ends its process, one that hangs, too. */
  async #forceStop(name: string): Promise<OutputOf<"stop">> {
    const folder = this.state.machine(name);
    const input = { name, how: "force", timeout: 0 };
    try {
      await callAction(folder.socket, MACHINE_ACTIONS.stop, input, { timeout: INFO_PATIENCE });
      await this.#gone(name);
    } catch (error) {
      if (!(error instanceof NoAnswer) && asActionError(error).code !== "wrong-state") throw error;
      const pid = this.#pid(name);
      if (pid !== undefined && isHeld(folder.path)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {}
      }
      await this.#gone(name);
      this.#store.ended(name, "forced");
    }
    return { end: "forced" };
  }

  /** Waits for a process to let its machine go. */
  async #gone(name: string): Promise<void> {
    const { path } = this.state.machine(name);
    await released(path, `the process of ${name}`);
  }

  async #describe(stored: StoredMachine): Promise<MachineInfo> {
    const folder = this.state.machine(stored.name);
    if (isHeld(folder.path)) {
      try {
        const answer = await callAction(
          folder.socket,
          MACHINE_ACTIONS.info,
          { name: stored.name },
          { timeout: INFO_PATIENCE },
        );
        return machineInfo.parse(answer);
      } catch {
        return describe(stored, folder, "busy", this.#pid(stored.name));
      }
    }
    const { lastRun } = stored;
    const failed = lastRun !== undefined && [undefined, "failed", "watchdog"].includes(lastRun.end);
    return describe(stored, folder, existsSync(folder.saved) ? "saved" : failed ? "failed" : "off");
  }

  #pid(name: string): number | undefined {
    try {
      const { pid } = JSON.parse(readFileSync(this.state.machine(name).process, "utf8")) as { pid?: unknown };
      return typeof pid === "number" && pid > 1 ? pid : undefined;
    } catch {
      return undefined;
    }
  }
}
