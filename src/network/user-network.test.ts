import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GUEST, GUEST6, ip, packetOf, TestGuest, udp } from "../../test/support/network.ts";
import { address } from "./address.ts";
import { DEFAULT_MAC, GATEWAY_MAC } from "./plan.ts";

const hex = (text: string): string => Buffer.from(address(text)).toString("hex");
const MINE = [...DEFAULT_MAC, 10, 0, 2, 15];

function arp(about: number): Uint8Array {
  return Uint8Array.from([0, 1, 8, 0, 6, 4, 0, 1, ...MINE, 0, 0, 0, 0, 0, 0, 10, 0, 2, about]);
}

test("ARP: the gateway and the name server answer, others do not", () => {
  const guest = new TestGuest();
  for (const about of [2, 3]) {
    guest.sendFrame(0x0806, arp(about), Uint8Array.from([255, 255, 255, 255, 255, 255]));
    const [reply] = guest.frames();
    assert.ok(reply);
    const bytes = [...reply.bytes.subarray(0, reply.length)];
    assert.deepEqual(bytes.slice(0, 14), [...DEFAULT_MAC, ...GATEWAY_MAC, 8, 6]);
    assert.deepEqual(bytes.slice(14), [0, 1, 8, 0, 6, 4, 0, 2, ...GATEWAY_MAC, 10, 0, 2, about, ...MINE]);
  }
  guest.sendFrame(0x0806, arp(15));
  guest.sendFrame(0x0806, arp(4));
  assert.deepEqual(guest.frames(), []);
});

test("frames to others than the router are not looked at", () => {
  const guest = new TestGuest();
  guest.sendFrame(0x0806, arp(2), Uint8Array.of(2, 0, 0, 0, 0, 1));
  assert.deepEqual(guest.frames(), []);
});

test("an echo request is answered by the network's own addresses, of any size", () => {
  for (const [to, type, reply, protocol] of [
    ["10.0.2.2", 8, 0, 1],
    ["10.0.2.3", 8, 0, 1],
    ["fec0::2", 128, 129, 58],
    ["fe80::2", 128, 129, 58],
  ] as const) {
    const guest = new TestGuest();
    const message = Uint8Array.from([type, 0, 0, 0, 1, 2, 0, 3, ...new Array<number>(100).fill(6)]);
    guest.sendIp(ip(protocol, to, message, { checksumAt: 2, pseudo: protocol === 58 }));
    const [answer, ...more] = guest.packets();
    assert.ok(answer && more.length === 0);
    assert.deepEqual([answer.payload[0], ...answer.payload.subarray(4)], [reply, ...message.subarray(4)]);
    assert.equal(answer.from, to.includes(":") ? hex(to) : to);
  }
});

test("an echo request to others is the host's to ask", () => {
  const guest = new TestGuest();
  const message = Uint8Array.from([8, 0, 0, 0, 1, 2, 0, 3]);
  for (const _ of [1, 2]) guest.sendIp(ip(1, "192.0.2.9", message, { checksumAt: 2, pseudo: false }));
  assert.deepEqual(
    guest.host.echoes.map(({ address: to }) => to),
    ["192.0.2.9", "192.0.2.9"],
  );
  assert.deepEqual(guest.packets(), []);
  guest.host.echoes[0]?.done(false);
  assert.deepEqual(guest.packets(), []);
  guest.host.echoes[1]?.done(true);
  assert.equal(guest.packets()[0]?.from, "192.0.2.9");
});

function dhcp(type: number, options: readonly number[] = [], mac: Uint8Array = DEFAULT_MAC): Uint8Array {
  const message = new Uint8Array(300);
  message.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
  message.set(mac, 28);
  message.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
  return ip(17, "255.255.255.255", udp(68, 67, message), { from: "0.0.0.0", checksumAt: 6 });
}

function dhcpAnswer(guest: TestGuest): { type: number; address: string; options: Map<number, number[]> } | undefined {
  const [packet] = guest.packets();
  if (packet === undefined) return undefined;
  const message = packet.payload.subarray(8);
  assert.deepEqual([...message.subarray(0, 8)], [2, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
  const options = new Map<number, number[]>();
  for (let at = 240; message[at] !== 255; at += 2 + (message[at + 1] as number)) {
    options.set(message[at] as number, [...message.subarray(at + 2, at + 2 + (message[at + 1] as number))]);
  }
  return { type: options.get(53)?.[0] ?? 0, address: message.subarray(16, 20).join("."), options };
}

test("DHCP: offer and acknowledgement of the guest's address, with router and name server", () => {
  const guest = new TestGuest();
  guest.sendIp(dhcp(1));
  assert.deepEqual([dhcpAnswer(guest)?.type, GUEST], [2, GUEST]);
  guest.sendIp(dhcp(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]));
  const answer = dhcpAnswer(guest);
  assert.deepEqual([answer?.type, answer?.address], [5, GUEST]);
  assert.deepEqual(answer?.options.get(1), [255, 255, 255, 0]);
  assert.deepEqual(answer?.options.get(3), [10, 0, 2, 2]);
  assert.deepEqual(answer?.options.get(6), [10, 0, 2, 3]);
  assert.deepEqual(answer?.options.get(54), [10, 0, 2, 2]);
});

test("DHCP: an address of another network is refused; another server's client is left alone", () => {
  const guest = new TestGuest();
  guest.sendIp(dhcp(3, [50, 4, 192, 168, 1, 5]));
  assert.equal(dhcpAnswer(guest)?.type, 6);
  guest.sendIp(dhcp(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 99]));
  assert.equal(dhcpAnswer(guest), undefined);
});

