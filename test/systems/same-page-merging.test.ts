// Equal pages of Linux guests, merged while they run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";
import { bootDomains } from "../support/linux-domains.ts";

const MiB = 2 ** 20;

test("guests that booted the same share its pages, and go on in them", { timeout: 240_000 }, async (t) => {
  const { node } = hypervisor();
  const domains = ["a", "b", "c"].map((name) => embeddedLinux(name, { sameMemory: true }));
  const consoles = await bootDomains(node, domains);
  const used = (): number => (node.node().memory - node.node().free) / MiB;
  const before = used();
  // What changed between two looks is left alone: two passes, and some.
  for (let pass = 0; pass < 3; pass++) {
    for (let i = 0; i < 1000; i++) node.scan(100);
    await runUntil(node, () => false, 0.2);
  }
  const after = used();
  t.diagnostic(`${before.toFixed(1)} MiB became ${after.toFixed(1)} MiB`);
  assert.ok(after < before * 0.6, `${before} MiB became ${after} MiB`);
  for (const console of consoles) console.type("md5sum /bin/busybox; echo done-$((40+2))\n");
  assert.ok(await runUntil(node, () => consoles.every(({ shown }) => shown.includes("done-42")), 60));
  assert.equal(new Set(consoles.map(({ shown }) => /[0-9a-f]{32}/.exec(shown)?.[0])).size, 1);
});
