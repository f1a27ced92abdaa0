// The destination's side of a migration up to where everything has come, and the domain stands still: what comes by the connection goes to the domain.

import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { asBadInput } from "../../hosts/node/files.ts";
import { checksum } from "../../hosts/node/snapshot-file.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import { PAGE_BYTES } from "../../hypervisor/machine-memory.ts";
import { readConfiguration, restoreState } from "../../hypervisor/migration/state.ts";
import { Sections } from "../../machine/snapshot/section-reader.ts";
import { Fields } from "../../snapshot/fields.ts";
import { SnapshotReader } from "../../snapshot/reader.ts";
import { sourceOfPieces } from "../../snapshot/streams.ts";
import type { Message } from "./channel.ts";
import type { LoggedStore } from "./logged-store.ts";
import { fileName } from "./luggage.ts";
import { decodePiece, decodeRuns, KIND, nameOf, type Offer, Unexpected } from "./messages.ts";

/** Of a state: a guest's devices have some, flash has 128 MiB at most. */
const STATE_MAX = 256 * 2 ** 20;
const SECTOR = 512;

/** The files that a domain boots from, while they come. */
export class ArrivingFiles {
  readonly #folder: string;
  readonly #files: Offer["files"];
  /** Bytes of each that have come: one after the other. */
  readonly #have: number[];

  constructor(folder: string, files: Offer["files"]) {
    this.#folder = folder;
    this.#files = files;
    this.#have = files.map(() => 0);
    for (const index of files.keys()) this.#write(index, "w", new Uint8Array(0));
  }

  /** @throws Unexpected, BadInput */
  take(message: Message): void {
    const { index, offset, content } = decodePiece(message);
    const bytes = this.#files[index]?.bytes;
    if (bytes === undefined || offset !== this.#have[index] || offset + content.length > bytes)
      throw new Unexpected("a piece of a file is at the wrong place");
    this.#have[index] = offset + content.length;
    this.#write(index, "a", content);
  }

  /** @throws Unexpected when something is missing. */
  check(): void {
    if (this.#files.some(({ bytes }, i) => this.#have[i] !== bytes)) throw new Unexpected("a file is missing");
  }

  #write(index: number, flags: string, content: Uint8Array): void {
    const path = join(this.#folder, fileName(index));
    try {
      const fd = openSync(path, flags, 0o600);
      try {
        for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
        if (this.#have[index] === this.#files[index]?.bytes) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw asBadInput(error, "write", path);
    }
  }
}

/** RAM, disks and state of a domain, while they come. */
export class Arrival {
  readonly #domain: Domain;
  readonly #stores: readonly LoggedStore[];
  /** Since they were flushed last. */
  readonly #written = new Set<LoggedStore>();
  readonly #state: Uint8Array[] = [];
  #stateBytes = 0;
  /** It is to stay paused. After `prepare`. */
  paused = false;

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#stores = domain.config.disks.map(({ store }) => store as LoggedStore);
  }

  /** @throws Unexpected, and what disks throw. */
  take(message: Message): void {
    const { space, memory } = this.#domain;
    switch (message.kind) {
      case KIND.pages: {
        const { offset, content } = decodePiece(message);
        const whole = offset % PAGE_BYTES === 0 && content.length % PAGE_BYTES === 0;
        if (!whole || !space.contains(space.ram.base + offset, content.length))
          throw new Unexpected("pages are not the domain's");
        if (!memory.write(space.ram.base + offset, content)) throw new Unexpected("the node has no memory left");
        return;
      }
      case KIND.zeroes: {
        const first = space.ram.base / PAGE_BYTES;
        const pages = space.ram.bytes / PAGE_BYTES;
        for (const [from, count] of decodeRuns(message, pages))
          for (let page = from; page < from + count; page++) space.discard(first + page);
        return;
      }
      case KIND.disk: {
        const { index, offset, content } = decodePiece(message);
        const store = this.#stores[index];
        const whole = offset % SECTOR === 0 && content.length % SECTOR === 0;
        if (store === undefined || !whole || offset + content.length > store.bytes)
          throw new Unexpected("a block is not of a disk");
        this.#written.add(store);
        store.write(offset, content);
        return;
      }
      case KIND.state:
        this.#stateBytes += message.body.length;
        if (this.#stateBytes > STATE_MAX) throw new Unexpected("the state is too large");
        this.#state.push(message.body);
        return;
      default:
        throw new Unexpected(`${nameOf(message.kind)} was not expected`);
    }
  }

  /** What has come for disks is on the host's disk. */
  flush(): void {
    for (const store of this.#written) store.flush();
    this.#written.clear();
  }

  /** Everything has come: the domain could go on. @throws SnapshotError, BadInput, or what disks throw. */
  async prepare(): Promise<void> {
    const nothing = (_: unknown, bytes: Uint8Array): Uint8Array => bytes;
    const reader = new SnapshotReader({
      ...{ source: sourceOfPieces(this.#state), checksum },
      codec: { encode: nothing, decode: nothing },
    });
    const sections = new Sections(reader);
    const configuration = await readConfiguration(sections);
    this.paused = new Fields(configuration.host, "host").flag("paused");
    await restoreState(this.#domain, sections, configuration);
    if ((await sections.next()) !== undefined) throw new Unexpected("the state has too much");
    this.#state.length = 0;
    this.flush();
  }
}
