// Domains that come to this node.

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DomainDefinition } from "../../contract/domain.ts";
import { DOMAIN_LAYOUT, shapeOfDomain } from "../../hypervisor/migration/shape.ts";
import { goOn } from "../../hypervisor/migration/state.ts";
import { checkShape } from "../../machine/snapshot/shape.ts";
import type { DomainKeeper } from "../domains/keeper.ts";
import { flushFolder, makeDisks } from "../new-disks.ts";
import { Channel, type Message } from "./channel.ts";
import { Arrival, ArrivingFiles } from "./destination.ts";
import { answer, type Held, type TakenRecords } from "./hand-over.ts";
import type { MigrationHost } from "./host.ts";
import { isPacked } from "./luggage.ts";
import { decode, encode, KIND, type Offer, offer, Unexpected, which } from "./messages.ts";
import { sayAnswer, wordOf } from "./talk.ts";
import type { Connected } from "./transport.ts";

/** Milliseconds that a node has to show its token. */
const HANDSHAKE_PATIENCE = 10_000;
/** Connections that have not shown it yet, at a time. */
const STRANGERS = 16;
/** Bytes that a domain costs beside its RAM. */
const OVERHEAD = 2 ** 20;
/** Files of a domain that came. */
const OURS = /^(file\d+|disk\d+\.qcow2)$/;

/** A domain that comes, until it runs here or does not come. */
class Incoming implements Held {
  readonly offer: Offer;
  prepared = false;
  dropped = false;
  channel: Channel | undefined;
  keeper: DomainKeeper | undefined;
  arrival: Arrival | undefined;
  readonly #end: (incoming: Incoming) => void;
  readonly #run: (incoming: Incoming) => void;

  constructor(offered: Offer, end: (incoming: Incoming) => void, run: (incoming: Incoming) => void) {
    this.offer = offered;
    this.#end = end;
    this.#run = run;
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    this.prepared = false;
    this.#end(this);
  }

  run(): void {
    this.#run(this);
  }
}

export class Arrivals {
  readonly #host: MigrationHost;
  readonly #held = new Map<string, Incoming>();
  readonly #records: TakenRecords;
  readonly #channels = new Set<Channel>();
  #strangers = 0;

  constructor(host: MigrationHost) {
    this.#host = host;
    this.#records = host.store.migrations.takenRecords((name) => this.#write(name));
  }

  /** What was coming when the node ended is not any more. Before domains are started. */
  clean(): void {
    const { store, folderOf } = this.#host;
    for (const { id, name } of store.migrations.unfinished()) {
      const stored = store.find(name);
      // Not what a domain has that is defined here.
      if (stored === undefined || store.migrations.goneOf(name)?.state === "moved")
        this.#sweep(folderOf(name).path, !stored);
      store.migrations.forgetIncoming(id);
    }
  }

