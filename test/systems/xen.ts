// How Xen is started, on Atoll and on qemu-system-aarch64: the same machine, modules at the same addresses.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFdt, writeFdt } from "../../src/machine/fdt.ts";
import { Atoll, GuestProcess, ROOT } from "../support/atoll.ts";
import { FILES } from "./files.ts";
import { addXenModules } from "./xen-device-tree.ts";

export interface XenSetup {
  readonly cpu: "cortex-a72" | "max";
  readonly gic: 2 | 3;
  readonly cpus: number;
  /** Domains without dom0; 0: dom0 alone. */
  readonly domUs: number;
}

const QEMU = "qemu-system-aarch64";
const KERNEL_AT = 0x5000_0000;
const INITRD_AT = 0x5400_0000;

function atollMachine({ cpu, gic, cpus }: XenSetup): string[] {
  const board = `virt,gic-version=${gic},virtualization=on`;
  return ["--machine", board, "--cpu", cpu, "--cpus", `${cpus}`, "--memory", "2G", "--kernel", FILES.xen];
}

/** What Atoll's `max` has, as far as QEMU can be told: no SVE, and pointer authentication by a quick algorithm. */
function qemuMachine({ cpu, gic, cpus }: XenSetup, extra = ""): string[] {
  const model = cpu === "max" ? "max,sve=off,pauth-impdef=on" : cpu;
  const board = `virt,gic-version=${gic},virtualization=on${extra}`;
  return ["-M", board, "-cpu", model, "-smp", `${cpus}`, "-m", "2048", "-nic", "none", "-display", "none"];
}

/** Starts Xen with that many domains. The console is the hypervisor's. */
export function startXen(who: "atoll" | "qemu", setup: XenSetup, timeout = 300): GuestProcess {
  const folder = mkdtempSync(join(tmpdir(), "atoll-xen-"));
  const dtb = join(folder, "xen.dtb");
  if (who === "atoll") {
    const main = join(ROOT, "src", "cli", "main.ts");
    execFileSync(process.execPath, [main, "run", ...atollMachine(setup), "--dump-dtb", dtb]);
  } else {
    execFileSync(QEMU, qemuMachine(setup, `,dumpdtb=${dtb}`), { stdio: "ignore" });
  }
  const tree = readFdt(readFileSync(dtb));
  addXenModules(tree, {
    kernel: { address: KERNEL_AT, bytes: statSync(FILES.kernel).size },
    initrd: { address: INITRD_AT, bytes: statSync(FILES.initrd).size },
    xenAppend: "console=dtuart dtuart=/pl011@9000000 dom0_mem=512M",
    append: `console=${setup.domUs === 0 ? "hvc0" : "ttyAMA0"} rdinit=/init`,
    domUs: setup.domUs,
    domUMemory: 256,
  });
  writeFileSync(dtb, writeFdt(tree));
  const load = (file: string, address: number): string[] =>
    who === "atoll"
      ? ["--load", `${file}@${address}`]
      : ["-device", `loader,file=${file},addr=${address},force-raw=on`];
  const modules = [...load(FILES.kernel, KERNEL_AT), ...load(FILES.initrd, INITRD_AT)];
  const guest =
    who === "atoll"
      ? new Atoll(["run", ...atollMachine(setup), "--dtb", dtb, ...modules, "--timeout", `${timeout}`])
      : new GuestProcess(QEMU, [
          ...[...qemuMachine(setup), "-serial", "stdio", "-kernel", FILES.xen, "-dtb", dtb],
          ...modules,
        ]);
  void guest.finished.then(() => rmSync(folder, { recursive: true }));
  return guest;
}

/** Waits until all domains are up; returns milliseconds since the start. */
export async function domainsUp(guest: GuestProcess, { domUs }: XenSetup, seconds: number): Promise<number> {
  const ready = (n: number): string => (domUs === 0 ? "BusyBox v" : `DOM${n}: BusyBox v`);
  let milliseconds = 0;
  for (let n = 1; n <= Math.max(1, domUs); n++) milliseconds = await guest.waitFor(ready(n), seconds);
  return milliseconds;
}

/** Xen gives its console's input to the next domain. */
const NEXT_DOMAIN = "\x01\x01\x01";

/** Has a shell in each domain answer. */
export async function askShells(guest: GuestProcess, { domUs }: XenSetup, seconds: number): Promise<void> {
  if (domUs === 0) {
    await guest.ask("echo shell-$((6*7))\n", "shell-42", seconds);
    return;
  }
  for (let n = 1; n <= domUs; n++) {
    await guest.ask(NEXT_DOMAIN, `input to DOM${n}`, seconds);
    await guest.ask(`echo shell${n}-$((6*7))\n`, `shell${n}-42`, seconds);
  }
}
