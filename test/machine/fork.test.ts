// Forks of small guests.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Console, hypervisor, program, runUntil, victimReport } from "../support/hypervisor.ts";

const MiB = 2 ** 20;

for (const tier of ["interpreter", "translator"] as const) {
  test(`copies of a running guest keep their registers, memory, timers and interrupts to themselves: ${tier}`, {
    timeout: 200_000,
  }, async (t) => {
    const { node, events } = hypervisor({ tier, memory: 64 * MiB });
    const [config, console] = program("victim", "victim", 0);
    node.define(config);
    node.start("victim");
    assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 60));
    const used = (): number => node.node().memory - node.node().free;
    const one = used();
    const copies = ["first", "second", "third"].map((name) => ({ name, console: new Console() }));
    for (const copy of copies) {
      const start = performance.now();
      node.fork("victim", copy.name, () => ({ serial: copy.console.serial, disks: [] }));
      t.diagnostic(`${(performance.now() - start).toFixed(1)} ms`);
      await runUntil(node, () => false, 0.1);
    }
    t.diagnostic(`${one / MiB} MiB became ${used() / MiB} MiB`);
    const ids = ["victim", "first", "second", "third"].map((name) => node.domain(name)?.generation.id?.join());
    assert.equal(new Set(ids).size, 4);
    await runUntil(node, () => false, 1);
    for (const { name, console: own } of [{ name: "victim", console }, ...copies]) {
      const report = await victimReport(node, own);
      assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0], name);
      assert.ok((report?.ticks ?? 0) > 5, name);
      assert.ok(await runUntil(node, () => node.status(name) === "stopped", 30));
    }
    assert.equal(events.filter(({ kind }) => kind === "refused").length, 0);
    assert.equal(node.node().free, node.node().memory);
  });
}

test("a copy of a paused domain is paused; what cannot be forked is refused, and costs nothing", {
  timeout: 100_000,
}, async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  const [config, console] = program("victim", "victim", 0);
  const parts = (): { serial: Console["serial"]; disks: [] } => ({ serial: new Console().serial, disks: [] });
  node.define(config);
  assert.throws(() => node.fork("victim", "copy", parts), /does not run/);
  node.start("victim");
  assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 60));
  node.pause("victim");
  const { free } = node.node();
  assert.throws(() => node.fork("victim", "victim", parts), /already/);
  assert.throws(() => node.fork("victim", "copy", (of) => ({ ...parts(), serial: of.serial })), /another domain has/);
  const nothing = (): void => {};
  const calls = { read: nothing, write: nothing, writeZeroes: nothing, discard: nothing, flush: nothing };
  const disks = [{ store: { bytes: 512, readOnly: true, ...calls } }];
  assert.throws(() => node.fork("victim", "copy", () => ({ ...parts(), disks })), /not those of a copy/);
  assert.deepEqual(node.names(), ["victim"]);
  assert.equal(node.node().free, free);
  const copy = new Console();
  node.fork("victim", "copy", () => ({ serial: copy.serial, disks: [] }));
  assert.equal(node.status("copy"), "paused");
  // The original never goes on, and ends.
  node.stop("victim");
  assert.ok(await runUntil(node, () => node.status("victim") === "stopped", 30));
  node.resume("copy");
  const report = await victimReport(node, copy);
  assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0]);
});
