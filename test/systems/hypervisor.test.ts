// Unmodified Linux in domains of the hypervisor.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/atoll.ts";
import { PROMPT } from "../support/embedded-guest.ts";
import { bareMetal, Console, embeddedLinux, hypervisor, runUntil } from "../support/hypervisor.ts";
import { bootDomains, shellCommand } from "../support/linux-domains.ts";

for (const cpus of [1, 2]) {
  test(`two Linux domains on ${cpus} PEs reach their shells, each on its own console`, {
    timeout: 240_000,
  }, async () => {
    const { node, events } = hypervisor({ cpus });
    const domains = ["one", "two"].map((name) => embeddedLinux(name, { cpus }));
    await bootDomains(node, domains);
    for (const [{ name }, console] of domains) {
      assert.match(await shellCommand(node, console, `echo I am ${name}`), new RegExp(`^I am ${name}$`, "m"));
      assert.match(await shellCommand(node, console, "grep -c ^processor /proc/cpuinfo"), new RegExp(`^${cpus}$`, "m"));
      assert.match(await shellCommand(node, console, "cat /proc/device-tree/compatible"), /linux,dummy-virt/);
      assert.match(await shellCommand(node, console, "grep -c GICv3 /proc/interrupts"), /^[1-9]/m);
      assert.match(await shellCommand(node, console, "dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c"), /^16$/m);
      assert.match(await shellCommand(node, console, "sleep 0.2; echo slept"), /^slept$/m);
    }
    assert.ok(!domains[0]?.[1].shown.includes("I am two"));

    // One goes; the other does not notice, and its memory is free again.
    const { free } = node.node();
    domains[0]?.[1].type("poweroff\n");
    assert.ok(await runUntil(node, () => node.status("one") === "stopped", 30));
    assert.deepEqual(events.at(-1), { kind: "stopped", domain: "one", cause: "off" });
    assert.ok(node.node().free > free);
    const [, second] = domains[1] as [unknown, Console];
    assert.match(await shellCommand(node, second, "echo $((6*7))"), /^42$/m);

    second.type("reboot\n");
    assert.ok(await runUntil(node, () => events.some(({ kind }) => kind === "reset"), 30));
    second.shown = "";
    assert.ok(await runUntil(node, () => second.shown.includes(PROMPT), 60));
    node.stop("two");
    assert.ok(await runUntil(node, () => node.status("two") === "stopped", 10));
    assert.equal(node.node().free, node.node().memory);
  });
}

test("a domain has disks of its own, and nobody else gets them", { timeout: 200_000 }, async () => {
  const { node } = hypervisor();
  const bytes = new Uint8Array(8 << 20);
  const store = {
    ...{ bytes: bytes.length, readOnly: false, discard: () => {}, flush: () => {} },
    read: (offset: number, into: Uint8Array) => into.set(bytes.subarray(offset, offset + into.length)),
    write: (offset: number, from: Uint8Array) => bytes.set(from, offset),
    writeZeroes: (offset: number, length: number) => void bytes.fill(0, offset, offset + length),
  };
  const [config, console] = embeddedLinux("one", { disks: [{ store }] });
  await bootDomains(node, [[config, console]]);
  node.define(embeddedLinux("two", { disks: [{ store }] })[0]);
  assert.throws(() => node.start("two"), /another domain has/);
  const write =
    "mkfs.ext2 /dev/vda >/dev/null 2>&1; mount /dev/vda /mnt && echo persisted >/mnt/f && umount /mnt && echo done-it";
  assert.match(await shellCommand(node, console, write), /^done-it$/m);
  assert.ok(Buffer.from(bytes).includes("persisted"));
  // 4 MiB of numbers to the disk and back, through pages wherever they are.
  const copy =
    "seq 1 500000 | head -c 3000000 >/tmp/n; mount /dev/vda /mnt; cp /tmp/n /mnt/n; umount /mnt; mount /dev/vda /mnt; cmp /tmp/n /mnt/n && echo the-same";
  assert.match(await shellCommand(node, console, copy), /^the-same$/m);
});

const debian = ["vmlinuz", "initramfs.cpio.gz"].map((name) => join(ROOT, ".cache", "debian", name));
const missing = debian.every((path) => existsSync(path)) ? false : "run guests/debian/fetch.sh to get Debian's kernel";

test("Debian's kernel reaches /init in a domain of two vCPUs, and is told of stolen time", {
  skip: missing,
  timeout: 300_000,
}, async () => {
  const { node } = hypervisor({ cpu: "cortex-a72" });
  const [kernel = new Uint8Array(0), initrd = new Uint8Array(0)] = debian.map((path) => readFileSync(path));
  const [config, console] = bareMetal("debian", kernel, {
    ...{ memory: 512 * 2 ** 20, cpus: 2, initrd: { name: "initrd", bytes: initrd } },
    append: "console=ttyAMA0 atoll.test=poweroff",
  });
  node.define(config);
  node.start("debian");
  assert.ok(await runUntil(node, () => node.status("debian") !== "running", 250), console.shown.slice(-1000));
  assert.match(console.shown, /ATOLL-INIT-REACHED \S+ aarch64 cpus=2/);
  assert.match(console.shown, /arm-pv: using stolen time PV/);
  assert.equal(node.status("debian"), "stopped");
});

