// The source's side of a migration up to where everything has come and the domain stands still: rounds of copying what was written meanwhile
// (pre-copy: C. Clark et al., Live Migration of Virtual Machines, NSDI 2005), then the rest.

import type { BlockStore } from "../../bus/device.ts";
import { checksum } from "../../hosts/node/snapshot-file.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import { PAGE_BYTES } from "../../hypervisor/machine-memory.ts";
import { residentPages } from "../../hypervisor/migration/memory.ts";
import { chunksOf, saveState } from "../../hypervisor/migration/state.ts";
import { isSame, isZero } from "../../images/bytes.ts";
import { SECTION_VERSION } from "../../machine/snapshot/sections.ts";
import { CHUNK_MAX } from "../../snapshot/format.ts";
import { BytesSink } from "../../snapshot/streams.ts";
import { SnapshotWriter } from "../../snapshot/writer.ts";
import type { Channel } from "./channel.ts";
import { BLOCK_BYTES, LoggedStore } from "./logged-store.ts";
import { decode, encode, encodePiece, encodeRuns, KIND, nameOf, refuse, Unexpected } from "./messages.ts";

/** Pages that go in one message. */
const PAGES_AT_ONCE = 64;
/** Runs of zeroes in one message. */
const RUNS_AT_ONCE = 4096;
/** Rounds in a row in which the rest has not become less, before it is taken as it is. */
const IN_VAIN = 3;
/** Milliseconds of standing still that are no copying: its state, and what both nodes write down. */
const FIXED_COST = 20;

export interface CopyLimits {
  /** Milliseconds that the domain may stand still. */
  readonly downtime: number;
  readonly rounds: number;
}

/** How far it is. */
export interface CopyState {
  round: number;
  pages: number;
  /** Blocks of disks. */
  blocks: number;
  /** Bytes a second of the last round; undefined: none is over. */
  rate: number | undefined;
}

export type Report = (state: Readonly<CopyState>, done: number | undefined) => void;

/** Who sends what a domain has. */
export class Copier {
  readonly state: CopyState = { round: 0, pages: 0, blocks: 0, rate: undefined };
  readonly #domain: Domain;
  readonly #channel: Channel;
  readonly #stores: readonly LoggedStore[];
  readonly #bases: readonly (BlockStore | undefined)[];
  readonly #report: Report;
  #marks = 0;
  /** Nothing has been sent: what is zeroes is that there already. */
  #blank = true;

