// What the command keeps of its translations from one run to the next: the bundle, as users have it, not the sources.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { GuestProcess, ROOT } from "../support/atoll.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-kept-"));
after(() => rmSync(folder, { recursive: true }));

/** Boots the embedded guest, has it count for a while, powers off; gives the regions that came from an earlier run. */
async function run(): Promise<{ earlier: number; regions: number }> {
  process.env.ATOLL_CACHE = folder;
  const guest = new GuestProcess(process.execPath, [join(ROOT, "bin", "atoll.js"), "run", "--boot", "--stats"]);
  await guest.waitFor("atoll:~# ", 100);
  guest.type("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo counted-$i\n");
  await guest.waitFor("counted-60000", 100);
  guest.type("poweroff\n");
  const { status, stderr, stdout } = await guest.finished;
  assert.equal(status, 0, stdout.slice(-1000) + stderr);
  const counter = (name: string): number => Number(new RegExp(`^ +${name} +(\\d+)`, "m").exec(stderr)?.[1]);
  return { earlier: counter("regions of earlier runs"), regions: counter("regions compiled") };
}

test("what was translated in one run is translated at once in the next", {
  skip: availableParallelism() < 2 && "this host has one core",
  timeout: 400_000,
}, async () => {
  const first = await run();
  assert.ok(first.regions > 10, `${first.regions} regions`);
  const kept = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(kept.length, 3);
  const second = await run();
  assert.ok(second.earlier > second.regions / 2, `${second.earlier} of ${second.regions}`);
});
