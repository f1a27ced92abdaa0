// Debian's kernel at EL2 as a KVM host, and a Linux guest under Debian's arm64 QEMU inside of it.

import { test } from "node:test";
import { Atoll } from "../support/atoll.ts";
import { FILES, missing } from "./files.ts";

/** What KVM says at boot: whether the host runs at EL1 (nVHE) or EL2 (VHE). */
const HOSTS = {
  "cortex-a72": /kvm \[1\]: Hyp mode initialized successfully/,
  max: /kvm \[1\]: VHE mode initialized successfully/,
} as const;

for (const [cpu, gic, cpus] of [
  ["cortex-a72", 2, 1],
  ["max", 3, 2],
] as const) {
  test(`KVM: ${cpu}, GICv${gic}, ${cpus} PE, and a guest to its shell`, {
    skip: missing("kernel", "kvmHost"),
    timeout: 200_000,
  }, async () => {
    const guest = new Atoll([
      ...["run", "--machine", `virt,gic-version=${gic},virtualization=on`, "--cpu", cpu, "--cpus", `${cpus}`],
      ...["--memory", "1536M", "--kernel", FILES.kernel, "--initrd", FILES.kvmHost, "--timeout", "180"],
      ...["--append", "console=ttyAMA0 atoll.guest=shell"],
    ]);
    await guest.waitFor(HOSTS[cpu], 60);
    await guest.waitFor("ATOLL-HOST-REACHED", 60);
    await guest.waitFor("ATOLL-INIT-REACHED", 120);
    await guest.ask("echo inner-$((6*7)); dmesg | grep -c 'Hyp mode'\n", "inner-42", 60);
    guest.kill();
  });
}
