// What is measured of Atoll alone: `node bench/alone.ts interpreter | resident MIB`. Prints JSON. The interpreter's speed is that of a machine
// in this process; resident memory is the command's, as it is installed (dist/).

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { Engine } from "../src/engine/engine.ts";
import { entropy, monotonic, wallClock } from "../src/hosts/library/clocks.ts";
import { inflate } from "../src/hosts/node/inflate.ts";
import { planMemory } from "../src/machine/linear-plan.ts";
import { Machine } from "../src/machine/machine.ts";
import type { NamedBytes, Tier } from "../src/machine/runnable.ts";
import { at } from "./systems.ts";

const MIB = 2 ** 20;
const PAGE = 4096;

const file = (...parts: string[]): Uint8Array => readFileSync(at(...parts));
const named = (...parts: string[]): NamedBytes => ({ name: parts.join("/"), bytes: file(...parts) });

interface Session {
  readonly machine: Machine;
  /** Runs until the console has shown the text. */
  until(text: string): Promise<void>;
  type(text: string): void;
}

async function start(options: { memory: number; tier: Tier; initrd: NamedBytes; append: string }): Promise<Session> {
  let shown = "";
  let typed = Buffer.alloc(0);
  let readable = (): void => {};
  const machine = await Machine.create({
    ...options,
    ...{ cpus: 1, cpu: "max", gicVersion: 3, loads: [], disks: [] },
    ...{ entropy, wallClock, monotonic, inflate, kernel: named("guests", "embedded", "Image.gz") },
    serial: {
      write: (bytes) => {
        shown += Buffer.from(bytes).toString("latin1");
      },
      read: (most) => {
        const part = typed.subarray(0, most);
        typed = typed.subarray(part.length);
        return part;
      },
      onReadable: (listener) => {
        readable = listener;
      },
    },
    terminalSize: { get: () => undefined, onChange: () => {} },
    artifacts: {
      native: file("build", "native.wasm"),
      interpreter: file("build", "interpreter.wasm"),
      handlers: readFileSync(at("build", "interpreter.json"), "utf8"),
    },
  });
  return {
    machine,
    async until(text) {
      while (!shown.includes(text)) {
        const state = machine.run(10);
        // What it shows last comes with its end.
        if (shown.includes(text)) return;
        if (state.kind === "off" || state.kind === "reset")
          throw new Error(`ended before ${text}: ${shown.slice(-500)}`);
        if (state.kind === "idle") {
          await new Promise((resolve) => setTimeout(resolve, Math.min(state.nanoseconds / 1e6, 10)));
        }
      }
    },
    type(text) {
      typed = Buffer.concat([typed, Buffer.from(text)]);
      readable();
    },
  };
}

const instructionsOf = (machine: Machine): number =>
  machine.statistics().find(({ section, name }) => section === "instructions" && name === "all")?.value ?? Number.NaN;

/** Million instructions a CPU second, from power-on to init and in the row `integer`. */
async function interpreter(): Promise<Record<string, number>> {
  const { machine, until } = await start({
    ...{ memory: 512 * MIB, tier: "interpreter", append: "console=ttyAMA0 quiet atoll.bench=integer atoll.scale=0.1" },
    initrd: named(".cache", "bench", "initramfs.cpio.gz"),
  });
  let instructions = 0;
  let cpu = process.cpuUsage();
  const rate = (): number => {
    const used = process.cpuUsage(cpu);
    const retired = instructionsOf(machine) - instructions;
    instructions += retired;
    cpu = process.cpuUsage();
    return retired / (used.user + used.system);
  };
  await until("BENCH-INIT");
  const boot = rate();
  await until("BENCH integer");
  return { boot, integer: rate() };
}

/** Megabytes that the command has in memory at the embedded guest's prompt: in all, and of them the guest's RAM and the engine's decoded pages. */
async function resident(mib: number): Promise<Record<string, number>> {
  const memory = mib * MIB;
  const atoll = spawn(process.execPath, [
    at("bin", "atoll.js"),
    "run",
    "--boot",
    "--memory",
    `${mib}M`,
    "--timeout",
    "60",
  ]);
  let shown = "";
  for await (const data of atoll.stdout) {
    shown += data;
    if (shown.includes("atoll:~# ")) break;
  }
  const proc = `/proc/${atoll.pid}`;
  const plan = planMemory(memory, 1, Engine.areaBytes());
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`${proc}/status`, "latin1"))?.[1]) * 1024;
  const linear = mappingOf(proc, plan.bytes);
  const mibytes = (address: number, bytes: number): number => residentPages(proc, address, bytes) * (PAGE / MIB);
  const { ram, area, flash0 } = plan;
  const found = { rss: rss / MIB, ram: mibytes(linear + ram, memory), decoded: mibytes(linear + area, flash0 - area) };
  atoll.kill("SIGKILL");
  return found;
}

/** Address of the mapping that the machine's memory is: the only one of that size that can be written. */
function mappingOf(proc: string, bytes: number): number {
  for (const line of readFileSync(`${proc}/maps`, "latin1").split("\n")) {
    const [, from, to] = /^(\w+)-(\w+) rw/.exec(line) ?? [];
    if (from === undefined || to === undefined) continue;
    const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
    if (end - start === bytes) return start;
  }
  throw new Error("the machine's memory was not found among the mappings of the process");
}

/** How many pages from an address on are in memory: bit 63 of each entry of pagemap. */
function residentPages(proc: string, address: number, bytes: number): number {
  const pagemap = openSync(`${proc}/pagemap`, "r");
  const entries = Buffer.alloc((bytes / PAGE) * 8);
  let got = 0;
  while (got < entries.length) {
    const more = readSync(pagemap, entries, got, Math.min(entries.length - got, 65536), (address / PAGE) * 8 + got);
    if (more === 0) break;
    got += more;
  }
  closeSync(pagemap);
  let count = 0;
  for (let i = 7; i < got; i += 8) count += (entries[i] as number) >> 7;
  return count;
}

const [what, mib] = process.argv.slice(2);
console.log(JSON.stringify(what === "interpreter" ? await interpreter() : await resident(Number(mib))));
