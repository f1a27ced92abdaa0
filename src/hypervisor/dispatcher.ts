import { HCR_TWE } from "../cpu/levels.ts";
import { type LevelOwner, LINE_VFIQ, LINE_VIRQ, OWNER_RETURN, OWNER_SWITCH, OWNER_WAIT } from "../cpu/ports.ts";
import { LINES, PC } from "../cpu/state-layout.ts";
import { EC_DATA_ABORT, EC_HVC64, EC_INSTRUCTION_ABORT, EC_SMC64, EC_SYSTEM, EC_WFX } from "../cpu/syndrome.ts";
import { CNTV_CVAL_EL0, ESR_EL2, HCR_EL2 } from "../cpu/sysreg-layout.ts";
import { TIMERS } from "../cpu/timers.ts";
import * as R from "../devices/gic/sysreg-ids.ts";
import type { Domain } from "./domain.ts";
import { injectUndefined, skipInstruction } from "./inject.ts";
import { hypervisorCall, monitorCall } from "./interpreters/calls.ts";
import { faultOf, type StageTwoFault, settleFault } from "./interpreters/stage2-fault.ts";
import { accessRegister } from "./interpreters/system-register.ts";
import {
  CHECK_SGI,
  HYPERVISOR_TIMER_PPI,
  MAINTENANCE_PPI,
  NANOSECONDS_PER_TICK,
  type PhysicalPe,
  VIRTUAL_TIMER_PPI,
} from "./physical-pe.ts";
import { type Scheduler, SLICE } from "./scheduler.ts";
import { EXIT_KINDS, type ExitKind, type Vcpu } from "./vcpu.ts";
import type { WorldSwitch } from "./world-switch.ts";

/** Offsets of the vectors for exceptions from a lower exception level in AArch64. */
const VECTOR = 0x780;
const VECTOR_SYNCHRONOUS = 0x400;
const VECTOR_IRQ = 0x480;
const VECTOR_FIQ = 0x500;
/** ISS of a trapped WFE. */
const TI_WFE = 1;

// What the vCPU that is on a PE is to do after its exit.
const GO_ON = 0;
/** Wait for an interrupt. */
const BLOCK = 1;
/** Let others run. */
const YIELD = 2;
/** It has switched itself off. */
const OFF = 3;

const count = (vcpu: Vcpu, kind: ExitKind): void => {
  const index = EXIT_KINDS.indexOf(kind);
  vcpu.exits[index] = (vcpu.exits[index] as number) + 1;
};

export interface DispatcherOptions {
  readonly pes: readonly PhysicalPe[];
  readonly scheduler: Scheduler<Vcpu>;
  readonly worldSwitch: WorldSwitch;
  /** Nanoseconds of the machine's clock. */
  readonly now: () => number;
  /** The domains that run. */
  readonly domains: () => Iterable<Domain>;
  /** A PE's first entry. */
  readonly initialize: (pe: PhysicalPe) => void;
  /** At a watched page: introspection. The access is made again when the vCPU goes on. */
  readonly watched: (vcpu: Vcpu, fault: StageTwoFault) => void;
}

/** The dispatcher: every exception to EL2 comes here, and goes to one handler by its class. */
export class Dispatcher implements LevelOwner {
  readonly #o: DispatcherOptions;
  readonly #initialized = new Set<PhysicalPe>();
  /** The PE that the hypervisor works for now; undefined: it was called from outside of a PE. */
  #current: PhysicalPe | undefined;
  /** What the vCPU of the current PE is to do: GO_ON and so on. */
  #request = GO_ON;

  constructor(options: DispatcherOptions) {
    this.#o = options;
  }

