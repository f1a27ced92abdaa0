// Who is let on the machine, and what it then has of it beside memory: a VMID, its share of the PEs, and what only one domain can have.

import { MAX_CPUS } from "../contract/limits.ts";
import { mostDisks } from "../machine/board.ts";
import { BadInput } from "../machine/runnable.ts";
import { Claims, NumberAllocator } from "./allocator.ts";
import { Domain, type DomainConfig, type DomainHost, shareOf } from "./domain.ts";
import type { PhysicalPe } from "./physical-pe.ts";
import type { Scheduler, Share } from "./scheduler.ts";
import type { Vcpu } from "./vcpu.ts";

const VMIDS = 255;

export interface AdmissionOptions {
  readonly pes: readonly PhysicalPe[];
  readonly scheduler: Scheduler<Vcpu>;
  readonly host: DomainHost;
}

export class Admission {
  /** Domains that are there, whether they run or stand still. */
  readonly running = new Set<Domain>();
  readonly #o: AdmissionOptions;
  readonly #vmids = new NumberAllocator(1, VMIDS);
  readonly #claims = new Claims();

  constructor(options: AdmissionOptions) {
    this.#o = options;
  }

  /** @throws BadInput when a domain can never run on this machine. */
  check(config: DomainConfig): void {
    const { name, cpus } = config;
    const { length } = this.#o.pes;
    if (cpus > MAX_CPUS[3]) throw new BadInput(`${name}: a domain has at most ${MAX_CPUS[3]} CPUs`);
    const room = mostDisks(config);
    if (config.disks.length > room)
      throw new BadInput(`${name}: there is room for ${Math.max(0, room)} disks beside the other devices`);
    checkShare(name, shareOf(config.share), length);
    for (const pe of config.pinned?.flat() ?? [])
      if (!(pe >= 0 && pe < length)) throw new BadInput(`${name}: there is no CPU ${pe} to pin to`);
  }

  /** A domain with what it needs of the machine, filled by `fill`. @throws BadInput when there is no room, or what `fill` throws. */
  admit(config: DomainConfig, fill: (domain: Domain) => void): Domain {
    const { name } = config;
    const share = shareOf(config.share);
    if (!this.#o.scheduler.admits(share.reservation)) throw new BadInput(noShare(name, share));
    const vmid = this.#vmids.take();
    if (vmid === undefined) throw new BadInput(`${name}: ${VMIDS} domains run already`);
    let domain: Domain | undefined;
    try {
      for (const thing of [config.serial, ...config.disks.map(({ store }) => store), ...(config.networks ?? [])]) {
        if (!this.#claims.claim(thing, vmid))
          throw new BadInput(`${name}: another domain has its console, one of its disks or one of its networks`);
      }
      domain = new Domain(config, vmid, this.#o.host);
      fill(domain);
    } catch (error) {
      domain?.close();
      this.#claims.releaseAll(vmid);
      this.#vmids.release(vmid);
      throw error;
    }
    this.running.add(domain);
    this.#o.scheduler.add(domain.group);
    return domain;
  }

  /** All that it has of the machine's: none of its vCPUs is on a PE any more. */
  giveBack(domain: Domain): void {
    this.running.delete(domain);
    this.#o.scheduler.remove(domain.group);
    for (const pe of this.#o.pes) pe.lastOfVmid[domain.vmid] = -1;
    domain.close();
    this.#claims.releaseAll(domain.vmid);
    this.#vmids.release(domain.vmid);
  }

  /** Changes the share of a domain that is there. @throws BadInput */
  setShare(domain: Domain, share: Partial<Share>): void {
    const { name } = domain.config;
    const { scheduler, pes } = this.#o;
    const next = { ...domain.group.share, ...share };
    checkShare(name, next, pes.length);
    if (!scheduler.admits(next.reservation, domain.group.share.reservation)) throw new BadInput(noShare(name, next));
    domain.group.share = next;
  }
}

const noShare = (name: string, { reservation }: Share): string =>
  `${name}: a reservation of ${reservation} CPUs is more than what others have left`;

function checkShare(name: string, { weight, cap, reservation }: Share, cpus: number): void {
  if (!(weight >= 1 && weight <= 65535)) throw new BadInput(`${name}: a weight is 1 to 65535, not ${weight}`);
  if (!(cap > 0)) throw new BadInput(`${name}: a cap is more than 0 CPUs, not ${cap}`);
  if (!(reservation >= 0 && reservation <= cpus))
    throw new BadInput(`${name}: a reservation is 0 to ${cpus} CPUs, not ${reservation}`);
  if (reservation > cap) throw new BadInput(`${name}: its reservation is more than its cap`);
}
