// Runs the systems of docs/systems.md in all combinations and prints what came of them, with times, as the tables of that page. Takes about
// ten minutes on a quiet machine; not part of `npm test`.
//
//   node test/systems/report.ts [xen] [kvm] [qemu]
//
// xen, kvm: only these. qemu: the same on qemu-system-aarch64 as well, each run next to Atoll's, and the ratios.

import type { GuestProcess } from "../support/atoll.ts";
import { missing } from "./files.ts";
import { KVM_SAYS, type KvmSetup, startKvmHost } from "./kvm.ts";
import { askShells, domainsUp, startXen, type XenSetup } from "./xen.ts";

const wanted = new Set(process.argv.slice(2));
const withQemu = wanted.delete("qemu");
const wants = (what: string): boolean => wanted.size === 0 || wanted.has(what);
const makers = withQemu ? (["atoll", "qemu"] as const) : (["atoll"] as const);

const CPUS = ["cortex-a72", "max"] as const;
const GICS = [2, 3] as const;
const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);
const row = (...cells: (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);
const header = (...cells: string[]): void => {
  row(...cells);
  row(...cells.map(() => "---"));
};

/** Runs one system on each maker's machine, and prints a row. `run` returns the figures. */
async function measure(cells: readonly (string | number)[], run: (who: "atoll" | "qemu") => Promise<number[]>) {
  const figures: number[][] = [];
  const columns: string[] = [];
  for (const who of makers) {
    try {
      const result = await run(who);
      figures.push(result);
      columns.push(...result.map(seconds));
    } catch (error) {
      columns.push(`failed: ${String(error).slice(0, 200).replaceAll(/\s+/g, " ")}`);
    }
  }
  const [ours, theirs] = figures;
  const ratios = ours && theirs ? ours.map((figure, i) => (figure / (theirs[i] as number)).toFixed(2)) : [];
  row(...cells, ...columns, ...ratios);
}

async function xen(): Promise<void> {
  const skip = missing("xen", "kernel", "initrd");
  if (skip) return console.log(`Xen: ${skip}`);
  header(
    "CPU",
    "GIC",
    "PEs",
    "domains",
    ...makers.flatMap((m) => [`${m}: all consoles up, s`, `${m}: CPU time, s`]),
    ...(withQemu ? ["ratio", "ratio of CPU time"] : []),
  );
  for (const cpu of CPUS) {
    for (const gic of GICS) {
      for (const cpus of [1, 2]) {
        for (const domUs of [0, 2]) {
          const setup: XenSetup = { cpu, gic, cpus, domUs };
          await measure([cpu, gic, cpus, domUs === 0 ? "dom0" : `${domUs} domUs`], async (who) => {
            const guest = startXen(who, setup);
            try {
              const time = await domainsUp(guest, setup, 200);
              const cpu = guest.cpuSeconds() * 1000;
              await askShells(guest, setup, 60);
              return [time, cpu];
            } finally {
              guest.kill();
            }
          });
        }
      }
    }
  }
}

async function kvm(): Promise<void> {
  const skip = missing("kernel", "kvmHost");
  if (skip) return console.log(`KVM: ${skip}`);
  header(
    ...["CPU", "GIC", "PEs"],
    ...makers.flatMap((m) => [`${m}: host, s`, `${m}: its guest, s`, `${m}: guest / host`]),
  );
  for (const cpu of CPUS) {
    for (const gic of GICS) {
      for (const cpus of [1, 2]) {
        const setup: KvmSetup = { cpu, gic, cpus };
        const cells: string[] = [];
        for (const who of makers) cells.push(...(await bootTimes(startKvmHost(who, setup, "poweroff"), who, setup)));
        row(cpu, gic, cpus, ...cells);
      }
    }
  }
}

/** The host's time is from the start of the process to its init; the guest's from there to its own init, the start of the VMM included. */
async function bootTimes(guest: GuestProcess, who: string, { cpu }: KvmSetup): Promise<string[]> {
  try {
    await guest.waitFor(KVM_SAYS[cpu], 60);
    const host = await guest.waitFor("ATOLL-HOST-REACHED", 60);
    const inner = (await guest.waitFor("ATOLL-INIT-REACHED", 120)) - host;
    return [seconds(host), seconds(inner), (inner / host).toFixed(2)];
  } catch (error) {
    return [`failed: ${who} ${String(error).slice(0, 200).replaceAll(/\s+/g, " ")}`, "", ""];
  } finally {
    guest.kill();
  }
}

if (wants("xen")) await xen();
if (wants("kvm")) await kvm();
