// Domains that attack: what they can do to the hypervisor and to others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hypervisor, program, runUntil, victimReport } from "../support/hypervisor.ts";

const MiB = 2 ** 20;

for (const cpu of ["cortex-a72", "max"] as const) {
  for (const tier of ["interpreter", "translator"] as const) {
    test(`a hostile guest reaches nothing that is not its own: ${cpu}, ${tier}`, { timeout: 120_000 }, async () => {
      const { node, events } = hypervisor({ cpu, tier, memory: 64 * MiB });
      const [victim, victimConsole] = program("victim", "victim", 0);
      const [hostile, console] = program("hostile", "hostile", 16 * MiB, { cpus: 2 });
      const members = [
        { domain: "nobody", readOnly: false },
        { domain: "hostile", readOnly: true },
      ];
      node.channels.define({ name: "quiet", bytes: 8192, members });
      for (const config of [victim, hostile]) {
        node.define(config);
        node.start(config.name);
      }
      const refusals = node.domain("hostile")?.refusals;
      assert.ok(await runUntil(node, () => node.status("hostile") !== "running", 60), console.shown.slice(-500));
      assert.deepEqual(
        console.shown.split("\n").filter((line) => line.startsWith("not ok")),
        [],
      );
      assert.match(console.shown, /^done [0-9a-f]{2,} 0$/m);
      assert.equal(node.status("hostile"), "stopped");
      // Each was reported.
      const told = new Set(events.flatMap((event) => (event.kind === "refused" ? [event.what] : [])));
      assert.ok(
        ["memory", "instruction", "register", "monitor call"].every((what) => told.has(what as "memory")),
        [...told].join(),
      );
      assert.ok((refusals?.get("memory") ?? 0) >= 15);
      await runUntil(node, () => false, 0.5);
      const report = await victimReport(node, victimConsole);
      assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0]);
      assert.ok((report?.ticks ?? 0) > 5);
      assert.ok(await runUntil(node, () => node.status("victim") === "stopped", 10));
      node.channels.remove("quiet");
      assert.equal(node.node().free, node.node().memory);
    });
  }
}

test("a domain that is started while another never leaves its PE gets its share", { timeout: 60_000 }, async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  const [busy] = program("busy", "storm", 0);
  const [late] = program("late", "storm", 0);
  for (const config of [busy, late]) node.define(config);
  node.start("busy");
  await runUntil(node, () => (node.statistics("busy")?.cpuTime ?? 0) > 100e6, 20);
  node.start("late");
  const used = (name: string): number => node.statistics(name)?.cpuTime ?? 0;
  const before = used("busy");
  await runUntil(node, () => used("busy") + used("late") > before + 400e6, 20);
  assert.ok(used("late") > 150e6, `it had ${used("late") / 1e6} ms`);
});

const STORMS = [
  "PE",
  "SGI",
  "TLB maintenance",
  "stage 2 fault",
  "hypercall",
  "device access",
  "WFE",
  "new memory",
  "doorbell",
];
for (const [kind, name] of STORMS.entries()) {
  test(`a ${name} storm leaves another domain its share`, { timeout: 60_000 }, async () => {
    const { node } = hypervisor({ memory: 64 * MiB });
    const [victim, console] = program("victim", "victim", 1);
    const [storm] = program("storm", "storm", kind);
    const members = ["victim", "storm"].map((domain) => ({ domain, readOnly: false }));
    node.channels.define({ name: "both", bytes: 4096, members });
    for (const config of [victim, storm]) {
      node.define(config);
      node.start(config.name);
    }
    assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 20));
    const used = (): number[] => ["victim", "storm"].map((domain) => node.statistics(domain)?.cpuTime ?? 0);
    const [victimBefore = 0, stormBefore = 0] = used();
    await runUntil(node, () => false, 1.5);
    const [victimAfter = 0, stormAfter = 0] = used();
    const share = (victimAfter - victimBefore) / (victimAfter - victimBefore + stormAfter - stormBefore);
    assert.ok(share > 0.42, `it had ${share}`);
    const report = await victimReport(node, console);
    assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0]);
    assert.equal((report?.rings ?? 0) > 10, name === "doorbell");
  });
}
