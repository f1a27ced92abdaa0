// Live migration of an idle embedded Linux with 512 MiB between two node processes on loopback: node bench/migration.ts [--count N]

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nodeFile } from "../src/contract/node.ts";
import { freePort, TestNode } from "../test/support/two-nodes.ts";

const MiB = 2 ** 20;
const { values } = parseArgs({ options: { count: { type: "string", default: "12" } } });
const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
const first = new TestNode(join(folder, "first"), await freePort());
const second = new TestNode(join(folder, "second"), await freePort());

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

try {
  const node = { memory: 768 * MiB };
  await first.up(nodeFile.parse({ node, domains: { linux: { memory: 512 * MiB } } }));
  first.shareTokenWith(second);
  await second.up(nodeFile.parse({ node, domains: {} }));
  while (!first.log("linux").includes("~# ")) await new Promise((resolve) => setTimeout(resolve, 100));
  const downtimes: number[] = [];
  const seconds: number[] = [];
  for (let i = 0; i < Number(values.count); i++) {
    const [from, to] = i % 2 === 0 ? [first, second] : [second, first];
    const moved = await from.migrate("linux", to.port);
    downtimes.push(moved.downtime);
    seconds.push(moved.seconds);
    process.stdout.write(
      `${moved.rounds} rounds, ${moved.pages} pages, ${(moved.bytes / MiB).toFixed(1)} MiB in ${moved.seconds.toFixed(2)} s; ${moved.downtime.toFixed(1)} ms\n`,
    );
  }
  const rest = `least ${Math.min(...downtimes).toFixed(1)}, most ${Math.max(...downtimes).toFixed(1)}`;
  process.stdout.write(
    `stood still: median ${median(downtimes).toFixed(1)} ms (${rest}); in all ${median(seconds).toFixed(2)} s; ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}\n`,
  );
} finally {
  await first.end();
  await second.end();
  rmSync(folder, { recursive: true, force: true });
}
