import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { PROMPT } from "../support/embedded-guest.ts";

/** Boots the embedded guest, runs shell commands, powers off; gives the console's text. */
async function session(args: readonly string[], commands: readonly string[]): Promise<string> {
  const guest = new Atoll(["run", "--boot", "--timeout", "120", ...args]);
  await guest.waitFor(PROMPT, 100);
  // Each command ends in a line that its echo does not contain.
  for (const [i, command] of commands.entries()) {
    guest.type(`${command}; echo done-$((${i}+100))\n`);
    await guest.waitFor(`done-${i + 100}`, 60);
  }
  guest.type("poweroff\n");
  const { status, stdout, stderr } = await guest.finished;
  assert.equal(status, 0, `${stdout.slice(-1000)}${stderr}`);
  return stdout;
}

test("the embedded guest greets, computes, sees its devices and powers off", { timeout: 200_000 }, async () => {
  const shown = await session(
    [],
    [
      "uname -m",
      "echo $((6*7))",
      "cat /proc/device-tree/compatible",
      "ls /sys/bus/virtio/drivers",
      "dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c",
      "date +%Y",
    ],
  );
  assert.match(shown, /Atoll: Linux 6\.\S+ on a 64-bit Arm virtual machine\. poweroff shuts down\./);
  assert.match(shown, /^aarch64\r?$/m);
  assert.match(shown, /^42\r?$/m);
  assert.match(shown, /linux,dummy-virt/);
  assert.match(shown, /virtio_blk/);
  assert.match(shown, /^16\r?$/m);
  assert.match(shown, new RegExp(`^${new Date().getFullYear()}\r?$`, "m"));
});

test("four PEs with a GICv2 on cortex-a72", { timeout: 200_000 }, async () => {
  const shown = await session(
    ["--cpus", "4", "--cpu", "cortex-a72", "--machine", "virt,gic-version=2"],
    ["grep -c ^processor /proc/cpuinfo", "grep -c GICv2 /proc/interrupts"],
  );
  assert.match(shown, /^4\r?$/m);
});

test("disks are written through, and a read-only one is not", { timeout: 200_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-"));
  try {
    const [a, b] = [join(folder, "a.img"), join(folder, "b.img")];
    writeFileSync(a, Buffer.alloc(8 << 20));
    writeFileSync(b, Buffer.alloc(1 << 20, 0x5a));
    const shown = await session(
      ["--disk", a, "--disk", `${b},readonly`],
      [
        "mkfs.ext2 /dev/vda >/dev/null 2>&1; mount /dev/vda /mnt && echo persisted >/mnt/f && umount /mnt && sync",
        "cat /sys/block/vdb/ro",
        "dd if=/dev/zero of=/dev/vdb bs=512 count=1 2>&1 | tail -1",
        "dd if=/dev/vdb bs=1 count=4 2>/dev/null | od -c | head -1",
      ],
    );
    assert.match(shown, /^1\r?$/m);
    assert.ok(readFileSync(a).includes("persisted"));
    assert.ok(readFileSync(b).every((v) => v === 0x5a));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a guest that resets: status 3 with --no-reboot", { timeout: 200_000 }, async () => {
  const guest = new Atoll(["run", "--boot", "--timeout", "120", "--no-reboot"]);
  await guest.waitFor(PROMPT, 100);
  guest.type("reboot\n");
  assert.equal((await guest.finished).status, 3);
});

test("a guest that resets starts again", { timeout: 200_000 }, async () => {
  const guest = new Atoll(["run", "--boot", "--timeout", "120"]);
  await guest.waitFor(PROMPT, 100);
  guest.type("reboot\n");
  await guest.waitFor(/Restarting system[\s\S]*Atoll: Linux[\s\S]*atoll:~# /, 100);
  guest.type("poweroff\n");
  assert.equal((await guest.finished).status, 0);
});

test("the time limit ends a run with status 4", { timeout: 60_000 }, async () => {
  const guest = new Atoll(["run", "--boot", "--timeout", "1"]);
  const { status, stderr } = await guest.finished;
  assert.equal(status, 4);
  assert.match(stderr, /time limit/);
});
