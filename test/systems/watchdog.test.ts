// Linux's own driver of the generic watchdog (sbsa_gwdt), with 10 s.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PROMPT } from "../support/embedded-guest.ts";
import { type Console, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";
import { bootDomains } from "../support/linux-domains.ts";

test("Linux drives the watchdog: it is reset when nobody writes to /dev/watchdog any more, and goes on while somebody does", {
  timeout: 400_000,
}, async () => {
  const { node, events } = hypervisor();
  const domains = ["hangs", "kicks"].map((name) => embeddedLinux(name, { watchdog: "restart" }));
  const [hanging, kicking] = (await bootDomains(node, domains)) as [Console, Console];
  kicking.type("exec 3>/dev/watchdog; while :; do echo >&3; sleep 1; done &\n");
  hanging.type("echo 1 >/dev/watchdog; echo armed-$((1+1))\n");
  assert.ok(await runUntil(node, () => hanging.shown.includes("armed-2"), 30));
  const before = hanging.shown.length;
  assert.ok(await runUntil(node, () => events.some(({ kind }) => kind === "watchdog"), 60));
  assert.ok(await runUntil(node, () => hanging.shown.slice(before).includes(PROMPT), 240));
  kicking.type("echo alive-$((40+2))\n");
  assert.ok(await runUntil(node, () => kicking.shown.includes("alive-42"), 30));
  assert.deepEqual(
    events.filter(({ kind }) => kind === "watchdog" || kind === "reset"),
    [
      { kind: "watchdog", domain: "hangs" },
      { kind: "reset", domain: "hangs" },
    ],
  );
});
