import assert from "node:assert/strict";
import { test } from "node:test";
import { Frame } from "./frame.ts";
import { type PortOptions, type VirtualPort, VirtualSwitch } from "./virtual-switch.ts";

const macOf = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);
const EVERYBODY = Uint8Array.of(255, 255, 255, 255, 255, 255);

function plug(network: VirtualSwitch, last: number, options: Partial<PortOptions> = {}): VirtualPort {
  const port = network.connect({ mac: macOf(last), anyMac: false, wake: () => {}, ...options });
  assert.ok(port);
  return port;
}

function send(from: VirtualPort, to: Uint8Array, text: string, source = from.link.mac): void {
  const frame = new Frame();
  const bytes = Buffer.concat([to, source, Uint8Array.of(8, 0), Buffer.from(text)]);
  frame.bytes.set(bytes);
  frame.complete(bytes.length);
  from.link.transmit(frame);
}

/** What waits for each, in order. */
function heard(...ports: VirtualPort[]): string[] {
  return ports.map(({ link }) => {
    const texts: string[] = [];
    for (let frame = link.receive(); frame !== undefined; frame = link.receive())
      texts.push(Buffer.from(frame.bytes.subarray(14, frame.length)).toString());
    return texts.join();
  });
}

test("a frame goes to whoever has its address, or to all for a group, and to nobody on another switch", () => {
  const network = new VirtualSwitch();
  const [a, b, c] = [plug(network, 1), plug(network, 2), plug(network, 3)];
  const elsewhere = plug(new VirtualSwitch(), 2);
  send(a, macOf(2), "to b");
  send(b, EVERYBODY, "to all");
  send(c, macOf(9), "to nobody");
  assert.deepEqual(heard(a, b, c, elsewhere), ["to all", "to b", "to all", ""]);
  b.close();
  send(a, macOf(2), "too late");
  assert.deepEqual(heard(a, b, c), ["", "", ""]);
});

test("members of an isolation group reach all but each other, by any address", () => {
  const network = new VirtualSwitch();
  const [router, a, b] = [plug(network, 1), plug(network, 2, { isolation: "x" }), plug(network, 3, { isolation: "x" })];
  const other = plug(network, 4, { isolation: "y" });
  const learning = plug(network, 5, { isolation: "x", anyMac: true });
  send(learning, macOf(1), "here I am");
  heard(router, a, b, other);
  send(a, EVERYBODY, "all");
  send(a, macOf(3), "b");
  send(a, macOf(5), "learnt");
  send(a, macOf(77), "unknown");
  send(a, macOf(4), "other");
  assert.deepEqual(heard(router, b, other, learning), ["all", "", "all,other", ""]);
  send(router, macOf(2), "back");
  assert.deepEqual(heard(a, b), ["back", ""]);
});

test("nobody sends from another's address, but those who may have any, and they take nobody's frames away", () => {
  const network = new VirtualSwitch();
  const [a, b] = [plug(network, 1), plug(network, 2)];
  const bridge = plug(network, 3, { anyMac: true });
  send(a, macOf(2), "forged", macOf(9));
  send(a, EVERYBODY, "as b", macOf(2));
  send(a, EVERYBODY, "as a group", EVERYBODY);
  assert.equal(a.spoofed, 3);
  assert.deepEqual(heard(b, bridge), ["", ""]);
  send(bridge, macOf(2), "from behind", macOf(50));
  send(bridge, macOf(2), "as a", macOf(1));
  assert.deepEqual(heard(b), ["from behind,as a"]);
  send(b, macOf(50), "reply");
  send(b, macOf(1), "for a");
  assert.deepEqual(heard(a, bridge), ["for a", "reply"]);
  assert.equal(network.connect({ mac: macOf(1), anyMac: false, wake: () => {} }), undefined);
});

test("frames beyond 4 MiB that a station does not take are lost, and it goes on", () => {
  const network = new VirtualSwitch();
  const [a, b] = [plug(network, 1), plug(network, 2)];
  for (let i = 0; i < 100; i++) send(a, macOf(2), "x".repeat(60_000));
  const [got = ""] = heard(b);
  assert.equal(got.split(",").length, 69);
  send(a, macOf(2), "again");
  assert.deepEqual(heard(b), ["again"]);
});
