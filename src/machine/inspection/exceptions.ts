import type { PeObserver } from "../../cpu/pe-options.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { EL, PC } from "../../cpu/state-layout.ts";
import { hex64 } from "../report.ts";
import { ELR, ESR, INTERRUPTS } from "../trace/exception-registers.ts";
import { syndromeText } from "../trace/syndrome.ts";

export interface ExceptionEvent {
  readonly cpu: number;
  /** Nanoseconds of the guest's time. */
  readonly time: number;
  readonly kind: "taken" | "returned";
  readonly from: number;
  readonly to: number;
  /** What it is. */
  readonly text: string;
  /** Hexadecimal: the preferred return address, or where a return goes. */
  readonly address: string;
}

/** Events that are kept. */
const MOST = 64;

/** Keeps the last exceptions of one PE. */
export class ExceptionLog implements PeObserver {
  alone = false;
  together = false;
  putOff = false;
  readonly #state: PeState;
  readonly #cpu: number;
  readonly #now: () => number;
  #events: ExceptionEvent[] = [];

  constructor(state: PeState, cpu: number, now: () => number) {
    this.#state = state;
    this.#cpu = cpu;
    this.#now = now;
  }

  events(): readonly ExceptionEvent[] {
    return this.#events.slice(-MOST);
  }

  taken(from: number, line: number): void {
    const to = this.#state.word(EL);
    const text = line === 0 ? syndromeText(this.#state.word(ESR[to] as number)) : (INTERRUPTS[line] ?? "interrupt");
    this.#add("taken", from, to, text, ELR[to] as number);
  }

  returned(from: number): void {
    this.#add("returned", from, this.#state.word(EL), "return", PC);
  }

  #add(kind: ExceptionEvent["kind"], from: number, to: number, text: string, address: number): void {
    if (this.#events.length >= 2 * MOST) this.#events = this.#events.slice(-MOST);
    this.#events.push({
      ...{ cpu: this.#cpu, time: this.#now(), kind, from, to, text },
      address: hex64(this.#state, address),
    });
  }
}
