// Debian's own kernel, unmodified, to its /init. guests/debian/fetch.sh gets it; without it these tests are skipped.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Atoll, ROOT } from "../support/atoll.ts";

const kernel = join(ROOT, ".cache", "debian", "vmlinuz");
const initrd = join(ROOT, ".cache", "debian", "initramfs.cpio.gz");
const missing = existsSync(kernel) && existsSync(initrd) ? false : "run guests/debian/fetch.sh to get Debian's kernel";

for (const cpu of ["cortex-a72", "max"]) {
  for (const gic of [2, 3]) {
    for (const cpus of [1, 4]) {
      test(`Debian's cloud kernel reaches /init and powers off: ${cpu}, GICv${gic}, ${cpus} PE`, {
        skip: missing,
        timeout: 200_000,
      }, async () => {
        const guest = new Atoll([
          ...["run", "--kernel", kernel, "--initrd", initrd, "--append", "console=ttyAMA0 atoll.test=poweroff"],
          ...["--cpu", cpu, "--machine", `virt,gic-version=${gic}`, "--cpus", `${cpus}`, "--timeout", "180"],
        ]);
        await guest.waitFor("ATOLL-INIT-REACHED", 180);
        const { status, stdout, stderr } = await guest.finished;
        assert.match(stdout, new RegExp(`ATOLL-INIT-REACHED \\S+ aarch64 cpus=${cpus}`));
        assert.equal(status, 0, stdout.slice(-1000) + stderr);
      });
    }
  }
}
