import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EXIT_STATUS } from "../../src/cli/exit-status.ts";
import type { ActionError } from "../../src/contract/action.ts";
import { newMachine } from "../../src/contract/definition.ts";
import { Machines } from "../../src/server/machines.ts";
import { StateDirectory } from "../../src/server/state-directory.ts";
import { Atoll, atoll, type Finished, ROOT } from "../support/atoll.ts";
import { ECHO, rawKernel } from "../support/raw-kernels.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-machines-"));
// Of the commands, too.
process.env.ATOLL_HOME = join(folder, "home");
const state = new StateDirectory(process.env.ATOLL_HOME);
const machines = new Machines(state, [process.execPath, join(ROOT, "src", "cli", "main.ts")]);
after(async () => {
  for (const { name } of (await machines.list()).machines) await machines.remove({ name, force: true });
  machines.close();
  rmSync(folder, { recursive: true });
});

const echo = rawKernel(folder, "echo", ECHO);

function fails({ status, stdout, stderr }: Finished, expected: number, line: RegExp): void {
  assert.match(stderr, /^atoll: [^\n]+\n$/);
  assert.match(stderr, line);
  assert.deepEqual([status, stdout], [expected, ""]);
}

const statusOf = async (name: string): Promise<string> => (await machines.info({ name })).status;
const refused =
  (code: ActionError["code"]) =>
  (error: unknown): boolean =>
    (error as ActionError).code === code;

test("a machine is created, and shown by what it was created with", { timeout: 180_000 }, async () => {
  const created = await atoll(
    ...["create", "shown", "--kernel", echo, "--memory", "64M", "--disk", "new:1G,serial=one"],
    ...["--disk", `${echo},readonly`, "--net", "none"],
  );
  assert.deepEqual([created.status, created.stderr], [0, ""]);
  const [again, info, list, json] = await Promise.all([
    atoll("create", "shown"),
    atoll("info", "shown"),
    atoll("ls"),
    atoll("ls", "--json"),
  ]);
  fails(again, EXIT_STATUS.wrongState, /there is a machine shown already/);
  assert.match(info.stdout, /^disk +file=disk0.qcow2,format=qcow2,serial=one\ndisk +file=.*,readOnly\n/m);
  assert.match(list.stdout, /^NAME .*\nshown +off +1 +64M +2 +never\n$/);
  const [shown] = JSON.parse(json.stdout) as { definition: { kernel: string; memory: number } }[];
  assert.equal(shown?.definition.kernel, echo);
  assert.equal(shown?.definition.memory, 64 * 2 ** 20);
  assert.deepEqual(readdirSync(state.machine("shown").path), ["disk0.qcow2"]);
  await machines.remove({ name: "shown", force: false });
  assert.deepEqual(readdirSync(join(state.path, "machines")), []);
});

const BAD: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ["a machine that is not there", ["start", "nobody"], EXIT_STATUS.noSuchMachine, /there is no machine nobody/],
  ["a name that is none", ["info", "../etc"], EXIT_STATUS.badInput, /\.\.\/etc: give a name/],
  [
    "a kernel that is not there",
    ["create", "a", "--kernel", "/nowhere"],
    EXIT_STATUS.badInput,
    /\/nowhere: no such file/,
  ],
  ["a disk of no size", ["create", "a", "--disk", "new:0"], EXIT_STATUS.badInput, /--disk new:0: give a size/],
  ["an option of a run", ["create", "a", "--timeout", "1"], EXIT_STATUS.badInput, /unknown option '--timeout'/],
];

for (const [what, args, status, line] of BAD) {
  test(`${what} is refused in one line`, async () => fails(await atoll(...args), status, line));
}

test("a machine runs apart from who started it, with people at its console", { timeout: 180_000 }, async () => {
  await machines.create({ name: "echo", definition: newMachine.parse({ kernel: echo, memory: 16 * 2 ** 20 }) });
  const starters = await Promise.all([atoll("start", "echo"), atoll("start", "echo")]);
  assert.deepEqual(starters.map(({ status }) => status).sort(), [EXIT_STATUS.ok, EXIT_STATUS.wrongState]);
  fails(await atoll("rm", "echo"), EXIT_STATUS.wrongState, /echo runs/);

  const [one, two] = [new Atoll(["console", "echo"]), new Atoll(["console", "echo"])];
  // What was there before they came.
  await Promise.all([one.waitFor("!", 20), two.waitFor("!", 20)]);
  one.type("from one");
  await two.waitFor("!from one", 20);
  two.type("; from two");
  await one.waitFor("!from one; from two", 20);
  two.kill();

  await machines.pause({ name: "echo" });
  assert.equal(await statusOf("echo"), "paused");
  await assert.rejects(machines.pause({ name: "echo" }), refused("wrong-state"));
  one.type("...");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(!one.stdout.endsWith("..."));
  await machines.resume({ name: "echo" });
  await one.waitFor(/two\.\.\.$/, 20);

  // It has no power key, and is stopped by force.
  const stopped = await atoll("stop", "echo", "--shutdown", "--timeout", "0.5");
  assert.deepEqual([stopped.status, stopped.stdout], [0, "echo is off\n"]);
  assert.match(stopped.stderr, /did not shut down within 0.5 s/);
  assert.match((await one.finished).stderr, /echo has stopped/);
  assert.equal((await atoll("logs", "echo")).stdout, "!from one; from two...");
  fails(await atoll("console", "echo"), EXIT_STATUS.wrongState, /echo is not running/);
  await assert.rejects(machines.resume({ name: "echo" }), refused("wrong-state"));
});