  /** @throws Error when the hypervisor was not called by a PE. */
  get current(): PhysicalPe {
    if (this.#current === undefined) throw new Error("no PE is in the hypervisor");
    return this.#current;
  }

  /** A PE is in the hypervisor. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  enter(index: number): number {
    const pe = this.#o.pes[index] as PhysicalPe;
    this.#current = pe;
    this.#request = GO_ON;
    try {
      return this.#enter(pe);
    } catch (error) {
      // A fault of the hypervisor's own in the service of a domain: the domain has to go, the others go on.
      const { vcpu } = pe;
      if (vcpu === undefined) throw error;
      vcpu.domain.end("failed", `the hypervisor failed: ${error instanceof Error ? error.message : error}`);
      return this.#choose(pe);
    } finally {
      this.#current = undefined;
    }
  }

  #enter(pe: PhysicalPe): number {
    const { vcpu } = pe;
    if (vcpu === undefined || vcpu.status !== "running") {
      if (!this.#initialized.has(pe)) {
        this.#initialized.add(pe);
        this.#o.initialize(pe);
      }
      this.#interrupts(pe);
      return this.#choose(pe);
    }
    vcpu.domain.gic.sync(pe, vcpu.index);
    switch (pe.state.word(PC) & VECTOR) {
      case VECTOR_SYNCHRONOUS:
        this.#synchronous(pe, vcpu);
        break;
      case VECTOR_IRQ:
      case VECTOR_FIQ:
        count(vcpu, "interrupt");
        this.#interrupts(pe);
        break;
    }
    if (this.#request !== GO_ON || pe.reschedule || vcpu.domain.ended !== undefined) return this.#choose(pe);
    vcpu.domain.gic.fill(pe, vcpu.index);
    return OWNER_RETURN;
  }

  #synchronous(pe: PhysicalPe, vcpu: Vcpu): void {
    const s = pe.state;
    const syndrome = s.word(ESR_EL2);
    const ec = syndrome >>> 26;
    const iss = syndrome & 0x1ffffff;
    switch (ec) {
      case EC_DATA_ABORT:
      case EC_INSTRUCTION_ABORT: {
        const settled = settleFault(pe, vcpu, ec, iss);
        if (settled === "watched") this.#o.watched(vcpu, faultOf(s, ec, iss));
        count(vcpu, settled === "watched" ? "memory" : settled);
        return;
      }
      case EC_SYSTEM:
        count(vcpu, accessRegister(pe, vcpu, iss) ? "system register" : "refused");
        return;
      case EC_WFX:
        count(vcpu, "wait");
        skipInstruction(s);
        this.#request = iss & TI_WFE ? YIELD : BLOCK;
        return;
      case EC_HVC64:
        count(vcpu, iss === 0 ? "firmware call" : "hypercall");
        hypervisorCall(pe, vcpu, iss & 0xffff);
        return;
      case EC_SMC64:
        count(vcpu, "refused");
        monitorCall(pe, vcpu);
        return;
      default:
        count(vcpu, "refused");
        vcpu.domain.refuse(vcpu, "exception", ec);
        injectUndefined(s);
    }
  }

  /** Takes all that is pending: physical interrupts are the hypervisor's. */
  #interrupts(pe: PhysicalPe): void {
    for (let intid = pe.acknowledge(); intid >= 0; intid = pe.acknowledge()) {
      switch (intid) {
        case MAINTENANCE_PPI:
          // Its reason is there until the list registers are filled.
          if (pe.vcpu !== undefined) pe.vcpu.domain.gic.silence(pe, pe.vcpu.index);
          else pe.writeInterruptRegister(R.ICH_HCR_EL2, 0);
          break;
        case VIRTUAL_TIMER_PPI:
          this.#virtualTimer(pe);
          break;
        case HYPERVISOR_TIMER_PPI:
          pe.setTimer(Number.POSITIVE_INFINITY);
          pe.reschedule = true;
          break;
        case CHECK_SGI:
          // The reason is in memory: pe.reschedule, or interrupts for the vCPU.
          break;
      }
    }
  }

