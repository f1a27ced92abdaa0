// A Linux that moves back and forth between two nodes while it writes to its memory and its disk, and starts programs, on all of its CPUs. It checks what it
// has written itself, and nothing may ever be otherwise: node test/domains/migration-soak.ts [--rounds N] [--seed N] [--cpus N]

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { nodeFile } from "../../src/contract/node.ts";
import { freePort, TestNode } from "../support/two-nodes.ts";
import { Random } from "../vectors/inputs.ts";

const MiB = 2 ** 20;
/** What a kernel says that has found itself, or its memory, other than it should be; and what the guest's own checks say. */
const WRONG =
  /.*(Oops|BUG:|Internal error|Unable to handle|WARNING:|cut here|rcu: INFO|soft lockup|I\/O error|bad-\w+).*/;

/** Files that are written, read again a while later and compared with what was summed up while they were written. */
const MEMORY = `memory() { while :; do for i in 0 1 2 3 4 5 6 7; do
  [ -f /tmp/sum$1.$i ] && { md5sum -c -s /tmp/sum$1.$i || echo b''ad-memory $1 $i; };
  head -c $((100000 + i * 33333)) /dev/urandom | tee /tmp/m$1.$i | md5sum | sed "s|-|/tmp/m$1.$i|" >/tmp/sum$1.$i; done; echo m >>/tmp/count; done; }`;
/** Blocks of the disk, which are read from it and not from the cache. */
const DISK = `disk() { n=0; while :; do n=$((n + 1)); for i in 0 1 2 3; do
  head -c 65536 /dev/urandom >/tmp/d$i; dd if=/tmp/d$i of=/dev/vda bs=64k seek=$i count=1 conv=fsync 2>/dev/null; done; sync; echo 1 >/proc/sys/vm/drop_caches; for i in 0 1 2 3; do
  dd if=/dev/vda bs=64k skip=$i count=1 2>/dev/null | cmp -s - /tmp/d$i || echo b''ad-disk $i; done; echo d >>/tmp/count; done; }`;
/** Processes come and go: page tables, and memory that is freed after a grace period. */
const PROCESSES = `processes() { while :; do /bin/true; /bin/true | /bin/true; done; }`;

export interface SoakResult {
  readonly moves: number;
  readonly rounds: number;
  readonly pages: number;
  /** Of standing still, in milliseconds. */
  readonly longest: number;
  /** How often the guest had checked all of its files, or blocks. */
  readonly checks: number;
}

export async function soak(
  { moves, seed, cpus }: { readonly moves: number; readonly seed: number; readonly cpus: number },
  say: (text: string) => void,
): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-soak-"));
  const random = new Random(seed);
  const nodes = [
    new TestNode(join(folder, "first"), await freePort()),
    new TestNode(join(folder, "second"), await freePort()),
  ] as const;
  let good = false;
  try {
    const node = { memory: 192 * MiB, cpus };
    const linux = { memory: 96 * MiB, cpus, disk: [{ bytes: 8 * MiB }] };
    await nodes[0].up(nodeFile.parse({ node, domains: { linux } }));
    nodes[0].shareTokenWith(nodes[1]);
    await nodes[1].up(nodeFile.parse({ node, domains: {} }));
    await nodes[0].shell("linux");
    for (const [name, text] of Object.entries({ MEMORY, DISK, PROCESSES })) {
      await nodes[0].command("linux", `${text.replaceAll("\n", " ")}; echo ${name}`);
    }
    await nodes[0].command("linux", "memory a & memory b & disk & processes & true");
    let rounds = 0;
    let pages = 0;
    let longest = 0;
    for (let move = 0; move < moves; move++) {
      const [from, to] = move % 2 === 0 ? nodes : [nodes[1], nodes[0]];
      await setTimeout(random.below(1500));
      // Where much may be left for the end, it is the last copy that counts; where little, the rounds before.
      const downtime = [20, 100, 1000, 60_000][random.below(4)] as number;
      const moved = await from.migrate("linux", to.port, { downtime, rounds: 1 + random.below(10) });
      rounds += moved.rounds;
      pages += moved.pages;
      longest = Math.max(longest, moved.downtime);
      const shown = await to.command("linux", "wc -l </tmp/count");
      for (const each of nodes) {
        const [line] = WRONG.exec(each.log("linux")) ?? [];
        assert.equal(line, undefined, `after move ${move + 1}: ${line}`);
        assert.equal(each.processLog, "");
      }
      say(
        `${move + 1}: ${moved.rounds} rounds, ${moved.pages} pages, ${moved.blocks} blocks, stood still for ${moved.downtime.toFixed(0)} ms; checks: ${/^\d+$/m.exec(shown)?.[0]}`,
      );
    }
    const last = nodes[moves % 2] as TestNode;
    const shown = await last.command("linux", "wc -l </tmp/count; dmesg | tail -3");
    good = true;
    return { moves, rounds, pages, longest, checks: Number(/^\d+$/m.exec(shown)?.[0]) };
  } finally {
    for (const each of nodes) await each.end().catch(() => each.kill());
    if (good) rmSync(folder, { recursive: true, force: true });
    else say(`what was there is kept in ${folder}`);
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "20" },
      seed: { type: "string", default: String(Date.now() % 1e6) },
      cpus: { type: "string", default: "2" },
    },
  });
  console.log(`seed ${values.seed}`);
  const options = { moves: Number(values.rounds), seed: Number(values.seed), cpus: Number(values.cpus) };
  console.log(await soak(options, (text) => console.log(text)));
  process.exit(0);
}
