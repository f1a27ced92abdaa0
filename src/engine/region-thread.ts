import { FORGET, KEPT_PATIENCE, MAX_BATCH, MAX_BATCH_MILLISECONDS, MAX_UNDER_WAY } from "./limits.ts";
import { type MadeRegions, type MakerSetup, RegionMaker, type RegionRequest } from "./region-maker.ts";
import type { PlacedRegion } from "./region-object.ts";
import { type KeptForRunning, type RegionKeeping, RegionPlacer } from "./region-placer.ts";
import type { RegionSource } from "./region-source.ts";

// Regions from another thread, so that the guest's does not stop while they are made.

/** Another thread of the host's, with a RegionServer in it. It starts when it is first sent something: a guest that was restored shows its prompt before. */
export interface RegionThread extends KeptForRunning {
  /** Hands requests over. */
  send(requests: readonly RegionRequest[]): void;
  /** What has been made and was not taken yet, without waiting. */
  receive(): RegionAnswer | undefined;
  /** It ended by itself, for want of memory: another may do better. */
  readonly ended?: boolean;
  /** Ends the thread. */
  close(): void;
}

/** Gives a thread for a machine whose memory is shared. */
export type StartRegionThread = (setup: MakerSetup) => RegionThread;

/** What the other thread made, and how long it took. */
export interface RegionAnswer extends MadeRegions {
  /** The records that it answers for, with a region or without. */
  readonly records: readonly number[];
  readonly milliseconds: number;
  /** How many of them were made in an earlier run. */
  readonly kept: number;
}

/** Threads that may end for want of memory before no more are started, and what is not translated yet stays interpreted. */
const MAX_THREADS = 8;

/** A region that was not handed over yet, and how often it was asked for lately. */
interface Wanted {
  readonly request: RegionRequest;
  asked: number;
}

/**
 * Regions that another thread makes, what is asked for most often first: in its first moments that thread is slow, and by the time that it
 * gets to something it may be over.
 */
export class RemoteRegions implements RegionSource, KeptForRunning {
  readonly #start: () => RegionThread;
  readonly #onAnswer: (answer: RegionAnswer) => void;
  #thread: RegionThread | undefined;
  readonly kept: KeptForRunning["kept"];
  readonly words: KeptForRunning["words"];
  /** By record. */
  readonly #wanted = new Map<number, Wanted>();
  /** Records that were handed over and not answered. */
  readonly #underWay = new Set<number>();
  #closed = false;
  #threads = 1;
  /** A thread has been sent something. */
  #started = false;
  /** Slices since something that is kept was wanted first. */
  #patience = 0;
  /** Slices since what is wanted was looked through. */
  #slices = 0;

  /** `onAnswer`: for statistics. */
  constructor(start: () => RegionThread, onAnswer: (answer: RegionAnswer) => void) {
    this.#start = start;
    this.#thread = start();
    this.kept = this.#thread.kept;
    this.words = this.#thread.words;
    this.#onAnswer = onAnswer;
  }

  ask(request: RegionRequest): void {
    if (this.#underWay.has(request.record)) return;
    const known = this.#wanted.get(request.record);
    // What is hot stays so, however it is asked for later.
    if (known && (request.ifKept || !known.request.ifKept)) known.asked++;
    else this.#wanted.set(request.record, { request, asked: 1 });
  }

  take(): MadeRegions | undefined {
    if (this.#closed) return undefined;
    if (this.#thread?.ended) this.#forget(this.#thread);
    if (this.#thread === undefined) {
      if (this.#wanted.size === 0) return undefined;
      if (this.#threads++ === MAX_THREADS) {
        this.#closed = true;
        return undefined;
      }
      this.#thread = this.#start();
    }
    if (this.#wanted.size > 0 && this.#isWorthStarting()) this.#handOver(this.#thread);
    const answer = this.#thread.receive();
    if (answer === undefined) return undefined;
    for (const record of answer.records) this.#underWay.delete(record);
    this.#onAnswer(answer);
    return answer;
  }

  /** A thread starts at once for what is hot; for what is kept only when the guest goes on: one that was restored may be idle again by then. */
  #isWorthStarting(): boolean {
    this.#started ||= ++this.#patience > KEPT_PATIENCE || [...this.#wanted.values()].some((w) => !w.request.ifKept);
    return this.#started;
  }

  keepWords(table: Int32Array, misses: number): void {
    this.#thread?.keepWords?.(table, misses);
  }

  #handOver(thread: RegionThread): void {
    if (this.#underWay.size === 0) {
      const requests = this.#next();
      for (const { record } of requests) {
        this.#wanted.delete(record);
        this.#underWay.add(record);
      }
      thread.send(requests);
    }
    if (++this.#slices < FORGET) return;
    this.#slices = 0;
    for (const [record, wanted] of this.#wanted) {
      wanted.asked >>= 1;
      if (wanted.asked === 0) this.#wanted.delete(record);
    }
  }

  /** What is kept comes first, and much at a time, as it takes little; then what was asked for most often. */
  #next(): RegionRequest[] {
    const wanted = [...this.#wanted.values()];
    const kept = wanted.filter(({ request }) => request.ifKept).slice(0, MAX_BATCH);
    const next = kept.length > 0 ? kept : wanted.sort((a, b) => b.asked - a.asked).slice(0, MAX_UNDER_WAY);
    return next.map(({ request }) => request);
  }

  /** What it had not answered may be asked for again. */
  #forget(thread: RegionThread): void {
    thread.close();
    this.#thread = undefined;
    this.#underWay.clear();
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
  readonly #placer: RegionPlacer;

  /** `now`: milliseconds of a clock, for statistics. */
  constructor(setup: MakerSetup, now: () => number, keeping?: RegionKeeping) {
    this.#maker = new RegionMaker(setup);
    this.#now = now;
    this.#placer = new RegionPlacer(this.#maker, keeping);
  }

  /** Serves requests, each for another record. */
  *serve(requests: readonly RegionRequest[]): Generator<RegionAnswer> {
    for (let done = 0; done < requests.length; ) {
      const started = this.#now();
      const records: number[] = [];
      const made = this.#maker.make(this.#placed(requests.slice(done, done + MAX_BATCH), records));
      done += records.length;
      yield { ...made, records, milliseconds: this.#now() - started, kept: this.#placer.taken };
      this.#placer.taken = 0;
    }
  }

  /** Finds regions until it is time to hand over what there is; `records` are those that were looked at. */
  *#placed(requests: readonly RegionRequest[], records: number[]): Generator<PlacedRegion> {
    const until = this.#now() + MAX_BATCH_MILLISECONDS;
    for (const request of requests) {
      records.push(request.record);
      const region = this.#placer.place(request);
      if (region) yield region;
      if (this.#now() >= until) return;
    }
  }
}