test("kill -9 of a machine's process frees it, and it starts again", { timeout: 180_000 }, async () => {
  const definition = newMachine.parse({ kernel: echo, memory: 16 * 2 ** 20, disk: [{ bytes: 2 ** 30 }] });
  await machines.create({ name: "killed", definition });
  for (let round = 0; round < 3; round++) {
    const { pid } = await machines.start({ name: "killed", cold: false });
    await assert.rejects(machines.start({ name: "killed", cold: false }), refused("wrong-state"));
    process.kill(pid as number, "SIGKILL");
    const deadline = performance.now() + 5000;
    while ((await statusOf("killed")) !== "failed") assert.ok(performance.now() < deadline);
  }
  await machines.start({ name: "killed", cold: false });
  // A process that hangs is killed.
  process.kill((await machines.info({ name: "killed" })).pid as number, "SIGSTOP");
  assert.deepEqual(await machines.stop({ name: "killed", how: "force", timeout: 1 }), { end: "forced" });
  assert.equal(await statusOf("killed"), "off");
  await machines.remove({ name: "killed", force: false });
  assert.ok(!existsSync(state.machine("killed").path));
});

test("what a killed command left of a machine is no machine, and is in nobody's way", async () => {
  const { path } = state.machine("half");
  mkdirSync(path);
  writeFileSync(join(path, "disk0.qcow2"), "half of a disk");
  assert.equal(
    (await machines.list()).machines.find(({ name }) => name === "half"),
    undefined,
  );
  await machines.create({ name: "half", definition: newMachine.parse({ kernel: echo, disk: [{ bytes: 2 ** 20 }] }) });
  assert.deepEqual(readdirSync(path), ["disk0.qcow2"]);
});

test("a machine goes on where it stopped, in another process", { timeout: 180_000 }, async () => {
  await machines.create({ name: "lasting", definition: newMachine.parse({ disk: [{ bytes: 2 ** 24 }] }) });
  await machines.start({ name: "lasting", cold: false });
  const before = new Atoll(["console", "lasting"]);
  await before.waitFor("atoll:~# ", 60);
  before.type(
    "cd /tmp; echo $((40+2)) > kept; dd if=/dev/urandom of=/dev/vda bs=64k count=8; md5sum /dev/vda > sum; echo $((100+1))\n",
  );
  await before.waitFor(/^101/m, 30);
  assert.match((await atoll("stop", "lasting")).stdout, /^lasting is saved\n$/);
  assert.match((await before.finished).stderr, /lasting has stopped: saved/);
  assert.equal(await statusOf("lasting"), "saved");
  const folder = state.machine("lasting");
  assert.deepEqual(readdirSync(folder.path).sort(), [
    ...["console.log", "disk0.qcow2", "process.log", "saved-disks.json", "saved.atoll"],
  ]);

  await machines.start({ name: "lasting", cold: false });
  // What is saved is no more: from here on the disk is another.
  assert.ok(!existsSync(folder.saved));
  const after = new Atoll(["console", "lasting"]);
  await after.waitFor(/101\r?\n.*# $/, 30);
  after.type('cat kept; md5sum -c sum; echo "{$((200+2))}"\n');
  await after.waitFor("{202}", 30);
  assert.match(after.stdout, /^42\r?\n\/dev\/vda: OK\r?$/m);

  // Killed from then on, it has lost its memory, and starts from power-on.
  process.kill((await machines.info({ name: "lasting" })).pid as number, "SIGKILL");
  await after.finished;
  assert.equal(await statusOf("lasting"), "failed");
});

test("memory is not put together with a disk that has changed since", { timeout: 180_000 }, async () => {
  const image = join(folder, "changed.img");
  writeFileSync(image, new Uint8Array(4096));
  const definition = newMachine.parse({ kernel: echo, memory: 2 ** 24, disk: [{ file: image, format: "raw" }] });
  await machines.create({ name: "changed", definition });
  await machines.start({ name: "changed", cold: false });
  assert.deepEqual(await machines.stop({ name: "changed", how: "default", timeout: 1 }), { end: "saved" });
  writeFileSync(image, new Uint8Array(4096).fill(1));
  await assert.rejects(
    machines.start({ name: "changed", cold: false }),
    /changed.img has changed since changed was saved/,
  );
  const { saved } = state.machine("changed");
  truncateSync(saved, 5000);
  writeFileSync(state.machine("changed").savedDisks, "[]");
  await assert.rejects(machines.start({ name: "changed", cold: false }), refused("damaged"));
  assert.equal(await statusOf("changed"), "saved");
  await machines.start({ name: "changed", cold: true });
  assert.ok(!existsSync(saved));
});

test("what cannot be saved is shut down instead, and says why", { timeout: 180_000 }, async () => {
  const image = join(folder, "temporary.img");
  writeFileSync(image, new Uint8Array(4096));
  const definition = newMachine.parse({ kernel: echo, memory: 2 ** 24, disk: [{ file: image, snapshot: true }] });
  await machines.create({ name: "temporary", definition });
  await machines.start({ name: "temporary", cold: false });
  await assert.rejects(machines.stop({ name: "temporary", how: "save", timeout: 1 }), refused("bad-input"));
  assert.equal(await statusOf("temporary"), "running");
  const { end, note } = await machines.stop({ name: "temporary", how: "default", timeout: 0.1 });
  assert.equal(end, "forced");
  assert.match(note ?? "", /^it cannot be saved, and was shut down: .*temporary file.*; it did not shut down/);
});

test("in the foreground the console is stdout, and SIGTERM stops the machine", { timeout: 180_000 }, async () => {
  await machines.create({ name: "front", definition: newMachine.parse({ kernel: echo, memory: 2 ** 24 }) });
  const front = new Atoll(["start", "front", "--foreground"]);
  await front.waitFor("!", 40);
  front.child.kill("SIGTERM");
  assert.equal((await front.finished).status, 0);
  assert.equal(await statusOf("front"), "saved");
});
