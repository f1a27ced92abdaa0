// Domains that together have more RAM than the machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlockStore } from "../../src/bus/device.ts";
import { type Console, embeddedLinux, hypervisor, program, runUntil, victimReport } from "../support/hypervisor.ts";
import { bootDomains, shellCommand } from "../support/linux-domains.ts";

const MiB = 2 ** 20;

/** Different in each page. */
const disk = (bytes: number): BlockStore => ({
  bytes,
  readOnly: true,
  read: (offset, into) => {
    for (let at = 0; at < into.length; at += 512) into[at] = (offset + at) / 512;
  },
  write: () => {},
  writeZeroes: () => {},
  discard: () => {},
  flush: () => {},
});

test("a guest's free pages are free for others, and who has most gives its caches when another needs memory", {
  timeout: 900_000,
}, async (t) => {
  const { node, events } = hypervisor({ memory: 176 * MiB });
  const guests = await bootDomains(
    node,
    ["one", "two", "three"].map((name) =>
      embeddedLinux(name, { memory: 128 * MiB, balloon: true, disks: [{ store: disk(80 * MiB) }] }),
    ),
    { seconds: 400 },
  );
  const [one, two] = guests as [Console, Console, Console];
  const free = (): number => node.node().free / MiB;
  const resident = (name: string): number => (node.statistics(name)?.memory.resident ?? 0) / MiB;
  const booted = free();
  // Free pages are reported after two seconds.
  await shellCommand(node, one, "dd if=/dev/zero of=/tmp/f bs=1M count=60 2>/dev/null");
  const taken = free();
  await shellCommand(node, one, "rm /tmp/f");
  assert.ok(await runUntil(node, () => free() > taken + 40, 240), `${booted}, ${taken}, ${free()}`);
  // Pages that are cached, of a device that is open, are not free, until the balloon asks for them.
  await shellCommand(node, one, "exec 5</dev/vda; cat /dev/vda >/dev/null");
  const cached = resident("one");
  const balloon = (): number => node.statistics("one")?.memory.balloon ?? 0;
  let held = 0;
  await shellCommand(node, two, "dd if=/dev/zero of=/tmp/f bs=1M count=50 2>/dev/null; md5sum /tmp/f >/tmp/sum", {
    look: () => {
      held = Math.max(held, balloon());
    },
  });
  assert.match(await shellCommand(node, two, "md5sum -c /tmp/sum"), /OK/);
  const after = resident("one");
  t.diagnostic(
    `free ${booted.toFixed(0)} MiB, with 60 more ${taken.toFixed(0)}; a cache of ${cached.toFixed(0)} MiB became ${after.toFixed(0)}`,
  );
  assert.ok(after < cached - 20, `${after} of ${cached}`);
  assert.ok(held > 20 * MiB, `${held}`);
  for (const console of guests) assert.match(await shellCommand(node, console, "echo $((20+1))"), /^21$/m);
  assert.deepEqual(
    events.filter(({ kind }) => kind === "stopped" || kind === "paused"),
    [],
  );
  // What is not needed any more is given back.
  await shellCommand(node, two, "rm /tmp/f");
  assert.ok(await runUntil(node, () => balloon() === 0, 400));
});

test("a domain for which there is no memory is paused with a reason, goes on when there is, and the others do not notice", {
  timeout: 100_000,
}, async () => {
  const { node, events } = hypervisor({ memory: 8 * MiB });
  const [victim, console] = program("victim", "victim", 1);
  const [greedy] = program("greedy", "storm", 7, { memory: 64 * MiB });
  for (const config of [victim, greedy]) node.define(config);
  node.start("victim");
  assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 30));
  node.start("greedy");
  assert.ok(await runUntil(node, () => node.status("greedy") !== "running", 60));
  assert.equal(node.status("greedy"), "paused");
  assert.match(node.reason("greedy") ?? "", /no memory left/);
  assert.ok(events.some(({ kind }) => kind === "short"));
  node.resume("greedy");
  await runUntil(node, () => false, 0.1);
  assert.equal(node.status("greedy"), "running");
  const report = await victimReport(node, console);
  assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0]);
  assert.ok(await runUntil(node, () => node.status("victim") === "stopped", 10));
  node.stop("greedy");
  assert.ok(await runUntil(node, () => node.status("greedy") === "stopped", 10));
  assert.equal(node.node().free, node.node().memory);
});
