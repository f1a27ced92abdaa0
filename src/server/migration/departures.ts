// Domains that leave this node.

import { randomBytes } from "node:crypto";
import { ActionError, type Progress } from "../../contract/action.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import type { DomainInput, DomainOutput } from "../../contract/domains.ts";
import { mapPaths } from "../../contract/paths.ts";
import type { TcpAddress } from "../../hosts/node/listen.ts";
import { DOMAIN_LAYOUT, shapeOfDomain } from "../../hypervisor/migration/shape.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { DomainKeeper } from "../domains/keeper.ts";
import { Bases } from "./bases.ts";
import { Channel } from "./channel.ts";
import { channelContents, checkOthersRest, offeredChannels } from "./channels.ts";
import { handOver, type Outcome, settle } from "./hand-over.ts";
import { HandshakeError } from "./handshake.ts";
import type { MigrationHost } from "./host.ts";
import { luggageOf, pack, placeShares, readFiles, withGuestAddresses } from "./luggage.ts";
import { accept, decode, encode, KIND, nameOf, type Offer, refuse } from "./messages.ts";
import type { Outgoing, Peer } from "./records.ts";
import { Copier, type CopyState } from "./source.ts";
import { talkBy } from "./talk.ts";
import { connect } from "./transport.ts";

/** Milliseconds that a node has for its part of the handshake. */
const HANDSHAKE_PATIENCE = 10_000;
/** Milliseconds before a destination is asked again, at first and at most. */
const ASK_AGAIN = 500;
const ASK_LONGEST = 30_000;
const MIB = 2 ** 20;

type Report = (progress: Progress) => void;