  /** @param bases of disks whose changes are in temporary files: what is under those */
  constructor(domain: Domain, channel: Channel, report: Report, bases: readonly (BlockStore | undefined)[] = []) {
    this.#bases = bases;
    this.#domain = domain;
    this.#channel = channel;
    this.#report = report;
    this.#stores = domain.config.disks.map(({ store }) => {
      if (!(store instanceof LoggedStore)) throw new Error("a disk whose writes cannot be followed");
      return store;
    });
  }

  /** Sends files that the domain boots from, and what is under disks that keep nothing. When this is done, the destination has opened what the definition names there. @throws Cut, Unexpected when it cannot */
  async files(files: readonly Uint8Array[]): Promise<void> {
    for (const [index, content] of files.entries()) {
      for (let offset = 0; offset < content.length; offset += CHUNK_MAX) {
        const piece = content.subarray(offset, offset + CHUNK_MAX);
        await this.#channel.send(KIND.file, encodePiece({ index, offset, content: piece }));
      }
    }
    for (const [index, base] of this.#bases.entries()) if (base !== undefined) await this.#base(index, base);
    await this.#mark();
  }

  /** Copies while the domain runs, until the rest can be had in the time that it may stand still, or there is no hope of that. @throws Cut, Unexpected */
  async whileItRuns({ downtime, rounds }: CopyLimits): Promise<void> {
    const { space } = this.#domain;
    space.startLogging();
    for (const store of this.#stores) store.startLogging();
    let pages = residentPages(this.#domain);
    let blocks = this.#stores.map(({ blocks }) => Array.from({ length: blocks }, (_, i) => i));
    let least = Number.POSITIVE_INFINITY;
    let vain = 0;
    for (;;) {
      this.state.round++;
      const began = performance.now();
      const before = this.#channel.sent;
      await this.#send(pages, blocks);
      this.#blank = false;
      // What it does not stand still for now goes faster when it does: this code has run once then.
      await this.#state(false);
      await this.#mark();
      const seconds = (performance.now() - began) / 1000;
      const rate = (this.#channel.sent - before) / Math.max(seconds, 1e-6);
      // Little says nothing of how fast much would be.
      if (this.state.rate === undefined || this.#channel.sent - before > PAGES_AT_ONCE * PAGE_BYTES)
        this.state.rate = rate;
      this.#check();
      const rest =
        space.dirtyPages * PAGE_BYTES + this.#stores.reduce((sum, each) => sum + each.writtenBlocks * BLOCK_BYTES, 0);
      // What is left is `whileItStands`'s to take.
      if ((rest / this.state.rate) * 1000 + FIXED_COST <= downtime || this.state.round >= rounds) return;
      vain = rest < least ? 0 : vain + 1;
      if (vain >= IN_VAIN) return;
      least = Math.min(least, rest);
      ({ pages, blocks } = this.#taken());
    }
  }

  /**
   * What is left, and the state, of the domain that stands still.
   * @param paused it is to stay so. @param channels what is in the memory of its channels. @throws Cut
   */
  async whileItStands(paused: boolean, channels: readonly Uint8Array[] = []): Promise<void> {
    for (const [index, content] of channels.entries())
      for (let offset = 0; offset < content.length; offset += BLOCK_BYTES) {
        const piece = content.subarray(offset, offset + BLOCK_BYTES);
        // It is given as zeroes.
        if (!isZero(piece)) await this.#channel.send(KIND.channel, encodePiece({ index, offset, content: piece }));
      }
    const { pages, blocks } = this.#taken();
    await this.#send(pages, blocks);
    const state = await this.#state(paused);
    for (let at = 0; at < state.length; at += CHUNK_MAX)
      await this.#channel.send(KIND.state, state.subarray(at, at + CHUNK_MAX));
  }

  async #state(paused: boolean): Promise<Uint8Array> {
    const sink = new BytesSink();
    const codec = {
      encode: (_: unknown, bytes: Uint8Array) => bytes,
      decode: (_: unknown, bytes: Uint8Array) => bytes,
    };
    const writer = new SnapshotWriter({ sink, codec, encoding: "stored", checksum });
    await writer.begin();
    for (const { name, content } of saveState(this.#domain, { paused }))
      for (const { page, bytes } of chunksOf(content)) await writer.chunk(name, SECTION_VERSION, page, bytes);
    await writer.end();
    return sink.bytes();
  }

  /** Nothing is followed any more. */
  end(): void {
    if (this.#domain.ended === undefined) this.#domain.space.stopLogging();
    for (const store of this.#stores) store.stopLogging();
  }

  #taken(): { pages: number[]; blocks: number[][] } {
    const first = this.#domain.space.ram.base / PAGE_BYTES;
    return {
      pages: this.#domain.space.takeDirty().map((page) => page - first),
      blocks: this.#stores.map((store) => store.takeWritten()),
    };
  }

  /** @throws Unexpected when the domain is not what it was. */
  #check(): void {
    if (this.#domain.ended !== undefined) throw new Unexpected("it has ended meanwhile");
  }

  async #send(pages: readonly number[], blocks: readonly (readonly number[])[]): Promise<void> {
    const all = pages.length + blocks.reduce((sum, each) => sum + each.length, 0);
    let done = 0;
    for (const [index, numbers] of blocks.entries()) {
      for (const number of numbers) {
        await this.#block(index, number);
        this.#report(this.state, ++done / all);
      }
    }
    for (let at = 0; at < pages.length; at += PAGES_AT_ONCE) {
      await this.#pages(pages.slice(at, at + PAGES_AT_ONCE));
      done += Math.min(PAGES_AT_ONCE, pages.length - at);
      this.#report(this.state, done / all);
    }
  }

  async #base(index: number, base: BlockStore): Promise<void> {
    const count = Math.ceil(base.bytes / BLOCK_BYTES);
    for (let number = 0; number < count; number++) {
      this.#check();
      const content = blockOf(base, number);
      if (isZero(content)) {
        if (number % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
      } else {
        this.state.blocks++;
        await this.#channel.send(KIND.base, encodePiece({ index, offset: number * BLOCK_BYTES, content }));
      }
      this.#report(this.state, (number + 1) / count);
    }
  }

  async #block(index: number, number: number): Promise<void> {
    this.#check();
    const store = this.#stores[index] as LoggedStore;
    const base = this.#bases[index];
    const offset = number * BLOCK_BYTES;
    const content = blockOf(store, number);
    // A disk begins as zeroes, or as what is under it.
    if (this.#blank && (base === undefined ? isZero(content) : isSame(content, blockOf(base, number)))) {
      if (number % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    this.state.blocks++;
    await this.#channel.send(KIND.disk, encodePiece({ index, offset, content }));
  }

  /** @param pages ascending. */
  async #pages(pages: readonly number[]): Promise<void> {
    this.#check();
    const { memory } = this.#domain;
    const zeroes: [number, number][] = [];
    const content = new Uint8Array(PAGES_AT_ONCE * PAGE_BYTES);
    const messages: Buffer[] = [];
    let first = 0;
    let count = 0;
    const flush = (): void => {
      if (count === 0) return;
      const bytes = content.subarray(0, count * PAGE_BYTES);
      messages.push(encodePiece({ index: 0, offset: first * PAGE_BYTES, content: bytes }));
      this.state.pages += count;
      count = 0;
    };
    for (const page of pages) {
      const bytes = memory.page(page);
      if (count > 0 && (bytes === undefined || page !== first + count)) flush();
      if (bytes !== undefined) {
        if (count === 0) first = page;
        content.set(bytes, count++ * PAGE_BYTES);
        continue;
      }
      // RAM begins as zeroes.
      if (this.#blank) continue;
      const last = zeroes.at(-1);
      if (last !== undefined && last[0] + last[1] === page) last[1]++;
      else zeroes.push([page, 1]);
    }
    flush();
    for (const message of messages) await this.#channel.send(KIND.pages, message);
    for (let at = 0; at < zeroes.length; at += RUNS_AT_ONCE)
      await this.#channel.send(KIND.zeroes, encodeRuns(zeroes.slice(at, at + RUNS_AT_ONCE)));
  }

  /** Until the destination has done all that it was sent. */
  async #mark(): Promise<void> {
    const number = this.#marks++;
    await this.#channel.send(KIND.mark, encode({ number }));
    const message = await this.#channel.receive();
    if (message.kind === KIND.refuse) throw new Unexpected(decode(refuse, message).why);
    if (message.kind !== KIND.marked) throw new Unexpected(`the destination answered ${nameOf(message.kind)}`);
  }
}

function blockOf(store: BlockStore, number: number): Uint8Array {
  const offset = number * BLOCK_BYTES;
  const content = new Uint8Array(Math.min(BLOCK_BYTES, store.bytes - offset));
  store.read(offset, content);
  return content;
}
