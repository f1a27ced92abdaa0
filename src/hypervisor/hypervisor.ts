import { ARG0, ARG2 } from "../cpu/state-layout.ts";
import { PE_FEATURES } from "../cpu/sysreg-layout.ts";
import type { EngineStats } from "../engine/engine.ts";
import type { MachineClock } from "../machine/clock.ts";
import type { Processors } from "../machine/processors.ts";
import { BadInput, type RunState } from "../machine/runnable.ts";
import { Admission } from "./admission.ts";
import { Channels } from "./channels/channels.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type Domain, type DomainConfig, type DomainHost, NO_MEMORY } from "./domain.ts";
import { EventStream, type Listener } from "./events.ts";
import { continueAs, type ForkParts } from "./fork.ts";
import type { StageTwoFault } from "./interpreters/stage2-fault.ts";
import { type MachineMemory, PAGE_BYTES } from "./machine-memory.ts";
import { MemoryKeeper } from "./memory-keeper.ts";
import { type BeforeOwner, initialize, PhysicalMachine, type PhysicalMachineParts } from "./physical-machine.ts";
import type { PhysicalPe } from "./physical-pe.ts";
import { Scheduler, type Share } from "./scheduler.ts";
import { Standstill } from "./standstill.ts";
import { type DomainStatistics, domainStatistics, type NodeStatistics, nodeStatistics } from "./statistics.ts";
import { CONTEXT, type Vcpu } from "./vcpu.ts";
import { WorldSwitch } from "./world-switch.ts";

/** What the hypervisor's machine is made of. */
export interface NodeParts extends PhysicalMachineParts {
  /** Of domains that do not say: whether `scan` is to look at their pages. */
  readonly sameMemory?: boolean | undefined;
}

const WATCHDOG_EXPIRED = "its watchdog expired: the guest did not refresh it in time";

export type DomainStatus = "defined" | "running" | "paused" | "stopped" | "failed";

/** A domain as its definition and what became of it. */
interface Managed {
  readonly config: DomainConfig;
  status: DomainStatus;
  domain: Domain | undefined;
  reason: string | undefined;
}

/** A bit of a number for each, where a vCPU may run. */
const MOST_PES = 32;
/** Instructions of one PE's turn. */
const TURN_INSTRUCTIONS = 0x8000;
const NANOSECONDS = 1e6;

// Native.tlbInvalidate: all of the current VMID, at both stages; by IPA.
const EL1_REGIME = 1;
const VMID_AT_STAGE2 = 6;
const BY_IPA = 7;

/** The type-1 hypervisor: a machine whose EL2 is TypeScript's, and the domains on it. */
export class Hypervisor {
  readonly events = new EventStream();
  readonly #parts: NodeParts;
  readonly #clock: MachineClock;
  readonly #memory: MachineMemory;
  readonly #keeper: MemoryKeeper;
  /** What domains share: whoever is named as a member has it from its next start on. */
  readonly channels: Channels;
  readonly #processors: Processors;
  readonly #pes: readonly PhysicalPe[];
  readonly #scheduler: Scheduler<Vcpu>;
  readonly #dispatcher: Dispatcher;
  readonly #admission: Admission;
  readonly #standstill: Standstill;
  readonly #domains = new Map<string, Managed>();
  /** Called when there may be something to run while the host sleeps. */
  onWork: () => void = () => {};

  /**
   * An access that Stage2Space.watch does not allow. The instruction is executed again when the vCPU goes on: who wants it to get further changes
   * the watch, or pauses or stops the domain.
   */
  onWatched: ((vcpu: Vcpu, fault: StageTwoFault) => void) | undefined;