test("DHCP: who else is behind the interface has addresses of its own, so many", () => {
  const guest = new TestGuest();
  const given: (string | undefined)[] = [];
  for (let i = 0; i < 20; i++) {
    guest.sendIp(dhcp(1, [], Uint8Array.of(2, 0, 0, 0, 0, i)));
    given.push(dhcpAnswer(guest)?.address);
  }
  assert.equal(given[0], "10.0.2.16");
  assert.equal(new Set(given.filter(Boolean)).size, 15);
  guest.sendIp(dhcp(1));
  assert.equal(dhcpAnswer(guest)?.address, GUEST);
});

test("IPv6: router, prefix and name server are advertised", () => {
  const guest = new TestGuest();
  guest.sendIp(
    ip(58, "ff02::2", Uint8Array.from([133, 0, 0, 0, 0, 0, 0, 0]), { from: "fe80::1:2", checksumAt: 2, ttl: 255 }),
  );
  const [packet] = guest.packets();
  assert.ok(packet);
  assert.deepEqual([packet.from, packet.to, packet.ttl, packet.payload[0]], [hex("fe80::2"), hex("ff02::1"), 255, 134]);
  const shown = Buffer.from(packet.payload).toString("hex");
  // Prefix information (64 bits, on the link, autonomous), and the recursive DNS server.
  assert.match(shown, /030440c0.{16}00000000fec00000000000000000000000000000/);
  assert.match(shown, /1903.{12}fec00000000000000000000000000003/);
  assert.equal((packet.payload[6] as number) * 256 + (packet.payload[7] as number), 1800);
});

test("IPv6: neighbours of the network's are found; what came over a router is not believed", () => {
  const guest = new TestGuest();
  const ask = (about: string, ttl: number): void => {
    const message = Uint8Array.from([135, 0, 0, 0, 0, 0, 0, 0, ...address(about), 1, 1, ...DEFAULT_MAC]);
    guest.sendIp(ip(58, "ff02::1:ff00:2", message, { checksumAt: 2, ttl }));
  };
  for (const about of ["fec0::2", "fec0::3", "fe80::2"]) {
    ask(about, 255);
    const [answer] = guest.packets();
    assert.deepEqual([answer?.payload[0], answer?.from], [136, hex(about)]);
    assert.deepEqual([...(answer?.payload.subarray(24) ?? [])], [2, 1, ...GATEWAY_MAC]);
  }
  ask("fec0::2", 64);
  ask("fec0::77", 255);
  assert.deepEqual(guest.packets(), []);
});

test("DHCPv6 tells the name server", () => {
  const guest = new TestGuest();
  guest.sendIp(ip(17, "ff02::1:2", udp(546, 547, [11, 1, 2, 3, 0, 1, 0, 2, 8, 9]), { from: GUEST6, checksumAt: 6 }));
  const [answer] = guest.packets();
  const shown = Buffer.from(answer?.payload.subarray(8) ?? []).toString("hex");
  assert.match(shown, /^070102030001000208090002/);
  assert.match(shown, /00170010fec00000000000000000000000000003$/);
});

test("DNS: queries go to the host's resolver, its answers come from the name server; without one, SERVFAIL", () => {
  for (const to of ["10.0.2.3", "fec0::3"]) {
    const guest = new TestGuest();
    const query = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1];
    for (const _ of [1, 2]) guest.sendUdp(to, 5353, 53, query);
    assert.deepEqual(
      guest.host.queries.map((q) => [...q.query]),
      [query, query],
    );
    guest.host.queries[0]?.done(Uint8Array.of(9, 9));
    const [answer] = guest.packets();
    assert.deepEqual([...(answer?.payload ?? [])].slice(0, 4), [0, 53, 5353 >> 8, 5353 & 0xff]);
    assert.deepEqual([...(answer?.payload.subarray(8) ?? [])], [9, 9]);
    guest.host.queries[1]?.done(undefined);
    assert.deepEqual([...(guest.packets()[0]?.payload.subarray(8, 12) ?? [])], [0x12, 0x34, 0x81, 0x82]);
  }
});

