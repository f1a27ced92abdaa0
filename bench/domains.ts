// What a domain has while another one attacks it, on one PE: its share, its work, and how late its timer's interrupts come, with equal weights and
// with three quarters of the PE reserved; and what traps and world switches cost:
//   node bench/domains.ts [--seconds 3] [--attack SGIs]
// Prints the tables of docs/hypervisor.md. Time is this thread's own (own-time.ts): what the host does besides does not count.

import { parseArgs } from "node:util";
import type { Share } from "../src/hypervisor/scheduler.ts";
import { hypervisor, program, runUntil, type VictimReport, victimReport } from "../test/support/hypervisor.ts";
import { OwnTime } from "./own-time.ts";

const MiB = 2 ** 20;
const STORMS = [
  "PE",
  "SGIs",
  "TLB maintenance",
  "stage 2 faults",
  "hypercalls",
  "device accesses",
  "WFE",
  "new memory",
  "doorbells",
];
/** Of the PE, for the victim. */
const RESERVED = { reservation: 0.75 };
const { values } = parseArgs({ options: { seconds: { type: "string" }, attack: { type: "string" } } });
const seconds = Number(values.seconds ?? 3);
const print = (...cells: (string | number)[]): void => void process.stdout.write(`| ${cells.join(" | ")} |\n`);

/** A victim that works all the time (1) or sleeps from tick to tick (0), beside so many attackers. */
async function attacked(
  storm: number,
  mode: 0 | 1,
  attackers: number,
  share: Partial<Share>,
): Promise<[VictimReport, number]> {
  const clock = new OwnTime();
  const { node } = hypervisor({ memory: 128 * MiB, monotonic: clock.now });
  if (storm === STORMS.indexOf("doorbells")) {
    const members = ["victim", "attacker-0"].map((domain) => ({ domain, readOnly: false }));
    node.channels.define({ name: "both", bytes: 4096, members });
  }
  const [victim, console] = program("victim", "victim", mode, { share });
  node.define(victim);
  node.start("victim");
  for (let i = 0; i < attackers; i++) {
    const [config] = program(`attacker-${i}`, "storm", storm);
    node.define(config);
    node.start(config.name);
  }
  await runUntil(node, () => console.shown.includes("victim is up"), 60, clock);
  const cpu = (): number => node.statistics("victim")?.cpuTime ?? 0;
  const [began, before] = [clock.now(), cpu()];
  await runUntil(node, () => false, seconds, clock);
  const part = (cpu() - before) / (clock.now() - began);
  const report = await victimReport(node, console, clock);
  if (report === undefined) throw new Error("the victim does not answer");
  return [report, part];
}

async function row(name: string, storm: number, attackers: number, share: Partial<Share> = {}): Promise<void> {
  const [busy, part] = await attacked(storm, 1, attackers, share);
  const [sleepy] = await attacked(storm, 0, attackers, share);
  const { late } = sleepy;
  const all = late.reduce((sum, n) => sum + n, 0);
  const percent = (n = 0): string => `${((100 * n) / all).toFixed(1)} %`;
  const rate = Math.round((busy.work * 1e6) / busy.microseconds);
  const worse = (late[3] ?? 0) + (late[4] ?? 0);
  print(
    name,
    `${(100 * part).toFixed(0)} %`,
    rate,
    percent(late[0]),
    percent((late[0] ?? 0) + (late[1] ?? 0)),
    percent(worse),
    `${(sleepy.latest / 1000).toFixed(1)} ms`,
  );
}

async function cost(name: string, storm: number, domains: number): Promise<void> {
  const { node } = hypervisor({ memory: 128 * MiB });
  const names = Array.from({ length: domains }, (_, i) => `s${i}`);
  for (const each of names) {
    node.define(program(each, "storm", storm)[0]);
    node.start(each);
  }
  const exits = (): number =>
    names.reduce((sum, each) => sum + Object.values(node.statistics(each)?.exits ?? {}).reduce((a, b) => a + b, 0), 0);
  await runUntil(node, () => false, 1);
  const [before, switches, started] = [exits(), node.node().switches, process.cpuUsage()];
  await runUntil(node, () => false, seconds);
  const { user, system } = process.cpuUsage(started);
  const each = (user + system) / (exits() - before);
  print(name, `${each.toFixed(2)} us`, node.node().switches - switches);
}

print("attack", "share", "work/s", "ticks < 0.1 ms late", "< 1 ms late", "> 5 ms late", "latest");
print(..."-------".split(""));
await row("none", 0, 0);
for (const [storm, name] of STORMS.entries()) {
  if (values.attack !== undefined && values.attack !== name) continue;
  await row(name, storm, 1);
  await row(`${name}; 75 % reserved`, storm, 1, RESERVED);
}
if (values.attack !== undefined) process.exit();
await row("PE, of three", 0, 3);
await row("PE, of three; 75 % reserved", 0, 3, RESERVED);
process.stdout.write("\n");
print("exit", "CPU time of the host, with the guest's part", "world switches");
print(..."---".split(""));
await cost("hypercall (PSCI_VERSION)", 4, 1);
await cost("device register", 5, 1);
await cost("refused access", 3, 1);
await cost("SGI to itself, taken and ended", 1, 1);
await cost("WFE with a world switch, 2 domains", 6, 2);
await cost("WFE with a world switch, 8 domains", 6, 8);
