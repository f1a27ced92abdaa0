import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Atoll, atoll } from "../support/atoll.ts";
import { readSpeedscope } from "../support/speedscope.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-profile-"));
after(() => rmSync(folder, { recursive: true }));

/** Boots the embedded guest, runs a command, powers off; gives what it wrote to stderr. */
async function session(args: readonly string[], command: string): Promise<string> {
  const guest = new Atoll(["run", "--timeout", "150", ...args]);
  await guest.waitFor("atoll:~# ", 100);
  guest.type(`${command}; echo done-$((1+1))\n`);
  await guest.waitFor("done-2", 60);
  guest.type("poweroff\n");
  const { status, stderr, stdout } = await guest.finished;
  assert.equal(status, 0, stdout.slice(-1000) + stderr);
  return stderr;
}

/** A counter of `--stats`. */
function counter(stderr: string, name: string): number {
  const [, value] = new RegExp(`^ +${name} +([\\d.]+)`, "m").exec(stderr) ?? [];
  assert.ok(value !== undefined, `no ${name} in:\n${stderr}`);
  return Number(value);
}

test("a profile of the embedded guest: its kernel's functions by name, calls inside of their callers", {
  timeout: 200_000,
}, async () => {
  const file = join(folder, "profile.json");
  const stderr = await session(
    ["--profile", file, "--stats", "--cpus", "2"],
    "dd if=/dev/zero of=/dev/null bs=64k count=4000",
  );
  const profiles = readSpeedscope(readFileSync(file, "utf8"));
  const [first] = profiles;
  assert.ok(first && first.name === "CPU 0" && first.stacks.length > 100);
  const all = profiles.filter(({ name }) => !name.endsWith("interpreted"));
  assert.equal(all.length, 2);
  const total = (frame: string): number => all.reduce((sum, p) => sum + p.total(frame), 0);
  assert.ok(total("EL1") > 0.2 * total("EL0"));
  // The kernel decompresses its RAM disk in a thread, and the shell makes system calls.
  for (const name of ["start_kernel", "kernel_init", "kthread", "el0t_64_sync", "do_el0_svc"])
    assert.ok(total(name) > 0, name);
  const unpacking = all.flatMap((p) => p.stacks).find((stack) => stack.includes("inflate_fast"));
  assert.ok(unpacking);
  assert.ok(unpacking.indexOf("ret_from_fork") < unpacking.indexOf("unpack_to_rootfs"), unpacking.join(" "));
  assert.ok(unpacking.indexOf("unpack_to_rootfs") < unpacking.indexOf("inflate_fast"), unpacking.join(" "));
  // What was sampled is what the PEs ran, but for translation.
  const sampled = all.reduce((sum, p) => sum + p.weight, 0) / 1e9;
  const ran = counter(stderr, "running") - counter(stderr, "translation");
  assert.ok(sampled > 0.7 * ran && sampled <= 1.01 * ran, `sampled ${sampled} s of ${ran} s`);
});

test("counters at the end: both tiers, misses, exceptions, the process", { timeout: 200_000 }, async () => {
  const stderr = await session(["--boot", "--stats"], "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done");
  const [all, interpreted, translated] = ["all", "interpreted", "translated"].map((name) => counter(stderr, name));
  assert.equal(all, (interpreted as number) + (translated as number));
  assert.ok((interpreted as number) > 1e6 && (translated as number) > 1e6);
  for (const name of ["data TLB misses", "instruction TLB misses", "table walks", "IRQ", "SVC", "pl011"]) {
    assert.ok(counter(stderr, name) > 10, name);
  }
  assert.equal(
    counter(stderr, "regions compiled"),
    counter(stderr, "regions held") + counter(stderr, "regions dropped"),
  );
  for (const name of ["interpreter", "translated code", "user CPU time", "largest resident set"]) {
    assert.ok(counter(stderr, name) > 0, name);
  }
  // In this thread, or in one of its own.
  assert.ok(counter(stderr, "translation") + counter(stderr, "translation in its own thread") > 0);
});

test("a profile that cannot be written, or symbols that are none, are found before the guest starts", async () => {
  const text = join(folder, "text");
  writeFileSync(text, "no symbols here\n");
  const unwritable = await atoll("run", "--profile", join(folder, "missing", "p.json"));
  assert.equal(unwritable.status, 2);
  assert.match(unwritable.stderr, /^atoll: cannot write .*no such file\n$/);
  const none = await atoll("run", "--profile", join(folder, "p.json"), "--symbols", text);
  assert.equal(none.status, 2);
  assert.match(none.stderr, /^atoll: .*text has no symbols; give .*\n$/);
});
