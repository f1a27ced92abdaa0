// What a guest frees is the host's again. Linux reports free pages some 2 s after they became free.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pageRelease } from "../../src/hosts/node/memory-advice.ts";
import { EmbeddedGuest } from "../support/embedded-guest.ts";

/** MiB. */
const FILE = 128;
const SECONDS = 60;

test("memory that the guest has used and freed goes back to the host", {
  timeout: 600_000,
  skip: pageRelease() === undefined && "this Node gives no memory back",
}, async () => {
  const guest = await EmbeddedGuest.boot("--memory", "512M", "--balloon", "--net", "none");
  try {
    const status = `/proc/${guest.process.child.pid}/status`;
    const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1]) / 1024;
    await guest.run("mount -t tmpfs -o size=300m t /mnt");
    await guest.run(`dd if=/dev/zero of=/mnt/file bs=1M count=${FILE}`, 120);
    const before = resident();
    await guest.run("rm /mnt/file", 120);
    let freed = 0;
    for (let waited = 0; freed < 0.8 * FILE && waited < SECONDS; waited++) {
      await delay(1000);
      freed = before - resident();
    }
    assert.ok(freed >= 0.8 * FILE, `${Math.round(freed)} of ${FILE} MiB`);
    // What was given back is as good as new.
    await guest.run("dd if=/dev/zero bs=1M count=32 | tr '\\0' x >/mnt/file", 120);
    assert.equal((await guest.run("tr -d x </mnt/file | wc -c", 120)).trim(), "0");
    await guest.powerOff();
  } finally {
    guest.process.kill();
  }
});
