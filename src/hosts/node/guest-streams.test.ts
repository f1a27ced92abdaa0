import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { OuterStream, Peer, StreamEvents, StreamHost } from "../../bus/streams.ts";
import { CID_HOST } from "../../devices/virtio/vsock/packet.ts";
import { GuestStreams } from "./guest-streams.ts";

/** What a device hears, and its end. */
class Heard implements StreamEvents {
  readonly events: string[] = [];
  stream: OuterStream | undefined;
  connected = (): void => void this.events.push("connected");
  readable = (): void => void this.events.push("readable");
  delivered = (bytes: number): void => void this.events.push(`delivered ${bytes}`);
  ended = (): void => void this.events.push("ended");
  closed = (): void => void this.events.push("closed");
  text(): string {
    return Buffer.from(this.stream?.read(1000) ?? []).toString();
  }
}

class Outside implements StreamHost {
  asked: number[] = [];
  connect(port: number): undefined {
    this.asked.push(port);
    return undefined;
  }
  onConnection(): void {}
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate();
}

function guests() {
  const streams = new GuestStreams();
  const outside = new Outside();
  const join = (cid: number) => {
    const host = streams.join(cid, outside, () => {});
    assert.ok(host);
    return host;
  };
  const [a, b] = [join(3), join(4)];
  const taken: { port: number; from: Peer | undefined; heard: Heard }[] = [];
  b.onConnection((port, stream, from) => {
    if (port === 99) return undefined;
    const heard = new Heard();
    heard.stream = stream;
    taken.push({ port, from, heard });
    return heard;
  });
  const connect = (port: number, cid = 4): Heard => {
    const heard = new Heard();
    heard.stream = a.connect(port, heard, cid, 1234);
    return heard;
  };
  return { streams, outside, a, b, taken, connect };
}

test("a stream between two guests carries bytes both ways, says what was delivered, and ends without a loss", async () => {
  const { taken, connect } = guests();
  const one = connect(7);
  await settled();
  const [{ port, from, heard: two } = assert.fail()] = taken;
  assert.deepEqual([port, from], [7, { cid: 3, port: 1234 }]);
  assert.deepEqual(one.events, []);
  two.stream?.accept(0);
  await settled();
  assert.deepEqual(one.events, ["connected"]);
  one.stream?.write(Buffer.from("hello"));
  assert.deepEqual(two.events, []);
  await settled();
  assert.deepEqual(two.events, ["readable"]);
  assert.equal(two.text(), "hello");
  two.stream?.write(Buffer.from("world"));
  two.stream?.end();
  await settled();
  assert.deepEqual(one.events, ["connected", "delivered 5", "readable", "ended"]);
  assert.equal(one.text(), "world");
  one.stream?.write(Buffer.from("last"));
  one.stream?.close();
  await settled();
  assert.deepEqual(two.events, ["readable", "delivered 5", "readable", "ended"]);
  assert.equal(two.text(), "last");
});

test("what nobody takes is refused; who leaves what was written unread breaks the stream", async () => {
  const { outside, taken, connect } = guests();
  assert.equal(connect(7, 5).stream, undefined);
  assert.equal(connect(8, CID_HOST).stream, undefined);
  assert.deepEqual(outside.asked, [8]);
  const refused = connect(99);
  await settled();
  assert.deepEqual(refused.events, ["closed"]);
  const one = connect(7);
  await settled();
  const two = taken[0]?.heard;
  two?.stream?.accept(0);
  one.stream?.write(Buffer.from("unread"));
  two?.stream?.close();
  await settled();
  assert.deepEqual(one.events, ["connected", "closed"]);
});

test("a guest that goes ends its streams, and its CID is free", async () => {
  const { streams, outside, b, taken, connect } = guests();
  assert.equal(
    streams.join(4, outside, () => {}),
    undefined,
  );
  const one = connect(7);
  await settled();
  taken[0]?.heard.stream?.accept(0);
  b.close();
  await settled();
  assert.deepEqual(one.events, ["connected", "ended"]);
  one.stream?.write(Buffer.from("too late"));
  await settled();
  assert.equal(one.events.at(-1), "closed");
  assert.equal(connect(7).stream, undefined);
  assert.ok(streams.join(4, outside, () => {}));
});
