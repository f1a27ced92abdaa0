// npm run bench [-- [--peers] [--rows a,b] [--runs N] [--quick | --scale F] [--no-save]]
//
// Boots the same guest on Atoll and, where it is installed, on QEMU (TCG), run after run in turns, and compares medians. With all
// rows at full size it measures Atoll by itself, too, and writes bench/results.json, bench/results.svg, and the tables of
// docs/performance.md.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import {
  chart,
  type Elapsed,
  type Figure,
  type Measure,
  measuresTable,
  median,
  type Results,
  rowsTable,
  type SystemFigures,
  withResults,
} from "./report.ts";
import { QUICK_SCALE, ROWS } from "./rows.ts";
import { at, atoll, boot, FIRST_RUN, type Guest, KEPT, type Line, qemu, type System, v86 } from "./systems.ts";

/** Seconds within which a row must be done, on any of the systems. */
const ROW_LIMIT = 90;
const BOOT_LIMIT = 180;

const { values: options } = parseArgs({
  options: {
    peers: { type: "boolean", default: false },
    rows: { type: "string" },
    runs: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    scale: { type: "string" },
    "no-save": { type: "boolean", default: false },
  },
});
const runs = Number(options.runs);
const scale = options.quick ? QUICK_SCALE : Number(options.scale ?? 1);
const full = options.rows === undefined && scale === 1;
const rows = options.rows === undefined ? ROWS : ROWS.filter(({ name }) => options.rows?.split(",").includes(name));
if (!(runs >= 1) || !(scale > 0) || (options.rows !== undefined && rows.length !== options.rows.split(",").length)) {
  console.error(`bench: --runs and --scale are numbers, --rows are of: ${ROWS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const note = (text: string): void => console.error(`bench: ${text}`);
const embedded = (initrd: string, append: string): Guest => ({
  kernel: at("guests", "embedded", "Image.gz"),
  initrd,
  append: `console=ttyAMA0 quiet${append}`,
});
const benchArguments = ` atoll.bench=${rows.map(({ name }) => name).join(",")} atoll.scale=${scale}`;
const benchGuest = embedded(at(".cache", "bench", "initramfs.cpio.gz"), benchArguments);
const peerFolder = (name: string): string => at(".cache", "bench", "i386", name);

/** Builds the guest; false where that cannot be done here. */
function build(...parts: string[]): boolean {
  const { status } = spawnSync(at("bench", "guest", "build.sh"), parts, { stdio: ["ignore", "inherit", "inherit"] });
  return status === 0;
}

/** Seconds to init, and the rows' figures, of the console's lines. */
function figuresOf(system: System, lines: readonly Line[]): Pick<SystemFigures, "toInit" | "rows"> {
  const found: Record<string, Figure> = {};
  let before = lines.find(({ text }) => text.includes("BENCH-INIT")) as Line;
  const toInit = { seconds: before.seconds, cpuSeconds: before.cpuSeconds };
  for (const line of lines) {
    const [, name, value, unit, check] = /^BENCH (\S+) ([\d.e+-]+) (\S+) ([0-9a-f]{16})$/.exec(line.text) ?? [];
    if (name && value && unit && check) {
      found[name] = { value: Number(value), unit, check, cpuSeconds: line.cpuSeconds - before.cpuSeconds };
    } else if (line.text.startsWith("BENCH ")) note(`${system.name} says ${line.text}`);
    if (line.text.startsWith("BENCH ")) before = line;
  }
  return { toInit, rows: found };
}

/** All runs of all systems, in turns. */
async function compare(systems: readonly { system: System; guest: Guest }[]): Promise<SystemFigures[]> {
  const all = systems.map(() => [] as ReturnType<typeof figuresOf>[]);
  for (let run = 0; run < runs; run++) {
    for (const [i, { system, guest }] of systems.entries()) {
      note(`run ${run + 1} of ${runs}: ${system.name}`);
      try {
        const lines = await boot(system, guest, /BENCH-DONE/, BOOT_LIMIT + rows.length * ROW_LIMIT * scale);
        all[i]?.push(figuresOf(system, lines));
      } catch (error) {
        note(String(error));
      }
    }
  }
  return systems.map(({ system }, i) => {
    const ran = all[i] as ReturnType<typeof figuresOf>[];
    const medians: Record<string, Figure> = {};
    for (const { name } of rows) {
      const figures = ran.flatMap((r) => r.rows[name] ?? []);
      const first = figures[0];
      if (first === undefined) continue;
      medians[name] = {
        ...first,
        value: median(figures.map((f) => f.value)),
        cpuSeconds: median(figures.map((f) => f.cpuSeconds)),
      };
    }
    const { name, version } = system;
    return { name, version, runs: ran.length, toInit: medianOf(ran.map((r) => r.toInit)), rows: medians };
  });
}

/** Two machines of one architecture must compute the same. */
function verify([ours, theirs]: readonly SystemFigures[]): void {
  for (const [name, { check }] of Object.entries(theirs?.rows ?? {})) {
    if (ours?.rows[name] && ours.rows[name].check !== check) {
      note(`${name}: Atoll's result differs from ${theirs?.name}'s: ${ours.rows[name].check}, not ${check}`);
      process.exitCode = 1;
    }
  }
}

const medianOf = (times: readonly Elapsed[]): Elapsed => ({
  seconds: median(times.map((t) => t.seconds)),
  cpuSeconds: median(times.map((t) => t.cpuSeconds)),
});

async function timeTo(system: System, guest: Guest, shown: RegExp): Promise<Elapsed> {
  const times: Elapsed[] = [];
  for (let run = 0; run < runs; run++) times.push((await boot(system, guest, shown, BOOT_LIMIT)).at(-1) as Line);
  return medianOf(times);
}

function alone(...args: string[]): Record<string, number> {
  const { stdout, status } = spawnSync(process.execPath, [at("bench", "alone.ts"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`bench/alone.ts ${args.join(" ")} failed`);
  return JSON.parse(stdout);
}

/** What is asked of Atoll by itself. */
async function measure(ours: System, theirs: System | undefined): Promise<Measure[]> {
  const measures: Measure[] = [];
  const boots: [string, Guest, RegExp, string][] = [
    [
      "embedded guest to its prompt",
      embedded(at("guests", "embedded", "initramfs.cpio.gz"), ""),
      /^atoll:~# /,
      "< 3 s",
    ],
  ];
  const kernel = at(".cache", "debian", "vmlinuz");
  if (existsSync(kernel)) {
    const initrd = at(".cache", "debian", "initramfs.cpio.gz");
    const guest = { kernel, initrd, append: "console=ttyAMA0" };
    boots.push(["Debian's cloud kernel to /init", guest, /ATOLL-INIT-REACHED/, "< 15 s"]);
  } else note("no Debian kernel: guests/debian/fetch.sh fetches it");
  for (const [what, guest, shown, limit] of boots) {
    note(what);
    const our = await timeTo(ours, guest, shown);
    const their = theirs && (await timeTo(theirs, guest, shown));
    measures.push({ what, value: our.seconds, unit: "s", limit, ...(their && { qemu: their.seconds }) });
    const cpu = { what: `${what}, CPU time`, value: our.cpuSeconds, unit: "s", limit: "" };
    measures.push({ ...cpu, ...(their && { qemu: their.cpuSeconds }) });
  }
  note("interpreter alone");
  const { boot: booting, integer } = alone("interpreter") as { boot: number; integer: number };
  measures.push({ what: "interpreter alone, boot", value: booting, unit: "M instructions/s", limit: ">= 60" });
  measures.push({ what: "interpreter alone, row integer", value: integer, unit: "M instructions/s", limit: ">= 60" });
  if (process.platform !== "linux") return measures;
  for (const mib of [64, 512, 2048]) {
    note(`resident memory with ${mib} MiB of RAM`);
    const { rss, ram, decoded } = alone("resident", `${mib}`) as Record<"rss" | "ram" | "decoded", number>;
    const part = `RAM touched ${ram.toFixed(0)} MiB, decoded code ${decoded.toFixed(0)} MiB`;
    const what = `resident at the prompt beyond touched RAM, --memory ${mib}M (${part})`;
    measures.push({ what, value: rss - ram, unit: "MiB", limit: "< 200 MiB" });
  }
  return measures;
}

function save(results: Results): void {
  const others = results.systems.length > 2;
  writeFileSync(at("bench", "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  if (others) {
    const systems = results.systems.filter(({ name }) => name !== FIRST_RUN);
    writeFileSync(at("bench", "results.svg"), chart({ ...results, systems }, rows));
  }
  const document = at("docs", "performance.md");
  const ran = results.systems.map(({ name, version, runs }) => `${name} ${version} (${runs} runs)`).join(", ");
  const content = [
    `${results.date}: ${results.host}; ${ran}.`,
    measuresTable(results),
    rowsTable(results, rows),
    ...(others ? ["![Ratios](../bench/results.svg)"] : []),
  ];
  writeFileSync(document, withResults(readFileSync(document, "utf8"), content.join("\n\n")));
}

if (!existsSync(at("build", "native.wasm"))) {
  console.error("bench: npm run build has to be run first");
  process.exit(2);
}
if (!build()) {
  console.error("bench: the guest cannot be built here");
  process.exit(2);
}

rmSync(KEPT, { recursive: true, force: true });
const ours = atoll("Atoll", KEPT);
const theirs = qemu();
if (theirs === undefined) note("no qemu-system-aarch64: Atoll alone (apt-get install qemu-system-arm)");
const systems = [{ system: ours, guest: benchGuest }];
if (theirs) systems.push({ system: theirs, guest: benchGuest });
if (options.peers) {
  const peer = v86();
  if (peer === undefined) note("no v86: npm install --prefix .cache/peers v86");
  else if (!build("i386")) note("no i386 guest, so without v86");
  else {
    const guest = { kernel: peerFolder("vmlinuz"), initrd: peerFolder("initramfs.cpio.gz") };
    systems.push({ system: peer, guest: { ...guest, append: `console=ttyS0 quiet${benchArguments}` } });
  }
}

systems.push({ system: atoll(FIRST_RUN, ""), guest: benchGuest });
note("a run that is not counted, for what is kept of it");
await boot(ours, benchGuest, /BENCH-DONE/, BOOT_LIMIT + rows.length * ROW_LIMIT * scale);

const figures = (await compare(systems)).filter(({ runs }) => runs > 0);
if (figures[0]?.name !== ours.name) {
  console.error("bench: Atoll did not get through any run");
  process.exit(1);
}
verify(figures.filter(({ name }) => name !== "v86" && name !== FIRST_RUN));
const processors = cpus();
const compared: Results = {
  date: new Date().toISOString().slice(0, 10),
  host: `${processors.length} x ${processors[0]?.model ?? "?"}, Node ${process.version}, load average ${loadavg()[1]?.toFixed(1)}`,
  scale,
  measures: [],
  systems: figures,
};
console.log(`${rowsTable(compared, rows)}\n`);
if (!full) process.exit();
const results = { ...compared, measures: await measure(ours, theirs) };
console.log(measuresTable(results));
if (!options["no-save"]) save(results);
