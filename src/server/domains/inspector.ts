// What is seen of the node's domains from outside: the actions of contract/introspection.ts.

import type * as z from "zod";
import { ActionError } from "../../contract/action.ts";
import {
  ACCESS_KINDS,
  type KernelKnowledge as GivenKnowledge,
  type GuardInfo,
  type INTROSPECTION_ACTIONS,
  type WatchInfo,
} from "../../contract/introspection.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { GuestAddressSpace } from "../../hypervisor/introspection/address-space.ts";
import { KernelGuard, type Violation } from "../../hypervisor/introspection/guard.ts";
import { type KernelKnowledge, LinuxKernel } from "../../hypervisor/introspection/linux-kernel.ts";
import { listModules, listProcesses } from "../../hypervisor/introspection/linux-lists.ts";
import { PageWatch, type SeenAccess } from "../../hypervisor/introspection/page-watch.ts";
import { registersOf } from "../../hypervisor/introspection/registers.ts";
import { Watches } from "../../hypervisor/introspection/watches.ts";

type Actions = typeof INTROSPECTION_ACTIONS;
type Input<Name extends keyof Actions> = z.output<Actions[Name]["input"]>;
type Output<Name extends keyof Actions> = z.output<Actions[Name]["output"]>;

const UNWATCHED: WatchInfo = { mode: "off", pages: 0, kinds: [], accesses: [], dropped: 0 };
const OFF: GuardInfo = { mode: "off", pages: 0, missing: [], intact: true, violations: [], dropped: 0 };