  /** Nothing comes any more; what stands still here is gone, as when the node is killed. */
  close(): void {
    for (const channel of this.#channels) channel.close();
    for (const incoming of this.#held.values()) incoming.drop();
  }

  /** Its user does not want what comes. False: nothing of that name does. */
  cancel(name: string): boolean {
    const incoming = [...this.#held.values()].find(({ offer: { name: its } }) => its === name);
    incoming?.drop();
    incoming?.channel?.close();
    return incoming !== undefined;
  }

  /** Somebody has connected. */
  readonly met = ({ stream, binding }: Connected): void => {
    if (this.#strangers >= STRANGERS) {
      stream.destroy();
      return;
    }
    this.#strangers++;
    const known = Channel.open(stream, "destination", this.#host.token(), binding, HANDSHAKE_PATIENCE).finally(() => {
      this.#strangers--;
    });
    known.then((channel) => this.#serve(channel)).catch(() => stream.destroy());
  };

  async #serve(channel: Channel): Promise<void> {
    this.#channels.add(channel);
    let incoming: Incoming | undefined;
    try {
      for (;;) {
        const message = await channel.receive();
        if (message.kind === KIND.offer && incoming === undefined) incoming = await this.#begin(channel, message);
        else if (incoming !== undefined && !incoming.prepared && !incoming.dropped && isContent(message))
          await this.#take(channel, incoming, message);
        else await this.#answer(channel, message);
      }
    } catch (error) {
      // Who has gone does not hear it.
      await channel.send(KIND.refuse, encode({ why: reasonOf(error) })).catch(() => {});
      channel.end();
    } finally {
      this.#channels.delete(channel);
      // One that is prepared may have been given to this node: the source says so, by another connection.
      if (incoming !== undefined && !incoming.prepared) incoming.drop();
      else if (incoming?.keeper?.status === "incoming")
        incoming.keeper.reason = "all of it is here, and its source has to say whether it runs here";
    }
  }

  async #answer(channel: Channel, message: Message): Promise<void> {
    const { node } = this.#host.store.migrations;
    if (message.kind === KIND.settled) {
      const { id } = decode(which, message);
      this.#records.forget(id);
      return;
    }
    const word = wordOf(message, node);
    if (word === undefined) throw new Unexpected("that was not expected");
    await sayAnswer(
      channel,
      answer(word, (id) => this.#held.get(id), this.#records),
    );
  }

  /** @throws Unexpected, with the reason, when it cannot come. */
  async #begin(channel: Channel, message: Message): Promise<Incoming> {
    const { store, folderOf, find } = this.#host;
    const offered = decode(offer, message);
    this.#check(offered);
    const { id, name, files } = offered;
    const folder = folderOf(name).path;
    const incoming = new Incoming(
      offered,
      (each) => this.#drop(each),
      (each) => this.#run(each),
    );
    incoming.channel = channel;
    this.#held.set(id, incoming);
    try {
      store.migrations.receive(id, name);
      // Where it was once, it has left what it had then.
      if (find(name) !== undefined) this.#sweep(folder, false);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#files.set(incoming, new ArrivingFiles(folder, files));
      makeDisks(
        offered.disks.map(({ bytes, serial }) => ({ new: true, bytes, serial })),
        folder,
      );
      flushFolder(folder);
      incoming.keeper = this.#keeper(offered);
    } catch (error) {
      incoming.drop();
      throw error;
    }
    await channel.send(KIND.accept, encode({ node: store.migrations.node }));
    return incoming;
  }

  readonly #files = new WeakMap<Incoming, ArrivingFiles>();

  /** Before anything is done. */
  #check({ id, name, layout, cpu, resident, definition, files, disks }: Offer): void {
    const { hypervisor, find, isTaken, folderOf, store } = this.#host;
    const no = (why: string): never => {
      throw new Unexpected(why);
    };
    if (layout !== DOMAIN_LAYOUT) no("the nodes are of different builds of Atoll, which keep state in different ways");
    if (cpu !== this.#host.cpu) no(`its node has CPUs of the model ${cpu}, and the destination ${this.#host.cpu}`);
    if (!isPacked(definition, files.length, disks.length)) no("its definition names what does not go along");
    if (this.#held.has(id) || store.migrations.state(id) !== undefined) no("that migration is known already");
    const there = find(name);
    if (isTaken(name) || (there !== undefined && there.status !== "moved")) no(`the destination has a ${name} already`);
    if (
      there === undefined &&
      existsSync(folderOf(name).path) &&
      readdirSync(folderOf(name).path).some((file) => OURS.test(file))
    )
      no(`the destination has disks of a former ${name} in ${folderOf(name).path}: move them away`);
    const { free } = hypervisor.node();
    if (resident + OVERHEAD > free)
      no(
        `it has touched ${Math.ceil(resident / 2 ** 20)} MiB, and the destination has ${Math.floor(free / 2 ** 20)} MiB free`,
      );
  }

  #keeper({ name, given, definition }: Offer): DomainKeeper {
    const disk = definition.disk.map((each) => ({ ...each, readOnly: false }));
    const keeper = this.#host.keep({
      ...{ name, given: JSON.stringify(given), wanted: false, forkedFrom: undefined },
      definition: { ...definition, disk },
    });
    keeper.readOnlyDisks = definition.disk.flatMap(({ readOnly }, i) => (readOnly ? [i] : []));
    keeper.status = "incoming";
    return keeper;
  }

  async #take(channel: Channel, incoming: Incoming, message: Message): Promise<void> {
    switch (message.kind) {
      case KIND.file:
        if (incoming.arrival !== undefined) throw new Unexpected("a file comes too late");
        this.#files.get(incoming)?.take(message);
        return;
      case KIND.mark:
        if (incoming.arrival === undefined) await this.#open(incoming);
        incoming.arrival?.flush();
        await channel.send(KIND.marked, message.body);
        return;
      case KIND.prepare: {
        if (incoming.arrival === undefined) throw new Unexpected("nothing has come yet");
        await incoming.arrival.prepare();
        if (incoming.dropped) throw new Unexpected("it is not wanted any more");
        incoming.prepared = true;
        await channel.send(KIND.prepared);
        return;
      }
      default:
        if (incoming.arrival === undefined) await this.#open(incoming);
        incoming.arrival?.take(message);
    }
  }

  /** What the domain is made of is there: its files have come. */
  async #open(incoming: Incoming): Promise<void> {
    const { hypervisor } = this.#host;
    const { keeper, offer: offered } = incoming;
    this.#files.get(incoming)?.check();
    await keeper?.start((config) => {
      const domain = hypervisor.receive(config);
      try {
        checkShape(offered.shape, shapeOfDomain(domain));
      } catch (error) {
        hypervisor.abandon(config.name);
        throw error;
      }
      incoming.arrival = new Arrival(domain);
      return "incoming";
    });
    if (!incoming.dropped) return;
    keeper?.abandon();
    throw new Unexpected("it is not wanted any more");
  }

  /** It is nothing that ever was here. */
  #drop(incoming: Incoming): void {
    const { store, drop, keep, folderOf } = this.#host;
    const { id, name } = incoming.offer;
    this.#held.delete(id);
    incoming.keeper?.abandon();
    if (incoming.keeper !== undefined) drop(name);
    const stored = store.find(name);
    this.#sweep(folderOf(name).path, stored === undefined);
    if (stored !== undefined && incoming.keeper !== undefined) keep(stored);
    store.migrations.forgetIncoming(id);
    this.#host.changed();
  }

  /** As part of the transaction that makes it this node's. */
  #write(name: string): void {
    const { store } = this.#host;
    const incoming = [...this.#held.values()].find((each) => each.offer.name === name);
    if (incoming === undefined) throw new Error(`${name} does not come`);
    const { given, definition } = incoming.offer;
    const position =
      store.find(name) === undefined ? store.list().length : store.list().findIndex((each) => each.name === name);
    store.put(name, position, given, definition as DomainDefinition);
    store.want(name, true);
  }

  #run(incoming: Incoming): void {
    const { store, hypervisor } = this.#host;
    const { id, name } = incoming.offer;
    const { keeper } = incoming;
    incoming.prepared = false;
    this.#held.delete(id);
    const stored = store.find(name);
    const domain = hypervisor.domain(name);
    if (keeper === undefined || stored === undefined || domain === undefined) return;
    keeper.stored = stored;
    keeper.wanted = true;
    try {
      goOn(domain, "same");
      keeper.release(incoming.arrival?.paused ?? false);
    } catch (error) {
      void keeper.leave("failed", reasonOf(error));
    }
  }

  /** What came, or was there once, is gone. */
  #sweep(folder: string, all: boolean): void {
    if (!existsSync(folder)) return;
    if (all) rmSync(folder, { recursive: true, force: true });
    else for (const file of readdirSync(folder)) if (OURS.test(file)) rmSync(join(folder, file), { force: true });
  }
}

const CONTENT: readonly number[] = [KIND.file, KIND.pages, KIND.zeroes, KIND.disk, KIND.mark, KIND.state, KIND.prepare];
const isContent = ({ kind }: Message): boolean => CONTENT.includes(kind);

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 1000);
}
