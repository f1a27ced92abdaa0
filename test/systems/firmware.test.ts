// Debian's U-Boot and EDK2, unmodified, to their prompts, and Linux started by them; with EL2 they run there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { FILES, missing } from "./files.ts";

const linux = ["--kernel", FILES.kernel, "--initrd", FILES.initrd, "--append", "console=ttyAMA0 atoll.test=poweroff"];

for (const [virtualization, gic] of [
  ["off", 2],
  ["on", 3],
] as const) {
  const machine = ["run", "--machine", `virt,gic-version=${gic},virtualization=${virtualization}`, "--timeout", "120"];
  const what = `GICv${gic}, virtualization=${virtualization}`;

  test(`U-Boot's prompt: ${what}`, { skip: missing("uBoot"), timeout: 150_000 }, async () => {
    const guest = new Atoll([...machine, "--bios", FILES.uBoot]);
    await guest.waitFor("Hit any key to stop autoboot", 100);
    await guest.ask("\necho prompt-$cpu\n", "prompt-armv8", 60);
    guest.kill();
  });

  test(`EDK2's shell: ${what}`, { skip: missing("edk2"), timeout: 150_000 }, async () => {
    const guest = new Atoll([...machine, "--bios", FILES.edk2]);
    await guest.waitFor("startup.nsh", 100);
    await guest.ask("\r\necho shell-%uefishellsupport%\r\n", "shell-3", 60);
    guest.kill();
  });

  for (const [name, file] of [
    ["U-Boot", "uBoot"],
    ["EDK2", "edk2"],
  ] as const) {
    test(`Linux from ${name}: ${what}`, { skip: missing(file, "kernel", "initrd"), timeout: 150_000 }, async () => {
      const guest = new Atoll([...machine, "--bios", FILES[file], ...linux]);
      const { status, stdout, stderr } = await guest.finished;
      assert.match(stdout, /ATOLL-INIT-REACHED \S+ aarch64 cpus=1/, stdout.slice(-2000) + stderr);
      assert.equal(/All CPU\(s\) started at EL2/.test(stdout), virtualization === "on");
      if (file === "edk2") assert.match(stdout, /EFI v2/);
      assert.equal(status, 0);
    });
  }
}

test("U-Boot keeps its environment in flash through a reset", {
  skip: missing("uBoot"),
  timeout: 300_000,
}, async () => {
  const guest = new Atoll(["run", "--timeout", "280", "--net", "none", "--bios", FILES.uBoot]);
  const autoboot = "Hit any key to stop autoboot";
  await guest.waitFor(autoboot, 100);
  await guest.ask("\necho prompt-$cpu\n", "prompt-armv8", 60);
  guest.type("setenv kept through-reset\nsaveenv\n");
  await guest.waitFor(/Protected 2 sectors\s+(OK|Failed)/, 60);
  assert.match(guest.stdout, /Writing to Flash\.\.\. done/);
  guest.stdout = "";
  guest.type("reset\n");
  await guest.waitFor(autoboot, 100);
  await guest.ask("\nprintenv kept\n", "kept=through-reset", 60);
  guest.kill();
});