  /** The virtual timer of the vCPU whose registers are on the PE. Its interrupt stays active until the guest has ended its own. */
  #virtualTimer(pe: PhysicalPe): void {
    const { vcpu } = pe;
    pe.timerActive = true;
    if (vcpu === undefined) {
      pe.setTimerActive(false);
      return;
    }
    vcpu.domain.gic.timerFired(vcpu.index);
    if (vcpu.status === "blocked") this.#o.scheduler.ready(vcpu, this.#o.now());
  }

  /** Another vCPU, or the same one, or none, goes on. */
  #choose(pe: PhysicalPe): number {
    const { scheduler, worldSwitch, now: clock } = this.#o;
    const now = clock();
    const before = pe.vcpu;
    pe.reschedule = false;
    if (before?.status === "running") this.#stop(pe, before, now);
    this.#wakeDue(pe, now);
    const next = scheduler.choose(pe.index, now);
    if (next === undefined) {
      // A vCPU that waits keeps its registers on the PE: when it is woken there is nothing to be switched.
      if (
        before !== undefined &&
        (before.status === "off" || before.domain.group.held || before.domain.ended !== undefined)
      )
        this.#unload(pe, before);
      pe.setTimer(Math.min(this.#nextWake(pe), scheduler.nextChance(pe.index)));
      return OWNER_WAIT;
    }
    if (next !== before) {
      if (before !== undefined) this.#unload(pe, before);
      worldSwitch.load(pe, next);
      next.domain.gic.loaded(pe, next.index);
    }
    pe.since = now;
    next.domain.gic.fill(pe, next.index);
    const sliceEnd = scheduler.sliceEnd(next, pe.index, now);
    pe.setTimer(Math.min(sliceEnd, this.#nextWake(pe)));
    // Who waits in a loop for another lets others run, where there are any.
    const hcr = pe.state.word(HCR_EL2);
    pe.state.setWord(HCR_EL2, sliceEnd < Number.POSITIVE_INFINITY ? hcr | HCR_TWE : hcr & ~HCR_TWE);
    return next === before ? OWNER_RETURN : OWNER_SWITCH;
  }

  /** The vCPU on the PE has had its turn. */
  #stop(pe: PhysicalPe, vcpu: Vcpu, now: number): void {
    const { scheduler } = this.#o;
    const used = now - pe.since;
    pe.busy += used;
    scheduler.charge(vcpu, used, now);
    if (this.#request === OFF || vcpu.domain.ended !== undefined) {
      scheduler.put(vcpu, "off", now);
      return;
    }
    if (this.#request === BLOCK) {
      vcpu.domain.gic.fill(pe, vcpu.index);
      const due = pe.timerAsserted(TIMERS.virtual) && !pe.timerActive;
      if ((pe.state.word(LINES) & (LINE_VIRQ | LINE_VFIQ)) === 0 && !due) {
        vcpu.domain.gic.silence(pe, vcpu.index);
        scheduler.put(vcpu, "blocked", now);
        return;
      }
    }
    scheduler.put(vcpu, "ready", now);
    if (this.#request === YIELD) scheduler.yield(vcpu, pe.index);
  }

  #unload(pe: PhysicalPe, vcpu: Vcpu): void {
    const wakeAt = vcpu.status === "blocked" ? timerDue(pe, vcpu) : Number.POSITIVE_INFINITY;
    this.#o.worldSwitch.save(pe, vcpu);
    vcpu.wakeAt = wakeAt;
  }

  /** vCPUs that ran here last and whose virtual timers are due. */
  #wakeDue(pe: PhysicalPe, now: number): void {
    for (const { vcpus } of this.#o.domains()) {
      for (const vcpu of vcpus) {
        if (vcpu.status !== "blocked" || vcpu.lastPe !== pe.index || vcpu.wakeAt > now) continue;
        vcpu.wakeAt = Number.POSITIVE_INFINITY;
        this.#o.scheduler.ready(vcpu, now);
      }
    }
  }

  #nextWake(pe: PhysicalPe): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { vcpus } of this.#o.domains()) {
      for (const vcpu of vcpus) {
        if (vcpu.status === "blocked" && vcpu.lastPe === pe.index) next = Math.min(next, vcpu.wakeAt);
      }
    }
    return next;
  }

  /** A vCPU has an interrupt to be told of. From anywhere. */
  notify(vcpu: Vcpu): void {
    if (vcpu.status === "blocked") this.wake(vcpu);
    else if (vcpu.status === "running" && vcpu.pe !== undefined && vcpu.pe !== this.#current) vcpu.pe.kick(vcpu.pe);
  }

  /** A vCPU that waits, or is off, wants to run. From anywhere. */
  wake(vcpu: Vcpu): void {
    const { scheduler, now: clock } = this.#o;
    const now = clock();
    scheduler.ready(vcpu, now);
    this.place(vcpu, now);
  }

  /** Makes a PE look whether it should run a vCPU that is ready. */
  place(vcpu: Vcpu, now: number): void {
    const place = this.#o.scheduler.placeFor(vcpu, this.#o.pes.map(runningOn), now);
    const pe = this.#o.pes[place];
    if (pe !== undefined) {
      this.reconsider(pe);
      return;
    }
    // It waits for its turn: turns have no end for those that were alone.
    for (const each of this.#o.pes) if (each.timerAt > now + SLICE) this.reconsider(each);
  }

  /** Makes a PE choose again. From anywhere. */
  reconsider(pe: PhysicalPe): void {
    pe.reschedule = true;
    if (pe !== this.#current) pe.kick(pe);
  }

  /** PSCI CPU_OFF of the vCPU that is on the current PE, CPU_SUSPEND, and the hypervisor's own YIELD. */
  requestOff(): void {
    this.#request = OFF;
  }
  requestBlock(): void {
    this.#request = BLOCK;
  }
  requestYield(): void {
    this.#request = YIELD;
  }
}

const runningOn = (pe: PhysicalPe): { index: number; vcpu: Vcpu | undefined } => ({
  index: pe.index,
  vcpu: pe.vcpu?.status === "running" ? pe.vcpu : undefined,
});

/** When the virtual timer in the registers on the PE signals, in nanoseconds of the machine's clock. */
function timerDue(pe: PhysicalPe, vcpu: Vcpu): number {
  const control = pe.timers.control(TIMERS.virtual);
  // Enabled and not masked; and its interrupt has not been handed on already.
  if ((control & 3) !== 1 || vcpu.domain.gic.timerInFlight(vcpu.index)) return Number.POSITIVE_INFINITY;
  const s = pe.state;
  const compare = (s.high(CNTV_CVAL_EL0) >>> 0) * 2 ** 32 + (s.word(CNTV_CVAL_EL0) >>> 0);
  return (compare + vcpu.domain.counterOffset) * NANOSECONDS_PER_TICK;
}
