// gdb-multiarch, as it is, against bare-metal images.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll, ROOT } from "../support/atoll.ts";

const image = (name: string): string => join(ROOT, "test", "baremetal", "bin", `${name}.bin`);
const GDB = "gdb-multiarch";
const skip = spawnSync(GDB, ["--version"]).status === 0 ? false : `${GDB} is not installed`;

/** Starts a machine that waits, runs gdb's commands against it, and gives what gdb showed and how the machine ended. */
async function debug(args: readonly string[], commands: readonly string[]) {
  const guest = new Atoll(["run", "--gdb", ":0", "--timeout", "60", ...args]);
  while (!/target remote \S+\n/.test(guest.stderr)) {
    assert.equal(guest.child.exitCode, null, guest.stderr);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [, address = ""] = /target remote (\S+)/.exec(guest.stderr) ?? [];
  const all = ["set pagination off", "set remotetimeout 20", `target remote ${address}`, ...commands];
  const gdb = spawn(GDB, ["-nx", "-batch", ...all.flatMap((command) => ["-ex", command])]);
  let shown = "";
  gdb.stdout.on("data", (text) => {
    shown += text;
  });
  gdb.stderr.on("data", (text) => {
    shown += text;
  });
  await new Promise((resolve) => gdb.on("close", resolve));
  return { shown, guest };
}

test("attach before the first instruction, step, registers, system registers, breakpoints, detach", {
  skip,
  timeout: 120_000,
}, async () => {
  const { shown, guest } = await debug(
    ["--kernel", image("exceptions"), "--gdb-wait"],
    [
      'printf "at %lx in %x\\n", $pc, $cpsr',
      "stepi",
      "stepi",
      'printf "then %lx, x1 %lx\\n", $pc, $x1',
      'printf "MIDR %lx SCTLR %lx\\n", $MIDR_EL1, $SCTLR_EL1',
      "set $VBAR_EL1 = 0x40090000",
      'printf "VBAR %lx\\n", $VBAR_EL1',
      "set $v7.d.u[0] = 0x123456789abcdef0",
      'printf "v7 %lx\\n", $v7.d.u[0]',
      "break *0x40080010",
      "continue",
      "hbreak *0x40080018",
      "continue",
      'printf "stopped at %lx\\n", $pc',
      "x/2xw 0x40080000",
      "delete",
      "detach",
    ],
  );
  assert.match(shown, /at 40080000 in 3c5\n/);
  assert.match(shown, /then 40080008, x1 40[0-9a-f]{6}\n/);
  assert.match(shown, /MIDR f0510 SCTLR 30d50998\n/);
  assert.match(shown, /VBAR 40090000\n/);
  assert.match(shown, /v7 123456789abcdef0\n/);
  assert.match(shown, /Breakpoint 1, 0x0000000040080010/);
  assert.match(shown, /Breakpoint 2, 0x0000000040080018/);
  assert.match(shown, /stopped at 40080018\n/);
  assert.match(shown, /0x40080000:\s+0xd53800a0\s+0x/);
  const { status, stdout } = await guest.finished;
  assert.match(stdout, /^done [0-9a-f]+ 0+ $/m, "nothing of it was seen by the guest");
  assert.equal(status, 0);
});

test("a watchpoint, and the program sees none of it", { skip, timeout: 120_000 }, async () => {
  // The image's stack: the first push is a hit, and the image's own tests of debug registers go on to work.
  const { shown, guest } = await debug(
    ["--kernel", image("debug"), "--gdb-wait"],
    [
      "break *0x40080020",
      "continue",
      "watch -location *(unsigned long *)($sp - 16)",
      "continue",
      "info registers pc",
      "delete",
      "detach",
    ],
  );
  assert.match(shown, /Hardware watchpoint 2: /);
  assert.match(shown, /Old value = 0\nNew value = \d+/);
  const { stdout, status } = await guest.finished;
  assert.match(stdout, /^done [0-9a-f]+ 0+ $/m);
  assert.equal(status, 0);
});

test("two CPUs are two threads, which stop together", { skip, timeout: 120_000 }, async () => {
  const { shown, guest } = await debug(
    ["--kernel", image("smp-gicv3"), "--cpus", "2", "--gdb-wait"],
    [
      "info threads",
      "thread 2",
      "info registers pc",
      "thread 1",
      "stepi",
      'printf "one at %lx\\n", $pc',
      "monitor info mtree",
      "detach",
    ],
  );
  assert.match(shown, /\* 1 +Thread 1 \(CPU 0 \[EL1h, running\]\)/);
  assert.match(shown, / 2 +Thread 2 \(CPU 1 \[off\]\)/);
  assert.match(shown, /one at 40080004\n/);
  assert.match(shown, /000040000000-\S+ ram/);
  const { status, stdout } = await guest.finished;
  assert.match(stdout, /^done [0-9a-f]+ 0+ $/m);
  assert.equal(status, 0);
});

test("an interrupt stops all CPUs of a guest that runs; kill ends the machine", {
  skip,
  timeout: 120_000,
}, async () => {
  const { shown, guest } = await debug(
    ["--cpus", "2"],
    [
      "info registers pc",
      "maintenance packet Qqemu.PhyMemMode:1",
      "x/xw 0x40000000",
      "maintenance packet Qqemu.PhyMemMode:0",
      "python import threading, os, signal",
      "python threading.Timer(8, lambda: os.kill(os.getpid(), signal.SIGINT)).start()",
      "continue",
      'printf "after %lx\\n", $pc',
      "info threads",
      "kill",
    ],
  );
  assert.match(shown, /received signal SIGINT/);
  assert.match(shown, /after [0-9a-f]+\n/);
  assert.match(shown, /CPU 0 \[EL[01][ht], (running|waiting)\]/);
  assert.match(shown, /CPU 1 \[EL[01][ht], (running|waiting)\]/, "the kernel has started it");
  const { status } = await guest.finished;
  assert.equal(status, 0);
});
