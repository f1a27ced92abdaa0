import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Atoll, atoll, ROOT } from "../../test/support/atoll.ts";
import { ECHO, rawKernel } from "../../test/support/raw-kernels.ts";
import { EXIT_STATUS } from "./exit-status.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-run-"));
after(() => rmSync(folder, { recursive: true }));

const program = (name: string, ...words: number[]): string => rawKernel(folder, name, words);

const SPIN = 0x14000000; // b .
const WFI = 0xd503207f;
/** PSCI function 0x84000000 + n by HVC (Arm DEN 0022). */
const psci = (n: number): number[] => [0x52800000 | (n << 5), 0x72b08000, 0xd4000002];

const spin = program("spin", SPIN);
const wait = program("wait", WFI, 0x17ffffff); // wfi; b .-4
const off = program("off", ...psci(8));
const reset = program("reset", ...psci(9));
const echo = program("echo", ...ECHO);

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const x86 = Buffer.alloc(1024);
x86.set([0x55, 0xaa], 0x1fe);
x86.write("HdrS", 0x202);

const BAD: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    "an x86 kernel",
    ["--kernel", file("x86", x86)],
    /is an x86 Linux kernel; this machine needs a 64-bit Arm .* kernel/,
  ],
  ["too little memory", ["--memory", "4M"], /^atoll: too little memory: .*; give --memory \d+M$/],
  [
    "a device tree that is none",
    ["--kernel", spin, "--dtb", file("dtb", "no tree")],
    /no device tree blob .*make one with dtc/,
  ],
  ["a file placed outside RAM", ["--kernel", spin, "--load", `${spin}@0x1000`], /RAM is from 0x40000000 to 0x5fffffff/],
  ["an empty kernel", ["--kernel", file("empty", "")], /empty/],
  ["more CPUs than a GICv2 has", ["--cpus", "9", "--machine", "virt,gic-version=2"], /at most 8/],
  ["more disks than slots", Array(31).fill(`--disk=${spin},readonly`), /room for 29 disks/],
];

for (const [what, args, line] of BAD) {
  test(`${what} is refused in one line`, async () => {
    const { status, stdout, stderr } = await atoll("run", ...args);
    assert.match(stderr, /^atoll: [^\n]+\n$/);
    assert.match(stderr.trimEnd(), line);
    assert.equal(stdout, "");
    assert.equal(status, EXIT_STATUS.badInput);
  });
}

const ENDS: readonly (readonly [string, readonly string[], number])[] = [
  ["powers off", ["--kernel", off], EXIT_STATUS.ok],
  ["resets, with --no-reboot,", ["--kernel", reset, "--no-reboot"], EXIT_STATUS.guestReset],
  ["resets for ever", ["--kernel", reset, "--timeout", "0.3"], EXIT_STATUS.timeout],
  ["spins", ["--kernel", spin, "--timeout", "0.3"], EXIT_STATUS.timeout],
  ["waits for ever", ["--kernel", wait, "--timeout", "0.3"], EXIT_STATUS.timeout],
];

for (const [what, args, expected] of ENDS) {
  test(`a guest that ${what} ends with status ${expected}`, { timeout: 30_000 }, async () => {
    const { status, stderr } = await atoll("run", ...args);
    assert.equal(status, expected, stderr);
  });
}

test("what is typed reaches the guest's UART, and what it says comes out", { timeout: 30_000 }, async () => {
  const guest = new Atoll(["run", "--kernel", echo, "--timeout", "20"]);
  await guest.waitFor("!", 20);
  guest.type("hello\x01x");
  await guest.waitFor("!hello\x01x", 20);
  guest.child.kill("SIGTERM");
  assert.equal((await guest.finished).status, EXIT_STATUS.interrupted);
});

test("signals end a run with status 130", { timeout: 30_000 }, async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const guest = new Atoll(["run", "--kernel", echo]);
    await guest.waitFor("!", 20);
    guest.child.kill(signal);
    assert.equal((await guest.finished).status, EXIT_STATUS.interrupted, signal);
  }
});

test("a reader that goes away ends the run", { timeout: 30_000 }, async () => {
  const guest = new Atoll(["run", "--kernel", echo, "--timeout", "20"]);
  await guest.waitFor("!", 20);
  guest.child.stdout.destroy();
  guest.type("anybody there?");
  assert.equal((await guest.finished).status, EXIT_STATUS.interrupted);
});

test("--dump-dtb writes a device tree and exits", async () => {
  const path = join(folder, "out.dtb");
  const { status, stdout, stderr } = await atoll("run", "--kernel", spin, "--dump-dtb", path);
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  assert.equal(readFileSync(path).readUInt32BE(0), 0xd00dfeed);
});

const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

test("on a terminal, ctrl-a opens the monitor and leaves", { skip: !hasScript, timeout: 30_000 }, async (t) => {
  const command = `stty rows 33 cols 99; '${process.execPath}' src/cli/main.ts run --kernel '${echo}'; echo status=$?; stty -a`;
  const terminal = spawn("script", ["-qec", command, "/dev/null"], { cwd: ROOT });
  t.after(() => terminal.kill("SIGKILL"));
  let shown = "";
  terminal.stdout.on("data", (d: Buffer) => {
    shown += d.toString("latin1");
  });
  const shows = async (text: string | RegExp): Promise<void> => {
    for (let i = 0; i < 200 && shown.search(text) < 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.match(shown, new RegExp(text));
    shown = "";
  };
  await shows("!");
  terminal.stdin.write("one\x03");
  await shows("one\x03");
  terminal.stdin.write("\x01h");
  await shows("ctrl-a x +quit");
  terminal.stdin.write("\x01cinfo registers\r");
  await shows(/PC=[0-9a-f]{16}/);
  terminal.stdin.write("info mtree\r");
  await shows(/40000000/);
  terminal.stdin.write("\x01ctwo");
  await shows("two");
  terminal.stdin.write("\x01x");
  await shows(/status=0.* icanon .* echo /s);
  terminal.stdin.end();
});