test("UDP: a port of the guest's is one socket, whoever it speaks with; its answers come back", () => {
  const guest = new TestGuest();
  guest.sendUdp("192.0.2.1", 4000, 7, [1, 2]);
  guest.sendUdp("10.0.2.2", 4000, 8, [3]);
  guest.sendUdp("fec0::2", 4000, 9, [4]);
  assert.equal(guest.host.sockets.length, 2);
  const [socket, six] = guest.host.sockets;
  assert.deepEqual(
    socket?.sent.map(({ address: to, port, bytes }) => [to, port, ...bytes]),
    [
      ["192.0.2.1", 7, 1, 2],
      ["127.0.0.1", 8, 3],
    ],
  );
  assert.deepEqual(
    six?.sent.map(({ address: to, port }) => [to, port]),
    [["::1", 9]],
  );
  socket?.events.received(Uint8Array.of(5), "192.0.2.1", 7);
  socket?.events.received(Uint8Array.of(6), "127.0.0.1", 8);
  assert.deepEqual(
    guest.packets().map(({ from, to, payload }) => [from, to, payload[8]]),
    [
      ["192.0.2.1", GUEST, 5],
      ["10.0.2.2", GUEST, 6],
    ],
  );
});

test("UDP: unused mappings end, and there are not more than so many", () => {
  const guest = new TestGuest();
  guest.sendUdp("192.0.2.1", 4000, 7, []);
  guest.clock.advance(100e9);
  guest.sendUdp("192.0.2.1", 4000, 7, []);
  guest.clock.advance(100e9);
  assert.equal(guest.network.usage.mappings, 1);
  guest.clock.advance(130e9);
  guest.clock.advance(130e9);
  assert.deepEqual([guest.network.usage.mappings, guest.host.sockets[0]?.closed], [0, true]);
  for (let port = 1; port < 700; port++) guest.sendUdp("192.0.2.1", port, 7, []);
  assert.equal(guest.network.usage.mappings, 512);
  assert.equal(guest.host.sockets.filter(({ closed }) => !closed).length, 512);
});

test("UDP: a published port, and the guest's answer from it", async () => {
  const guest = new TestGuest();
  await guest.network.publish({ protocol: "udp", address: "127.0.0.1", port: 5000, guestPort: 53 });
  guest.sendFrame(0x0806, arp(2));
  guest.frames();
  const [socket] = guest.host.sockets;
  socket?.events.received(Uint8Array.of(1), "127.0.0.1", 6000);
  assert.deepEqual(
    guest.packets().map(({ from, payload }) => [from, ...payload.subarray(0, 4)]),
    [["10.0.2.2", 6000 >> 8, 6000 & 0xff, 0, 53]],
  );
  guest.sendUdp("10.0.2.2", 53, 6000, [2]);
  assert.deepEqual(
    socket?.sent.map(({ port, bytes }) => [port, ...bytes]),
    [[6000, 2]],
  );
  guest.clock.advance(1000e9);
  assert.equal(guest.network.usage.mappings, 1);
});

test("what is too large for the link comes in fragments, and what comes in fragments is put together", () => {
  for (const to of ["192.0.2.1", "2001:db8::1"]) {
    const guest = new TestGuest();
    guest.sendUdp(to, 4000, 7, []);
    const data = Uint8Array.from({ length: 5000 }, (_, i) => i * 3);
    guest.host.sockets[0]?.events.received(data, to, 7);
    const frames = guest.frames();
    assert.ok(frames.length === 4 && frames.every(({ length }) => length <= 1514));
    // Sent back as they are: what the network cuts it can put together.
    const turned = new TestGuest();
    for (const frame of frames.reverse()) {
      const bytes = frame.bytes.slice(14, frame.length);
      turned.sendIp(turn(bytes));
    }
    const [socket] = turned.host.sockets;
    assert.deepEqual(
      socket?.sent.map(({ bytes, port }) => [port, bytes.length]),
      [[4000, 5000]],
    );
    assert.equal(Buffer.compare(socket?.sent[0]?.bytes ?? Buffer.alloc(0), data), 0);
  }
});

/** The packet, from where it went. */
function turn(packet: Uint8Array): Uint8Array {
  const [at, length] = (packet[0] as number) >> 4 === 4 ? [12, 4] : [8, 16];
  const turned = packet.slice();
  turned.set(packet.subarray(at + length, at + 2 * length), at);
  turned.set(packet.subarray(at, at + length), at + length);
  return turned;
}

test("fragments that overlap, and too many that are never complete, come to nothing", () => {
  const guest = new TestGuest();
  const part = (fragment: number, length: number, id: number): void =>
    guest.sendIp(ip(17, "192.0.2.1", new Uint8Array(length), { fragment, id }));
  part(0x2000, 512, 1);
  part(0x2000 | 32, 512, 1);
  part(64, 8, 1);
  for (let id = 10; id < 200; id++) part(0x2000, 512, id);
  assert.equal(guest.host.sockets.length, 0);
});

test("a message about what cannot be reached says what it is about", () => {
  const guest = new TestGuest();
  guest.sendUdp("10.0.2.3", 4000, 99, [1]);
  const [answer] = guest.packets();
  assert.deepEqual([answer?.protocol, answer?.payload[0], answer?.payload[1]], [1, 3, 3]);
  assert.deepEqual([...(answer?.payload.subarray(28, 32) ?? [])], [4000 >> 8, 4000 & 0xff, 0, 99]);
});

test("any bytes at all are taken without complaint", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100), (bytes, type) => {
      const guest = new TestGuest();
      guest.sendFrame(type, bytes);
      for (const frame of guest.frames()) packetOf(frame);
    }),
    { numRuns: 300 },
  );
});
