// Whether a domain is healthy: looked at from outside, in intervals.

import { connect } from "node:net";
import type { Health, NewDomain } from "../../contract/domain.ts";

export type HealthState = "unknown" | "healthy" | "unhealthy";

/** Characters of a console's line that are looked at: a guest may never end one. */
const LINE_MAX = 4096;
/** Milliseconds that a connection has to stay: the host takes it before the guest does, and gives it up when the guest does not. */
const STAYS = 200;

export class HealthMonitor {
  state: HealthState = "unknown";
  readonly #health: Health;
  readonly #look: () => Promise<boolean>;
  readonly #changed: () => void;
  readonly #began = performance.now();
  readonly #pattern: RegExp | undefined;
  #line = "";
  #bad = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @param changed called when `state` did. */
  constructor(health: Health, definition: Pick<NewDomain, "publish">, changed: () => void) {
    this.#health = health;
    this.#changed = changed;
    this.#pattern = health.console === undefined ? undefined : new RegExp(health.console);
    const { tcp, timeout } = health;
    const at = definition.publish.find(({ protocol, guestPort }) => protocol === "tcp" && guestPort === tcp);
    this.#look = () =>
      at === undefined ? Promise.resolve(false) : takesConnections(at.port, at.address, timeout * 1000);
    if (tcp !== undefined) void this.#next();
  }

  /** Output of the console. */
  saw(bytes: Uint8Array): void {
    if (this.#pattern === undefined || this.state === "healthy") return;
    const lines = (this.#line + Buffer.from(bytes).toString("latin1")).split(/[\r\n]/);
    // A prompt ends no line.
    const found = lines.some((line) => this.#pattern?.test(line.slice(0, LINE_MAX)));
    this.#line = (lines.at(-1) ?? "").slice(-LINE_MAX);
    if (found) this.#set("healthy");
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #next(): Promise<void> {
    const good = await this.#look();
    if (this.#ended) return;
    const { startPeriod, retries, interval } = this.#health;
    if (good) {
      this.#bad = 0;
      this.#set("healthy");
    } else if (this.state === "healthy" || performance.now() - this.#began > startPeriod * 1000) {
      if (++this.#bad >= retries) this.#set("unhealthy");
    }
    // Until it is up for the first time, sooner: others wait for it.
    const wait = this.state === "unknown" ? Math.min(interval, 1) : interval;
    this.#timer = setTimeout(() => void this.#next(), wait * 1000);
  }

  #set(state: HealthState): void {
    if (this.state === state) return;
    this.state = state;
    this.#changed();
  }
}

function takesConnections(port: number, host: string, timeout: number): Promise<boolean> {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return new Promise((resolve) => {
    const socket = connect({ port, host: reachable });
    const done = (good: boolean): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(good);
    };
    const late = setTimeout(done, timeout, false);
    socket.on("connect", () => setTimeout(done, STAYS, true));
    socket.on("data", () => done(true));
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
  });
}
