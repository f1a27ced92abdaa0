import { BadInput } from "../../machine/runnable.ts";
import type { Domain } from "../domain.ts";
import { PAGE_BYTES } from "../machine-memory.ts";
import type { Access, Watch } from "../stage2-space.ts";
import { GuestAddressSpace } from "./address-space.ts";
import type { Verdict, WatchedAccess, Watches } from "./watches.ts";

const MOST_ACCESSES = 100;

/** stop: the domain is paused before an access. report: it is made, and noted: the first to each page since the last look. */
export type PageWatchMode = "stop" | "report";

export interface SeenAccess {
  readonly access: Access;
  /** As the watch was given: virtual, or an IPA. */
  readonly address: bigint;
  /** Undefined: a device. */
  readonly vcpu: number | undefined;
  readonly pc: bigint | undefined;
}

export interface PageWatchOptions {
  readonly domain: Domain;
  readonly watches: Watches;
  /** Whole pages are watched: those from `address` on that hold `length` bytes. */
  readonly address: bigint;
  readonly length: number;
  /** Whose translation tables a virtual address goes through, now; undefined: it is an IPA. */
  readonly vcpu: number | undefined;
  readonly kinds: Watch;
  readonly mode: PageWatchMode;
  /** Called at each access as it happens, also at one that comes again as a stopped vCPU goes on. */
  readonly onAccess: (seen: SeenAccess) => void;
}

/** Watches pages of a domain for somebody who looks now and then at what has happened. */
export class PageWatch {
  readonly options: PageWatchOptions;
  readonly accesses: SeenAccess[] = [];
  /** Beyond those that are kept. */
  dropped = 0;
  /** The address of each page, as it was given, by its number. */
  readonly #pages = new Map<number, bigint>();

  /** @throws BadInput when they are not all in the domain's memory, or cannot be watched. */
  constructor(options: PageWatchOptions) {
    this.options = options;
    const { domain, address, length, vcpu } = options;
    const registers = vcpu === undefined ? undefined : domain.vcpus[vcpu]?.registers;
    const space = registers && new GuestAddressSpace(registers, domain.memory);
    for (let at = address - (address % BigInt(PAGE_BYTES)); at < address + BigInt(length); at += BigInt(PAGE_BYTES)) {
      const ipa = space === undefined ? Number(at) : space.translate(at);
      if (ipa === undefined || !domain.space.contains(ipa))
        throw new BadInput(`${domain.config.name}: 0x${at.toString(16)} is not in its memory`);
      this.#pages.set(Math.floor(ipa / PAGE_BYTES), at);
    }
    if (!this.#watch([...this.#pages.keys()]))
      throw new BadInput(`${domain.config.name}: somebody else watches that, or there is no memory left`);
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** What was seen and is watched no more is watched again. */
  renew(): void {
    for (const page of this.#pages.keys()) this.#watch([page]);
  }

  end(): void {
    this.options.watches.unwatch(this.options.domain, this.#pages.keys());
  }

  #watch(pages: readonly number[]): boolean {
    const { domain, watches, kinds } = this.options;
    return watches.watchAll(domain, pages, kinds, (access) => this.#seen(access));
  }

  #seen({ page, ipa, access, vcpu, pc }: WatchedAccess): Verdict {
    const { mode, onAccess } = this.options;
    const address = (this.#pages.get(page) ?? 0n) + BigInt(ipa % PAGE_BYTES);
    const last = this.accesses.at(-1);
    // A vCPU that goes on makes its access again.
    const again = last?.address === address && last.access === access && last.vcpu === vcpu && last.pc === pc;
    const seen = again ? last : { access, address, vcpu, pc };
    if (!again && this.accesses.length < MOST_ACCESSES) this.accesses.push(seen);
    else if (!again) this.dropped++;
    onAccess(seen);
    return mode === "stop" ? "stop" : "allow";
  }
}
