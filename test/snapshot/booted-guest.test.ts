import assert from "node:assert/strict";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { PROMPT } from "../support/embedded-guest.ts";

const STARTED = /^atoll: started from a snapshot of the booted guest; --boot boots it\n$/;

/** What a new machine says of itself before anything else has drawn random numbers. */
async function first(...options: string[]) {
  const guest = new Atoll(["run", "--timeout", "100", ...options]);
  guest.type(
    "echo; echo R=$(head -c 16 /dev/urandom | md5sum) H=$(head -c 16 /dev/hwrng | md5sum) T=$(date +%s)=; poweroff\n",
  );
  const { status, stdout, stderr } = await guest.finished;
  const [, random, entropy, time] = /R=(\w{32}) +- H=(\w{32}) +- T=(\d+)=/.exec(stdout) ?? assert.fail(stdout + stderr);
  return { status, stdout, stderr, random, entropy, time: Number(time) };
}

test("machines start from the snapshot with the time of day, and with random numbers of their own", {
  timeout: 250_000,
}, async () => {
  const machines = [await first(), await first("--no-reboot")] as const;
  for (const { status, stdout, stderr, time } of machines) {
    assert.equal(status, 0);
    assert.match(stderr, STARTED);
    assert.match(stdout, /^Atoll: Linux/);
    assert.ok(stdout.includes(PROMPT));
    assert.ok(Math.abs(time - Date.now() / 1000) < 100, `${time}`);
  }
  assert.notEqual(machines[0].random, machines[1].random);
  assert.notEqual(machines[0].entropy, machines[1].entropy);
});

test("with --boot, and with an option that changes the machine, it boots", { timeout: 250_000 }, async () => {
  for (const option of ["--boot", "--balloon"]) {
    const guest = new Atoll(["run", "--timeout", "100", option]);
    await guest.waitFor(PROMPT, 100);
    guest.child.kill("SIGTERM");
    assert.equal((await guest.finished).stderr, "");
  }
});
