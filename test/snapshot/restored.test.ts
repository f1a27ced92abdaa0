import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Machine } from "../../src/hosts/node/index.ts";
import { Atoll, atoll } from "../support/atoll.ts";
import { PROMPT } from "../support/embedded-guest.ts";
import { ECHO, rawKernel } from "../support/raw-kernels.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-restored-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

/** A guest at its prompt, saved to a file. */
async function saved(file: string, ...options: string[]): Promise<void> {
  const guest = new Atoll(["run", "--timeout", "100", "--save", file, ...options]);
  await guest.waitFor(PROMPT, 100);
  guest.child.kill("SIGTERM");
  assert.equal((await guest.finished).status, 130);
}

test("a file under a disk that has been written since is named", { timeout: 200_000 }, async () => {
  writeFileSync(at("base.img"), "");
  truncateSync(at("base.img"), 2 ** 20);
  assert.equal(
    (await atoll("image", "create", "-f", "qcow2", "-b", at("base.img"), "-F", "raw", at("disk"))).status,
    0,
  );
  await saved(at("disk.snapshot"), "--disk", at("disk"));
  utimesSync(at("base.img"), 1, 1);
  const { status, stderr } = await atoll("restore", at("disk.snapshot"));
  assert.equal(status, 10);
  assert.equal(
    stderr,
    `atoll: cannot restore ${at("disk.snapshot")}: ${at("base.img")}, which is under its disk ${at("disk")}, has been written since; --disk names a copy of it as it was then\n`,
  );
});

test("--net plugs the guest into something else, and has as many interfaces as the guest", {
  timeout: 200_000,
}, async () => {
  await saved(at("net.snapshot"));
  const other = await atoll("restore", at("net.snapshot"), "--net", "none");
  assert.deepEqual(
    [other.status, other.stderr],
    [2, "atoll: --net: the guest has 1 network interface: give as many\n"],
  );
  const guest = new Atoll([
    "restore",
    at("net.snapshot"),
    "--timeout",
    "100",
    "--net",
    `user,capture=${at("capture")}`,
  ]);
  await guest.ask("wget -q -O - http://10.0.2.2:1/; echo ended=$?\n", /ended=1/, 60);
  guest.child.kill("SIGTERM");
  await guest.finished;
  assert.ok(readFileSync(at("capture")).length > 24 + 3 * 16, "nothing was captured");
});

test("a machine of firmware alone has no network interface, and goes on without one", {
  timeout: 100_000,
}, async () => {
  const file = at("firmware.snapshot");
  const first = new Atoll(["run", "--bios", rawKernel(folder, "firmware", ECHO), "--timeout", "60", "--save", file]);
  await first.waitFor("!", 60);
  first.child.kill("SIGTERM");
  await first.finished;
  const other = await atoll("restore", file, "--net", "user");
  assert.deepEqual([other.status, other.stderr], [2, "atoll: --net: the guest has no network interface: give none\n"]);
  const again = new Atoll(["restore", file, "--timeout", "60", "--net", "none"]);
  await again.ask("heard", "heard", 60);
  again.child.kill("SIGTERM");
  assert.equal((await again.finished).status, 130);
});

test("what a guest shows, and its keyboard, are there again; a restored machine can be reset", {
  timeout: 200_000,
}, async () => {
  const first = await Machine.create({ display: {}, memory: "256M" });
  await first.start();
  await first.waitFor("~# ", 100_000);
  await first.type("echo words on the screen >/dev/tty1; echo w''ritten\n");
  await first.waitFor("written", 60_000);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await first.pause();
  const shown = await first.frame();
  const snapshot = await first.save();
  await first.close();
  if (shown === undefined) assert.fail("nothing is shown");
  assert.ok(
    shown.pixels.some((value, i) => i % 4 !== 3 && value > 0),
    "the screen is black",
  );
  const again = await Machine.restore(snapshot);
  const frame = await again.frame();
  assert.deepEqual([frame?.width, frame?.height], [shown.width, shown.height]);
  assert.ok(Buffer.from(frame?.pixels ?? []).equals(Buffer.from(shown.pixels)), "it shows something else");
  await again.start();
  // KEY_ENTER: the shell on the screen has another line.
  await again.input({ kind: "key", code: 28, pressed: true });
  await again.input({ kind: "key", code: 28, pressed: false });
  const deadline = performance.now() + 60_000;
  while ((await again.frame()) === undefined) {
    assert.ok(performance.now() < deadline, "no key was heard");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await again.reset();
  await again.waitFor("Atoll: Linux", 100_000);
  await again.close();
});
