// One domain of the node, from its definition on: what it names is opened when it starts and closed when it has ended, and it is started
// again as its definition says.

import { existsSync, mkdirSync } from "node:fs";
import { isAbsolute } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { BlockStore } from "../../bus/device.ts";
import { ActionError, type Progress } from "../../contract/action.ts";
import { board, type Disk } from "../../contract/definition.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import type { DomainInfo, DomainInput, DomainOutput, DomainStatus } from "../../contract/domains.ts";
import { mapPaths } from "../../contract/paths.ts";
import { machineParts, type WantedMachine } from "../../hosts/library/parts.ts";
import { type Opener, type OpenWanted, openWanted } from "../../hosts/library/wanted-machine.ts";
import { nodeBindings, nodePackageFile } from "../../hosts/node/bindings.ts";
import { type DisplayServer, serveDisplay } from "../../hosts/node/display-server.ts";
import { openDevices } from "../../hosts/node/guest-devices.ts";
import type { NodeNetworks } from "../../hosts/node/guest-network.ts";
import { nodePlatform } from "../../hosts/node/platform.ts";
import type { NewSnapshotFile } from "../../hosts/node/snapshot-file.ts";
import type { DomainConfig } from "../../hypervisor/domain.ts";
import type { HypervisorEvent } from "../../hypervisor/events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { ConsoleHub } from "../console-hub.ts";
import { ConsoleLog } from "../console-log.ts";
import { LoggedStore } from "../migration/logged-store.ts";
import { shutDown } from "../shut-down.ts";
import type { MachineFolder } from "../state-directory.ts";
import { watchdogNote } from "../watchdog-note.ts";
import { BackOff } from "./back-off.ts";
import type { DiskFork } from "./disk-fork.ts";
import { ForkableDisk } from "./forkable-disk.ts";
import { HealthMonitor } from "./health.ts";
import type { Layers } from "./layers.ts";
import { seconds } from "./metrics.ts";
import { SavedDomain } from "./saved-domain.ts";
import type { StoredDomain } from "./store.ts";

export interface KeeperHost {
  readonly hypervisor: Hypervisor;
  /** Ends the sleep of the loop that runs the hypervisor. */
  readonly wake: () => void;
  readonly networks: NodeNetworks;
  /** Something changed that others may wait for. */
  readonly changed: () => void;
}

type Report = (progress: Progress) => void;

export class DomainKeeper {
  stored: StoredDomain;
  readonly hub: ConsoleHub;
  status: DomainStatus = "off";
  reason: string | undefined;
  /** It has run, and ended by itself. */
  ended = false;
  wanted: boolean;
  restarts = 0;
  /** How often its watchdog expired. */
  watchdogs = 0;
  /** It is about to run. */
  busy = false;
  /** Numbers of disks that are read-only for the guest, and not for who fills them. */
  readOnlyDisks: readonly number[] = [];
  readonly #host: KeeperHost;
  readonly #folder: MachineFolder;
  readonly #log: ConsoleLog;
  readonly #backOff: BackOff;
  #opened: (OpenWanted & { readonly disks: readonly ForkableDisk[] }) | undefined;
  #health: HealthMonitor | undefined;
  #display: DisplayServer | undefined;
  #started: Date | undefined;
  #again: NodeJS.Timeout | undefined;
  /** Why the node itself ends a run. */
  #endedFor: string | undefined;
  /** Done when the disks of the last run are closed. */
  #closed: Promise<void> = Promise.resolve();
  #hasEnded = Promise.withResolvers<void>();

