// Hostile sources of migrations: some do not know the token, some do and send what no source would.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { newDomain } from "../../src/contract/domain.ts";
import { nodeMachine } from "../../src/contract/node.ts";
import type { Domain } from "../../src/hypervisor/domain.ts";
import { DOMAIN_LAYOUT, shapeOfDomain } from "../../src/hypervisor/migration/shape.ts";
import { RawImage } from "../../src/images/raw.ts";
import { Layers } from "../../src/server/domains/layers.ts";
import { Node } from "../../src/server/domains/node.ts";
import { DomainStore } from "../../src/server/domains/store.ts";
import { Channel, type Message } from "../../src/server/migration/channel.ts";
import { channelContents, offeredChannels } from "../../src/server/migration/channels.ts";
import { BLOCK_BYTES, LoggedStore } from "../../src/server/migration/logged-store.ts";
import { encode, KIND, type Offer } from "../../src/server/migration/messages.ts";
import { Copier } from "../../src/server/migration/source.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { hypervisor, program, runUntil } from "../support/hypervisor.ts";
import { MemoryStorage } from "../support/memory-images.ts";

const MiB = 2 ** 20;
const TOKEN = Buffer.from("t".repeat(43));
const PATIENCE = 5000;
const LAST = Math.max(...Object.values(KIND));

/** Numbers that are the same for the same seed (xorshift32). */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  below(count: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % count;
  }
  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }
}

interface Conversation {
  readonly offer: Offer;
  readonly messages: readonly Message[];
}

/** Of the disk that keeps nothing, and of the channel. */
const DISK = 4 * BLOCK_BYTES;
const CHANNEL = {
  name: "shared",
  size: 8192,
  members: ["victim", "other"].map((domain) => ({ domain, readOnly: false })),
};

const disk = (byte: number): RawImage =>
  new RawImage(new MemoryStorage("disk", new Uint8Array(DISK).fill(byte)), false);

/** What a source that means well would say, up to the commit. */
async function conversation(): Promise<Conversation> {
  const { node } = hypervisor({ memory: 64 * MiB });
  const store = new LoggedStore(disk(0));
  store.write(BLOCK_BYTES, new Uint8Array(BLOCK_BYTES).fill(3));
  const [config, console] = program("victim", "victim", 0, { disks: [{ store }] });
  node.channels.define({ ...CHANNEL, bytes: CHANNEL.size });
  node.define(config);
  node.start("victim");
  assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 60));
  node.pause("victim");
  const domain: Domain = node.still("victim");
  const messages: Message[] = [];
  const channel = {
    sent: 0,
    send: async (kind: number, body: Uint8Array) => {
      messages.push({ kind, body: new Uint8Array(body) });
    },
    receive: async () => ({ kind: KIND.marked, body: encode({ number: 0 }) }),
  };
  const copier = new Copier(domain, channel as unknown as Channel, () => {}, [disk(2)]);
  await copier.files([]);
  await copier.whileItRuns({ downtime: 1000, rounds: 1 });
  await copier.whileItStands(
    false,
    channelContents(node, domain).map((bytes) => bytes.fill(1)),
  );
  messages.push({ kind: KIND.prepare, body: encode({}) });
  const given = newDomain.parse({ memory: 16 * MiB, net: { kind: "none" }, balloon: false });
  const { disk: _, ...definition } = given;
  const itsDisk = { file: "disk0.qcow2", format: "qcow2", readOnly: false, snapshot: true } as const;
  const offer: Offer = {
    ...{ id: "0".repeat(32), name: "victim", given, definition: { ...definition, disk: [itsDisk] } },
    ...{ files: [], disks: [{ bytes: DISK, readOnly: false }] },
    ...{ resident: 4 * MiB, layout: DOMAIN_LAYOUT, shape: shapeOfDomain(domain), cpu: "max" },
    channels: offeredChannels(domain),
  };
  return { offer, messages };
}

/** A node in this process that takes what comes. */
export class MigrationFuzzer {
  readonly #folder = mkdtempSync(join(tmpdir(), "atoll-fuzz-"));
  readonly #store: DomainStore;
  readonly #node: Node;
  readonly #state: StateDirectory;
  readonly #free: number;
  readonly counts = { strangers: 0, refused: 0, prepared: 0, cut: 0 };
  #good: Conversation | undefined;

