/** What a hypervisor tells of its domains. */
export type HypervisorEvent =
  | { readonly kind: "defined" | "started" | "resumed" | "reset" | "removed"; readonly domain: string }
  /** Without a reason: somebody asked for it. */
  | { readonly kind: "paused"; readonly domain: string; readonly reason?: string }
  /** It ended: powered itself off, was stopped, or could not go on because of `reason`. */
  | {
      readonly kind: "stopped";
      readonly domain: string;
      readonly cause: "off" | "stopped" | "failed";
      readonly reason?: string;
    }
  /** Its guest did not refresh its watchdog in time; what is done then follows. */
  | { readonly kind: "watchdog"; readonly domain: string }
  /** The machine has no memory for what its guest accesses: it waits; told of the first time and each time that the count has doubled. */
  | { readonly kind: "short"; readonly domain: string; readonly count: number }
  /** A guest tried what it may not do, and was refused; told of the first time and each time that the count has doubled. */
  | {
      readonly kind: "refused";
      readonly domain: string;
      readonly vcpu: number;
      readonly what: Refusal;
      readonly address: number;
      readonly count: number;
    };

/**
 * memory: an access outside of the domain's memory map. instruction: one whose effect on a device cannot be told from its syndrome.
 * register: a system register that it has not. exception: something else at EL2. monitor call: an SMC that nobody answers.
 */
export type Refusal = "memory" | "instruction" | "register" | "exception" | "monitor call";

export type Listener = (event: HypervisorEvent) => void;

/** Listeners; what one of them throws is its own matter. */
export class EventStream {
  readonly #listeners = new Set<Listener>();

  /** Returns how to listen no more. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: HypervisorEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // Events come from the midst of a guest's trap: that must go on.
      }
    }
  }
}
