// One domain of the node, from its definition on: what it names is opened when it starts and closed when it has ended, and it is started
// again as its definition says.

import { mkdirSync } from "node:fs";
import { ActionError, type Progress } from "../../contract/action.ts";
import { board } from "../../contract/definition.ts";
import type { DomainInfo, DomainInput, DomainOutput, DomainStatus } from "../../contract/domains.ts";
import { mapPaths } from "../../contract/paths.ts";
import { machineParts } from "../../hosts/library/parts.ts";
import { nodeBindings, nodePackageFile } from "../../hosts/node/bindings.ts";
import { type OpenWanted, openWanted } from "../../hosts/node/wanted-machine.ts";
import type { HypervisorEvent } from "../../hypervisor/events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { ConsoleHub } from "../console-hub.ts";
import { ConsoleLog } from "../console-log.ts";
import type { MachineFolder } from "../state-directory.ts";
import { within } from "../within.ts";
import { BackOff } from "./back-off.ts";
import { HealthMonitor } from "./health.ts";
import { seconds } from "./metrics.ts";
import type { StoredDomain } from "./store.ts";

export interface KeeperHost {
  readonly hypervisor: Hypervisor;
  /** Ends the sleep of the loop that runs the hypervisor. */
  readonly wake: () => void;
  /** Something changed that others may wait for. */
  readonly changed: () => void;
}

/** Milliseconds after which the power key is pressed again. */
const PRESS_AGAIN = 5000;

type Report = (progress: Progress) => void;

export class DomainKeeper {
  readonly stored: StoredDomain;
  readonly hub: ConsoleHub;
  status: DomainStatus = "off";
  reason: string | undefined;
  /** It has run, and ended by itself. */
  ended = false;
  wanted: boolean;
  restarts = 0;
  /** It is about to run. */
  busy = false;
  readonly #host: KeeperHost;
  readonly #folder: MachineFolder;
  readonly #log: ConsoleLog;
  readonly #backOff: BackOff;
  #opened: OpenWanted | undefined;
  #health: HealthMonitor | undefined;
  #started: Date | undefined;
  #again: NodeJS.Timeout | undefined;
  /** Why the node itself ends a run. */
  #endedFor: string | undefined;
  #hasEnded = Promise.withResolvers<void>();

  constructor(stored: StoredDomain, folder: MachineFolder, host: KeeperHost) {
    this.stored = stored;
    this.wanted = stored.wanted;
    this.#host = host;
    this.#folder = folder;
    this.#backOff = new BackOff(stored.definition.restart);
    mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    this.hub = new ConsoleHub(host.wake);
    this.#log = new ConsoleLog(folder.consoleLog);
    this.hub.join((bytes) => {
      this.#log.write(bytes);
      this.#health?.saw(bytes);
    });
  }

  get name(): string {
    return this.stored.name;
  }

