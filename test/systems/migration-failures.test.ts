// Two nodes as processes, a small domain that goes from one to the other, and everything that can come between.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DomainInfo } from "../../src/contract/domains.ts";
import { nodeFile } from "../../src/contract/node.ts";
import { ROOT } from "../support/atoll.ts";
import { Between, freePort, TestNode, type Way } from "../support/two-nodes.ts";

const MiB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "atoll-migration-"));
let first: TestNode;
let second: TestNode;
let between: Between;

before(async () => {
  first = new TestNode(join(folder, "first"), await freePort());
  second = new TestNode(join(folder, "second"), await freePort());
  const domain = {
    kernel: join(ROOT, "test/baremetal/domains/bin/victim.bin"),
    ...{ memory: 16 * MiB, net: { kind: "none" as const }, disk: [{ bytes: MiB }] },
  };
  const node = { memory: 128 * MiB };
  await first.up(nodeFile.parse({ node, domains: { victim: domain } }));
  first.shareTokenWith(second);
  await second.up(nodeFile.parse({ node, domains: {} }));
  between = new Between(second.port);
  await between.listen();
});

after(async () => {
  between.close();
  await first.end();
  await second.end();
  rmSync(folder, { recursive: true, force: true });
});

const both = async (): Promise<(DomainInfo | undefined)[]> => [
  await first.domain("victim"),
  await second.domain("victim"),
];
const shown = (infos: readonly (DomainInfo | undefined)[]): string =>
  infos.map((info) => `${info?.status} ${info?.reason ?? ""}`).join(" | ");

