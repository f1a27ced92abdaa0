// Domains of the hypervisor that are saved, and go on elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SnapshotError } from "../../src/snapshot/error.ts";
import { Console, hypervisor, program, runUntil, victimReport } from "../support/hypervisor.ts";
import { restoredDomain, savedDomain } from "../support/saved-domains.ts";
import { contents } from "../support/snapshots.ts";

const MiB = 2 ** 20;

test("a running guest goes on in another hypervisor that is younger than it, with its registers, memory, timers and interrupts", {
  timeout: 200_000,
}, async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  const [config, console] = program("victim", "victim", 0, { cpus: 1 });
  node.define(config);
  node.start("victim");
  assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 60));
  let file = new Uint8Array(0);
  for (let round = 0; round < 3; round++) {
    await runUntil(node, () => false, 0.2);
    file = new Uint8Array(await savedDomain(node, "victim"));
    node.resume("victim");
  }
  file = new Uint8Array(await savedDomain(node, "victim"));
  const { node: other, events } = hypervisor({ memory: 64 * MiB });
  const own = new Console();
  const domain = await restoredDomain(other, file, { ...config, serial: own.serial });
  assert.deepEqual(domain.generation.id, node.domain("victim")?.generation.id);
  assert.ok(domain.clock.now() > 500e6);
  await runUntil(other, () => false, 1);
  // The original goes on, too.
  node.resume("victim");
  for (const [each, its] of [
    [other, own],
    [node, console],
  ] as const) {
    const report = await victimReport(each, its);
    assert.deepEqual([report?.spoiled, report?.strange, report?.exceptions], [0, 0, 0]);
    assert.ok((report?.ticks ?? 0) > 5);
    assert.ok(await runUntil(each, () => each.status("victim") === "stopped", 30));
    assert.equal(each.node().free, each.node().memory);
  }
  assert.equal(events.filter(({ kind }) => kind === "refused").length, 0);
});

test("time for which a domain stands still, or that was before it came, is stolen from nobody", {
  timeout: 100_000,
}, async () => {
  let skipped = 0;
  const monotonic = (): number => performance.now() * 1e6 + skipped;
  const { node } = hypervisor({ memory: 64 * MiB, monotonic });
  // Two vCPUs that never wait, on one PE: one of them is always ready.
  const [config, console] = program("storm", "storm", 1, { cpus: 2 });
  const stolen = (of: typeof node): number => (of.statistics("storm")?.stolen ?? 0) / 1e9;
  node.define(config);
  node.start("storm");
  await runUntil(node, () => console.shown.includes("up"), 3);
  await runUntil(node, () => stolen(node) > 0.1, 60);
  node.pause("storm");
  await runUntil(node, () => node.isQuiet("storm"), 10);
  const paused = stolen(node);
  skipped += 1000e9;
  node.resume("storm");
  await runUntil(node, () => stolen(node) > paused, 60);
  assert.ok(stolen(node) < 500, `${stolen(node)} s`);
  const file = await savedDomain(node, "storm");
  const { node: other } = hypervisor({ memory: 64 * MiB, monotonic });
  skipped += 1000e9;
  await restoredDomain(other, file, { ...config, serial: new Console().serial });
  const before = stolen(other);
  assert.ok(before >= paused);
  await runUntil(other, () => stolen(other) > before, 60);
  assert.ok(stolen(other) < 500, `${stolen(other)} s`);
});

test("what is restored and saved again is what it was, section by section", { timeout: 100_000 }, async () => {
  const { node } = hypervisor({ memory: 64 * MiB, cpus: 2 });
  const [config, console] = program("storm", "storm", 1, { cpus: 2 });
  node.define(config);
  node.start("storm");
  await runUntil(node, () => console.shown.includes("up"), 3);
  const file = await savedDomain(node, "storm");
  const { node: other } = hypervisor({ memory: 64 * MiB });
  const { node: third } = hypervisor({ memory: 64 * MiB });
  const { restoreDomain } = await import("../../src/hypervisor/migration/saved-domain.ts");
  const { checksum, snapshotCodec } = await import("../../src/hosts/node/snapshot-file.ts");
  const { sourceOfBytes } = await import("../../src/snapshot/streams.ts");
  await restoreDomain({
    ...{ source: sourceOfBytes(file), codec: snapshotCodec, checksum, progress: () => {} },
    open: async () => other.receive({ ...config, serial: new Console().serial }),
  });
  assert.deepEqual(await contents(await savedDomain(other, "storm")), await contents(file));
  const copy = await restoredDomain(third, file, { ...config, serial: new Console().serial }, "copy");
  assert.notDeepEqual(copy.generation.id, node.domain("storm")?.generation.id);
});

test("what is cut short, changed, of a machine, or of another domain is refused, and costs nothing", {
  timeout: 200_000,
}, async () => {
  const { node } = hypervisor({ memory: 64 * MiB });
  const [config, console] = program("victim", "victim", 0);
  node.define(config);
  node.start("victim");
  assert.ok(await runUntil(node, () => console.shown.includes("victim is up"), 60));
  const file = await savedDomain(node, "victim");
  const free = node.node().free;
  const again = { ...config, name: "again", serial: new Console().serial };
  const refused = (bytes: Uint8Array, message: RegExp, changes = {}): Promise<void> =>
    assert.rejects(restoredDomain(node, bytes, { ...again, ...changes }), (error: unknown) => {
      assert.ok(error instanceof SnapshotError, String(error));
      assert.match(error.message, message);
      return true;
    });
  await refused(file.subarray(0, file.length - 1), /cut short/);
  await refused(file, /its memory differ/, { memory: 8 * MiB });
  await refused(file, /its cpus differ/, { cpus: 2 });
  await refused(file, /its devices differ/, { balloon: true });
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const bytes = file.slice();
      bytes[at] = (bytes[at] as number) ^ change;
      await refused(bytes, /./);
    }),
    { numRuns: 60 },
  );
  assert.deepEqual(node.names(), ["victim"]);
  assert.equal(node.node().free, free);
});