  constructor() {
    this.#state = new StateDirectory(this.#folder);
    this.#store = new DomainStore(this.#state.domains);
    this.#store.machine = nodeMachine.parse({ memory: 48 * MiB });
    this.#node = new Node({
      ...{
        store: this.#store,
        layers: new Layers(this.#folder, this.#state.layers, join(this.#folder, "domains")),
        token: () => TOKEN,
      },
      ...{ folderOf: (name) => this.#state.domain(name), isTaken: () => false },
    });
    this.#free = this.#node.infos.node.memory.free;
  }

  close(): void {
    this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One hostile source. @throws AssertionError when something of it stays. */
  async once(seed: number): Promise<void> {
    this.#good ??= await conversation();
    const random = new Random(seed * 2654435761);
    const [mine, its] = duplexPair();
    mine.on("error", () => {});
    this.#node.arrivals.met({ stream: its, binding: Buffer.alloc(0) });
    if (random.below(8) === 0) await this.#stranger(mine, random);
    else await this.#liar(mine, random);
    mine.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    for (let wait = 0; wait < 200 && this.#node.infos.domains.some(({ status }) => status === "incoming"); wait++) {
      // One that was prepared stays until its source says what becomes of it, or its user.
      await this.#node.remove({ name: "victim", force: true }, () => {});
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.deepEqual(
      this.#node.infos.domains.map(({ name, status }) => `${name} ${status}`),
      [],
    );
    // With the memory of its channel.
    assert.equal(this.#node.infos.node.memory.free, this.#free);
    const left = join(this.#folder, "domains");
    assert.deepEqual(existsSync(left) ? readdirSync(left) : [], []);
    assert.deepEqual(this.#store.migrations.unfinished(), []);
  }

  async #stranger(stream: NodeJS.WritableStream, random: Random): Promise<void> {
    this.counts.strangers++;
    stream.write(Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256))));
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #liar(stream: Parameters<typeof Channel.open>[0], random: Random): Promise<void> {
    const { offer, messages } = this.#good as Conversation;
    const channel = await Channel.open(stream, "source", TOKEN, Buffer.alloc(0), PATIENCE);
    const answers = (async (): Promise<void> => {
      for (;;) {
        const { kind } = await channel.receive();
        if (kind === KIND.refuse) this.counts.refused++;
        if (kind === KIND.prepared) this.counts.prepared++;
      }
    })().catch(() => {
      this.counts.cut++;
    });
    const id = Array.from({ length: 32 }, () => random.below(16).toString(16)).join("");
    const all: Message[] = [{ kind: KIND.offer, body: encode({ ...offer, id }) }, ...messages];
    const changes = 1 + random.below(3);
    for (let i = 0; i < changes; i++) change(all, random);
    try {
      // Not the commit: one that is whole would be a domain of this node's, as it should be.
      for (const { kind, body } of all) if (kind !== KIND.commit) await channel.send(kind, body);
    } catch {
      // It was shown the door.
    }
    channel.end();
    await answers;
  }
}

/** Makes one of the messages, or their order, what no source would send. */
function change(all: Message[], random: Random): void {
  const at = random.below(3) === 0 ? 0 : random.below(all.length);
  const message = all[at];
  if (message === undefined) return;
  switch (random.below(7)) {
    case 0:
      all.splice(at, 1);
      return;
    case 1:
      all.splice(random.below(all.length), 0, message);
      return;
    case 2:
      all[at] = { ...message, kind: random.below(LAST + 3) };
      return;
    case 3:
      all[at] = { ...message, body: message.body.slice(0, random.below(message.body.length + 1)) };
      return;
    case 4:
      all.length = at;
      return;
    case 5: {
      // A value of JSON, where it is that.
      const text = Buffer.from(message.body).toString("latin1");
      const values = ["-1", "1e99", "null", '"../../x"', "[]", "{}", "4294967296", "true", "0.5"];
      const changed = text.replace(/(?<=:)(\d+|"[^"]*"|\[\]|true|false)/g, (value) =>
        random.below(20) === 0 ? random.of(values) : value,
      );
      all[at] = { ...message, body: new Uint8Array(Buffer.from(changed, "latin1")) };
      return;
    }
    default: {
      const body = message.body.slice();
      for (let i = 0; i <= random.below(4) && body.length > 0; i++) {
        const near = random.below(2) === 0 ? Math.min(body.length, 64) : body.length;
        body[random.below(near)] = random.below(256);
      }
      all[at] = { ...message, body };
    }
  }
}