/** Waits until one of the two has it and the other has not, and that there are never two. */
async function settled(what: string): Promise<TestNode> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const infos = await both();
    const running = infos.map((info) => info?.status === "running");
    assert.ok(!(running[0] && running[1]), `${what}: both run it`);
    const gone = infos.map((info) => info === undefined || info.status === "moved");
    if (running[0] && gone[1]) return first;
    if (running[1] && gone[0]) return second;
    assert.ok(performance.now() < deadline, `${what}: ${shown(infos)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function toFirst(what: string): Promise<void> {
  if ((await settled(what)) === second) {
    await second.migrate("victim", first.port);
    assert.equal(await settled(`back after ${what}`), first);
  }
}

/** Messages of the last migration that came to its end. How many rounds it takes, and so how many messages, is up to the host's speed. */
let counts: Record<Way, number>;

/** A migration that something happens to about so many messages before its end. @returns what it failed with. */
async function hit(way: Way, before: number, act: () => void | Promise<void>): Promise<unknown> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const happened = Promise.withResolvers<void>();
    between.trap = {
      ...{ way, message: counts[way] - before },
      act: async () => {
        await act();
        happened.resolve();
      },
    };
    const failure: unknown = await first.migrate("victim", between.port).then(
      () => undefined,
      (error: unknown) => error,
    );
    // It is taken away when its message comes, and acts a little later: after the last message the migration does not wait for it.
    if (between.trap === undefined) {
      await happened.promise;
      return failure;
    }
    between.trap = undefined;
    counts = { ...between.counts };
    await toFirst("nothing");
  }
  return assert.fail(`no migration had ${counts[way]} messages ${way} again`);
}

test("a domain goes there and back; what it takes along is the file that it boots from, and its disk", {
  timeout: 60_000,
}, async () => {
  while (!first.log("victim").includes("victim is up")) await new Promise((resolve) => setTimeout(resolve, 50));
  const { downtime, pages, rounds } = await first.migrate("victim", between.port);
  assert.ok(downtime > 0 && pages > 512 && rounds >= 1);
  counts = { ...between.counts };
  assert.equal(await settled("migration"), second);
  await assert.rejects(first.client.ask("start", { name: "victim" }), /has moved to 127\.0\.0\.1:\d+: atoll rm victim/);
  await assert.rejects(first.migrate("victim", between.port), /victim is moved/);
  await toFirst("migration");
});

test("what cannot go is refused, and stays as it is", { timeout: 60_000 }, async () => {
  const ask = first.client.ask.bind(first.client);
  const to = `127.0.0.1:${second.port}`;
  await assert.rejects(ask("migrate", { name: "nobody", to }), /there is no domain nobody/);
  await assert.rejects(ask("migrate", { name: "victim", to, token: "x".repeat(43) }), /do not have the same token/);
  await assert.rejects(first.migrate("victim", first.port), /has a victim already/);
  await assert.rejects(first.migrate("victim", 1), /cannot reach 127\.0\.0\.1:1: /);
  assert.equal(await settled("refusals"), first);
  assert.match(first.log("victim"), /victim is up/);
});

test("a connection that is cut before any message leaves one copy that runs", { timeout: 400_000 }, async (t) => {
  let taken = 0;
  for (const way of ["to destination", "to source"] as const) {
    for (let message = 0; message < counts[way]; message++) {
      const what = `cut before message ${message} ${way}`;
      between.trap = { way, message, act: () => {} };
      const moved = await first.migrate("victim", between.port).then(
        () => true,
        () => false,
      );
      const at = await settled(what);
      if (moved) assert.equal(at, second, what);
      if (at === second) taken++;
      await toFirst(what);
    }
  }
  t.diagnostic(
    `${counts["to destination"]} and ${counts["to source"]} messages; ${taken} times the destination had it`,
  );
  // The answer to the commit is the last one to the source; and the last message to the destination matters to nobody.
  assert.ok(taken >= 2);
});

test("a connection that is cut within any of the last messages leaves one copy that runs", {
  timeout: 200_000,
}, async () => {
  for (const [way, last] of [
    ["to destination", 4],
    ["to source", 2],
  ] as const) {
    for (let message = counts[way] - last; message < counts[way]; message++) {
      for (const bytes of [1, 4, 20, 60]) {
        const what = `cut after ${bytes} bytes of message ${message} ${way}`;
        between.trap = { way, message, bytes, act: () => {} };
        await first.migrate("victim", between.port).catch(() => {});
        await toFirst(what);
      }
    }
  }
});

test("a node that is killed at any of the last messages leaves one copy that runs", {
  timeout: 1_500_000,
}, async () => {
  for (const node of [first, second]) {
    for (const [way, last] of [
      ["to destination", 4],
      ["to source", 2],
    ] as const) {
      for (let before = last; before > 0; before--) {
        const what = `${node === first ? "source" : "destination"} killed ${before} messages ${way} before the end`;
        await hit(way, before, () => node.kill());
        await node.up();
        await toFirst(what);
      }
    }
  }
});

test("while it is not known who has it nobody runs it, and its user may decide that", {
  timeout: 60_000,
  todo: "which message is cut depends on the host's speed: one run in some fails",
}, async () => {
  let failure = "";
  // A migration of more messages is cut where it still ends well.
  for (
    let attempt = 0;
    attempt < 20 && !failure.includes("victim stands still, as it is not known whether");
    attempt++
  ) {
    between.wall = false;
    await toFirst("another cut");
    failure = String(
      await hit("to destination", 2, () => {
        between.wall = true;
      }),
    );
  }
  assert.match(failure, /victim stands still, as it is not known whether/);
  const infos = await both();
  assert.deepEqual(
    infos.map((info) => info?.status),
    ["leaving", "incoming"],
  );
  await assert.rejects(first.client.ask("start", { name: "victim" }), /victim is leaving: it is not known/);
  await assert.rejects(second.client.ask("start", { name: "victim" }), /victim is incoming: all of it is here/);
  await assert.rejects(second.client.ask("resume", { name: "victim" }), /victim is incoming/);
  await second.client.ask("remove", { name: "victim", force: true });
  assert.notEqual((await second.domain("victim"))?.status, "incoming");
  await first.client.ask("takeBack", { name: "victim" });
  assert.equal(await settled("taken back"), first);
  between.wall = false;
});

test("nothing is left that was not said", () => {
  assert.equal(first.processLog, "");
  assert.equal(second.processLog, "");
});
