// Domains that come to this node.

import type { Domain } from "../../hypervisor/domain.ts";
import { DOMAIN_LAYOUT, shapeOfDomain } from "../../hypervisor/migration/shape.ts";
import { goOn } from "../../hypervisor/migration/state.ts";
import { checkShape } from "../../machine/snapshot/shape.ts";
import { Channel, type Message } from "./channel.ts";
import { Arrival } from "./destination.ts";
import { answer, type Held, type TakenRecords } from "./hand-over.ts";
import type { MigrationHost } from "./host.ts";
import { decode, encode, KIND, type Offer, offer, Unexpected, which } from "./messages.ts";
import { checkRoom, Newcomer } from "./newcomer.ts";
import { sayAnswer, wordOf } from "./talk.ts";
import type { Connected } from "./transport.ts";

/** Milliseconds that a node has to show its token. */
const HANDSHAKE_PATIENCE = 10_000;
/** Milliseconds for which what a refused node still sends is thrown away. */
const GOODBYE_PATIENCE = 10_000;
/** Connections that have not shown it yet, at a time. */
const STRANGERS = 16;
/** A domain that comes, until it runs here or does not come. */
class Incoming implements Held {
  readonly offer: Offer;
  prepared = false;
  dropped = false;
  /** It is this node's: the end of its connection is nothing to it any more. */
  #hasRun = false;
  readonly newcomer: Newcomer;
  readonly channel: Channel;
  arrival: Arrival | undefined;
  readonly #end: (incoming: Incoming) => void;
  readonly #run: (incoming: Incoming) => void;

  constructor(
    offered: Offer,
    newcomer: Newcomer,
    channel: Channel,
    end: (incoming: Incoming) => void,
    run: (incoming: Incoming) => void,
  ) {
    this.offer = offered;
    this.newcomer = newcomer;
    this.channel = channel;
    this.#end = end;
    this.#run = run;
  }

  drop(): void {
    if (this.dropped || this.#hasRun) return;
    this.dropped = true;
    this.prepared = false;
    this.#end(this);
  }

  run(): void {
    this.#hasRun = true;
    this.prepared = false;
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

  /** Nothing comes any more; what stands still here is gone, as when the node is killed. */
  close(): void {
    for (const channel of this.#channels) channel.close();
    for (const incoming of this.#held.values()) incoming.drop();
  }

  /** Its user does not want what comes. False: nothing of that name does. */
  cancel(name: string): boolean {
    const incoming = [...this.#held.values()].find(({ offer: { name: its } }) => its === name);
    incoming?.drop();
    incoming?.channel.close();
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
      leave(incoming);
      // Who has gone does not hear it.
      await channel.send(KIND.refuse, encode({ why: reasonOf(error) })).catch(() => {});
      await hangUp(channel);
    } finally {
      this.#channels.delete(channel);
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
    const { migrations } = this.#host.store;
    const offered = decode(offer, message);
    const { id, layout, cpu } = offered;
    if (layout !== DOMAIN_LAYOUT)
      throw new Unexpected("the nodes are of different builds of Atoll, which keep state in different ways");
    if (cpu !== this.#host.cpu)
      throw new Unexpected(`its node has CPUs of the model ${cpu}, and the destination ${this.#host.cpu}`);
    if (this.#held.has(id) || migrations.state(id) !== undefined)
      throw new Unexpected("that migration is known already");
    checkRoom(this.#host, offered, true, offered.channels);
    const incoming = new Incoming(
      offered,
      new Newcomer(this.#host, id, offered, offered.channels),
      channel,
      (each) => this.#drop(each),
      (each) => this.#run(each),
    );
    this.#held.set(id, incoming);
    await channel.send(KIND.accept, encode({ node: migrations.node }));
    return incoming;
  }

  async #take(channel: Channel, incoming: Incoming, message: Message): Promise<void> {
    switch (message.kind) {
      case KIND.file:
        if (incoming.arrival !== undefined) throw new Unexpected("a file comes too late");
        incoming.newcomer.files.take(message);
        return;
      case KIND.channel:
        if (incoming.arrival === undefined) await this.#open(incoming);
        incoming.newcomer.channels.take(message);
        return;
      case KIND.base:
        if (incoming.arrival !== undefined) throw new Unexpected("what is under a disk comes too late");
        incoming.newcomer.bases.take(message);
        return;
      case KIND.mark:
        if (incoming.arrival === undefined) await this.#open(incoming);
        incoming.arrival?.flush();
        await channel.send(KIND.marked, message.body);
        return;
      case KIND.prepare: {
        if (incoming.arrival === undefined) throw new Unexpected("nothing has come yet");
        await incoming.arrival.prepare();
        incoming.newcomer.channels.check(incoming.arrival.paused);
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

  async #open(incoming: Incoming): Promise<void> {
    let domain: Domain;
    try {
      domain = await incoming.newcomer.open((each) => checkShape(incoming.offer.shape, shapeOfDomain(each)));
    } catch (error) {
      throw new Unexpected(`it cannot be made there: ${reasonOf(error)}`);
    }
    incoming.arrival = new Arrival(domain);
    if (!incoming.dropped) return;
    incoming.newcomer.abandon();
    throw new Unexpected("it is not wanted any more");
  }

  #drop(incoming: Incoming): void {
    this.#held.delete(incoming.offer.id);
    incoming.newcomer.drop();
  }

  /** As part of the transaction that makes it this node's. */
  #write(name: string): void {
    const incoming = [...this.#held.values()].find((each) => each.offer.name === name);
    if (incoming === undefined) throw new Error(`${name} does not come`);
    incoming.newcomer.write();
  }

  #run(incoming: Incoming): void {
    const { newcomer, arrival, offer: offered } = incoming;
    this.#held.delete(offered.id);
    newcomer.stay();
    const domain = this.#host.hypervisor.domain(offered.name);
    if (domain === undefined) return;
    try {
      newcomer.channels.settle();
      goOn(domain, "same");
      newcomer.keeper.release(arrival?.paused ?? false);
    } catch (error) {
      void newcomer.keeper.leave("failed", reasonOf(error));
    }
  }
}

/** Its connection has ended. One that is prepared may have been given to this node: the source says so, by another connection. */
function leave(incoming: Incoming | undefined): void {
  if (incoming !== undefined && !incoming.prepared) incoming.drop();
  else if (incoming?.newcomer.keeper.status === "incoming")
    incoming.newcomer.keeper.reason = "all of it is here, and its source has to say whether it runs here";
}

/** Closes a connection once the other side has heard what was said: it may be sending, and listens afterwards. */
async function hangUp(channel: Channel): Promise<void> {
  channel.end();
  const timer = setTimeout(() => channel.close(), GOODBYE_PATIENCE);
  try {
    for (;;) await channel.receive();
  } catch {
    channel.close();
  } finally {
    clearTimeout(timer);
  }
}

const CONTENT: readonly number[] = [
  KIND.file,
  KIND.base,
  KIND.pages,
  KIND.zeroes,
  KIND.disk,
  KIND.mark,
  KIND.state,
  KIND.channel,
  KIND.prepare,
];
const isContent = ({ kind }: Message): boolean => CONTENT.includes(kind);

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 1000);
}
