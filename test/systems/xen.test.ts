// Debian's Xen 4.17, unmodified, with Debian's kernel in its domains. test/systems/report.ts runs all combinations.

import { test } from "node:test";
import { missing } from "./files.ts";
import { askShells, domainsUp, startXen, type XenSetup } from "./xen.ts";

const SETUPS: readonly XenSetup[] = [
  { cpu: "max", gic: 3, cpus: 2, domUs: 0 },
  { cpu: "cortex-a72", gic: 2, cpus: 1, domUs: 2 },
];

for (const setup of SETUPS) {
  const { cpu, gic, cpus, domUs } = setup;
  const domains = domUs === 0 ? "dom0" : `${domUs} domains without dom0`;
  test(`Xen with ${domains}, each to its shell: ${cpu}, GICv${gic}, ${cpus} PE`, {
    skip: missing("xen", "kernel", "initrd"),
    timeout: 300_000,
  }, async () => {
    const guest = startXen("atoll", setup);
    await domainsUp(guest, setup, 240);
    await askShells(guest, setup, 60);
    guest.kill();
  });
}
