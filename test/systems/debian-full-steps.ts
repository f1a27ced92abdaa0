// What is done with the Debian of guests/debian-full.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { GuestProcess, ROOT } from "../support/atoll.ts";
import { FILES } from "./files.ts";

const made = (...names: string[]): string => join(ROOT, ".cache", "debian-full", ...names);

export const DEBIAN = {
  disk: made("disk.img"),
  kernel: made("vmlinuz"),
  initrd: made("initrd.img"),
  repository: made("repository"),
  installer: made("installer", "linux"),
  installerInitrd: made("installer", "initrd.gz"),
} as const;

/** For a test's `skip`: false, or why it is skipped. */
export function missingDebian(): false | string {
  return Object.values(DEBIAN).every((path) => existsSync(path))
    ? false
    : "run guests/debian-full/build.sh to get a Debian";
}

export type Emulator = "atoll" | "qemu";
/** The kernel and its initrd by --kernel and --initrd, or EDK2 and GRUB from the disk. */
export type Boot = "direct" | "firmware";

export interface DebianOptions {
  readonly emulator: Emulator;
  readonly boot: Boot;
  readonly cpus: number;
  /** For each step at most. */
  readonly seconds: number;
}

/** Milliseconds since the process was started, at each step. */
export type Times = Record<string, number>;

const APPEND = "console=ttyAMA0 root=LABEL=root";

function start(overlay: string, { emulator, boot, cpus }: DebianOptions): GuestProcess {
  const kernel = ["kernel", DEBIAN.kernel, "initrd", DEBIAN.initrd, "append", APPEND];
  if (emulator === "atoll") {
    const direct = boot === "direct" ? ["--kernel", DEBIAN.kernel, "--initrd", DEBIAN.initrd, "--append", APPEND] : [];
    const firmware = boot === "firmware" ? ["--bios", FILES.edk2] : [];
    const machine = ["--memory", "1G", "--cpus", `${cpus}`, "--disk", overlay, "--net", "user", "--no-reboot"];
    return new GuestProcess(process.execPath, [
      join(ROOT, "bin", "atoll.js"),
      "run",
      ...machine,
      ...direct,
      ...firmware,
    ]);
  }
  const direct = boot === "direct" ? kernel.map((word, i) => (i % 2 === 0 ? `-${word}` : word)) : [];
  const firmware = boot === "firmware" ? ["-bios", FILES.edk2] : [];
  const disk = ["-drive", `if=none,id=d,file=${overlay},format=qcow2`, "-device", "virtio-blk-device,drive=d"];
  const net = ["-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n"];
  const machine = [
    "-M",
    "virt",
    "-cpu",
    "max,pauth-impdef=on",
    "-m",
    "1G",
    "-smp",
    `${cpus}`,
    "-nographic",
    "-no-reboot",
  ];
  return new GuestProcess("qemu-system-aarch64", [...machine, ...disk, ...net, ...direct, ...firmware]);
}

let commands = 0;

/** Types a command, and waits until it has ended well. Returns what it printed, its echo included. */
async function run(guest: GuestProcess, command: string, seconds: number): Promise<string> {
  const from = guest.stdout.length;
  commands++;
  // In two pieces, so that the echo of what is typed is not taken for the answer.
  guest.type(`${command}; echo en''ded${commands}=$?.\r`);
  const answer = new RegExp(`ended${commands}=(\\d+)\\.`);
  await guest.waitFor(answer, seconds);
  assert.equal(answer.exec(guest.stdout)?.[1], "0", guest.stdout.slice(from));
  return guest.stdout.slice(from);
}

async function login(guest: GuestProcess, seconds: number): Promise<number> {
  const shown = await guest.waitFor(/atoll-debian login: /, seconds);
  guest.type("root\r");
  await guest.waitFor("Password:", seconds);
  guest.type("atoll\r");
  await guest.waitFor(/root@atoll-debian:~# /, seconds);
  return shown;
}

async function powerOff(guest: GuestProcess, times: Times): Promise<void> {
  guest.type("poweroff\r");
  const { status, milliseconds, stdout, stderr } = await guest.finished;
  assert.equal(status, 0, stdout.slice(-2000) + stderr);
  times["process has ended"] = milliseconds;
}

/** The first boot: packages from a server on this computer's loopback interface. */
export async function install(overlay: string, options: DebianOptions): Promise<Times> {
  const times: Times = {};
  const served: string[] = [];
  const server = createServer((request, response) => {
    // Whatever is asked for, a file of the folder and nothing else.
    const path = join(DEBIAN.repository, basename(decodeURIComponent(request.url ?? "")));
    served.push(basename(path));
    if (!existsSync(path) || path === DEBIAN.repository) response.writeHead(404).end();
    else response.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const guest = start(overlay, options);
  const now = (): number => performance.now() - guest.started;
  try {
    times["login prompt"] = await login(guest, options.seconds);
    const { port } = server.address() as AddressInfo;
    await run(guest, "systemctl is-system-running --wait", options.seconds);
    times["all services are up"] = now();
    await run(guest, `echo 'deb [trusted=yes] http://10.0.2.2:${port} ./' >/etc/apt/sources.list`, options.seconds);
    await run(guest, "apt-get update", options.seconds);
    await run(guest, "apt-get install -y hello jq", options.seconds);
    times["packages are installed"] = now();
    assert.match(
      await run(guest, "hello && echo '{\"a\":[1,42]}' | jq -M .a[1]", options.seconds),
      /Hello, world!\s+42/,
    );
    assert.ok(served.some((name) => name.startsWith("hello_")) && served.some((name) => name.startsWith("libonig5_")));
    await powerOff(guest, times);
  } finally {
    guest.child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  }
  return times;
}

/** The second boot: what was installed is there, and the file system was left clean. */
export async function remains(overlay: string, options: DebianOptions): Promise<Times> {
  const times: Times = {};
  const guest = start(overlay, options);
  try {
    times["login prompt"] = await login(guest, options.seconds);
    assert.match(await run(guest, "hello && dpkg -l jq | tail -1", options.seconds), /Hello, world![\s\S]*ii +jq/);
    const log = await run(guest, "journalctl -b -k --no-pager | grep -iE 'ext4|recover'", options.seconds);
    assert.doesNotMatch(log, /recovery complete|orphan|error/i);
    await powerOff(guest, times);
  } finally {
    guest.child.kill("SIGKILL");
  }
  return times;
}
