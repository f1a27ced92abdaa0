// What the guests of a node free is the computer's again.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodeFile } from "../../src/contract/node.ts";
import { pageRelease } from "../../src/hosts/node/memory-advice.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";

const MiB = 2 ** 20;
/** MiB. */
const FILE = 128;

test("memory that a domain has used and freed, or that ended with it, goes back to the computer", {
  timeout: 900_000,
  skip: pageRelease() === undefined && "this Node gives no memory back",
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-node-memory-"));
  const node = new TestNode(join(folder, "node"), await freePort());
  try {
    const linux = { memory: 384 * MiB, net: { kind: "none" as const } };
    await node.up(nodeFile.parse({ node: { memory: 512 * MiB }, domains: { linux } }));
    await node.shell("linux");
    const { node: info } = await node.client.ask("list", {});
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${info.pid}/status`, "utf8"))?.[1]) / 1024;
    const taken = async (): Promise<number> => (await node.client.ask("list", {})).node.memory.taken / MiB;
    const falls = async (look: () => number | Promise<number>, by: number): Promise<void> => {
      const before = await look();
      let last = before;
      for (const deadline = performance.now() + 120_000; before - last < by; last = await look()) {
        assert.ok(performance.now() < deadline, `it fell from ${before} to ${last}, not by ${by} MiB`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    await node.command("linux", `mount -t tmpfs -o size=300m t /mnt; dd if=/dev/zero of=/mnt/file bs=1M count=${FILE}`);
    // The guest reports free pages some seconds after they became free.
    const fallen = falls(resident, 0.8 * FILE);
    const freed = node.command("linux", "rm /mnt/file");
    await fallen;
    await freed;
    // What was given back is as good as new.
    const shown = await node.command(
      "linux",
      "dd if=/dev/zero bs=1M count=64 | tr '\\0' x >/mnt/file; tr -d x </mnt/file | wc -c",
    );
    assert.match(shown, /^0$/m);
    assert.ok((await taken()) >= 64);
    const ended = falls(taken, 64);
    await node.client.ask("stop", { name: "linux", force: true });
    await ended;
    assert.ok((await taken()) < 16, `${await taken()} MiB`);
  } finally {
    await node.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
