import { BadInput } from "../../machine/runnable.ts";
import type { Domain } from "../domain.ts";
import { PAGE_BYTES } from "../machine-memory.ts";
import type { Access } from "../stage2-space.ts";
import { GuestAddressSpace } from "./address-space.ts";
import type { LinuxKernel } from "./linux-kernel.ts";
import type { WatchedAccess, Watches } from "./watches.ts";

const PAGE = BigInt(PAGE_BYTES);
/** Of a kernel's text: what is larger is none. */
const MOST_BYTES = 256n * 2n ** 20n;
const MOST_VIOLATIONS = 100;

/** stop: the domain is paused before a write to what is guarded. report: the write is made, and noted. */
export type GuardMode = "stop" | "report";
export type GuardedPart = "text" | "system call table";

export interface Violation {
  readonly part: GuardedPart;
  /** moved: the address leads to other memory than before; changed: the contents are others. Both are found by `check`. */
  readonly what: "write" | "device write" | "moved" | "changed";
  readonly address: bigint;
  readonly vcpu: number | undefined;
  readonly pc: bigint | undefined;
}

interface GuardedPage {
  readonly part: GuardedPart;
  readonly va: bigint;
  readonly page: number;
  readonly contents: Uint8Array;
}

export interface GuardOptions {
  readonly domain: Domain;
  readonly kernel: LinuxKernel;
  readonly watches: Watches;
  readonly mode: GuardMode;
  /** Called at each violation as it happens, also at one that comes again as a stopped vCPU goes on. */
  readonly onViolation: (violation: Violation) => void;
}

/**
 * Guards a Linux kernel's text and system call table: writes are seen by stage 2 before they are made, from whatever virtual address, and those
 * of devices when they are; and `check` compares them with what they were, and looks that the kernel's addresses still lead there.
 */
export class KernelGuard {
  readonly mode: GuardMode;
  readonly #o: GuardOptions;
  readonly #pages = new Map<number, GuardedPage>();
  /** What of the kernel is not guarded, as its address is not known. */
  readonly missing: readonly GuardedPart[];
  readonly violations: Violation[] = [];
  /** Beyond those that are kept. */
  dropped = 0;

  /** @throws BadInput when the kernel's text is not known, or its memory cannot be watched. */
  constructor(options: GuardOptions) {
    const { domain, kernel, watches, mode } = options;
    this.#o = options;
    this.mode = mode;
    const start = kernel.address("_stext");
    const end = kernel.address("_etext");
    if (start === undefined || end === undefined)
      throw new BadInput("the kernel's text is not found: give the addresses of _stext and _etext");
    this.#add("text", start, end);
    const table = kernel.callTable;
    if (table !== undefined) this.#add("system call table", table.start, table.end);
    this.missing = table === undefined ? ["system call table"] : [];
    const seen = (access: WatchedAccess) => this.#seen(access);
    const kinds = { read: false, write: true, execute: false };
    if (!watches.watchAll(domain, [...this.#pages.keys()], kinds, seen))
      throw new BadInput(`${domain.config.name}: somebody else watches its kernel, or there is no memory left`);
  }

  get pages(): number {
    return this.#pages.size;
  }

  #add(part: GuardedPart, start: bigint, end: bigint): void {
    const { kernel, domain } = this.#o;
    if (end <= start || end - start > MOST_BYTES)
      throw new BadInput(`the kernel's ${part} is not from ${hex(start)} to ${hex(end)}`);
    for (let va = start - (start % PAGE); va < end; va += PAGE) {
      const ipa = kernel.space.translate(va);
      const contents = ipa === undefined ? undefined : domain.memory.read(ipa, PAGE_BYTES);
      if (ipa === undefined || contents === undefined)
        throw new BadInput(`the kernel's ${part} at ${hex(va)} is not in memory`);
      const page = ipa / PAGE_BYTES;
      if (!this.#pages.has(page)) this.#pages.set(page, { part, va, page, contents });
    }
  }

  #seen({ page, ipa, vcpu, pc }: WatchedAccess): "allow" | "stop" {
    const guarded = this.#pages.get(page);
    if (guarded === undefined) return "allow";
    const what = vcpu === undefined ? "device write" : "write";
    this.#note({ part: guarded.part, what, address: guarded.va + BigInt(ipa % PAGE_BYTES), vcpu, pc });
    return this.mode === "stop" ? "stop" : "allow";
  }

  #note(violation: Violation): void {
    const { violations } = this;
    const last = violations.at(-1);
    // A vCPU that goes on makes its access again.
    const again =
      last !== undefined &&
      last.address === violation.address &&
      last.what === violation.what &&
      last.vcpu === violation.vcpu &&
      last.pc === violation.pc;
    if (again) {
      this.#o.onViolation(last);
      return;
    }
    if (violations.length < MOST_VIOLATIONS) violations.push(violation);
    else this.dropped++;
    this.#o.onViolation(violation);
  }

  /** Compares everything with what it was, and watches again what was written in mode `report`. True: all is as it was. */
  check(): boolean {
    const { domain, watches } = this.#o;
    const spaces = domain.vcpus.map(({ registers }) => new GuestAddressSpace(registers, domain.memory));
    let same = true;
    const kinds = { read: false, write: true, execute: false } satisfies Record<Access, boolean>;
    for (const { part, va, page, contents } of this.#pages.values()) {
      const found = spaces.map((space) => space.translate(va)).find((ipa) => ipa !== undefined);
      const now = domain.memory.read(page * PAGE_BYTES, PAGE_BYTES);
      // Where no CPU has the kernel mapped now there is nothing to compare.
      const moved = found !== undefined && found !== page * PAGE_BYTES;
      const at = now === undefined ? 0 : firstDifference(contents, now);
      if (moved || at >= 0) {
        same = false;
        const address = at >= 0 ? va + BigInt(at) : va;
        const known = this.violations.some((each) => each.address === address && each.what !== "write");
        if (!known) this.#note({ part, what: at >= 0 ? "changed" : "moved", address, vcpu: undefined, pc: undefined });
      }
      watches.watch(domain, page, kinds, (access) => this.#seen(access));
    }
    return same;
  }

  /** Guards no more. */
  end(): void {
    this.#o.watches.unwatch(this.#o.domain, this.#pages.keys());
  }
}

/** Of pages; -1: there is none. */
function firstDifference(one: Uint8Array, other: Uint8Array): number {
  const [words, others] = [one, other].map(
    ({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, PAGE_BYTES / 4),
  );
  for (let i = 0; i < PAGE_BYTES / 4; i++) {
    if (words?.[i] === others?.[i]) continue;
    return 4 * i + one.subarray(4 * i, 4 * i + 4).findIndex((byte, at) => byte !== other[4 * i + at]);
  }
  return -1;
}

const hex = (address: bigint): string => `0x${address.toString(16)}`;