  get health(): HealthMonitor["state"] | undefined {
    return this.stored.definition.health && (this.#health?.state ?? "unknown");
  }

  /** Whether it is in the hypervisor's hands. */
  get runs(): boolean {
    return this.#opened !== undefined;
  }

  info(): DomainInfo {
    const { name, reason, health, status, restarts, wanted } = this;
    const found = this.runs ? this.#host.hypervisor.statistics(name) : undefined;
    return {
      ...{ name, status, restarts, wanted, definition: this.stored.definition },
      ...(reason === undefined ? {} : { reason }),
      ...(health === undefined ? {} : { health }),
      ...(this.#started === undefined ? {} : { started: this.#started.toISOString() }),
      ...(found && { statistics: { ...found, cpuTime: seconds(found.cpuTime), stolen: seconds(found.stolen) } }),
    };
  }

  /** It waits for others. */
  waitFor(what: string): void {
    this.status = "waiting";
    this.reason = what;
  }

  /** @throws ActionError, BadInput, ImageError when it cannot be started; it has failed then. */
  async start(): Promise<void> {
    if (this.#opened !== undefined || this.busy) throw new ActionError("wrong-state", `${this.name} is ${this.status}`);
    clearTimeout(this.#again);
    this.#again = undefined;
    this.busy = true;
    this.reason = undefined;
    this.ended = false;
    this.#hasEnded = Promise.withResolvers<void>();
    const { hypervisor, wake, changed } = this.#host;
    const { definition } = this.stored;
    let opened: OpenWanted | undefined;
    try {
      const resolved = mapPaths(definition, (path) => this.#folder.resolve(path));
      opened = await openWanted({ ...resolved, bios: undefined, cpu: "max", machine: board.parse({}) }, this.hub, wake);
      const parts = await machineParts(
        opened.wanted,
        this.hub,
        { ...nodeBindings, pageRelease: undefined },
        nodePackageFile,
      );
      const { weight, cap, reservation, pinned } = definition.schedule;
      const share = { weight, reservation, ...(cap === undefined ? {} : { cap }) };
      hypervisor.define({ ...parts, name: this.name, share, pinned });
      try {
        hypervisor.start(this.name);
      } catch (error) {
        hypervisor.remove(this.name);
        throw error;
      }
    } catch (error) {
      opened?.close();
      this.status = "failed";
      this.reason = error instanceof Error ? error.message : String(error);
      this.#hasEnded.resolve();
      changed();
      throw error;
    } finally {
      this.busy = false;
    }
    this.#opened = opened;
    this.#endedFor = undefined;
    this.#started = new Date();
    this.status = "running";
    if (definition.health !== undefined) {
      this.#health = new HealthMonitor(definition.health, definition, () => this.#healthChanged());
    }
    changed();
  }

  #healthChanged(): void {
    if (this.#health?.state === "unhealthy" && this.stored.definition.restart.when !== "never")
      this.#endFor("unhealthy");
    this.#host.changed();
  }

  /** Ends a run that counts as failed. */
  #endFor(reason: string): void {
    if (!this.runs) return;
    this.#endedFor ??= reason;
    this.#host.hypervisor.stop(this.name);
  }

  /** What the hypervisor tells of this domain. */
  happened(event: HypervisorEvent): void {
    if (event.kind === "reset" && this.stored.definition.noReboot) this.#endFor("its guest reset");
    // By its guard, too.
    else if (event.kind === "paused" && this.status === "running") this.status = "paused";
    else if (event.kind === "stopped") this.#stopped(event.cause === "failed" ? (event.reason ?? "failed") : undefined);
  }

  /** Its guard saw something. */
  violated(what: string): void {
    this.reason = what;
  }

  #stopped(failure: string | undefined): void {
    const ran = this.#started === undefined ? 0 : (Date.now() - this.#started.getTime()) / 1000;
    this.#host.hypervisor.remove(this.name);
    this.#health?.end();
    this.#health = undefined;
    this.#opened?.close();
    this.#opened = undefined;
    this.hub.flush();
    const reason = this.#endedFor ?? failure;
    const asked = this.status === "stopping";
    const wait = asked || !this.wanted ? undefined : this.#backOff.next(reason !== undefined, ran);
    this.ended = !asked && reason === undefined && wait === undefined;
    if (wait !== undefined) {
      this.restarts++;
      this.waitFor(`${reason ?? "shut down"}; starts again in ${wait} s`);
      this.#again = setTimeout(() => {
        this.#again = undefined;
        this.status = "off";
        this.#host.changed();
      }, wait * 1000);
    } else {
      this.status = reason !== undefined && !asked ? "failed" : "off";
      this.reason = this.status === "failed" ? reason : undefined;
    }
    this.#hasEnded.resolve();
    this.#host.changed();
  }

  /** Whether it waits for its time to start again. */
  get delayed(): boolean {
    return this.#again !== undefined && this.status === "waiting";
  }

  /** Done when it has ended. @throws ActionError when it does not run. */
  async stop(
    { force, timeout }: Pick<DomainInput<"stop">, "force" | "timeout">,
    progress: Report,
  ): Promise<DomainOutput<"stop">> {
    clearTimeout(this.#again);
    this.#again = undefined;
    if (!this.runs) {
      if (this.status !== "waiting") throw new ActionError("wrong-state", `${this.name} is not running`);
      this.status = "off";
      this.reason = undefined;
      return {};
    }
    const { hypervisor } = this.#host;
    const { name } = this;
    if (this.status === "paused") hypervisor.resume(name);
    this.status = "stopping";
    const limit = timeout ?? this.stored.definition.stopTimeout;
    if (!force) {
      const deadline = performance.now() + limit * 1000;
      let pressed = Number.NEGATIVE_INFINITY;
      for (let left = limit * 1000; left > 0 && this.runs; left = deadline - performance.now()) {
        // A guest that is still starting does not listen yet.
        if (performance.now() - pressed >= PRESS_AGAIN) {
          hypervisor.pressPowerKey(name);
          pressed = performance.now();
        }
        progress({ step: `waiting for ${name} to shut down, ${Math.ceil(left / 1000)} s left` });
        await within(this.#hasEnded.promise, Math.min(left, 1000));
      }
      if (!this.runs) return {};
    }
    hypervisor.stop(name);
    await this.#hasEnded.promise;
    return force ? {} : { note: `${name} did not shut down within ${limit} s, and was stopped by force` };
  }

  pause(paused: boolean): void {
    if (this.status !== (paused ? "running" : "paused")) {
      throw new ActionError("wrong-state", `${this.name} is ${this.status}`);
    }
    if (paused) this.#host.hypervisor.pause(this.name);
    else this.#host.hypervisor.resume(this.name);
    this.status = paused ? "paused" : "running";
    this.reason = undefined;
  }

  /** It is not running, and will not be again. */
  close(): void {
    clearTimeout(this.#again);
    this.#log.close();
  }
}
