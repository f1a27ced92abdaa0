// Channels: domains that share memory and ring each other's doorbells.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel } from "../../src/hypervisor/channels/channel.ts";
import { DOORBELL, EVERYBODY, MemberEnd, type MemberPlace } from "../../src/hypervisor/channels/member-end.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { BadInput } from "../../src/machine/runnable.ts";
import { hypervisor, program, runUntil } from "../support/hypervisor.ts";

const MiB = 2 ** 20;
const both = (a: string, b: string) => [a, b].map((domain) => ({ domain, readOnly: false }));

function start(node: Hypervisor, name: string, argument: number) {
  const [config, console] = program(name, "channel", argument);
  node.define(config);
  node.start(name);
  return console;
}

for (const cpus of [1, 2]) {
  for (const tier of ["interpreter", "translator"] as const) {
    test(`two domains talk over a channel, also after one was started anew: ${cpus} PEs, ${tier}`, {
      timeout: 120_000,
    }, async () => {
      const { node, events } = hypervisor({ cpus, tier, memory: 64 * MiB });
      node.channels.define({ name: "talk", bytes: 64 * 1024, members: both("ask", "answer") });
      for (let round = 0; round < 2; round++) {
        // What the last round left.
        node.channels.find("talk")?.write(0, new Uint8Array(64 * 1024));
        const answer = start(node, "answer", 1);
        const ask = start(node, "ask", 0);
        const ended = (): boolean => ["ask", "answer"].every((name) => node.status(name) === "stopped");
        assert.ok(await runUntil(node, ended, 60), `${ask.shown}\n${answer.shown}`);
        assert.match(ask.shown, /^ask in talk with answer\nhello!\ndone [0-9a-f]+ 0$/m);
        assert.match(answer.shown, /^answer in talk with ask\nhello!\nanswered [0-9a-f]+ 0$/m);
        for (const name of ["ask", "answer"]) node.remove(name);
      }
      assert.ok(!events.some(({ kind }) => kind === "refused"));
      assert.deepEqual(node.channels.find("talk")?.read(0, 4), Uint8Array.of(400 & 0xff, 400 >> 8, 0, 0));
      node.channels.remove("talk");
      assert.equal(node.node().free, node.node().memory);
    });
  }
}

test("a channel's memory is there before its members, and after them; it goes when none runs", async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  node.channels.define({ name: "talk", bytes: 4096, members: both("ask", "answer") });
  node.channels.define({ name: "second", bytes: 16 * MiB, members: both("answer", "ask") });
  assert.equal(node.node().memory - node.node().free, 4096 + 16 * MiB);
  start(node, "answer", 1);
  await runUntil(node, () => false, 0.2);
  const ends = node.domain("answer")?.channels ?? [];
  assert.deepEqual(
    ends.map(({ name, place: { index, member } }) => [name, index, member]),
    [
      ["second", 0, 0],
      ["talk", 1, 1],
    ],
  );
  assert.ok((ends[1]?.place.base ?? 0) >= (ends[0]?.place.base ?? 0) + 16 * MiB);
  assert.throws(() => node.channels.remove("talk"), BadInput);
  node.stop("answer");
  assert.ok(await runUntil(node, () => node.status("answer") === "stopped", 10));
  for (const name of node.channels.names()) node.channels.remove(name);
  assert.equal(node.node().free, node.node().memory);
});

test("a doorbell's interrupt is there until it is answered, however often others ring, and by whom is told", () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  const names = ["a", "b", "c"];
  node.channels.define({ name: "x", bytes: 4096, members: names.map((domain) => ({ domain, readOnly: false })) });
  const channel = node.channels.find("x") as Channel;
  assert.equal(channel.ring(0, 1), "absent");
  let level = false;
  const line = {
    set: (next: boolean) => {
      level = next;
    },
  };
  const ends = names.map((name) => new MemberEnd(node.channels.placesOf(name)[0] as MemberPlace, () => line));
  for (const [member, end] of ends.entries()) channel.attach(member, end);
  for (let i = 0; i < 5; i++) assert.equal(ends[0]?.ring(1), "rang");
  assert.equal(level, true);
  ends[2]?.ring(EVERYBODY);
  assert.equal(ends[1]?.take(), 0b101);
  assert.equal(level, false);
  assert.equal(ends[1]?.take(), 0);
  assert.equal(ends[0]?.take(), 0b100);
  assert.equal(ends[2]?.take(), 0);
  for (const to of [1, 3, -1, Number.NaN]) assert.equal(ends[1]?.ring(to), "nobody");
  ends[0]?.disconnect();
  assert.equal(ends[1]?.ring(0), "absent");
  // By registers, of 32 bits.
  ends[1]?.write(DOORBELL.ring, 1, 2);
  assert.equal(level, false);
  ends[1]?.write(DOORBELL.ring, 4, 2);
  assert.equal(level, true);
  assert.equal(ends[2]?.read(DOORBELL.take, 4), 0b10);
  assert.deepEqual(
    [DOORBELL.member, DOORBELL.members, 0x40].map((offset) => ends[2]?.read(offset, 4)),
    [2, 3, 0],
  );
});

test("a fork is no member of what its original is", async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  node.channels.define({ name: "talk", bytes: 4096, members: both("ask", "answer") });
  const console = start(node, "answer", 1);
  assert.ok(await runUntil(node, () => console.shown.includes("hello"), 20));
  const [, copy] = program("copy", "channel", 1);
  node.fork("answer", "copy", () => ({ serial: copy.serial, disks: [] }));
  assert.deepEqual(node.domain("copy")?.channels, []);
  const base = node.domain("answer")?.channels[0]?.place.base ?? 0;
  assert.ok((node.domain("answer")?.space.frameOf(base / 4096) ?? -1) >= 0);
  assert.equal(node.domain("copy")?.space.frameOf(base / 4096), -1);
});

const BAD = [
  ["too small", { bytes: 0 }],
  ["half a page", { bytes: 6144 }],
  ["too large", { bytes: 32 * MiB }],
  ["more than there is", { bytes: 16 * MiB }],
  ["nobody to talk to", { members: both("a", "b").slice(1) }],
  ["one twice", { members: both("a", "a") }],
  ["taken", { name: "taken" }],
] as const;
for (const [what, changes] of BAD) {
  test(`a channel that cannot be is refused, and takes nothing: ${what}`, () => {
    const { node } = hypervisor({ memory: 12 * MiB });
    node.channels.define({ name: "taken", bytes: 4096, members: both("a", "b") });
    const { free } = node.node();
    assert.throws(
      () => node.channels.define({ name: "x", bytes: 4096, members: both("a", "b"), ...changes }),
      BadInput,
    );
    assert.equal(node.node().free, free);
    assert.deepEqual(node.channels.names(), ["taken"]);
  });
}
