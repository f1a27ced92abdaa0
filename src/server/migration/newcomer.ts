// A domain that comes to this node, from another one or out of a file, with its luggage: until it is this node's, nothing of it stays when the node ends.

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DomainDefinition } from "../../contract/domain.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import type { DomainKeeper } from "../domains/keeper.ts";
import { flushFolder, makeDisks } from "../new-disks.ts";
import { ArrivingBases } from "./bases.ts";
import { ArrivingChannels, checkChannels, newChannelBytes } from "./channels.ts";
import { ArrivingFiles } from "./destination.ts";
import type { MigrationHost } from "./host.ts";
import { isPacked } from "./luggage.ts";
import { type Luggage, type Offer, Unexpected } from "./messages.ts";

/** Bytes that a domain costs beside its RAM. */
const OVERHEAD = 2 ** 20;
const MIB = 2 ** 20;
/** Files of a domain that came. */
const OURS = /^(file\d+|disk\d+\.qcow2)$/;

/** @param mayName who gave it may name what this computer has. @throws Unexpected with the reason, when it cannot come. */
export function checkRoom(
  host: MigrationHost,
  { name, resident, definition, files, disks }: Luggage,
  mayName: boolean,
  channels: Offer["channels"] = [],
): void {
  const { hypervisor, find, isTaken, folderOf } = host;
  const no = (why: string): never => {
    throw new Unexpected(why);
  };
  if (!isPacked(definition, files.length, disks.length, mayName)) no("its definition names what does not go along");
  const there = find(name);
  if (isTaken(name) || (there !== undefined && there.status !== "moved")) no(`the node has a ${name} already`);
  const { path } = folderOf(name);
  if (there === undefined && existsSync(path) && readdirSync(path).some((file) => OURS.test(file)))
    no(`the node has disks of a former ${name} in ${path}: move them away`);
  checkChannels(hypervisor, name, channels);
  const { free } = hypervisor.node();
  if (resident + newChannelBytes(hypervisor, channels) + OVERHEAD > free)
    no(`it has touched ${Math.ceil(resident / MIB)} MiB, and the node has ${Math.floor(free / MIB)} MiB free`);
}

/** What was coming when the node ended is not any more. Before domains are started. */
export function cleanUp({ store, folderOf }: MigrationHost): void {
  for (const { id, name } of store.migrations.unfinished()) {
    const stored = store.find(name);
    // Not what a domain has that is defined here.
    if (stored === undefined || store.migrations.goneOf(name)?.state === "moved") sweep(folderOf(name).path, !stored);
    store.migrations.forgetIncoming(id);
  }
}

export class Newcomer {
  readonly id: string;
  readonly files: ArrivingFiles;
  readonly bases: ArrivingBases;
  readonly channels: ArrivingChannels;
  readonly keeper: DomainKeeper;
  readonly #host: MigrationHost;
  readonly #luggage: Luggage;

  /** After `checkRoom`. @param id of what was coming, in the node's records. */
  constructor(host: MigrationHost, id: string, luggage: Luggage, channels: Offer["channels"] = []) {
    this.#host = host;
    this.id = id;
    this.#luggage = luggage;
    const { store, find, folderOf } = host;
    const { name, files, disks, given, definition } = luggage;
    const folder = folderOf(name).path;
    this.channels = new ArrivingChannels(host.hypervisor, name, channels);
    try {
      store.migrations.receive(id, name);
      // Where it was once, it has left what it had then.
      if (find(name) !== undefined) sweep(folder, false);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.files = new ArrivingFiles(folder, files);
      makeDisks(
        disks.map(({ bytes, serial }) => ({ new: true, bytes, serial })),
        folder,
      );
      flushFolder(folder);
      this.bases = new ArrivingBases(folder, definition.disk);
    } catch (error) {
      this.channels.drop();
      this.#forget();
      throw error;
    }
    const disk = definition.disk.map((each) => ({ ...each, readOnly: false }));
    this.keeper = host.keep({
      ...{ name, given: JSON.stringify(given), wanted: false, forkedFrom: undefined },
      definition: { ...definition, disk },
    });
    this.keeper.readOnlyDisks = definition.disk.flatMap(({ readOnly }, i) => (readOnly ? [i] : []));
    this.keeper.status = "incoming";
  }

  get name(): string {
    return this.#luggage.name;
  }

  /** What it is made of, when its files have come: a domain that stands still. @param check throws where it is not the one that comes. */
  async open(check: (domain: Domain) => void): Promise<Domain> {
    const { hypervisor } = this.#host;
    let made: Domain | undefined;
    this.files.check();
    this.bases.close();
    await this.keeper.start((config) => {
      const domain = hypervisor.receive(config);
      try {
        check(domain);
      } catch (error) {
        hypervisor.abandon(config.name);
        throw error;
      }
      made = domain;
      return "incoming";
    });
    return made as Domain;
  }

  /** Writes down that it is a domain of this node. */
  write(): void {
    const { store } = this.#host;
    const { name, given, definition } = this.#luggage;
    const all = store.list();
    const at = all.findIndex((each) => each.name === name);
    store.put(name, at < 0 ? all.length : at, given, definition as DomainDefinition);
    store.want(name, true);
    store.channels = { ...store.channels, ...this.channels.given };
  }

  /** It is this node's, and written down as that. */
  stay(): void {
    const stored = this.#host.store.find(this.name);
    if (stored !== undefined) this.keeper.stored = stored;
    this.keeper.wanted = true;
  }

  /** Nothing of it is in the hypervisor's hands. */
  abandon(): void {
    this.keeper.abandon();
    this.channels.drop();
  }

  /** It never was here. */
  drop(): void {
    const { store, drop, keep } = this.#host;
    this.bases.abandon();
    this.abandon();
    drop(this.name);
    this.#forget();
    const stored = store.find(this.name);
    if (stored !== undefined) keep(stored);
    this.#host.changed();
  }

  #forget(): void {
    const { store, folderOf } = this.#host;
    sweep(folderOf(this.name).path, store.find(this.name) === undefined);
    store.migrations.forgetIncoming(this.id);
  }
}

/** @param all the folder, too; otherwise only what comes with a domain. */
function sweep(folder: string, all: boolean): void {
  if (!existsSync(folder)) return;
  if (all) rmSync(folder, { recursive: true, force: true });
  else for (const file of readdirSync(folder)) if (OURS.test(file)) rmSync(join(folder, file), { force: true });
}
