// Copies of running guests: what they share, and what each has of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Console, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";
import { bootDomains, shellCommand } from "../support/linux-domains.ts";

const MiB = 2 ** 20;

for (const cpus of [2]) {
  test(`eight copies of a booted Linux of ${cpus} vCPUs go on from where it was, cost little, and see none of each other's writes`, {
    timeout: 900_000,
  }, async (t) => {
    const { node } = hypervisor({ cpus });
    const [config, console] = embeddedLinux("parent", { memory: 512 * MiB, cpus });
    await bootDomains(node, [[config, console]]);
    await shellCommand(
      node,
      console,
      "echo parent >/tmp/who; n=7; dd if=/dev/urandom of=/tmp/b bs=1M count=8 2>/dev/null; md5sum /tmp/b >/tmp/sum",
    );
    const used = (): number => node.node().memory - node.node().free;
    const one = used();
    const consoles: Console[] = [];
    const times: number[] = [];
    for (let i = 0; i < 8; i++) {
      const copy = new Console();
      consoles.push(copy);
      const start = performance.now();
      node.fork("parent", `copy-${i}`, () => ({ serial: copy.serial, disks: [] }));
      times.push(performance.now() - start);
    }
    const all = used();
    t.diagnostic(
      `forks took ${times.map((ms) => ms.toFixed(1)).join(", ")} ms; ${(one / MiB).toFixed(1)} MiB became ${(all / MiB).toFixed(1)} MiB`,
    );
    assert.ok(all < 1.6 * one, `${all / one}`);
    // 20 ms on a machine that does nothing else.
    assert.ok(Math.min(...times) < 200, `${times}`);
    const ids = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
      Buffer.from(node.domain(`copy-${i}`)?.generation.id ?? []).toString("hex"),
    );
    assert.equal(new Set([...ids, Buffer.from(node.domain("parent")?.generation.id ?? []).toString("hex")]).size, 9);
    // The shell's variable is there; each writes its own name, then all are asked.
    for (const [i, copy] of consoles.entries())
      assert.match(
        await shellCommand(node, copy, `cat /tmp/who; echo copy-$n-${i} >/tmp/who; head -c 8 /dev/hwrng | md5sum`),
        /^parent$/m,
      );
    await shellCommand(node, console, "echo still-parent >/tmp/who");
    const after = used();
    t.diagnostic(`after a command in each ${(after / MiB).toFixed(1)} MiB`);
    for (const [i, copy] of consoles.entries()) {
      const shown = await shellCommand(node, copy, "cat /tmp/who; md5sum -c /tmp/sum; sleep 0.05; echo woke");
      assert.match(shown, new RegExp(`^copy-7-${i}$`, "m"));
      assert.match(shown, /^\/tmp\/b: OK$/m);
      assert.match(shown, /^woke$/m);
    }
    assert.match(await shellCommand(node, console, "cat /tmp/who; md5sum -c /tmp/sum"), /^still-parent[\s\S]*OK$/m);
    // The parent's end is nothing to its copies; all memory comes back.
    node.stop("parent");
    assert.ok(await runUntil(node, () => node.status("parent") === "stopped", 10));
    const [first] = consoles;
    assert.ok(first);
    // A copy of a copy, while it is paused.
    node.pause("copy-0");
    const second = new Console();
    node.fork("copy-0", "copy-of-copy", () => ({ serial: second.serial, disks: [] }));
    assert.equal(node.status("copy-of-copy"), "paused");
    node.resume("copy-of-copy");
    assert.match(await shellCommand(node, second, "cat /tmp/who; md5sum -c /tmp/sum"), /^copy-7-0[\s\S]*OK$/m);
    for (const name of node.names()) if (node.domain(name)) node.stop(name);
    assert.ok(await runUntil(node, () => node.names().every((name) => node.domain(name) === undefined), 10));
    assert.equal(node.node().free, node.node().memory);
  });
}

test("what cannot be forked is refused with a reason, and the original goes on", { timeout: 400_000 }, async () => {
  const { node } = hypervisor();
  const [config, console] = embeddedLinux("parent");
  node.define(config);
  assert.throws(() => node.fork("parent", "copy", () => ({ serial: new Console().serial, disks: [] })), /does not run/);
  node.remove("parent");
  await bootDomains(node, [[config, console]]);
  const used = node.node().free;
  assert.throws(() => node.fork("parent", "parent", () => ({ serial: new Console().serial, disks: [] })), /already/);
  assert.throws(() => node.fork("parent", "copy", (of) => ({ serial: of.serial, disks: [] })), /another domain has/);
  const disk = {
    bytes: 512,
    readOnly: true,
    read: () => {},
    write: () => {},
    writeZeroes: () => {},
    discard: () => {},
    flush: () => {},
  };
  assert.throws(
    () => node.fork("parent", "copy", () => ({ serial: new Console().serial, disks: [{ store: disk }] })),
    /not those of a copy/,
  );
  assert.deepEqual(node.names(), ["parent"]);
  assert.ok(Math.abs(node.node().free - used) < MiB);
  assert.match(await shellCommand(node, console, "echo $((20+1))"), /^21$/m);
});
