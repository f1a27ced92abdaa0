// Domains that stand still: paused, or looked at, copied or moved as a whole.

import type { MachineClock } from "../machine/clock.ts";
import type { Processors } from "../machine/processors.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Domain } from "./domain.ts";

/** Instructions of each turn in which a domain is brought off the PEs, which it leaves at its next entry to the hypervisor. */
const SETTLE_INSTRUCTIONS = 0x100;
const SETTLE_TURNS = 0x1000;

export class Standstill {
  readonly #dispatcher: Dispatcher;
  readonly #processors: Processors;
  readonly #clock: MachineClock;

  constructor(dispatcher: Dispatcher, processors: Processors, clock: MachineClock) {
    this.#dispatcher = dispatcher;
    this.#processors = processors;
    this.#clock = clock;
  }

  /** Runs the machine until no PE has registers of a held domain. False: it has ended, or does not come off. */
  settle(domain: Domain): boolean {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) {
      if (domain.vcpus.every(({ pe }) => pe === undefined)) return domain.ended === undefined;
      for (const { pe } of domain.vcpus) if (pe !== undefined) this.#dispatcher.reconsider(pe);
      this.#processors.updateTimers();
      this.#processors.turn(SETTLE_INSTRUCTIONS);
    }
    return false;
  }

  /** Its vCPUs leave the PEs at their next entry to the hypervisor, and its time stands still. */
  hold(domain: Domain): void {
    const now = this.#clock.now();
    domain.group.held = true;
    domain.clock.hold(true);
    for (const vcpu of domain.vcpus) if (vcpu.status === "ready") vcpu.stolen += Math.max(0, now - vcpu.readySince);
    for (const { pe } of domain.vcpus) if (pe !== undefined) this.#dispatcher.reconsider(pe);
  }

  /** It goes on. */
  release(domain: Domain): void {
    const now = this.#clock.now();
    domain.clock.hold(false);
    domain.countFromNow();
    domain.group.held = false;
    for (const vcpu of domain.vcpus) {
      // Time in which it stood still is no time of the domain's, and nobody has stolen it: a guest takes what was stolen off the time that its
      // programs had.
      vcpu.readySince = now;
      // WFI may end at any time: each looks for itself when its timer is due now.
      if (vcpu.status === "blocked") this.#dispatcher.wake(vcpu);
      else if (vcpu.status === "ready") this.#dispatcher.place(vcpu, now);
    }
  }
}
