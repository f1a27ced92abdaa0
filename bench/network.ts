// How fast TCP goes between a guest and this computer, through the user-mode network, by iperf3 on both sides.
//
//   node bench/network.ts [SECONDS [OPTION OF atoll run...]]
//
// Needs iperf3 here, and in the guest by guests/network/fetch.sh. Where the computer has other things to do, look at the rate for a second of
// processor time: what the machine would do with a processor of its own.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Atoll, ROOT } from "../test/support/atoll.ts";

const PORT = 5301;
const PROMPT = "atoll:~# ";
const initrd = join(ROOT, ".cache", "network", "initramfs.cpio.gz");
/** Of Linux's clock that /proc counts in. */
const TICKS = 100;

if (!existsSync(initrd)) throw new Error("run guests/network/fetch.sh first");
const [seconds = "10", ...options] = process.argv.slice(2);
let runs = 0;
const server = spawn("iperf3", ["-s", "-p", `${PORT}`], { stdio: "ignore" });
const guest = new Atoll(["run", "--initrd", initrd, "--timeout", "600", ...options]);
try {
  await guest.waitFor(PROMPT, 100);
  await guest.ask("ip addr show eth0\n", /inet 10\.0\.2\.15/, 60);
  // Once for translation to happen.
  await measure("warm-up", "-t 2");
  await measure("guest to host", `-t ${seconds}`);
  await measure("host to guest", `-t ${seconds} -R`);
  guest.type("poweroff\n");
  await guest.finished;
} finally {
  guest.kill();
  server.kill();
}

async function measure(direction: string, how: string): Promise<void> {
  const from = guest.stdout.length;
  const before = processorSeconds();
  const end = `ended-${++runs}`;
  guest.type(`iperf3 -c 10.0.2.2 -p ${PORT} -i 0 -f m ${how}; echo ended-$((${runs}))\n`);
  await guest.waitFor(end, 60 + 20 * Number(seconds));
  const used = processorSeconds() - before;
  const shown = guest.stdout.slice(from);
  const [, lasted, rate] = /-([\d.]+) +sec +[\d.]+ [MG]Bytes +([\d.]+) Mbits\/sec +receiver/.exec(shown) ?? [];
  if (rate === undefined) throw new Error(shown);
  const perProcessor = (Number(rate) * Number(lasted)) / used;
  console.log(
    `${direction}: ${rate} Mbit/s; ${perProcessor.toFixed(0)} Mbit for a second of processor time (${used.toFixed(2)} s)`,
  );
}

/** User and system time of the machine's process. */
function processorSeconds(): number {
  const fields = readFileSync(`/proc/${guest.child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