export class Departures {
  readonly #host: MigrationHost;
  /** Of domains that are being copied. */
  readonly #channels = new Map<string, Channel | undefined>();
  /** Those that are to stay paused when they come back. */
  readonly #paused = new Set<string>();
  readonly #asking = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(host: MigrationHost) {
    this.#host = host;
  }

  /** What was under way when the node ended is brought to its end. */
  start(): void {
    for (const { id, state } of this.#host.store.migrations.outgoing())
      if (state !== "moved") this.#askLater(id, ASK_AGAIN);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#asking.values()) clearTimeout(timer);
    for (const channel of this.#channels.values()) channel?.close();
  }

  /** How a domain is kept that has left, or may have. */
  statusOf(name: string): { readonly status: "leaving" | "moved"; readonly reason: string } | undefined {
    const gone = this.#host.store.migrations.goneOf(name);
    if (gone === undefined) return undefined;
    return gone.state === "moved"
      ? { status: "moved", reason: `to ${gone.peer.to}` }
      : { status: "leaving", reason: doubt(gone) };
  }

  async migrate(input: DomainInput<"migrate">, progress: Report): Promise<DomainOutput<"migrate">> {
    const { name } = input;
    const keeper = this.#host.find(name);
    if (keeper === undefined)
      throw new ActionError("no-such-machine", `there is no domain ${name}: atoll ps lists them`);
    if (this.#channels.has(name)) throw new ActionError("wrong-state", `${name} is being migrated already`);
    if (keeper.status !== "running" && keeper.status !== "paused")
      throw new ActionError("wrong-state", `${name} is ${keeper.status}: only a domain that runs is migrated`);
    this.#channels.set(name, undefined);
    try {
      return await this.#migrate(keeper, input, progress);
    } catch (error) {
      if (error instanceof ActionError || error instanceof BadInput) throw error;
      throw new ActionError("wrong-state", `${name} stays here: ${(error as Error).message}`);
    } finally {
      this.#channels.get(name)?.close();
      this.#channels.delete(name);
    }
  }

  async #migrate(
    keeper: DomainKeeper,
    input: DomainInput<"migrate">,
    progress: Report,
  ): Promise<DomainOutput<"migrate">> {
    const folder = this.#host.folderOf(input.name);
    const whole = mapPaths(keeper.stored.definition, (path) => folder.resolve(path));
    const bases = await Bases.of(whole);
    try {
      return await this.#move(keeper, input, whole, bases, progress);
    } finally {
      bases.close();
    }
  }

  async #move(
    keeper: DomainKeeper,
    { name, to, token, downtime, rounds, share: there }: DomainInput<"migrate">,
    whole: DomainDefinition,
    bases: Bases,
    progress: Report,
  ): Promise<DomainOutput<"migrate">> {
    const { hypervisor, store, cpu } = this.#host;
    const { migrations } = store;
    const { stored } = keeper;
    const domain = hypervisor.domain(name);
    if (domain === undefined) throw new ActionError("wrong-state", `${name} does not run`);
    checkOthersRest(hypervisor, domain, keeper.status === "paused");
    const packed = pack({ ...withGuestAddresses(whole, domain), share: placeShares(name, whole.share, there) });
    const files = readFiles(packed.files);
    const peer = { to, node: "", token: token ?? this.#host.token().toString() };
    progress({ step: `${name}: asking ${to}` });
    const began = performance.now();
    const channel = await this.#call(peer);
    this.#channels.set(name, channel);
    const id = randomBytes(16).toString("hex");
    const { node } = await this.#offer(channel, {
      ...luggageOf(stored, packed, domain, files),
      ...{ id, layout: DOMAIN_LAYOUT, shape: shapeOfDomain(domain), cpu: cpu as Offer["cpu"] },
      channels: offeredChannels(domain),
    });
    migrations.offer(id, name, { ...peer, node });
    const report = (state: CopyState, done: number | undefined): void => progress({ step: stepOf(name, state), done });
    const copier = new Copier(domain, channel, report, bases.stores);
    // Until "prepare" has been said, the destination forgets all by itself when the connection ends.
    let said = false;
    let stood = 0;
    let answered = 0;
    let paused = false;
    let held = false;
    let outcome: Outcome;
    try {
      await copier.files(files);
      await copier.whileItRuns({ downtime, rounds });
      const { status } = keeper;
      if (status !== "running" && status !== "paused") throw new Error(`it is ${status} now`);
      paused = status === "paused";
      progress({ step: `${name}: handing over` });
      stood = performance.now();
      keeper.hold("leaving");
      held = true;
      hypervisor.still(name);
      checkOthersRest(hypervisor, domain, paused);
      await copier.whileItStands(paused, channelContents(hypervisor, domain));
      const talk = talkBy(channel, id, node, () => {
        answered = performance.now();
      });
      said = true;
      outcome = await handOver(id, talk, migrations);
    } catch (error) {
      copier.end();
      if (migrations.state(id) === "given") {
        if (paused) this.#paused.add(name);
        const row = migrations.goneOf(name) as Outgoing;
        keeper.reason = doubt(row);
        this.#askLater(id, ASK_AGAIN);
        throw new ActionError(
          "wrong-state",
          `${name} stands still, as it is not known whether ${to} has it (${(error as Error).message}); ${to} is asked until it says so`,
        );
      }
      if (said) this.#askLater(id, ASK_AGAIN);
      else migrations.forget(id);
      if (held) keeper.release(paused);
      throw error;
    }
    copier.end();
    if (outcome === "kept") {
      keeper.release(paused);
      throw new ActionError("wrong-state", `${name} stays here: ${to} could not take it`);
    }
    store.want(name, false);
    await keeper.leave("moved", `to ${to}`);
    const { pages, blocks, round } = copier.state;
    const seconds = (performance.now() - began) / 1000;
    return { rounds: round, pages, blocks, bytes: channel.sent, seconds, downtime: answered - stood };
  }

  async #call({ to, token }: Pick<Peer, "to" | "token">): Promise<Channel> {
    const { stream, binding } = await connect(addressOf(to), this.#host.certificates);
    try {
      return await Channel.open(stream, "source", Buffer.from(token), binding, HANDSHAKE_PATIENCE);
    } catch (error) {
      if (error instanceof HandshakeError) throw new BadInput(`${to}: ${error.message}`);
      throw error;
    }
  }

  async #offer(channel: Channel, offer: Offer): Promise<{ readonly node: string }> {
    await channel.send(KIND.offer, encode(offer));
    const message = await channel.receive();
    if (message.kind === KIND.refuse) throw new Error(decode(refuse, message).why);
    if (message.kind !== KIND.accept) throw new Error(`the destination answered ${nameOf(message.kind)}`);
    const accepted = decode(accept, message);
    if (accepted.node === this.#host.store.migrations.node) throw new BadInput("that is the node where it is");
    return accepted;
  }

  /** Asks a destination until it says who has the domain. */
  #askLater(id: string, wait: number): void {
    if (this.#closed) return;
    clearTimeout(this.#asking.get(id));
    this.#asking.set(
      id,
      setTimeout(() => {
        this.#asking.delete(id);
        this.#ask(id).catch((error: Error) => {
          this.#tell(id, error);
          this.#askLater(id, Math.min(2 * wait, ASK_LONGEST));
        });
      }, wait),
    );
  }

  async #ask(id: string): Promise<void> {
    const { migrations } = this.#host.store;
    const row = migrations.outgoing().find((each) => each.id === id);
    if (row === undefined || row.state === "moved") return;
    const channel = await this.#call(row.peer);
    let outcome: Outcome;
    try {
      outcome = await settle(id, talkBy(channel, id, row.peer.node), migrations);
    } finally {
      channel.end();
    }
    // One that was only offered has gone on long ago.
    if (row.state === "given") await this.#settled(row, outcome);
  }

  async #settled({ name, peer }: Outgoing, outcome: Outcome): Promise<void> {
    const { store, find } = this.#host;
    const keeper = find(name);
    if (outcome === "moved") store.want(name, false);
    if (keeper === undefined || keeper.status !== "leaving") return;
    if (outcome === "moved") await keeper.leave("moved", `to ${peer.to}`);
    else this.#comeBack(keeper);
    this.#paused.delete(name);
  }

  /** It is this node's: it goes on from where it stood still, or after a restart of the node from its disks. */
  #comeBack(keeper: DomainKeeper): void {
    if (keeper.runs) {
      keeper.release(this.#paused.has(keeper.name));
      return;
    }
    keeper.status = "off";
    keeper.reason = undefined;
    keeper.wanted = keeper.stored.wanted;
    this.#host.changed();
  }

  #tell(id: string, error: Error): void {
    const row = this.#host.store.migrations.outgoing().find((each) => each.id === id);
    const keeper = row && this.#host.find(row.name);
    if (row?.state === "given" && keeper?.status === "leaving") keeper.reason = `${doubt(row)}: ${error.message}`;
  }

  /** Its user knows that the destination has not got it, and never will. @throws ActionError */
  takeBack({ name }: DomainInput<"takeBack">): void {
    const { find, store } = this.#host;
    const keeper = find(name);
    const row = store.migrations.goneOf(name);
    if (keeper?.status !== "leaving" || row === undefined || row.state !== "given" || this.#channels.has(name))
      throw new ActionError("wrong-state", `${name} does not wait to hear who has it`);
    clearTimeout(this.#asking.get(row.id));
    this.#asking.delete(row.id);
    store.migrations.forget(row.id);
    this.#comeBack(keeper);
  }
}

const doubt = ({ peer }: Outgoing): string => `it is not known whether ${peer.to} has it`;

/** HOST:PORT, IPv6 addresses in brackets. */
function addressOf(to: string): TcpAddress {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(to) ?? [];
  return { host: bracketed ?? plain ?? "", port: Number(port) };
}

function stepOf(name: string, { round, pages, blocks, rate }: Readonly<CopyState>): string {
  const disk = blocks === 0 ? "" : `, ${blocks} blocks of disks`;
  const speed = rate === undefined ? "" : `, ${(rate / MIB).toFixed(0)} MiB/s`;
  return `${name}: round ${round}, ${pages} pages${disk}${speed}`;
}
