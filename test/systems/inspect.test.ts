// A node's domain is looked into, and guarded, by the `atoll` command.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll, atoll } from "../support/atoll.ts";
import { nodeOfTest } from "../support/node-of-test.ts";

const folder = nodeOfTest();

async function printed(...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await atoll(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

test("memory and registers are shown, and a guard stops a change to the kernel's text until it is off", {
  timeout: 200_000,
}, async () => {
  const file = join(folder, "one.yaml");
  writeFileSync(file, "domains:\n  one: { memory: 96M }\n");
  await printed("up", file);
  const console = new Atoll(["console", "one"]);
  await console.waitFor("~# ", 100);

  const [, vectors] = /VBAR_EL1 +(0x[0-9a-f]{16})/.exec(await printed("inspect", "one", "registers")) ?? [];
  assert.match(vectors ?? "", /^0xffff/);
  const dump = await printed("inspect", "one", "memory", vectors as string, "32");
  assert.match(dump, new RegExp(`^${vectors?.slice(2)}(  [0-9a-f ]{47}  .*\n)`));
  const bad = await atoll("inspect", "one", "memory", "0x0", "32");
  assert.match(bad.stderr, /one: 32 bytes at 0x0 is not all in what CPU 0 has mapped/);
  assert.equal(bad.status, 2);
  assert.match(await printed("inspect", "one", "processes"), /^1 +0 +[RS] +init\n2 +0 +S +\[kthreadd\]$/m);
  assert.match((await atoll("inspect", "one", "modules")).stderr, /give their offsets/);
  assert.equal((await atoll("inspect", "two", "processes")).status, 8);

  // Its interrupts come to the page of its vectors all the time.
  const about = ["inspect", "one", "watch"];
  const page = vectors as string;
  assert.match(
    await printed(...about, page, "64", "--for", "execute"),
    /^one: a page is watched for execute \(report\)$/m,
  );
  let watched = await atoll(...about);
  for (const deadline = performance.now() + 60_000; watched.status === 0 && performance.now() < deadline; )
    watched = await atoll(...about);
  assert.equal(watched.status, 12, watched.stderr);
  assert.match(
    watched.stdout,
    new RegExp(`^execute at ${page.slice(0, -3)}[0-9a-f]{3} by CPU 0, PC ${page.slice(0, -3)}`, "m"),
  );
  assert.equal((await atoll(...about, page, "--for", "execute", "--mode", "stop")).status, 0);
  for (
    const deadline = performance.now() + 60_000;
    !/execution of 0xffff.* which is watched/.test(await printed("ps"));
  )
    assert.ok(performance.now() < deadline);
  assert.match(await printed(...about, "--mode", "off"), /nothing is watched/);
  await printed("resume", "one");
  assert.match((await atoll(...about, "0x0")).stderr, /one: 0x0 is not in its memory/);
  assert.match((await atoll(...about, page, "--for", "jump")).stderr, /--for jump/);

  assert.match(await printed("inspect", "one", "guard", "--mode", "stop"), /\d+ pages of its kernel are guarded/);
  console.type("echo 0 >/proc/sys/kernel/timer_migration; echo written $((40+2))\n");
  const deadline = performance.now() + 60_000;
  while (!(await printed("ps")).includes("one is paused: write to the kernel's text at 0xffff"))
    assert.ok(performance.now() < deadline);
  const { stdout, status } = await atoll("inspect", "one", "guard");
  assert.equal(status, 12);
  assert.match(stdout, /and as it was\nwrite: text at 0xffff[0-9a-f]{12} by CPU 0, PC 0xffff[0-9a-f]{12}\n$/);
  assert.match(await printed("inspect", "one", "guard", "--mode", "off"), /not guarded/);
  await printed("resume", "one");
  await console.waitFor("written 42", 60);
  console.child.kill("SIGTERM");
  await console.finished;
});
