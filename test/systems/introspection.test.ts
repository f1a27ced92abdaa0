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
import { PROMPT } from "../support/embedded-guest.ts";
import { bareMetal, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";
import { bootDomains } from "../support/linux-domains.ts";

const debian = (name: string): string => join(ROOT, ".cache", "debian", name);
const missing =
  existsSync(debian("vmlinuz")) && existsSync(debian("initramfs.cpio.gz"))
    ? false
    : "run guests/debian/fetch.sh to get Debian's kernel";

async function booted(node: Hypervisor, guest: ReturnType<typeof bareMetal>, text: string): Promise<Domain> {
  await bootDomains(node, [guest], { text });
  return node.domain(guest[0].name) as Domain;
}

test("Debian's processes and kernel, from its own types and symbols", { skip: missing, timeout: 240_000 }, async () => {
  const { node } = hypervisor({ cpus: 1 });
  const file = (name: string) => ({ name, bytes: readFileSync(debian(name)) });
  const guest = bareMetal("deb", readFileSync(debian("vmlinuz")), {
    ...{ memory: 512 * 2 ** 20, initrd: file("initramfs.cpio.gz"), append: "console=ttyAMA0" },
  });
  const domain = await booted(node, guest, "ATOLL-INIT-REACHED");
  const began = performance.now();
  const kernel = new LinuxKernel(domain);
  const { items, broken } = listProcesses(kernel);
  assert.equal(broken, undefined);
  assert.ok(performance.now() - began < 20_000);
  const find = (pid: number) => items.find((each) => each.pid === pid);
  assert.deepEqual(
    { ...find(1), state: undefined },
    { pid: 1, parent: 0, name: "init", state: undefined, kernel: false },
  );
  assert.deepEqual(find(2), { pid: 2, parent: 0, name: "kthreadd", state: "S", kernel: true });
  assert.ok(items.some(({ name, state, parent }) => name === "rcu_gp" && state === "I" && parent === 2));
  assert.equal(new Set(items.map(({ pid }) => pid)).size, items.length);
  // It has loaded none, and no symbol says where they would be.
  assert.throws(() => listModules(kernel), /is empty, or give the address/);

  const table = kernel.callTable;
  assert.ok(table !== undefined && table.end - table.start >= 8n * 400n);
  assert.equal(kernel.space.number(table.start + 8n * 172n, 8), kernel.address("__arm64_sys_getpid"));

  // A device of the guest's is told to write to its kernel's system call table.
  const watches = new Watches(node);
  const violations: Violation[] = [];
  const guard = new KernelGuard({
    domain,
    kernel,
    watches,
    mode: "stop",
    onViolation: (each) => violations.push(each),
  });
  assert.deepEqual(guard.missing, []);
  assert.ok(guard.pages > 1000);
  assert.ok(guard.check());
  const entry = kernel.space.translate(table.start + 8n * 63n) as number;
  assert.ok(domain.memory.write(entry, Uint8Array.of(1, 2, 3)));
  assert.equal(violations[0]?.what, "device write");
  assert.equal(violations[0]?.part, "system call table");
  assert.equal(node.status("deb"), "paused");
  assert.ok(!guard.check());
  assert.deepEqual(
    violations.slice(1).map(({ what, address }) => ({ what, address })),
    [{ what: "changed", address: table.start + 8n * 63n }],
  );
});

const withModules = existsSync(debian("modules.cpio.gz"))
  ? missing
  : "run guests/debian/fetch.sh to get Debian's modules";

test("Debian's modules, as it has loaded them; given offsets and symbols find the same as its own types do", {
  skip: withModules,
  timeout: 400_000,
}, async () => {
  const { node } = hypervisor({ cpus: 1 });
  // An initramfs may be of several archives, one behind the other.
  const bytes = Buffer.concat([readFileSync(debian("initramfs.cpio.gz")), readFileSync(debian("modules.cpio.gz"))]);
  const [config, console] = bareMetal("deb", readFileSync(debian("vmlinuz")), {
    ...{ memory: 384 * 2 ** 20, initrd: { name: "initramfs", bytes } },
    append: "console=ttyAMA0 rdinit=/modules/init",
  });
  const domain = await booted(node, [config, console], "ATOLL-INIT-REACHED");
  const before = console.shown.length;
  assert.ok(await runUntil(node, () => console.shown.includes("/ # "), 120), console.shown.slice(-500));
  console.type("busybox sleep 600 & busybox cat /proc/modules; echo end-$((40+2))\n");
  assert.ok(await runUntil(node, () => console.shown.includes("end-42"), 120));
  const own = [...console.shown.slice(before).matchAll(/^(\w+) (\d+) \d+ \S+ Live /gm)].map(([, name, size]) => ({
    name,
    size: Number(size),
    state: "live",
  }));
  assert.deepEqual(
    own.map(({ name }) => name),
    ["dummy", "loop"],
  );

  const kernel = new LinuxKernel(domain);
  const modules = listModules(kernel);
  assert.equal(modules.broken, undefined);
  assert.deepEqual(
    modules.items.map(({ name, size, state }) => ({ name, size, state })),
    own,
  );
  // Each is at its own name.
  for (const { address, name } of modules.items) {
    const at = kernel.space.read(address + BigInt(kernel.module.name), name.length);
    assert.equal(Buffer.from(at ?? []).toString(), name);
  }

  // Nothing of what is given is looked up: with a member's offset that is another one, what is read is another thing.
  const processes = listProcesses(kernel);
  const known = { task: kernel.task, module: kernel.module };
  assert.deepEqual(listProcesses(new LinuxKernel(domain, known)), processes);
  assert.deepEqual(listModules(new LinuxKernel(domain, known)), modules);
  const wrong = new LinuxKernel(domain, { ...known, module: { ...known.module, name: known.module.name + 1 } });
  assert.deepEqual(
    listModules(wrong).items.map(({ name }) => name),
    ["ummy", "oop"],
  );
  // Nor are its types needed to find where a task has what.
  const untyped = new LinuxKernel(domain, { btf: new Uint8Array(0) });
  assert.deepEqual(untyped.task, kernel.task);
  assert.deepEqual(listProcesses(untyped), processes);
  assert.throws(() => listModules(untyped), /give their offsets/);
  const symbols = { init_task: kernel.firstTask as bigint };
  assert.deepEqual(listProcesses(new LinuxKernel(domain, { ...known, symbols })), processes);
  const task = { ...known.task, comm: known.task.comm + 1 };
  assert.equal(
    listProcesses(new LinuxKernel(domain, { task, symbols })).items.find(({ pid }) => pid === 2)?.name,
    "threadd",
  );
  // Without a symbol it is looked for by its name, which is not there.
  assert.throws(() => listProcesses(new LinuxKernel(domain, { task })), /first task is not found/);
});

test("a write of the kernel's to its own text is seen before it is made, and the guest goes on without the guard", {
  timeout: 240_000,
}, async () => {
  const { node } = hypervisor({ cpus: 1 });
  const guest = embeddedLinux("one");
  const domain = await booted(node, guest, PROMPT);
  const registers = new Map(registersOf(domain.vcpus[0] as (typeof domain.vcpus)[0]));
  assert.ok((registers.get("VBAR_EL1") as bigint) >> 47n === 0x1ffffn);
  const kernel = new LinuxKernel(domain);
  assert.ok(registers.get("PC") as bigint);
  const text = kernel.address("_stext") as bigint;
  const bytes = kernel.space.read(text, 4096);
  assert.ok(bytes?.some((byte) => byte !== 0));
  // It has no types of its own: where a task has what is found by what its first tasks look like.
  const { items, broken } = listProcesses(kernel);
  assert.equal(broken, undefined);
  const named = (name: string) => items.find((each) => each.name === name);
  assert.deepEqual({ ...named("init"), state: "" }, { pid: 1, parent: 0, name: "init", state: "", kernel: false });
  assert.deepEqual(named("kthreadd"), { pid: 2, parent: 0, name: "kthreadd", state: "S", kernel: true });
  assert.ok(items.some(({ parent, state, kernel: its }) => parent === 2 && state === "I" && its));

  const violations: Violation[] = [];
  const watches = new Watches(node);
  const options = { domain, kernel, watches, onViolation: (each: Violation) => void violations.push(each) };
  const guard = new KernelGuard({ ...options, mode: "stop" });
  guest[1].type("echo still $((40+2))\n");
  assert.ok(await runUntil(node, () => guest[1].shown.includes("still 42"), 60));
  assert.ok(guard.check());
  assert.deepEqual(violations, []);

  // A static branch: its instructions are rewritten.
  guest[1].type("echo 0 >/proc/sys/kernel/timer_migration; echo written $((40+2))\n");
  assert.ok(await runUntil(node, () => node.status("one") === "paused", 60));
  assert.ok(guard.check());
  node.resume("one");
  assert.ok(await runUntil(node, () => node.status("one") === "paused", 60));
  assert.deepEqual(
    guard.violations.map(({ part, what, vcpu }) => ({ part, what, vcpu })),
    [{ part: "text", what: "write", vcpu: 0 }],
  );
  guard.end();
  node.resume("one");
  assert.ok(await runUntil(node, () => guest[1].shown.includes("written 42"), 60));
});
