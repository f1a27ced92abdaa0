// A hypervisor looks into Linux domains that know nothing of it.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Domain } from "../../src/hypervisor/domain.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { KernelGuard, type Violation } from "../../src/hypervisor/introspection/guard.ts";
import { LinuxKernel } from "../../src/hypervisor/introspection/linux-kernel.ts";
import { listModules, listProcesses } from "../../src/hypervisor/introspection/linux-lists.ts";
import { registersOf } from "../../src/hypervisor/introspection/registers.ts";
import { Watches } from "../../src/hypervisor/introspection/watches.ts";
import { ROOT } from "../support/atoll.ts";
import { bareMetal, type Console, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";

const debian = (name: string): string => join(ROOT, ".cache", "debian", name);
const missing =
  existsSync(debian("vmlinuz")) && existsSync(debian("initramfs.cpio.gz"))
    ? false
    : "run guests/debian/fetch.sh to get Debian's kernel";

async function booted(node: Hypervisor, [config, console]: ReturnType<typeof bareMetal>, text: string) {
  node.define(config);
  node.start(config.name);
  assert.ok(await runUntil(node, () => console.shown.includes(text), 180), console.shown.slice(-1000));
  return node.domain(config.name) as Domain;
}

test("Debian's processes and modules, from its own types and symbols", { skip: missing, timeout: 240_000 }, async () => {
  const { node } = hypervisor({ cpus: 1 });
  const file = (name: string) => ({ name, bytes: readFileSync(debian(name)) });
  const guest = bareMetal("deb", readFileSync(debian("vmlinuz")), {
    ...{ memory: 512 * 2 ** 20, initrd: file("initramfs.cpio.gz"), append: "console=ttyAMA0" },
  });
  const domain = await booted(node, guest, "ATOLL-INIT-REACHED");
  const began = performance.now();
  const kernel = new LinuxKernel(domain);
  const processes = listProcesses(kernel);
  console.log(performance.now() - began, processes);
  console.log(listModules(kernel), kernel.task, kernel.module, kernel.address("init_task"));
  console.log(registersOf(domain.vcpus[0]!).map(([n, v]) => `${n}=${v.toString(16)}`).join(" "));
  console.log(guest[1].shown.slice(-300));
});
