// Domains that make hypercalls, system register and device accesses at random, beside one that minds its own business:
//   node test/fuzz/hypervisor.ts [--count 1000000] [--seed 1]
// `count`: exits to the hypervisor in all. Ends with status 1 when the other domain noticed anything, or something was not given back.

import { parseArgs } from "node:util";
import { hypervisor, program, runUntil, victimReport } from "../support/hypervisor.ts";

const MiB = 2 ** 20;
/** Of the domains, one after the other. */
const NAMES = 8;

export interface FuzzResult {
  readonly exits: number;
  /** Programs that were started, because those before made no more exits. */
  readonly programs: number;
  /** What should not have been; empty: nothing. */
  readonly problems: readonly string[];
}

/** Fuzzes until there have been so many exits. */
export async function fuzzHypervisor(count: number, firstSeed: number, cpus = 2): Promise<FuzzResult> {
  const { node, events } = hypervisor({ cpus, memory: 96 * MiB });
  const [victim, console] = program("victim", "victim", 0);
  // Each program is a member of a channel with it.
  const names = Array.from({ length: NAMES }, (_, i) => `fuzz-${i}`);
  const members = ["victim", ...names].map((domain) => ({ domain, readOnly: domain === "fuzz-1" }));
  node.channels.define({ name: "all", bytes: 4 * 4096, members });
  node.define(victim);
  node.start("victim");
  const problems: string[] = [];
  let exits = 0;
  let programs = 0;
  while (exits < count && problems.length === 0) {
    const seed = firstSeed + programs++;
    const name = names[programs % NAMES] as string;
    const [config] = program(name, "fuzz", seed, { cpus: 1 + (seed % 2) });
    node.define(config);
    node.start(name);
    let last = 0;
    for (;;) {
      await runUntil(node, () => node.status(name) !== "running", 0.3);
      const statistics = node.statistics(name);
      if (statistics === undefined) break;
      const now = Object.values(statistics.exits).reduce((sum, n) => sum + n, 0);
      exits += now - last;
      const stuck = now - last < 100;
      last = now;
      if (exits >= count || stuck || now > count / 8) break;
    }
    if (node.status(name) === "running") node.stop(name);
    if (!(await runUntil(node, () => node.domain(name) === undefined, 10))) problems.push(`seed ${seed} does not stop`);
    else node.remove(name);
  }
  for (const event of events) {
    if (event.kind === "stopped" && event.cause === "failed") problems.push(`${event.domain}: ${event.reason}`);
  }
  const report = await victimReport(node, console);
  if (report === undefined) problems.push("the other domain does not answer");
  else if (report.spoiled + report.strange + report.exceptions > 0)
    problems.push(`the other domain saw ${JSON.stringify(report)}`);
  await runUntil(node, () => node.status("victim") === "stopped", 10);
  node.channels.remove("all");
  const { free, memory } = node.node();
  if (free !== memory) problems.push(`${memory - free} bytes were not given back`);
  return { exits, programs, problems };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
  const result = await fuzzHypervisor(Number(values.count ?? 1e6), Number(values.seed ?? 1));
  process.stdout.write(`${result.exits} exits by ${result.programs} programs\n`);
  for (const problem of result.problems) process.stderr.write(`${problem}\n`);
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}
