import { GROUP0, GROUP1, SECURE_GROUP1 } from "./groups.ts";
import * as L from "./layout.ts";
import type { GicState } from "./state.ts";

const SGI_IRM = 1 << 8;

/** What writes of ICC_SGI0R_EL1, ICC_SGI1R_EL1 and ICC_ASGI1R_EL1 do (IHI0069 12.1, forwarding an SGI to a target PE). */
export class SgiGenerator {
  readonly #state: GicState;
  readonly #affinities: Uint32Array;

  /** @param affinities For every PE Aff3.Aff2.Aff1.Aff0, a byte each. */
  constructor(state: GicState, affinities: Uint32Array) {
    this.#state = state;
    this.#affinities = affinities;
  }

  /**
   * @param group The group that the register is for: SGIs of others are not made.
   * @param nonSecure Whether the write is of Non-secure state.
   */
  generate(from: number, group: number, nonSecure: boolean, low: number, high: number): void {
    const intid = (low >>> 24) & 15;
    if (high & SGI_IRM) {
      for (let cpu = 0; cpu < this.#state.cpus; cpu++) if (cpu !== from) this.#pend(cpu, group, nonSecure, intid);
      return;
    }
    // The range selector must be 0 (CTLR.RSS): others name no PE.
    if ((high >>> 12) & 15) return;
    const cluster = (((high >>> 16) & 0xff) << 16) | ((high & 0xff) << 8) | ((low >>> 16) & 0xff);
    for (let cpu = 0; cpu < this.#state.cpus; cpu++) {
      const affinity = this.#affinities[cpu] as number;
      const aff0 = affinity & 0xff;
      if (affinity >>> 8 === cluster && aff0 < 16 && (low >>> aff0) & 1) this.#pend(cpu, group, nonSecure, intid);
    }
  }

  #pend(cpu: number, group: number, nonSecure: boolean, sgi: number): void {
    if (!this.#allowed(group, this.#state.group(sgi, cpu), nonSecure, this.#state.nsAccess(sgi, cpu))) return;
    this.#state.setPe(cpu, L.LATCH, this.#state.pe(cpu, L.LATCH) | (1 << sgi));
    this.#state.update(cpu);
  }

  /** @param actual The group of the SGI. @param access Its bits of GICR_NSACR. */
  #allowed(group: number, actual: number, nonSecure: boolean, access: number): boolean {
    // With a single Security state SGI1R makes SGIs of either group, the others of Group 0 only.
    if (this.#state.single) return actual === GROUP0 || group === (nonSecure ? GROUP1 : SECURE_GROUP1);
    // Secure Group 1's register makes SGIs of Group 0, too.
    if (group !== actual && !(group === SECURE_GROUP1 && actual === GROUP0)) return false;
    return !nonSecure || actual === GROUP1 || access >= (actual === GROUP0 ? 1 : 2);
  }
}
