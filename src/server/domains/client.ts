// The node, as the command line sees it: its process is started where it is needed, and everything else is asked of it.

import { mkdirSync } from "node:fs";
import { ActionError, type Progress } from "../../contract/action.ts";
import { DOMAIN_ACTIONS, type DomainAction, type DomainOutput, type DomainRequest } from "../../contract/domains.ts";
import type { NodeFile } from "../../contract/node.ts";
import { callAction, NoAnswer } from "../api-client.ts";
import { isHeld, MachineLock, released } from "../machine-lock.ts";
import { startProcess } from "../start-process.ts";
import type { StateDirectory } from "../state-directory.ts";
import { memoryOf } from "./node-memory.ts";
import { DomainStore, isDomain } from "./store.ts";

type Report = (progress: Progress) => void;

export class NodeClient {
  readonly state: StateDirectory;
  readonly #command: readonly string[];

  /** @param command how the `atoll` command is run: the node runs in a process of it. */
  constructor(state: StateDirectory, command: readonly string[]) {
    this.state = state;
    this.#command = command;
  }

  get runs(): boolean {
    return isHeld(this.state.node.path);
  }

  /** Whether there is a domain of that name, whether the node runs or not. */
  knows(name: string): boolean {
    return isDomain(this.state, name);
  }

  /** Its socket. @throws ActionError when it does not run. */
  get socket(): string {
    if (!this.runs) throw new ActionError("wrong-state", "the node is not running: atoll up starts it");
    return this.state.node.socket;
  }

  /** Whether there is anything for a node to do. */
  get isEmpty(): boolean {
    return this.#withStore((store) => store.list().length === 0);
  }

  /**
   * Makes the node what a file says, and starts its process where there is none; without a file: with what it had.
   * @param cold forgets what was saved of the file's domains.
   * @param options of `atoll node`, which are those of `atoll up`.
   */
  async up(
    file: NodeFile | undefined,
    cold: boolean,
    options: readonly string[],
    progress: Report,
  ): Promise<DomainOutput<"apply">> {
    if (!this.runs) {
      if (file !== undefined) await this.#prepare(file);
      progress({ step: "starting the node" });
      // Domains that the file has no more, or otherwise, must not start first.
      const hold = file === undefined ? [] : ["--hold"];
      const command = [...this.#command, "node", ...hold, ...options];
      await startProcess(command, this.state, this.state.node.processLog, progress);
    } else if (options.length > 0) {
      throw new ActionError("wrong-state", `the node runs already: ${options[0]} counts when it is started`);
    }
    return file === undefined ? { changes: [] } : this.ask("apply", { file, cold }, progress);
  }

  /** The node's machine has to be known when it starts. */
  async #prepare(file: NodeFile): Promise<void> {
    const { path } = this.state.node;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const lock = await MachineLock.take("the node", path);
    try {
      this.#withStore((store) => {
        store.machine = { ...file.node, memory: memoryOf(file.node, Object.values(file.domains), file.channels) };
        // The node has none of before that its memory has no room for.
        store.channels = file.channels;
      });
    } finally {
      lock.release();
    }
  }

  async ask<Name extends DomainAction>(
    action: Name,
    input: DomainRequest<Name>,
    progress: Report = () => {},
  ): Promise<DomainOutput<Name>> {
    const { socket } = this;
    try {
      const answer = await callAction(socket, DOMAIN_ACTIONS[action], input, { progress });
      return DOMAIN_ACTIONS[action].output.parse(answer) as DomainOutput<Name>;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      throw new ActionError("wrong-state", `the node does not answer (${error.message}): try again`);
    }
  }

  async down(force: boolean, progress: Report): Promise<void> {
    await this.ask("down", { force }, progress);
    await released(this.state.node.path, "the node's process");
  }

  #withStore<T>(use: (store: DomainStore) => T): T {
    const store = new DomainStore(this.state.domains);
    try {
      return use(store);
    } finally {
      store.close();
    }
  }
}
