// Linux domains that are to reach each other, and those that are not.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { GuestStreams } from "../../src/hosts/node/guest-streams.ts";
import { NodeFolder } from "../../src/hosts/node/shared-folder.ts";
import { type PortOptions, VirtualSwitch } from "../../src/network/virtual-switch.ts";
import { ROOT } from "../support/atoll.ts";
import { type Console, embeddedLinux, hypervisor } from "../support/hypervisor.ts";
import { NO_DHCP } from "../support/in-guest.ts";
import { bootDomains, shellCommand } from "../support/linux-domains.ts";

test("Linux domains find a channel in their device trees, write and ring by its addresses, and a reader cannot write", {
  timeout: 400_000,
}, async () => {
  const { node, events } = hypervisor({ cpus: 1, memory: 280 * 2 ** 20 });
  const members = [
    { domain: "one", readOnly: false },
    { domain: "two", readOnly: true },
  ];
  node.channels.define({ name: "orders", bytes: 65536, members });
  const domains = ["one", "two"].map((name) => embeddedLinux(name, { memory: 112 * 2 ** 20 }));
  const [one, two] = (await bootDomains(node, domains)) as [Console, Console];
  const tree = "/proc/device-tree/channel@800000000";
  assert.match(
    await shellCommand(node, two, `tr '\\0' ' ' <${tree}/atoll,members; ls ${tree}`),
    /one two [\s\S]*read-only/,
  );
  await shellCommand(node, one, "devmem 0x80000fffc 32 0x12345678; devmem 0xb000000 32 1");
  assert.match(
    await shellCommand(node, two, "devmem 0x80000fffc; devmem 0xb000004; devmem 0xb000004"),
    /^0x12345678\n0x00000001\n0x00000000$/m,
  );
  assert.match(await shellCommand(node, two, "devmem 0x80000fffc 32 1; echo alive"), /Bus error[\s\S]*^alive$/m);
  assert.match(
    await shellCommand(node, one, "devmem 0x80000fffc; devmem 0x800010000; echo alive"),
    /^0x12345678\nBus error[\s\S]*^alive$/m,
  );
  assert.ok(events.some((event) => event.kind === "refused" && event.domain === "two" && event.what === "memory"));
});

test("Linux domains ping each other over the node's networks, but in an isolation group, and from no address but their own", {
  timeout: 500_000,
}, async () => {
  const { node } = hypervisor({ cpus: 1, memory: 400 * 2 ** 20 });
  const [lan, other] = [new VirtualSwitch(), new VirtualSwitch()];
  const port = (network: VirtualSwitch, last: number, options: Partial<PortOptions> = {}) => {
    const mac = Uint8Array.of(0x52, 0x54, 0, 0, 0, last);
    const opened = network.connect({ mac, anyMac: false, wake: () => {}, ...options });
    assert.ok(opened);
    return opened;
  };
  const ports = [
    [port(lan, 1), port(other, 4)],
    [port(lan, 2, { isolation: "tenants" })],
    [port(lan, 3, { isolation: "tenants" }), port(other, 5)],
  ];
  const domains = ports.map((each, i) =>
    embeddedLinux(`d${i}`, { memory: 112 * 2 ** 20, networks: each.map(({ link }) => link) }),
  );
  const [router, a, b] = (await bootDomains(node, domains)) as [Console, Console, Console];
  for (const [i, console] of [router, a, b].entries())
    await shellCommand(node, console, `${NO_DHCP}; ip addr add 10.7.0.${i + 1}/24 dev eth0; ip link set eth0 up`);
  await shellCommand(node, router, "ip addr add 10.8.0.1/24 dev eth1; ip link set eth1 up");
  await shellCommand(node, b, "ip addr add 10.8.0.3/24 dev eth1; ip link set eth1 up");
  assert.match(await shellCommand(node, router, "cat /sys/class/net/eth*/address"), /00:01\n52:54:00:00:00:04\n/);
  const ping = async (from: Console, to: string): Promise<boolean> =>
    / 0% packet loss/.test(await shellCommand(node, from, `ping -c 2 -w 4 ${to}`));
  assert.ok(await ping(router, "10.7.0.2"));
  assert.ok(await ping(a, "10.7.0.1"));
  assert.ok(await ping(b, "10.7.0.1"));
  assert.ok(!(await ping(a, "10.7.0.3")));
  assert.ok(await ping(router, "10.8.0.3"));

  // Who takes another's address is heard by nobody.
  assert.equal(ports[1]?.[0]?.spoofed, 0);
  await shellCommand(node, a, "ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:03; ip link set eth0 up");
  assert.ok(!(await ping(a, "10.7.0.1")));
  assert.ok((ports[1]?.[0]?.spoofed ?? 0) > 0);
  assert.ok(await ping(b, "10.7.0.1"));
});

test("programs in Linux domains connect to each other's vsock ports by CID", { timeout: 500_000 }, async () => {
  const { node } = hypervisor({ cpus: 1, memory: 280 * 2 ** 20 });
  const streams = new GuestStreams();
  const outside = { connect: () => undefined, onConnection: () => {} };
  const domains = [5, 6].map((cid) => {
    const host = streams.join(cid, outside, () => {});
    assert.ok(host);
    const shares = [{ tag: "p", folder: new NodeFolder(join(ROOT, "test", "systems", "programs", "bin"), true) }];
    return embeddedLinux(`d${cid}`, { memory: 112 * 2 ** 20, shares, vsock: { cid, host } });
  });
  const [one, two] = (await bootDomains(node, domains)) as [Console, Console];
  for (const console of [one, two])
    await shellCommand(node, console, "mkdir -p /p; mount -t 9p -o trans=virtio,version=9p2000.L p /p");
  assert.match(await shellCommand(node, one, "/p/vsock connect 6 99"), /connect: failed/);
  assert.match(await shellCommand(node, one, "/p/vsock connect 7 99"), /connect: failed/);
  assert.match(await shellCommand(node, one, "/p/vsock connect 2 99"), /connect: failed/);
  await shellCommand(node, two, "(echo from two; sleep 1) | /p/vsock listen 7000 >/tmp/heard & sleep 1");
  assert.match(await shellCommand(node, one, "echo from one | /p/vsock connect 6 7000"), /^from two$/m);
  assert.match(await shellCommand(node, two, "wait; cat /tmp/heard"), /^from one$/m);
  await shellCommand(node, two, "/p/vsock discard 7001 >/tmp/count & sleep 1");
  await shellCommand(node, one, "/p/vsock supply 6 7001 8");
  assert.match(await shellCommand(node, two, "wait; cat /tmp/count"), /^8388608$/m);
});
