// Unmodified Linux in domains of the hypervisor.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { type Console, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";

const PROMPT = "atoll:~# ";

/** What a shell command prints; the domain is at its prompt. */
async function command(node: Hypervisor, console: Console, text: string, seconds = 60): Promise<string> {
  const before = console.shown.length;
  console.type(`${text}; echo end-$((40+2))\n`);
  const shown = (): string => console.shown.slice(before);
  assert.ok(await runUntil(node, () => shown().includes("end-42"), seconds), `${text}: ${shown()}`);
  return shown().replaceAll("\r", "");
}

for (const cpus of [1, 2]) {
  test(`two Linux domains on ${cpus} PEs reach their shells, each on its own console`, {
    timeout: 240_000,
  }, async () => {
    const { node, events } = hypervisor({ cpus });
    const domains = ["one", "two"].map((name) => embeddedLinux(name, { cpus }));
    for (const [config] of domains) {
      node.define(config);
      node.start(config.name);
    }
    const booted = await runUntil(node, () => domains.every(([, { shown }]) => shown.includes(PROMPT)), 100);
    assert.ok(booted, domains.map(([, { shown }]) => shown.slice(-500)).join("\n"));
    for (const [{ name }, console] of domains) {
      assert.match(await command(node, console, `echo I am ${name}`), new RegExp(`^I am ${name}$`, "m"));
      assert.match(await command(node, console, "grep -c ^processor /proc/cpuinfo"), new RegExp(`^${cpus}$`, "m"));
      assert.match(await command(node, console, "cat /proc/device-tree/compatible"), /linux,dummy-virt/);
      assert.match(await command(node, console, "grep -c GICv3 /proc/interrupts"), /^[1-9]/m);
      assert.match(await command(node, console, "dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c"), /^16$/m);
      assert.match(await command(node, console, "sleep 0.2; echo slept"), /^slept$/m);
    }
    assert.ok(!domains[0]?.[1].shown.includes("I am two"));

    // One goes; the other does not notice, and its memory is free again.
    const { free } = node.node();
    domains[0]?.[1].type("poweroff\n");
    assert.ok(await runUntil(node, () => node.status("one") === "stopped", 30));
    assert.deepEqual(events.at(-1), { kind: "stopped", domain: "one", cause: "off" });
    assert.ok(node.node().free > free);
    const [, second] = domains[1] as [unknown, Console];
    assert.match(await command(node, second, "echo $((6*7))"), /^42$/m);

    second.type("reboot\n");
    assert.ok(await runUntil(node, () => events.some(({ kind }) => kind === "reset"), 30));
    second.shown = "";
    assert.ok(await runUntil(node, () => second.shown.includes(PROMPT), 60));
    node.stop("two");
    assert.ok(await runUntil(node, () => node.status("two") === "stopped", 10));
    assert.equal(node.node().free, node.node().memory);
  });
}

test("a paused domain stands still, its time too", { timeout: 120_000 }, async () => {
  const { node } = hypervisor();
  const [config, console] = embeddedLinux("one");
  node.define(config);
  node.start("one");
  assert.ok(await runUntil(node, () => console.shown.includes(PROMPT), 60));
  const uptime = async (): Promise<number> => {
    const shown = await command(node, console, "cut -d' ' -f1 /proc/uptime");
    return Number(/^(\d+\.\d+)$/m.exec(shown)?.[1]);
  };
  const before = await uptime();
  const used = (): number => node.statistics("one")?.cpuTime ?? 0;
  node.pause("one");
  await runUntil(node, () => false, 0.1);
  const cpuTime = used();
  await runUntil(node, () => false, 3);
  assert.equal(used(), cpuTime);
  node.resume("one");
  assert.ok((await uptime()) - before < 2.5);
});