const uBoot = join(ROOT, ".cache", "systems", "u-boot.bin");

test("U-Boot runs from a domain's flash to its prompt", {
  skip: existsSync(uBoot) ? false : "there is no .cache/systems/u-boot.bin",
  timeout: 250_000,
}, async () => {
  const { node } = hypervisor();
  const [{ kernel: _, ...config }, console] = bareMetal("u-boot", new Uint8Array(0), { memory: 256 * 2 ** 20 });
  node.define({ ...config, bios: { name: "u-boot.bin", bytes: readFileSync(uBoot) } });
  node.start("u-boot");
  assert.ok(await runUntil(node, () => console.shown.includes("Hit any key to stop autoboot"), 100), console.shown);
  console.type(" ");
  assert.ok(await runUntil(node, () => console.shown.includes("=> "), 100), console.shown.slice(-500));
  // The flash answers as a device in its other modes, and as memory again.
  console.type("flinfo 1; echo flash-$((1+1))\n");
  assert.ok(
    await runUntil(node, () => /Bank # 1: CFI conformant flash/.test(console.shown), 100),
    console.shown.slice(-1000),
  );
  node.stop("u-boot");
  assert.ok(await runUntil(node, () => node.status("u-boot") === "stopped", 10));
  assert.equal(node.node().free, node.node().memory);
});

test("a paused domain stands still, its time too", { timeout: 120_000 }, async () => {
  const { node } = hypervisor();
  const [config, console] = embeddedLinux("one");
  await bootDomains(node, [[config, console]]);
  const uptime = async (): Promise<number> => {
    const shown = await shellCommand(node, console, "cut -d' ' -f1 /proc/uptime");
    return Number(/^(\d+\.\d+)$/m.exec(shown)?.[1]);
  };
  const before = await uptime();
  const used = (): number => node.statistics("one")?.cpuTime ?? 0;
  node.pause("one");
  await runUntil(node, () => false, 0.1);
  const cpuTime = used();
  await runUntil(node, () => false, 3);
  assert.equal(used(), cpuTime);
  node.resume("one");
  assert.ok((await uptime()) - before < 2.5);
});

test("a running domain's pages are logged, shared and taken back without its notice; its interrupts settle and come again", {
  timeout: 200_000,
}, async () => {
  const { node } = hypervisor({ cpus: 2 });
  const [config, console] = embeddedLinux("one", { cpus: 2, balloon: true });
  await bootDomains(node, [[config, console]]);
  const domain = node.domain("one");
  assert.ok(domain);
  const { space, gic, vcpus } = domain;
  assert.match(
    await shellCommand(node, console, "dd if=/dev/zero of=/tmp/a bs=64k count=64 2>/dev/null; md5sum </tmp/a"),
    /b5cfa9d6c8febd618f91ac2843d50a1c/,
  );

  // Dirty logging: rounds of it end with few pages, as a migration needs.
  space.startLogging();
  assert.match(await shellCommand(node, console, "echo $((1+1))"), /^2$/m);
  const first = space.takeDirty().length;
  assert.ok(first > 10 && first < 5000, `${first}`);
  assert.match(await shellCommand(node, console, "md5sum </tmp/a"), /b5cfa9d6/);
  assert.ok(space.takeDirty().length > 0);
  assert.deepEqual(space.takeDirty(), []);
  space.stopLogging();

  // Somebody else holds all of its pages: writes give it copies, and the others keep what was.
  node.pause("one");
  assert.ok(await runUntil(node, () => node.isQuiet("one"), 5));
  assert.ok(
    gic.restore(
      gic.save(),
      vcpus.map(({ saved }) => saved),
    ),
  );
  const shared = space.mapped;
  node.fork("one", "copy", () => ({ serial: new Console().serial, disks: [] }));
  let copies = 0;
  space.onWriteFault = () => copies++;
  node.resume("one");
  assert.match(await shellCommand(node, console, "md5sum </tmp/a; echo x >/tmp/b; cat /tmp/b"), /b5cfa9d6[\s\S]*^x$/m);
  assert.ok(copies > 10 && copies < shared);
  assert.match(
    await shellCommand(node, console, "grep -c ^processor /proc/cpuinfo; sleep 0.1; echo woke"),
    /^2$[\s\S]*^woke$/m,
  );

  // The balloon gives memory back to the machine, with what the guest reports as free in the meantime.
  const resident = (): number => node.statistics("one")?.memory.resident ?? 0;
  const before = resident();
  assert.match(
    await shellCommand(node, console, "rm /tmp/a; echo 3 >/proc/sys/vm/drop_caches; echo dropped"),
    /^dropped$/m,
  );
  // The file had 4 MiB. The node has enough memory, and takes the wish back ten times a second.
  const isSmaller = (): boolean => {
    domain.balloon?.setTarget(64 * 2 ** 20);
    return resident() < before - 2 * 2 ** 20;
  };
  assert.ok(await runUntil(node, isSmaller, 60), `${before} ${resident()} ${domain.balloon?.describe()}`);
  assert.match(await shellCommand(node, console, "echo fine"), /^fine$/m);
});
