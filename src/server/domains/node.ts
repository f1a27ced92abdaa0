// The node's process: the hypervisor, its domains, and the HTTP API by which they are driven.

import { rmSync } from "node:fs";
import { ActionError, type Progress } from "../../contract/action.ts";
import type {
  AppliedChange,
  DOMAIN_ACTIONS,
  DomainInfo,
  DomainInput,
  DomainOutput,
  NodeInfo,
} from "../../contract/domains.ts";
import type { NodeMachine } from "../../contract/node.ts";
import { monotonic } from "../../hosts/library/clocks.ts";
import { RunLoop } from "../../hosts/library/run-loop.ts";
import { nodeBindings, nodePackageFile } from "../../hosts/node/bindings.ts";
import { keepRegions } from "../../hosts/node/kept-regions.ts";
import { pace } from "../../hosts/node/pace.ts";
import { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Handlers } from "../http-api.ts";
import { Arrivals } from "../migration/arrivals.ts";
import { Departures } from "../migration/departures.ts";
import type { MigrationHost } from "../migration/host.ts";
import { cleanUp } from "../migration/newcomer.ts";
import { Saves } from "../migration/saves.ts";
import type { Certificates } from "../migration/transport.ts";
import type { MachineFolder } from "../state-directory.ts";
import { applyFile } from "./apply.ts";
import { Forks } from "./forks.ts";
import { Inspector } from "./inspector.ts";
import { DomainKeeper, type KeeperHost } from "./keeper.ts";
import type { Layers } from "./layers.ts";
import { seconds } from "./metrics.ts";
import { Networks } from "./networks.ts";
import { checkIsHere, type NodeDomains } from "./node-domains.ts";
import { memoryOf } from "./node-memory.ts";
import { allStarted, startWanted, stopAll } from "./starting.ts";
import type { DomainStore, StoredDomain } from "./store.ts";

/** Of each turn, and between turns of a machine that sleeps. */
const SCANNED_PAGES = 100;
const SCAN_NANOSECONDS = 20e6;

/** Milliseconds. */
const HOLD = 60_000;

type Report = (progress: Progress) => void;

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
  readonly #domains: NodeDomains;
  readonly #forks: Forks;
  readonly #departures: Departures;
  readonly #saves: Saves;
  /** Domains that come from other nodes. */
  readonly arrivals: Arrivals;
  readonly #began = new Date();
  #ending = false;
  #held = false;
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
      releasePages,
      ...{ cpus: this.#machine.cpus, cpu: this.#machine.cpu, tier: "auto" },
      ...{ memory, sameMemory: this.#machine.sameMemory },
      ...{ entropy: nodeBindings.entropy, monotonic, keepRegions },
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
    this.#domains = this.#nodeDomains();
    this.#forks = new Forks(this.#domains);
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

  #nodeDomains(): NodeDomains {
    const { store, layers, folderOf, isTaken } = this.#options;
    return {
      ...{ hypervisor: this.#hypervisor, machine: this.#machine, keepers: this.#keepers },
      ...{ store, layers, folderOf, isTaken, keeperHost: this.#keeperHost() },
      find: (name) => this.#find(name),
      keep: (stored) => this.#keep(stored),
      end: (name, progress) => this.#end(name, progress),
    };
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

  readonly apply = async (input: DomainInput<"apply">, progress: Report): Promise<DomainOutput<"apply">> => {
    let changes: AppliedChange[];
    try {
      changes = await applyFile(this.#domains, input, progress);
    } finally {
      this.#release();
    }
    this.#startWanted();
    await allStarted(this.#keepers, () => this.#waiting.promise, progress);
    return { changes };
  };

  readonly start = async ({ name, cold }: DomainInput<"start">): Promise<DomainInfo> => {
    const keeper = this.#find(name);
    checkIsHere(keeper);
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
    checkIsHere(keeper);
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

  readonly fork = (input: DomainInput<"fork">, progress: Report): Promise<DomainOutput<"fork">> =>
    this.#forks.fork(input, progress);

  readonly remove = async (
    { name, force }: DomainInput<"remove">,
    progress: Report,
  ): Promise<Record<string, never>> => {
    const keeper = this.#find(name);
    if (keeper.status === "leaving") checkIsHere(keeper);
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
