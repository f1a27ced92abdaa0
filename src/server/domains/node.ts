// The node's process: the hypervisor, its domains, and the HTTP API by which they are driven.

import { rmSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { ActionError, type Progress } from "../../contract/action.ts";
import { domainDefinition } from "../../contract/domain.ts";
import type {
  AppliedChange,
  DOMAIN_ACTIONS,
  DomainInfo,
  DomainInput,
  DomainOutput,
  NodeInfo,
} from "../../contract/domains.ts";
import type { NodeChannels, NodeFile, NodeMachine } from "../../contract/node.ts";
import { monotonic } from "../../hosts/library/clocks.ts";
import { RunLoop } from "../../hosts/library/run-loop.ts";
import { nodeBindings, nodePackageFile } from "../../hosts/node/bindings.ts";
import { pace } from "../../hosts/node/pace.ts";
import { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Handlers } from "../http-api.ts";
import { withAddresses } from "../interfaces.ts";
import { Arrivals } from "../migration/arrivals.ts";
import { Departures } from "../migration/departures.ts";
import type { MigrationHost } from "../migration/host.ts";
import { cleanUp } from "../migration/newcomer.ts";
import { Saves } from "../migration/saves.ts";
import type { Certificates } from "../migration/transport.ts";
import type { MachineFolder } from "../state-directory.ts";
import { definitionOfCopy } from "./copy-definition.ts";
import { channelsOf, disksOf, isGivenAs } from "./given.ts";
import { Inspector } from "./inspector.ts";
import { DomainKeeper, type KeeperHost } from "./keeper.ts";
import type { Layers } from "./layers.ts";
import { seconds } from "./metrics.ts";
import { Networks } from "./networks.ts";
import { channelBytes, memoryOf } from "./node-memory.ts";
import { allStarted, startWanted, stopAll } from "./starting.ts";
import type { DomainStore, StoredDomain } from "./store.ts";

/** Of each turn, and between turns of a machine that sleeps. */
const SCANNED_PAGES = 100;
const SCAN_NANOSECONDS = 20e6;

/** Milliseconds. */
const HOLD = 60_000;

type Report = (progress: Progress) => void;

const MIB = 2 ** 20;

export interface NodeOptions {
  readonly store: DomainStore;
  readonly folderOf: (name: string) => MachineFolder;
  readonly layers: Layers;
  /** No domain starts by itself before the first `apply`, or HOLD. */
  readonly hold?: boolean | undefined;
  /** Whether a machine that lasts has that name. */
  readonly isTaken: (name: string) => boolean;
  /** By which other nodes are let in. */
  readonly token: () => Buffer;
  /** Of connections to other nodes. */
  readonly certificates?: Certificates | undefined;
}

export class Node implements Handlers<typeof DOMAIN_ACTIONS> {
  readonly #options: NodeOptions;
  readonly #machine: NodeMachine;
  readonly #hypervisor: Hypervisor;
  readonly #loop: RunLoop;
  readonly #inspector: Inspector;
  readonly #networks = new Networks();
  readonly #keepers = new Map<string, DomainKeeper>();
  readonly #departures: Departures;
  readonly #saves: Saves;
  /** Domains that come from other nodes. */
  readonly arrivals: Arrivals;
  readonly #began = new Date();
  #ending = false;
  #held = false;
  #forks = Promise.resolve();
  /** Those who wait for something to change. */
  #waiting = Promise.withResolvers<void>();

  /** @throws BadInput when the store's machine cannot be made. */
  constructor(options: NodeOptions) {
    this.#options = options;
    const { store } = options;
    const domains = store.list();
    const machine = store.machine;
    const memory = memoryOf(
      machine,
      domains.map(({ definition }) => definition),
      store.channels,
    );
    this.#machine = { ...machine, memory };
    const text = (name: "build/interpreter.json"): string => new TextDecoder().decode(nodePackageFile(name));
    const releasePages = nodeBindings.pageRelease?.();
    this.#hypervisor = new Hypervisor({
      // Its PEs are one thread's, and nothing else needs memory that threads share.
      ...{ releasePages, sharedMemory: releasePages === undefined },
      ...{ cpus: this.#machine.cpus, cpu: this.#machine.cpu, tier: "auto" },
      ...{ memory, sameMemory: this.#machine.sameMemory },
      ...{ entropy: nodeBindings.entropy, monotonic },
      artifacts: {
        native: nodePackageFile("build/native.wasm"),
        interpreter: nodePackageFile("build/interpreter.wasm"),
        handlers: text("build/interpreter.json"),
      },
    });
    const node = { run: (milliseconds: number) => this.#runNode(milliseconds), reset: () => {} };
    this.#loop = new RunLoop(node, { pace, reboot: true });
    this.#hypervisor.onWork = () => this.#loop.wake();
    this.#hypervisor.subscribe((event) => this.#keepers.get(event.domain)?.happened(event));
    this.#inspector = new Inspector(this.#hypervisor, (name, what) => this.#keepers.get(name)?.violated(what));
    const migrations = this.#migrationHost();
    this.#departures = new Departures(migrations);
    this.#saves = new Saves(migrations);
    this.arrivals = new Arrivals(migrations);
    cleanUp(migrations);
    for (const [name, { size, members }] of Object.entries(store.channels))
      this.#hypervisor.channels.define({ name, bytes: size, members });
    for (const stored of domains) this.#keep(stored);
    this.#departures.start();
  }

  #migrationHost(): MigrationHost {
    const { store, folderOf, isTaken, token, certificates } = this.#options;
    return {
      ...{ hypervisor: this.#hypervisor, cpu: this.#machine.cpu, store, folderOf, isTaken, token, certificates },
      find: (name) => this.#keepers.get(name),
      keep: (stored) => {
        this.#keepers.get(stored.name)?.close();
        return this.#keep(stored);
      },
      drop: (name) => {
        this.#keepers.get(name)?.close();
        this.#keepers.delete(name);
      },
      changed: () => this.#changed(),
    };
  }

  /** As Hypervisor.run, and looks for pages that are the same, at a pace that costs little of a host's CPU. */
  #runNode(milliseconds: number): ReturnType<Hypervisor["run"]> {
    const state = this.#hypervisor.run(milliseconds);
    if (!this.#machine.sameMemory) return state;
    this.#hypervisor.scan(SCANNED_PAGES);
    return state.kind === "idle" ? { kind: "idle", nanoseconds: Math.min(state.nanoseconds, SCAN_NANOSECONDS) } : state;
  }

  /** Runs until `down`. Rejects when the hypervisor throws. */
  async run(): Promise<void> {
    this.#held = this.#options.hold === true;
    // Who was to say more may have died.
    if (this.#held) setTimeout(() => this.#release(), HOLD).unref();
    this.#startWanted();
    try {
      await this.#loop.run();
    } finally {
      for (const keeper of this.#keepers.values()) keeper.close();
    }
  }

  consoleOf(name: string): DomainKeeper["hub"] | undefined {
    return this.#keepers.get(name)?.hub;
  }

  get infos(): { node: NodeInfo; domains: DomainInfo[] } {
    const { memory, free, taken, busy, switches } = this.#hypervisor.node();
    return {
      node: {
        ...{ pid: process.pid, started: this.#began.toISOString(), machine: this.#machine },
        ...{ memory: { size: memory, free, taken }, busy: busy.map(seconds), worldSwitches: switches },
      },
      domains: this.#inOrder().map((keeper) => keeper.info()),
    };
  }

  readonly list = (): DomainOutput<"list"> => this.infos;
  readonly info = ({ name }: DomainInput<"info">): DomainInfo => this.#find(name).info();

  /** What is seen of it from outside; a name that is no domain's has its own words. */
  #inspect<I extends { readonly name: string }, O>(look: (inspector: Inspector) => (input: I) => O): (input: I) => O {
    return (input) => {
      this.#find(input.name);
      return look(this.#inspector)(input);
    };
  }

  readonly processes = this.#inspect(({ processes }) => processes);
  readonly modules = this.#inspect(({ modules }) => modules);
  readonly registers = this.#inspect(({ registers }) => registers);
  readonly memory = this.#inspect(({ memory }) => memory);
  readonly guarded = this.#inspect(({ guarded }) => guarded);
  readonly guard = this.#inspect(({ guard }) => guard);
  readonly watched = this.#inspect(({ watched }) => watched);
  readonly watch = this.#inspect(({ watch }) => watch);

  readonly apply = async ({ file }: DomainInput<"apply">, progress: Report): Promise<DomainOutput<"apply">> => {
    let changes: AppliedChange[];
    try {
      changes = await this.#apply(file, progress);
    } finally {
      this.#release();
    }
    this.#startWanted();
    await allStarted(this.#keepers, () => this.#waiting.promise, progress);
    return { changes };
  };

  async #apply(file: NodeFile, progress: Report): Promise<AppliedChange[]> {
    this.#check(file);
    const { store } = this.#options;
    const changes: AppliedChange[] = [];
    const before = new Map(store.list().map((stored) => [stored.name, stored]));
    const shared = store.channels;
    const isSame = (name: string): boolean =>
      isGivenAs(before.get(name), file.domains[name]) &&
      isDeepStrictEqual(channelsOf(shared, name), channelsOf(file.channels, name));
    for (const { name, forkedFrom } of before.values()) {
      const isWanted = Object.hasOwn(file.domains, name);
      if (isWanted ? isSame(name) : forkedFrom !== undefined) continue;
      await this.#end(name, progress);
      // Its definition is replaced, not taken away: it is there whenever the node dies.
      if (isWanted) continue;
      store.remove(name);
      changes.push({ name, change: "removed" });
    }
    // Whose channels change does not run now.
    this.#share(file.channels);
    for (const [position, [name, given]] of Object.entries(file.domains).entries()) {
      const stored = before.get(name);
      const same = stored !== undefined && isSame(name);
      if (!same) {
        progress({ step: `${name}: making its disks` });
        const disk = disksOf(this.#options.folderOf(name).path, given);
        const net = withAddresses(given.net, stored?.definition.net);
        store.put(name, position, given, domainDefinition.parse({ ...given, net, disk }));
        this.#keep(store.find(name) as StoredDomain);
      } else if (given.autostart && this.#find(name).status !== "moved") this.#want(name);
      changes.push({ name, change: stored === undefined ? "added" : same ? "kept" : "changed" });
    }
    return changes;
  }

  /** Makes the channels those of a file. None of those that change has a member that runs. */
  #share(channels: NodeChannels): void {
    const { store } = this.#options;
    const before = store.channels;
    const isKept = (name: string): boolean => isDeepStrictEqual(before[name], channels[name]);
    for (const name of Object.keys(before)) if (!isKept(name)) this.#hypervisor.channels.remove(name);
    store.channels = channels;
    for (const [name, { size, members }] of Object.entries(channels))
      if (!isKept(name)) this.#hypervisor.channels.define({ name, bytes: size, members });
  }

  /** @throws ActionError when the file cannot be this node's. */
  #check(file: NodeFile): void {
    const { memory, ...rest } = file.node;
    const { memory: size = 0, ...mine } = this.#machine;
    if (!isDeepStrictEqual(rest, mine) || (memory !== undefined && memory !== size)) {
      throw new ActionError(
        "wrong-state",
        "the node runs with another machine: atoll down ends it, then it can have this one",
      );
    }
    const needed = memoryOf(file.node, Object.values(file.domains), file.channels);
    if (needed > size) {
      throw new ActionError(
        "wrong-state",
        `the node has ${size / MIB} MiB, and these domains need ${needed / MIB}: atoll down ends it, then it can have more`,
      );
    }
    for (const keeper of this.#keepers.values()) {
      const { name, status } = keeper;
      const given = Object.hasOwn(file.domains, name) ? file.domains[name] : undefined;
      const kept = status === "moved" && (given === undefined || isGivenAs(this.#options.store.find(name), given));
      if (!kept && (given !== undefined || status === "leaving")) this.#checkIsHere(keeper);
    }
    if (channelBytes(file.channels) - channelBytes(this.#options.store.channels) > this.#hypervisor.node().free)
      throw new ActionError("wrong-state", "the node has not enough free memory for these channels");
    for (const name of Object.keys(file.domains)) {
      if (this.#options.isTaken(name))
        throw new ActionError("wrong-state", `a machine has the name ${name}: atoll rm ${name} removes it`);
    }
  }

  readonly start = async ({ name, cold }: DomainInput<"start">): Promise<DomainInfo> => {
    const keeper = this.#find(name);
    this.#checkIsHere(keeper);
    if (keeper.runs) throw new ActionError("wrong-state", `${name} is ${keeper.status}`);
    this.#checkAwaitsNobody(name);
    this.#options.store.want(name, true);
    keeper.wanted = true;
    if (cold) keeper.forgetSaved();
    await keeper.start();
    return keeper.info();
  };

  readonly stop = async (input: DomainInput<"stop">, progress: Report): Promise<DomainOutput<"stop">> => {
    const keeper = this.#find(input.name);
    this.#checkIsHere(keeper);
    if (input.save) {
      if (input.force) throw new ActionError("bad-input", "give one of save and force");
      await keeper.stopSaved(progress, () => this.#options.store.want(input.name, false));
      return {};
    }
    this.#options.store.want(input.name, false);
    keeper.wanted = false;
    return keeper.stop(input, progress);
  };

  readonly pause = ({ name }: DomainInput<"pause">): Record<string, never> => {
    this.#find(name).pause(true);
    return {};
  };

  readonly resume = ({ name }: DomainInput<"resume">): Record<string, never> => {
    this.#checkAwaitsNobody(name);
    this.#find(name).pause(false);
    return {};
  };

  /** One after the other: a disk is cut in two once at a time. */
  readonly fork = (input: DomainInput<"fork">, progress: Report): Promise<DomainOutput<"fork">> => {
    const fork = this.#forks.then(() => this.#fork(input, progress));
    this.#forks = fork.then(
      () => {},
      () => {},
    );
    return fork;
  };

  async #fork({ name, newName, publish }: DomainInput<"fork">, progress: Report): Promise<DomainOutput<"fork">> {
    const original = this.#find(name);
    if (!original.runs)
      throw new ActionError("wrong-state", `${name} is ${original.status}: only one that runs is forked`);
    const copyName = newName ?? this.#freeName(name);
    if (this.#keepers.has(copyName)) throw new ActionError("wrong-state", `there is a domain ${copyName} already`);
    if (this.#options.isTaken(copyName)) throw new ActionError("wrong-state", `a machine has the name ${copyName}`);
    progress({ step: `forking ${name}` });
    const folder = this.#options.folderOf(copyName);
    const { definition, notes } = definitionOfCopy(original.stored.definition, this.#options.folderOf(name), {
      ...{ name: copyName, folder, publish },
    });
    const { store, layers } = this.#options;
    const stored = { name: copyName, given: "", definition, wanted: true, forkedFrom: name };
    const keeper = new DomainKeeper(stored, folder, this.#keeperHost());
    // Nobody else takes the name meanwhile. It is busy: nobody starts it.
    this.#keepers.set(copyName, keeper);
    try {
      const milliseconds = await keeper.startAs(original, layers);
      store.putFork(copyName, domainDefinition.parse(definition), name);
      return { name: copyName, pause: milliseconds / 1000, notes: [...notes] };
    } catch (error) {
      keeper.wanted = false;
      if (keeper.runs) await keeper.stop({ force: true }, progress);
      keeper.close();
      this.#keepers.delete(copyName);
      for (const { file, readOnly, snapshot } of definition.disk)
        if (!readOnly && !snapshot) rmSync(folder.resolve(file), { force: true });
      throw error;
    }
  }

  /** `web-1` and so on. */
  #freeName(name: string): string {
    for (let n = 1; ; n++) {
      const next = `${name.slice(0, 63 - String(n).length - 1)}-${n}`;
      if (!this.#keepers.has(next) && !this.#options.isTaken(next)) return next;
    }
  }

  readonly remove = async (
    { name, force }: DomainInput<"remove">,
    progress: Report,
  ): Promise<Record<string, never>> => {
    const keeper = this.#find(name);
    if (keeper.status === "leaving") this.#checkIsHere(keeper);
    if (force && this.arrivals.cancel(name)) return {};
    if (keeper.runs && !force) {
      throw new ActionError(
        "wrong-state",
        `${name} is ${keeper.status}: stop it with atoll stop ${name}, or give --force`,
      );
    }
    const others = [...this.#keepers.values()].filter(({ stored }) =>
      stored.definition.dependsOn.some(({ domain }) => domain === name),
    );
    if (others.length > 0) throw new ActionError("wrong-state", `${others[0]?.name} depends on ${name}`);
    keeper.wanted = false;
    if (keeper.runs) await keeper.stop({ force }, progress);
    await this.#drop(name, progress);
    rmSync(this.#options.folderOf(name).path, { recursive: true, force: true });
    this.#options.layers.sweep();
    return {};
  };

  readonly migrate = (input: DomainInput<"migrate">, progress: Report): Promise<DomainOutput<"migrate">> =>
    this.#departures.migrate(input, progress);

  readonly save = (input: DomainInput<"save">, progress: Report): Promise<DomainOutput<"save">> =>
    this.#saves.save(input, progress);

  readonly load = (input: DomainInput<"load">, progress: Report): Promise<DomainOutput<"load">> =>
    this.#saves.load(input, progress);

  readonly takeBack = (input: DomainInput<"takeBack">): Record<string, never> => {
    this.#find(input.name);
    this.#departures.takeBack(input);
    return {};
  };

  readonly down = async ({ force }: DomainInput<"down">, progress: Report): Promise<Record<string, never>> => {
    this.#ending = true;
    this.#departures.close();
    this.arrivals.close();
    await stopAll(this.#keepers, (keeper) => keeper.stop({ force }, progress));
    this.#loop.stop("quit");
    return {};
  };

  #find(name: string): DomainKeeper {
    const keeper = this.#keepers.get(name);
    if (keeper === undefined)
      throw new ActionError("no-such-machine", `there is no domain ${name}: atoll ps lists them`);
    return keeper;
  }

  /** @throws ActionError for one that comes or goes. */
  #checkIsHere({ name, status, reason }: DomainKeeper): void {
    if (status === "moved")
      throw new ActionError("wrong-state", `${name} has moved ${reason}: atoll rm ${name} forgets it here`);
    if (status === "leaving" || status === "incoming" || status === "saving")
      throw new ActionError("wrong-state", `${name} is ${status}${reason === undefined ? "" : `: ${reason}`}`);
  }

  /** A member of one of its channels that is coming here, and finds them as this one has left them. */
  #awaits(name: string): string | undefined {
    return this.#hypervisor.channels.othersOf(name).find((other) => this.#keepers.get(other)?.status === "incoming");
  }

  /** @throws ActionError */
  #checkAwaitsNobody(name: string): void {
    const other = this.#awaits(name);
    if (other === undefined) return;
    throw new ActionError("wrong-state", `${name} shares a channel with ${other}, which is coming: wait for it`);
  }

  #inOrder(): DomainKeeper[] {
    const stored = this.#options.store.names.flatMap((name) => this.#keepers.get(name) ?? []);
    // Those that come are on no record yet.
    return [...new Set([...stored, ...this.#keepers.values()])];
  }

  #want(name: string): void {
    this.#options.store.want(name, true);
    const keeper = this.#find(name);
    keeper.wanted = true;
    if (keeper.status === "failed") keeper.status = "off";
  }

  #keep(stored: StoredDomain): DomainKeeper {
    const { name } = stored;
    const keeper = new DomainKeeper(stored, this.#options.folderOf(name), this.#keeperHost());
    const gone = this.#departures.statusOf(name);
    if (gone !== undefined) Object.assign(keeper, { ...gone, wanted: false });
    this.#keepers.set(name, keeper);
    return keeper;
  }

  #keeperHost(): KeeperHost {
    return {
      hypervisor: this.#hypervisor,
      networks: this.#networks,
      wake: () => this.#loop.wake(),
      changed: () => this.#changed(),
    };
  }

  /** Stops a domain and forgets it. What its disks hold stays. */
  async #drop(name: string, progress: Report): Promise<void> {
    await this.#end(name, progress);
    this.#options.store.remove(name);
  }

  /** Stops a domain, and keeps its definition alone. */
  async #end(name: string, progress: Report): Promise<void> {
    const keeper = this.#keepers.get(name);
    if (keeper !== undefined) {
      keeper.wanted = false;
      if (keeper.runs || keeper.delayed) await keeper.stop({ force: false }, progress);
      keeper.forgetSaved();
      keeper.close();
      this.#keepers.delete(name);
    }
    this.#options.store.migrations.forgetMoved(name);
  }

  #changed(): void {
    const { resolve } = this.#waiting;
    this.#waiting = Promise.withResolvers<void>();
    resolve();
    this.#startWanted();
  }

  #release(): void {
    this.#held = false;
    this.#startWanted();
  }

  #startWanted(): void {
    if (!this.#ending && !this.#held) startWanted(this.#keepers, ({ name }) => this.#awaits(name) === undefined);
  }
}
