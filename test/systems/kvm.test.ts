// Debian's kernel at EL2 as a KVM host, and a Linux guest under Debian's arm64 QEMU inside of it.

import { test } from "node:test";
import { missing } from "./files.ts";
import { KVM_SAYS, type KvmSetup, startKvmHost } from "./kvm.ts";

const SETUPS: readonly KvmSetup[] = [
  { cpu: "cortex-a72", gic: 2, cpus: 1 },
  { cpu: "max", gic: 3, cpus: 2 },
];

for (const setup of SETUPS) {
  const { cpu, gic, cpus } = setup;
  test(`KVM: ${cpu}, GICv${gic}, ${cpus} PE, and a guest to its shell`, {
    skip: missing("kernel", "kvmHost"),
    timeout: 300_000,
  }, async () => {
    const guest = startKvmHost("atoll", setup, "shell");
    await guest.waitFor(KVM_SAYS[cpu], 60);
    await guest.waitFor("ATOLL-HOST-REACHED", 60);
    await guest.waitFor("ATOLL-INIT-REACHED", 120);
    await guest.ask("echo inner-$((6*7))\n", "inner-42", 60);
    guest.kill();
  });
}
