import { MAX_BATCH } from "./limits.ts";
import {
  type FoundRegion,
  type MadeRegions,
  type MakerSetup,
  RegionMaker,
  type RegionRequest,
} from "./region-maker.ts";
import type { RegionSource } from "./region-source.ts";

// Regions from another thread, so that the guest's does not stop while they are made.

/** Another thread of the host's, with a RegionServer in it. */
export interface RegionThread {
  /** Hands requests over. */
  send(requests: readonly RegionRequest[]): void;
  /** What has been made and was not taken yet, without waiting. */
  receive(): RegionAnswer | undefined;
  /** Ends the thread. */
  close(): void;
}

/** Starts a thread for a machine whose memory is shared. */
export type StartRegionThread = (setup: MakerSetup) => RegionThread;

/** What the other thread made, and how long it took. */
export interface RegionAnswer extends MadeRegions {
  readonly milliseconds: number;
}

/** Regions that another thread makes. It is started when the first is asked for. */
export class RemoteRegions implements RegionSource {
  readonly #start: () => RegionThread;
  readonly #onAnswer: (answer: RegionAnswer) => void;
  #thread: RegionThread | undefined;
  #requests: RegionRequest[] = [];
  #closed = false;

  /** `onAnswer`: for statistics. */
  constructor(start: () => RegionThread, onAnswer: (answer: RegionAnswer) => void) {
    this.#start = start;
    this.#onAnswer = onAnswer;
  }

  ask(request: RegionRequest): void {
    this.#requests.push(request);
  }

  take(): MadeRegions | undefined {
    if (this.#closed) return undefined;
    if (this.#requests.length > 0) {
      this.#thread ??= this.#start();
      this.#thread.send(this.#requests);
      this.#requests = [];
    }
    const answer = this.#thread?.receive();
    if (answer) this.#onAnswer(answer);
    return answer;
  }

  close(): void {
    this.#closed = true;
    this.#thread?.close();
  }
}

/** The other side: makes what is asked for, as much in one module as has been asked for by then. */
export class RegionServer {
  readonly #maker: RegionMaker;
  readonly #now: () => number;

  /** `now`: milliseconds of a clock, for statistics. */
  constructor(setup: MakerSetup, now: () => number) {
    this.#maker = new RegionMaker(setup);
    this.#now = now;
  }

  /** Serves requests, later ones for a record in place of earlier ones. */
  *serve(requests: readonly RegionRequest[]): Generator<RegionAnswer> {
    const wanted = [...new Map(requests.map((request) => [request.record, request])).values()];
    for (let i = 0; i < wanted.length; i += MAX_BATCH) {
      const started = this.#now();
      const made = this.#maker.make(this.#found(wanted.slice(i, i + MAX_BATCH)));
      if (made.regions.length === 0) continue;
      yield { ...made, milliseconds: this.#now() - started };
    }
  }
  *#found(requests: readonly RegionRequest[]): Generator<FoundRegion> {
    for (const request of requests) {
      const found = this.#maker.find(request);
      if (found) yield found;
    }
  }
}