const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, "0")}`;

export class Inspector {
  readonly #hypervisor: Hypervisor;
  readonly #watches: Watches;
  readonly #guards = new Map<Domain, KernelGuard>();
  readonly #pageWatches = new Map<Domain, PageWatch>();
  /** A guard or a watch stopped a domain, or saw something: what. */
  readonly #tell: (name: string, what: string) => void;

  constructor(hypervisor: Hypervisor, tell: (name: string, what: string) => void) {
    this.#hypervisor = hypervisor;
    this.#tell = tell;
    this.#watches = new Watches(hypervisor);
    hypervisor.subscribe(({ kind, domain: name }) => {
      if (kind !== "reset" && kind !== "stopped") return;
      for (const looks of [this.#guards, this.#pageWatches])
        for (const domain of looks.keys()) if (domain.config.name === name) looks.delete(domain);
    });
  }

  readonly processes = ({ name, kernel }: Input<"processes">): Output<"processes"> => {
    const { items, broken } = listProcesses(new LinuxKernel(this.#domain(name), knowledge(kernel)));
    return { processes: [...items], broken };
  };

  readonly modules = ({ name, kernel }: Input<"modules">): Output<"modules"> => {
    const { items, broken } = listModules(new LinuxKernel(this.#domain(name), knowledge(kernel)));
    return { modules: items.map((each) => ({ ...each, address: hex(each.address) })), broken };
  };

  readonly registers = ({ name }: Input<"registers">): Output<"registers"> => ({
    cpus: this.#domain(name).vcpus.map((vcpu) => ({
      status: vcpu.status,
      registers: registersOf(vcpu).map(([register, value]) => ({ name: register, value: hex(value) })),
    })),
  });

  readonly memory = ({ name, address, length, physical, cpu }: Input<"memory">): Output<"memory"> => {
    const domain = this.#domain(name);
    const vcpu = domain.vcpus[cpu];
    if (vcpu === undefined) throw new ActionError("bad-input", `${name} has ${domain.vcpus.length} CPUs`);
    const at = BigInt(address);
    const bytes = physical
      ? domain.memory.read(Number(at), length)
      : new GuestAddressSpace(vcpu.registers, domain.memory).read(at, length);
    if (bytes === undefined) {
      const whose = physical ? "is not all in its memory" : `is not all in what CPU ${cpu} has mapped`;
      throw new ActionError("bad-input", `${name}: ${length} bytes at ${address} ${whose}`);
    }
    return { bytes: Buffer.from(bytes).toString("base64") };
  };

  readonly guarded = ({ name }: Input<"guarded">): GuardInfo => this.#infoOf(this.#guards.get(this.#domain(name)));

  readonly guard = ({ name, mode, kernel }: Input<"guard">): GuardInfo => {
    const domain = this.#domain(name);
    this.#guards.get(domain)?.end();
    this.#guards.delete(domain);
    if (mode === "off") return OFF;
    const guard = new KernelGuard({
      ...{ domain, mode, watches: this.#watches, kernel: new LinuxKernel(domain, knowledge(kernel)) },
      onViolation: (violation) => this.#tell(name, violationText(violation)),
    });
    this.#guards.set(domain, guard);
    return this.#infoOf(guard);
  };

  #infoOf(guard: KernelGuard | undefined): GuardInfo {
    if (guard === undefined) return OFF;
    const intact = guard.check();
    const { mode, pages, missing, violations, dropped } = guard;
    return {
      ...{ mode, pages, missing: [...missing], intact, dropped },
      violations: violations.map(({ part, what, address, vcpu, pc }) => ({
        ...{ part, what, address: hex(address) },
        ...(vcpu === undefined ? {} : { vcpu }),
        ...(pc === undefined ? {} : { pc: hex(pc) }),
      })),
    };
  }

  readonly watched = ({ name }: Input<"watched">): WatchInfo => {
    const watch = this.#pageWatches.get(this.#domain(name));
    if (watch === undefined) return UNWATCHED;
    const info = infoOf(watch);
    watch.renew();
    return info;
  };

  readonly watch = ({ name, mode, kinds, ...what }: Input<"watch">): WatchInfo => {
    const domain = this.#domain(name);
    this.#pageWatches.get(domain)?.end();
    this.#pageWatches.delete(domain);
    if (mode === "off") return UNWATCHED;
    const { address, length, physical, cpu } = what;
    if (address === undefined) throw new ActionError("bad-input", "say what is to be watched: an address");
    if (domain.vcpus[cpu] === undefined) throw new ActionError("bad-input", `${name} has ${domain.vcpus.length} CPUs`);
    const [read, write, execute] = ACCESS_KINDS.map((kind) => kinds.includes(kind)) as [boolean, boolean, boolean];
    const watch = new PageWatch({
      ...{ domain, watches: this.#watches, address: BigInt(address), length, vcpu: physical ? undefined : cpu },
      ...{ kinds: { read, write, execute }, mode },
      onAccess: (seen) => this.#tell(name, accessText(seen)),
    });
    this.#pageWatches.set(domain, watch);
    return infoOf(watch);
  };

  #domain(name: string): Domain {
    const domain = this.#hypervisor.names().includes(name) ? this.#hypervisor.domain(name) : undefined;
    if (domain === undefined)
      throw new ActionError("wrong-state", `${name} does not run: atoll start ${name} starts it`);
    return domain;
  }
}

function knowledge(given: GivenKnowledge | undefined): KernelKnowledge {
  const symbols = given?.symbols && Object.entries(given.symbols).map(([name, at]) => [name, BigInt(at)] as const);
  return { task: given?.task, module: given?.module, symbols: symbols && Object.fromEntries(symbols) };
}

function infoOf({ options: { mode, kinds }, pages, accesses, dropped }: PageWatch): WatchInfo {
  return {
    ...{ mode, pages, dropped, kinds: ACCESS_KINDS.filter((kind) => kinds[kind]) },
    accesses: accesses.map(({ access, address, vcpu, pc }) => ({
      ...{ access, address: hex(address) },
      ...(vcpu === undefined ? {} : { vcpu }),
      ...(pc === undefined ? {} : { pc: hex(pc) }),
    })),
  };
}

const whoText = ({ vcpu, pc }: Pick<Violation, "vcpu" | "pc">): string =>
  vcpu === undefined ? "" : ` by CPU ${vcpu}${pc === undefined ? "" : ` at ${hex(pc)}`}`;

/** An access to a watched page in a line. */
function accessText(seen: SeenAccess): string {
  const did = { read: "read of", write: "write to", execute: "execution of" }[seen.access];
  return `${did} ${hex(seen.address)}, which is watched,${whoText(seen) || " by a device"}`;
}

/** A violation in a line. */
function violationText({ part, what, address, vcpu, pc }: Violation): string {
  const who = whoText({ vcpu, pc });
  const did = { write: "write to", "device write": "device's write to", moved: "move of", changed: "change of" }[what];
  return `${did} the kernel's ${part} at ${hex(address)}${who}`;
}
