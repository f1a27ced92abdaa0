import type { Domain } from "../domain.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { PAGE_BYTES } from "../machine-memory.ts";
import type { Access, Watch } from "../stage2-space.ts";
import type { Vcpu } from "../vcpu.ts";
import { programCounter } from "./registers.ts";

/** An access to a watched page. It has not been made yet: the vCPU is at its instruction. A device's write has been, and has no vCPU. */
export interface WatchedAccess {
  readonly domain: string;
  readonly page: number;
  readonly ipa: number;
  readonly access: Access;
  readonly vcpu: number | undefined;
  readonly pc: bigint | undefined;
}

/**
 * What becomes of the access. allow: the page is watched no more, and the access made. stop: the domain is paused before it; when it goes on it
 * comes to the watcher again.
 */
export type Verdict = "allow" | "stop";
export type Watcher = (seen: WatchedAccess) => Verdict;

interface Watched {
  readonly kinds: Watch;
  readonly watcher: Watcher;
}

/** Pages of domains that are watched by stage 2 permissions: one watcher for each page. */
export class Watches {
  readonly #hypervisor: Hypervisor;
  readonly #domains = new Map<Domain, Map<number, Watched>>();

  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
    hypervisor.onWatched = (vcpu, { ipa, access }) => this.#seen(vcpu.domain, ipa, access, vcpu);
    hypervisor.subscribe(({ kind, domain: name }) => {
      // Its memory is given back: nothing of it is watched any more.
      if (kind !== "reset" && kind !== "stopped") return;
      for (const domain of this.#domains.keys()) if (domain.config.name === name) this.#domains.delete(domain);
    });
  }

  /** Watches a page of a domain's RAM, which gets a frame for that. False: it is no RAM, there is no memory, or another watches it. */
  watch(domain: Domain, page: number, kinds: Watch, watcher: Watcher): boolean {
    return this.watchAll(domain, [page], kinds, watcher);
  }

  /** As watch, of all pages or of none. */
  watchAll(domain: Domain, pages: readonly number[], kinds: Watch, watcher: Watcher): boolean {
    let watched = this.#domains.get(domain);
    if (pages.some((page) => watched?.has(page) || domain.space.frameFor(page, false) < 0)) return false;
    if (watched === undefined) {
      watched = new Map();
      this.#domains.set(domain, watched);
      domain.space.onWatchedDevice = (page) => this.#seen(domain, page * PAGE_BYTES, "write", undefined);
    }
    for (const page of pages) watched.set(page, { kinds, watcher });
    for (const { first, count } of runs(pages)) domain.space.watch(first, kinds, count);
    return true;
  }

  unwatch(domain: Domain, pages: Iterable<number>): void {
    const watched = this.#domains.get(domain);
    const mine = [...pages].filter((page) => watched?.delete(page));
    for (const { first, count } of runs(mine)) domain.space.watch(first, undefined, count);
    if (watched?.size === 0) this.#domains.delete(domain);
  }

  #seen(domain: Domain, ipa: number, access: Access, vcpu: Vcpu | undefined): void {
    const page = Math.floor(ipa / PAGE_BYTES);
    const watched = this.#domains.get(domain)?.get(page);
    if (watched === undefined) {
      // Nobody's: a watcher that is gone.
      domain.space.watch(page, undefined);
      return;
    }
    const { name } = domain.config;
    const pc = vcpu && programCounter(vcpu);
    const verdict = watched.watcher({ domain: name, page, ipa, access, vcpu: vcpu?.index, pc });
    if (verdict === "stop") {
      if (this.#hypervisor.status(name) === "running") this.#hypervisor.pause(name);
      return;
    }
    this.unwatch(domain, [page]);
  }
}

/** Pages that follow each other, together. */
function runs(pages: readonly number[]): { first: number; count: number }[] {
  const found: { first: number; count: number }[] = [];
  for (const page of [...pages].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last.first + last.count === page) last.count++;
    else found.push({ first: page, count: 1 });
  }
  return found;
}