  /** @throws BadInput when the parts do not fit together. */
  constructor(parts: NodeParts) {
    if (!(parts.cpus >= 1 && parts.cpus <= MOST_PES))
      throw new BadInput(`give 1 to ${MOST_PES} CPUs, not ${parts.cpus}`);
    this.#parts = parts;
    this.#scheduler = new Scheduler<Vcpu>(parts.cpus, (vcpu) => vcpu.domain.group);
    const machine = new PhysicalMachine(parts, (before) => this.#makeDispatcher(before));
    this.#clock = machine.clock;
    this.#memory = machine.memory;
    this.#processors = machine.processors;
    this.#pes = machine.pes;
    this.#dispatcher = machine.owner;
    this.#standstill = new Standstill(this.#dispatcher, this.#processors, this.#clock);
    this.#keeper = new MemoryKeeper({
      ...{ memory: this.#memory, host: machine.pageRelease },
      hold: (domain) => this.#standstill.hold(domain),
      release: (domain) => this.#standstill.release(domain),
      waits: ({ config: { name } }, count) => this.events.emit({ kind: "short", domain: name, count }),
      givesUp: (domain) => this.#givesUp(domain),
    });
    this.channels = new Channels(this.#memory, this.#keeper.frames);
    this.#admission = new Admission({ pes: this.#pes, scheduler: this.#scheduler, host: this.#makeHost() });
  }

  #makeDispatcher({ pes, memory, clock }: BeforeOwner): Dispatcher {
    return new Dispatcher({
      ...{ pes, scheduler: this.#scheduler, worldSwitch: new WorldSwitch(memory) },
      now: () => clock.now(),
      domains: () => this.#admission.running,
      initialize: (pe) => initialize(pe),
      watched: (vcpu, fault) => {
        if (this.onWatched === undefined) vcpu.domain.end("failed", "a page is watched, and nobody watches it");
        else this.onWatched(vcpu, fault);
      },
    });
  }

  #makeHost(): DomainHost {
    const dispatcher = this.#dispatcher;
    const state = (this.#pes[0] as PhysicalPe).state;
    const template = CONTEXT.flatMap(([from, to]) =>
      Array.from({ length: (to - from) >>> 2 }, (_, i) => state.word(from + 4 * i)),
    );
    return {
      memory: this.#memory,
      frames: this.#keeper.frames,
      channels: (name) => this.channels.placesOf(name),
      cpu: this.#parts.cpu,
      now: () => this.#clock.now(),
      template: Int32Array.from(template),
      features: state.word(PE_FEATURES),
      invalidateStage2: (domain, first, count) => this.#invalidate(domain, first, count),
      frameGone: (frame) => this.#processors.codeChanged(this.#memory.linearOf(frame), PAGE_BYTES),
      notify: (vcpu) => {
        dispatcher.notify(vcpu);
        this.onWork();
      },
      power: {
        current: () => dispatcher.current,
        start: (vcpu, entry, x0Low, x0High) => {
          vcpu.domain.resetVcpu(vcpu.index, entry, x0Low, x0High);
          dispatcher.wake(vcpu);
        },
        off: () => dispatcher.requestOff(),
        suspend: () => dispatcher.requestBlock(),
        end: (domain, how) => this.#end(domain, how),
        scheduling: { now: () => this.#clock.now(), yield: () => dispatcher.requestYield() },
      },
      reservedFrames: this.#keeper.reserved,
      starved: (domain) => this.#keeper.starvation.add(domain, this.#clock.now()),
      watchdogExpired: (domain) => this.#watchdogExpired(domain),
      refused: (vcpu, what, address, count) =>
        this.events.emit({ kind: "refused", domain: vcpu.domain.config.name, vcpu: vcpu.index, what, address, count }),
    };
  }

  /**
   * TLBI RIPAS2E1IS of so many pages from `first` on, as if a PE with the domain's VMID executed it; without them TLBI VMALLS12E1IS. The machine's TLBs drop
   * the translations of both stages by either: elsewhere what goes by IPA would need TLBI VMALLE1IS after it.
   */
  #invalidate(domain: Domain, first?: number, count = 1): void {
    const by = domain.vcpus[0]?.saved;
    if (first !== undefined) {
      by?.setNumber(ARG0, first * PAGE_BYTES);
      by?.setNumber(ARG2, count * PAGE_BYTES);
    }
    const what = first === undefined ? VMID_AT_STAGE2 : BY_IPA;
    for (const { state, native } of this.#pes) native.tlbInvalidate(state.cpu, EL1_REGIME, what, by?.cpu);
  }

  subscribe(listener: Listener): () => void {
    return this.events.subscribe(listener);
  }

  /** Makes a domain known. @throws BadInput when its name is taken, or it can never run here. */
  define(config: DomainConfig): void {
    const { name } = config;
    if (this.#domains.has(name)) throw new BadInput(`there is a domain ${name} already`);
    this.#admission.check(config);
    this.#domains.set(name, { config, status: "defined", domain: undefined, reason: undefined });
    this.events.emit({ kind: "defined", domain: name });
  }

  /** Starts a domain that does not run. @throws BadInput when there is no room for it, or what it boots cannot be used. */
  start(name: string): void {
    const managed = this.#find(name);
    if (managed.domain !== undefined) throw new BadInput(`${name} is ${managed.status}`);
    const { config } = managed;
    const domain = this.#admission.admit(config, (domain) => domain.powerOn());
    managed.domain = domain;
    managed.status = "running";
    managed.reason = undefined;
    this.#dispatcher.wake(domain.vcpus[0] as Vcpu);
    this.events.emit({ kind: "started", domain: name });
    this.onWork();
  }

  /**
   * A new domain that goes on from where `name` is now: with its memory, copied page by page as either writes, and with its vCPUs and devices as
   * they are. It runs or is paused as `name` does, which goes on, too. `parts`, called while `name` stands still, gives what a copy cannot
   * share: console, disks (as they are at that moment), networks, and what else is to differ; memory and CPUs stay.
   * @throws BadInput when the name is taken, the parts are not those of a copy, or there is no room. `name` goes on then, too.
   */
  fork(name: string, newName: string, parts: (of: DomainConfig) => ForkParts): void {
    const managed = this.#find(name);
    const { domain: parent } = managed;
    if (parent === undefined || parent.ended !== undefined) throw new BadInput(`${name} does not run`);
    if (this.#domains.has(newName)) throw new BadInput(`there is a domain ${newName} already`);
    if (this.#dispatcher.busy) throw new Error("a domain is forked between two calls of run");
    const pause = managed.status === "running";
    if (pause) this.#standstill.hold(parent);
    let config: DomainConfig;
    let child: Domain;
    try {
      if (!this.#standstill.settle(parent)) throw new BadInput(`${name} does not stand still`);
      config = { ...parent.config, ...parts(parent.config), name: newName };
      this.define(config);
      try {
        child = this.#admission.admit(config, (domain) => continueAs(domain, parent));
      } catch (error) {
        this.remove(newName);
        throw error;
      }
    } finally {
      if (pause) this.#standstill.release(parent);
    }
    const copy = this.#find(newName);
    copy.domain = child;
    copy.status = pause ? "running" : "paused";
    this.events.emit({ kind: "started", domain: newName });
    if (pause) this.#standstill.release(child);
    else this.events.emit({ kind: "paused", domain: newName });
    this.onWork();
  }

  /**
   * A new domain that stands still, with nothing in its memory, to be filled with the state of one that was saved or that comes from elsewhere. It is
   * paused for all others: `resume` lets it go on, `stop` ends it.
   * @throws BadInput when the name is taken, or there is no room.
   */
  receive(config: DomainConfig): Domain {
    this.define(config);
    let domain: Domain;
    try {
      domain = this.#admission.admit(config, (each) => {
        each.group.held = true;
        each.clock.hold(true);
        each.bus.reset();
      });
    } catch (error) {
      this.remove(config.name);
      throw error;
    }
    const managed = this.#find(config.name);
    managed.domain = domain;
    managed.status = "paused";
    this.events.emit({ kind: "paused", domain: config.name });
    return domain;
  }

  /** Forgets, at once, a domain that `receive` made and that nobody has let go on. */
  abandon(name: string): void {
    const { domain } = this.#find(name);
    if (domain === undefined || domain.vcpus.some(({ pe }) => pe !== undefined)) throw new BadInput(`${name} runs`);
    this.#admission.giveBack(domain);
    this.#domains.delete(name);
    this.events.emit({ kind: "removed", domain: name });
  }

  /**
   * A paused domain, none of whose vCPUs is on a PE any more, so that all of its state is in its memory, its vCPUs' blocks, its interrupt
   * controller's and its devices. Between two calls of run. @throws BadInput when it is not paused, or has ended.
   */
  still(name: string): Domain {
    const { domain, status } = this.#find(name);
    if (domain === undefined || status !== "paused") throw new BadInput(`${name} is not paused`);
    if (this.#dispatcher.busy) throw new Error("a domain is looked at between two calls of run");
    if (!this.#standstill.settle(domain)) throw new BadInput(`${name} does not stand still`);
    return domain;
  }

  /** Its vCPUs run no more, and its time stands still, until `resume`. */
  pause(name: string): void {
    const managed = this.#find(name);
    const { domain } = managed;
    if (domain === undefined || managed.status !== "running") throw new BadInput(`${name} does not run`);
    managed.status = "paused";
    this.#keeper.starvation.forget(domain);
    this.#standstill.hold(domain);
    this.events.emit({ kind: "paused", domain: name });
    this.onWork();
  }

  resume(name: string): void {
    const managed = this.#find(name);
    const { domain } = managed;
    if (domain === undefined || managed.status !== "paused") throw new BadInput(`${name} is not paused`);
    managed.status = "running";
    managed.reason = undefined;
    this.#standstill.release(domain);
    this.events.emit({ kind: "resumed", domain: name });
    this.onWork();
  }

  /** Asks the guest to shut down, by its power key. */
  pressPowerKey(name: string): void {
    const { domain } = this.#find(name);
    if (domain === undefined) throw new BadInput(`${name} does not run`);
    domain.pressPowerKey();
    this.onWork();
  }

  /** Ends a domain by force; it has ended when the event comes, in the next call of `run` at the latest. */
  stop(name: string): void {
    const { domain } = this.#find(name);
    if (domain === undefined) throw new BadInput(`${name} does not run`);
    this.#end(domain, "stopped");
    this.onWork();
  }

  /** Forgets a domain that does not run. */
  remove(name: string): void {
    const managed = this.#find(name);
    if (managed.domain !== undefined) throw new BadInput(`${name} is ${managed.status}; stop it first`);
    this.#domains.delete(name);
    this.events.emit({ kind: "removed", domain: name });
  }

  /**
   * Whether no PE has registers of a paused domain any more, so that all of its state is in its memory, its vCPUs' blocks, its interrupt
   * controller's and its devices: some time of `run` after `pause`.
   */
  isQuiet(name: string): boolean {
    const managed = this.#find(name);
    return managed.status === "paused" && managed.domain?.vcpus.every(({ pe }) => pe === undefined) === true;
  }

  /** Names, in the order of their definition. */
  names(): string[] {
    return [...this.#domains.keys()];
  }

  status(name: string): DomainStatus {
    return this.#find(name).status;
  }

  /** Why a domain failed. */
  reason(name: string): string | undefined {
    return this.#find(name).reason;
  }

  /** A domain that runs or is paused, for those that look into it: memory, stage 2, vCPUs, devices. */
  domain(name: string): Domain | undefined {
    return this.#find(name).domain;
  }

  /** Changes the share of a domain while it runs. */
  setShare(name: string, share: Partial<Share>): void {
    const { domain } = this.#find(name);
    if (domain === undefined) throw new BadInput(`${name} does not run`);
    this.#admission.setShare(domain, share);
    for (const pe of this.#pes) this.#dispatcher.reconsider(pe);
  }

  statistics(name: string): DomainStatistics | undefined {
    const { domain } = this.#find(name);
    return domain && domainStatistics(domain, this.#keeper.frames, this.#clock.now());
  }

  /** Looks at so many pages of the domains with `sameMemory`, and goes on there with the next call; gives how many frames are free by it. */
  scan(pages: number): number {
    return this.#keeper.scan(
      [...this.#admission.running].filter(
        ({ config, ended }) => (config.sameMemory ?? this.#parts.sameMemory) && ended === undefined,
      ),
      pages,
    );
  }

  /** Bytes that are used once and would be used more often: of forks, and of pages that `scan` found to be the same. */
  get saved(): number {
    return this.#keeper.saved;
  }

  node(): NodeStatistics {
    return nodeStatistics(this.#keeper, this.#pes, this.#clock.now());
  }

  get engine(): EngineStats {
    return this.#processors.stats;
  }

  #find(name: string): Managed {
    const managed = this.#domains.get(name);
    if (managed === undefined) throw new BadInput(`there is no domain ${name}`);
    return managed;
  }

  /** Runs for about so many milliseconds of host time, less when all PEs wait. "idle" with Infinity: only input wakes a domain. */
  run(milliseconds: number): RunState {
    const deadline = this.#clock.now() + milliseconds * NANOSECONDS;
    for (;;) {
      this.#clock.runDue();
      for (const domain of this.#admission.running) this.#runAlarms(domain);
      this.#keeper.look(this.#clock.now(), this.#admission.running);
      this.#processors.updateTimers();
      const busy = this.#processors.turn(TURN_INSTRUCTIONS);
      this.#reap();
      if (!busy) {
        const sleep = this.#sleepTime();
        if (sleep > 0) return { kind: "idle", nanoseconds: sleep };
      }
      if (this.#clock.now() >= deadline) return { kind: "running" };
    }
  }

  /** What its devices have to do. When that fails, it is the domain that has to go. */
  #runAlarms(domain: Domain): void {
    try {
      domain.clock.runDue();
    } catch (error) {
      domain.end("failed", `a device failed: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Nanoseconds until something happens that all PEs wait for; not above 0: it has happened. */
  #sleepTime(): number {
    let next = Math.min(this.#clock.next(), this.#processors.nextEvent());
    const now = this.#clock.now();
    for (const { clock, group } of this.#admission.running)
      if (!group.held) next = Math.min(next, now + clock.next() - clock.now());
    next = Math.min(next, this.#keeper.next(now));
    this.#processors.updateTimers();
    return this.#processors.woken ? 0 : next - now;
  }

  #end(domain: Domain, how: NonNullable<Domain["ended"]>): void {
    domain.end(how);
    for (const { pe } of domain.vcpus) if (pe !== undefined) this.#dispatcher.reconsider(pe);
  }

  /** No memory came for it. It stands still until somebody has made room, and resumes it. */
  #givesUp(domain: Domain): void {
    const { name } = domain.config;
    const managed = this.#find(name);
    if (managed.status !== "running") return;
    managed.status = "paused";
    managed.reason = NO_MEMORY(name);
    this.events.emit({ kind: "paused", domain: name, reason: managed.reason });
  }

  #watchdogExpired(domain: Domain): void {
    const { name, watchdog } = domain.config;
    this.events.emit({ kind: "watchdog", domain: name });
    if (watchdog === "restart") this.#end(domain, "reset");
    else if (watchdog === "pause") this.pause(name);
    else {
      domain.end("failed", WATCHDOG_EXPIRED);
      this.#end(domain, "failed");
    }
  }

  /** Domains that have ended, and are on no PE any more, give back what they had; or start again. */
  #reap(): void {
    for (const domain of this.#admission.running) {
      if (domain.ended === undefined) continue;
      let loaded = false;
      for (const { pe } of domain.vcpus) {
        if (pe === undefined) continue;
        loaded = true;
        this.#dispatcher.reconsider(pe);
      }
      if (!loaded) this.#finish(domain);
    }
  }

  #finish(domain: Domain): void {
    const { name } = domain.config;
    const managed = this.#find(name);
    const how = domain.ended;
    for (const vcpu of domain.vcpus) vcpu.status = "off";
    domain.group.running = 0;
    if (how === "reset") {
      try {
        domain.powerOn();
        this.#dispatcher.wake(domain.vcpus[0] as Vcpu);
        this.events.emit({ kind: "reset", domain: name });
        return;
      } catch (error) {
        domain.end("failed", error instanceof Error ? error.message : String(error));
      }
    }
    this.#admission.giveBack(domain);
    managed.domain = undefined;
    const cause = domain.ended === "failed" ? "failed" : how === "off" ? "off" : "stopped";
    managed.status = cause === "failed" ? "failed" : "stopped";
    managed.reason = domain.reason;
    this.events.emit({
      kind: "stopped",
      domain: name,
      cause,
      ...(domain.reason !== undefined && { reason: domain.reason }),
    });
  }
}