  constructor(stored: StoredDomain, folder: MachineFolder, host: KeeperHost) {
    this.stored = stored;
    this.wanted = stored.wanted;
    this.#host = host;
    this.#folder = folder;
    this.#backOff = new BackOff(stored.definition.restart);
    mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    if (existsSync(folder.saved)) this.status = "saved";
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
    const { name, reason, health, status, restarts, watchdogs, wanted } = this;
    const found = this.runs ? this.#host.hypervisor.statistics(name) : undefined;
    return {
      ...{ name, status, restarts, watchdogs, wanted, definition: this.stored.definition },
      channels: this.#host.hypervisor.channels.placesOf(name).map(({ channel: { config }, member }) => ({
        ...{ name: config.name, size: config.bytes, readOnly: config.members[member]?.readOnly !== false },
      })),
      ...(this.stored.forkedFrom === undefined ? {} : { forkedFrom: this.stored.forkedFrom }),
      ...(reason === undefined ? {} : { reason }),
      ...(health === undefined || !this.runs ? {} : { health }),
      ...(this.#display && { display: this.#display.address }),
      ...(this.#started === undefined ? {} : { started: this.#started.toISOString() }),
      ...(found && { statistics: { ...found, cpuTime: seconds(found.cpuTime), stolen: seconds(found.stolen) } }),
    };
  }

  /** It waits for others. */
  waitFor(what: string): void {
    this.status = "waiting";
    this.reason = what;
  }

  /**
   * @param bring has the hypervisor run it, or hold it, and says which; from where it was saved, or power-on, where it is not given.
   * @throws ActionError, BadInput, ImageError, or what `bring` throws, when it cannot be started; it has failed then.
   */
  start(bring: (config: DomainConfig) => DomainStatus | Promise<DomainStatus> = this.#begin): Promise<void> {
    const { definition, name } = this.stored;
    return this.#launch(definition, ForkableDisk.open, async (wanted) => {
      const parts = await machineParts(wanted, this.hub, { ...nodeBindings, pageRelease: undefined }, nodePackageFile);
      const { weight, cap, reservation, pinned } = definition.schedule;
      const share = { weight, reservation, ...(cap === undefined ? {} : { cap }) };
      return bring({ ...parts, name, share, pinned, watchdog: definition.watchdog });
    });
  }

  /**
   * Starts it as a copy of `original`, which runs or is paused, as it is then; what that boots of is in its memory.
   * @returns milliseconds for which the original stood still. @throws ActionError, BadInput, ImageError; the original goes on then, too.
   */
  async startAs(original: DomainKeeper, layers: Layers): Promise<number> {
    const { hypervisor } = this.#host;
    const { name, definition } = this.stored;
    const copies: ForkableDisk[] = [];
    const forks: DiskFork[] = [];
    let pause = 0;
    const openDisk = async (disk: Disk): Promise<ForkableDisk> => {
      const copy = await ForkableDisk.copyOf(original.#disk(copies.length), disk);
      copies.push(copy);
      return copy;
    };
    const ofDevices = { ...definition, kernel: undefined, initrd: undefined, dtb: undefined, load: [] };
    try {
      await this.#launch(ofDevices, openDisk, async (wanted) => {
        for (const [i, copy] of copies.entries()) {
          // Disks that are the domain's own have no path of their own; what is made of them has its place, too.
          const isOwn = !isAbsolute(original.stored.definition.disk[i]?.file ?? "/");
          const layer = isOwn ? layers.next() : undefined;
          forks.push(original.#disk(i).prepareFork(copy, { layer, root: layers.root }));
        }
        // Guests had to wait for the host's disk.
        await setImmediate();
        const { networks = [], shares = [], vsock, serialPorts = [], terminalSize, disks } = wanted;
        const before = performance.now();
        hypervisor.fork(original.name, name, () => {
          for (const fork of forks) fork.cut();
          return { networks, shares, ...(vsock && { vsock }), serialPorts, terminalSize, disks, serial: this.hub };
        });
        pause = performance.now() - before;
        return hypervisor.status(name) === "paused" ? "paused" : "running";
      });
    } finally {
      for (const fork of forks) fork.end();
    }
    // What its definition names is there before the definition is.
    for (const disk of [...copies, ...original.#disks]) if (!disk.readOnly) disk.flush();
    return pause;
  }

  #disk(index: number): ForkableDisk {
    const disk = this.#disks[index];
    if (disk === undefined) throw new ActionError("wrong-state", `${this.name} is ${this.status}`);
    return disk;
  }

  get #disks(): readonly ForkableDisk[] {
    return this.#opened?.disks ?? [];
  }

  /** Opens what the definition names, and `go` brings it to the hypervisor, and says what has become of it. */
  async #launch(
    definition: DomainDefinition,
    openDisk: (disk: Disk) => Promise<ForkableDisk>,
    go: (wanted: WantedMachine) => Promise<DomainStatus>,
  ): Promise<void> {
    if (this.#opened !== undefined || this.busy) throw new ActionError("wrong-state", `${this.name} is ${this.status}`);
    clearTimeout(this.#again);
    this.#again = undefined;
    this.busy = true;
    this.reason = undefined;
    this.ended = false;
    this.#hasEnded = Promise.withResolvers<void>();
    const { networks, wake, changed } = this.#host;
    const disks: ForkableDisk[] = [];
    let status: DomainStatus;
    let opened: OpenWanted | undefined;
    try {
      const resolved = mapPaths(definition, (path) => this.#folder.resolve(path));
      const opener = {
        ...nodePlatform,
        openDevices: openDevices.bind(undefined, networks),
        openDisk: async (disk: Disk): Promise<ForkableDisk> => {
          const each = await openDisk(disk);
          disks.push(each);
          return each;
        },
      } as Opener;
      const whole = { ...resolved, bios: undefined, cpu: "max" as const, machine: board.parse({}) };
      opened = await openWanted(whole, opener, this.hub, wake);
      const logged = opened.wanted.disks.map((disk, i) => ({ ...disk, store: this.#logged(disk.store, i) }));
      status = await go({ ...opened.wanted, disks: logged });
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
    this.#opened = { ...opened, disks };
    this.#endedFor = undefined;
    this.#started = new Date();
    this.status = status;
    if (definition.health !== undefined) {
      this.#health = new HealthMonitor(definition.health, definition, () => this.#healthChanged());
    }
    changed();
    await this.#show();
  }

  /** Its display is there for viewers. @throws BadInput when it cannot be; then the run ends, or is for who holds it to end. */
  async #show(): Promise<void> {
    const { hypervisor, wake } = this.#host;
    const { display } = mapPaths(this.stored.definition, (path) => this.#folder.resolve(path));
    const devices = hypervisor.domain(this.name)?.devices;
    if (display === undefined || devices === undefined) return;
    try {
      const server = await serveDisplay(display, { display: devices.display, input: devices.inputs }, wake);
      if (this.runs && hypervisor.domain(this.name)?.devices === devices) this.#display = server;
      else server?.close();
    } catch (error) {
      if (this.status !== "incoming") this.#endFor((error as Error).message);
      throw error;
    }
  }

  #close(): void {
    this.#health?.end();
    this.#health = undefined;
    this.#display?.close();
    this.#display = undefined;
    this.#closed = this.#opened?.close() ?? this.#closed;
    this.#opened = undefined;
  }

  get #saved(): SavedDomain {
    const { name, definition } = this.stored;
    return new SavedDomain(
      name,
      this.#folder,
      mapPaths(definition, (path) => this.#folder.resolve(path)),
    );
  }

  /** Stops it, and keeps where it was. @param unwanted writes down that it is not to start by itself. @throws ActionError, BadInput when it cannot be saved; it goes on then. */
  async stopSaved(progress: Report, unwanted: () => void): Promise<void> {
    const { hypervisor } = this.#host;
    const paused = this.status === "paused";
    if (!paused && this.status !== "running")
      throw new ActionError("wrong-state", `${this.name} is ${this.status}: only a domain that runs is saved`);
    const saved = this.#saved;
    this.hold("saving");
    let file: NewSnapshotFile;
    try {
      const domain = hypervisor.still(this.name);
      saved.checkCanBeSaved(domain);
      file = await saved.save(domain, paused, progress);
    } catch (error) {
      this.release(paused);
      throw error;
    }
    unwanted();
    await this.leave("off", undefined);
    // Not before: closing a disk may still write to it.
    await this.#closed;
    saved.finish(file);
    this.status = "saved";
    this.#host.changed();
  }

  /** It starts as after power-on. */
  forgetSaved(): void {
    this.#saved.discard();
    if (this.status === "saved") this.status = "off";
  }

  readonly #begin = (config: DomainConfig): DomainStatus | Promise<DomainStatus> => {
    const saved = this.#saved;
    return saved.exists ? saved.goOn(this.#host.hypervisor, config) : this.#powerOn(config);
  };

  readonly #powerOn = (config: DomainConfig): DomainStatus => {
    const { hypervisor } = this.#host;
    hypervisor.define(config);
    try {
      hypervisor.start(this.name);
      return "running";
    } catch (error) {
      hypervisor.remove(this.name);
      throw error;
    }
  };

  /** A disk whose writes can be followed. The guest may not write those that its definition says so of, even while they are filled. */
  #logged(store: BlockStore, index: number): LoggedStore {
    return new LoggedStore(store, store.readOnly || this.readOnlyDisks.includes(index));
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
    if (event.kind === "watchdog") this.#watchdogExpired();
    if (event.kind === "reset" && this.stored.definition.noReboot) this.#endFor("its guest reset");
    // By its guard, too.
    else if (event.kind === "paused" && this.status === "running") {
      this.status = "paused";
      this.reason = event.reason ?? this.reason;
    } else if (event.kind === "stopped")
      this.#stopped(event.cause === "failed" ? (event.reason ?? "failed") : undefined);
  }

  #watchdogExpired(): void {
    const action = this.stored.definition.watchdog;
    if (action === undefined) return;
    this.watchdogs++;
    if (action === "restart") this.restarts++;
    if (action === "pause") this.reason = "its watchdog expired: atoll resume lets it go on";
    this.hub.write(new TextEncoder().encode(watchdogNote(action)));
  }

  /** Its guard saw something. */
  violated(what: string): void {
    this.reason = what;
  }

  #stopped(failure: string | undefined): void {
    const ran = this.#started === undefined ? 0 : (Date.now() - this.#started.getTime()) / 1000;
    this.#host.hypervisor.remove(this.name);
    this.#close();
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
      const gaveUp = !asked && this.wanted && this.#backOff.gaveUp;
      const why = gaveUp ? `${reason ?? "shut down"}; not started again, as it was too often` : reason;
      this.reason = asked ? undefined : why;
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
      const pressPowerKey = (): void => hypervisor.pressPowerKey(name);
      const ended = this.#hasEnded.promise;
      if (await shutDown({ name, timeout: limit, pressPowerKey, ended, progress })) return {};
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

  /** It stands still for who moves it, whatever else is asked of it. */
  hold(status: DomainStatus): void {
    const before = this.status;
    this.status = status;
    if (before === "running") this.#host.hypervisor.pause(this.name);
  }

  /** It goes on from there, or stays paused. */
  release(paused: boolean): void {
    if (!paused) this.#host.hypervisor.resume(this.name);
    this.status = paused ? "paused" : "running";
    this.reason = undefined;
    this.#host.changed();
  }

  /** It runs no more here; done when it has ended. Not for restarts to see. */
  async leave(status: DomainStatus, reason: string | undefined): Promise<void> {
    this.wanted = false;
    if (this.runs) {
      this.status = "stopping";
      this.#host.hypervisor.stop(this.name);
      await this.#hasEnded.promise;
    }
    this.status = status;
    this.reason = reason;
    this.#host.changed();
  }

  /** One that was only held, and never ran here, is gone at once. */
  abandon(): void {
    this.wanted = false;
    if (!this.runs) return;
    this.#host.hypervisor.abandon(this.name);
    this.#close();
    this.status = "off";
    this.#hasEnded.resolve();
  }

  /** It is not running, and will not be again. */
  close(): void {
    clearTimeout(this.#again);
    this.#log.close();
  }
}
