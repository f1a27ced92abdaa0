import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInput } from "../machine/runnable.ts";
import { domainNet, net, publication } from "./network-values.ts";

const MAC = "52:54:00:aa:bb:cc";

test("networks", () => {
  assert.deepEqual(net("none"), { kind: "none" });
  assert.deepEqual(net("user"), { kind: "user", mac: undefined, capture: undefined, dns: undefined });
  assert.deepEqual(net("user,dns=192.0.2.1,mac=52:54:00:aa:bb:CC"), {
    kind: "user",
    mac: MAC,
    capture: undefined,
    dns: { address: "192.0.2.1", port: 53 },
  });
  assert.deepEqual(net("user,dns=127.0.0.1:5353"), {
    kind: "user",
    mac: undefined,
    capture: undefined,
    dns: { address: "127.0.0.1", port: 5353 },
  });
  assert.deepEqual(net("user,dns=[::1]:5353"), {
    kind: "user",
    mac: undefined,
    capture: undefined,
    dns: { address: "::1", port: 5353 },
  });
  assert.deepEqual(net("switch:lan-1,mac=52:54:00:aa:bb:cc"), {
    kind: "switch",
    name: "lan-1",
    mac: MAC,
    capture: undefined,
  });
  assert.deepEqual(net("switch:a,capture=/tmp/a.pcap"), {
    kind: "switch",
    name: "a",
    mac: undefined,
    capture: "/tmp/a.pcap",
  });
});

test("networks of a node, for its domains alone", () => {
  assert.deepEqual(domainNet("network:lan"), {
    kind: "network",
    name: "lan",
    isolation: undefined,
    anyMac: false,
    mac: undefined,
    capture: undefined,
  });
  assert.deepEqual(domainNet(`network:lan,isolation=tenants,any-mac=on,mac=${MAC},capture=a.pcap`), {
    kind: "network",
    name: "lan",
    isolation: "tenants",
    anyMac: true,
    mac: MAC,
    capture: "a.pcap",
  });
  assert.equal(domainNet("switch:a").kind, "switch");
  for (const text of ["network:", "network:a/b", "network:a,any-mac", "network:a,isolation=", "network:a,dns=1.1.1.1"])
    assert.throws(() => domainNet(text), BadInput, text);
  assert.throws(() => domainNet("lan"), /give user, network:NAME/);
  assert.throws(() => net("network:lan"), /give user, switch:NAME, tap:/);
});

test("publications", () => {
  const given = { protocol: "tcp", address: "127.0.0.1", port: 8080, guestPort: 80 };
  assert.deepEqual(publication("8080:80"), given);
  assert.deepEqual(publication("8080:80/tcp"), given);
  assert.deepEqual(publication("0.0.0.0:5353:53/udp"), {
    protocol: "udp",
    address: "0.0.0.0",
    port: 5353,
    guestPort: 53,
  });
  assert.deepEqual(publication("[::]:8080:80"), { ...given, address: "::" });
});

test("what is none", () => {
  const bad = [
    "",
    "user,capture",
    "user,capture=",
    "none,capture=a",
    "users",
    "user,",
    "user,x=1",
    "user,mac=1",
    "user,mac=53:54:00:12:34:56",
    "user,dns=host",
    "user,dns=1.2.3.4:0",
    "user,mac=52:54:00:12:34:56,mac=52:54:00:12:34:56",
    "none,mac=52:54:00:12:34:56",
    "switch",
    "switch:",
    "switch:../x",
    "switch:a/b",
    `switch:${"a".repeat(33)}`,
    "tap",
    "tap:a-name-too-long-for-it",
    "tap:..",
    "tap:a b",
    "tap:fd=",
    "tap:fd=x",
    "tap:fd=3,vnet-header",
    "tap:fd=3,dns=1.1.1.1",
    "taps:fd=3",
    "user,vnet-header=on",
  ];
  for (const text of bad) assert.throws(() => net(text), BadInput, text);
  for (const text of ["", "80", "0:80", "80:0", "80:65536", "host:80:80", "1.2.3:80:80", "80:80/sctp", "::1:80:80"]) {
    assert.throws(() => publication(text), BadInput, text);
  }
});

test("TAP devices", () => {
  const rest = { kind: "tap", vnetHeader: undefined, mac: undefined, capture: undefined };
  assert.deepEqual(net("tap:fd=3"), { ...rest, device: 3 });
  assert.deepEqual(net("tap:/dev/tap7"), { ...rest, device: "/dev/tap7" });
  assert.deepEqual(net("tap:tap0"), { ...rest, device: "tap0" });
  const all = net("tap:fd=0,vnet-header=off,mac=52:54:00:aa:bb:cc,capture=a");
  assert.deepEqual(all, { kind: "tap", device: 0, vnetHeader: false, mac: MAC, capture: "a" });
  for (const text of ["tap", "tap:", "tap:fd=x"]) assert.throws(() => net(text), /tap:fd=N/);
});
