import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { TestDriver } from "../../../../test/support/virtio-driver.ts";
import type { OuterStream, StreamEvents, StreamHost } from "../../../bus/streams.ts";
import { CONFIG, STATUS } from "../mmio.ts";
import { BUFFER_BYTES } from "./connection.ts";
import { CID_HOST, OP, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from "./packet.ts";
import { CONNECTIONS_MAX, VirtioVsock } from "./vsock.ts";

const CID = 7;
const RX = 0;
const TX = 1;

class Stream implements OuterStream {
  events: StreamEvents | undefined;
  readonly written: number[] = [];
  input: number[] = [];
  accepted: number | undefined;
  ended = false;
  closed = false;
  write(bytes: Uint8Array): void {
    this.written.push(...bytes);
  }
  read(max: number): Uint8Array {
    return Uint8Array.from(this.input.splice(0, max));
  }
  get readable(): boolean {
    return this.input.length > 0;
  }
  accept(port: number): void {
    this.accepted = port;
  }
  end(): void {
    this.ended = true;
  }
  close(): void {
    this.closed = true;
  }
  arrive(...bytes: number[]): void {
    this.input.push(...bytes);
    this.events?.readable();
  }
}

class Host implements StreamHost {
  readonly streams: { port: number; stream: Stream }[] = [];
  listener: (port: number, stream: OuterStream) => StreamEvents | undefined = () => undefined;
  connect(port: number, events: StreamEvents, cid: number): OuterStream | undefined {
    if (cid !== CID_HOST) return undefined;
    const stream = new Stream();
    stream.events = events;
    this.streams.push({ port, stream });
    return stream;
  }
  onConnection(listener: typeof this.listener): void {
    this.listener = listener;
  }
}

interface Packet {
  op: number;
  source?: number;
  destination?: number;
  data?: Uint8Array;
  flags?: number;
  buffer?: number;
  forwarded?: number;
  cid?: number;
  type?: number;
  length?: number;
}

function bytesOf(packet: Packet): Uint8Array {
  const data = packet.data ?? new Uint8Array(0);
  const bytes = new Uint8Array(44 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, packet.cid ?? CID, true);
  view.setUint32(8, CID_HOST, true);
  view.setUint32(16, packet.source ?? 5000, true);
  view.setUint32(20, packet.destination ?? 80, true);
  view.setUint32(24, packet.length ?? data.length, true);
  view.setUint16(28, packet.type ?? 1, true);
  view.setUint16(30, packet.op, true);
  view.setUint32(32, packet.flags ?? 0, true);
  view.setUint32(36, packet.buffer ?? 0x10000, true);
  view.setUint32(40, packet.forwarded ?? 0, true);
  bytes.set(data, 44);
  return bytes;
}

function setUp() {
  const host = new Host();
  const driver = new TestDriver((memory) => new VirtioVsock(memory, new TestClock(), host, CID));
  driver.start(0, 3);
  const heap = driver.allocate(0);
  let taken = 0;
  /** Sends packets, one chain each, of a part of memory that is used again. */
  const send = (packet: Packet): void => {
    const bytes = bytesOf(packet);
    driver.memory.bytes.set(bytes, heap);
    driver.setDescriptor(TX, 0, { address: driver.memory.base + heap, length: bytes.length, flags: 0 });
    driver.publish(TX, 0);
    driver.notify(TX);
  };
  const RX_AT = heap + 0x6000;
  /** Gives one buffer; gives the packet that comes in it. */
  const receive = (room = 200) => {
    driver.setDescriptor(RX, 0, { address: driver.memory.base + RX_AT, length: 44 + room, flags: 2 });
    if (driver.used(RX).length === taken) {
      if (!waiting) driver.publish(RX, 0);
      waiting = true;
      driver.notify(RX);
    }
    if (driver.used(RX).length === taken) return undefined;
    waiting = false;
    taken++;
    const view = new DataView(driver.memory.bytes.buffer, driver.memory.bytes.byteOffset + RX_AT, 44 + room);
    return {
      cids: [view.getUint32(0, true), view.getUint32(8, true)],
      ports: [view.getUint32(16, true), view.getUint32(20, true)],
      op: view.getUint16(30, true),
      flags: view.getUint32(32, true),
      credit: [view.getUint32(36, true), view.getUint32(40, true)],
      data: [...driver.memory.bytes.subarray(RX_AT + 44, RX_AT + 44 + view.getUint32(24, true))],
    };
  };
  let waiting = false;
  /** The guest connects. */
  const connect = (packet: Partial<Packet> = {}): Stream => {
    send({ op: OP.request, ...packet });
    const { stream } = host.streams.at(-1) as { stream: Stream };
    stream.events?.connected();
    assert.equal(receive()?.op, OP.response);
    return stream;
  };
  return { host, driver, send, receive, connect };
}

test("the guest's CID is in the configuration", () => {
  const { driver } = setUp();
  assert.deepEqual([driver.read(CONFIG), driver.read(CONFIG + 4)], [CID, 0]);
});

test("a guest connects to the host, and bytes go both ways", () => {
  const { host, send, receive } = setUp();
  send({ op: OP.request });
  assert.equal(receive(), undefined);
  const [{ port, stream }] = host.streams as [{ port: number; stream: Stream }];
  assert.equal(port, 80);
  stream.events?.connected();
  const answer = receive();
  assert.deepEqual(
    [answer?.op, answer?.cids, answer?.ports, answer?.credit],
    [OP.response, [CID_HOST, CID], [80, 5000], [BUFFER_BYTES, 0]],
  );
  send({ op: OP.rw, data: Uint8Array.of(1, 2, 3) });
  assert.deepEqual(stream.written, [1, 2, 3]);
  stream.arrive(9, 8, 7);
  const packet = receive(2);
  assert.deepEqual([packet?.op, packet?.data], [OP.rw, [9, 8]]);
  assert.deepEqual(receive()?.data, [7]);
  assert.equal(receive(), undefined);
});

test("no more is sent than the guest has room for", () => {
  const { send, receive, connect } = setUp();
  const stream = connect({ buffer: 5 });
  stream.arrive(1, 2, 3, 4, 5, 6, 7);
  assert.deepEqual(receive()?.data, [1, 2, 3, 4, 5]);
  assert.equal(receive(), undefined);
  send({ op: OP.creditUpdate, buffer: 5, forwarded: 1 });
  assert.deepEqual(receive()?.data, [6]);
  send({ op: OP.creditUpdate, buffer: 5, forwarded: 6 });
  assert.deepEqual(receive()?.data, [7]);
});

test("the guest is told what the host has taken, and asks for it", () => {
  const { send, receive, connect } = setUp();
  const stream = connect();
  const data = new Uint8Array(0x4000);
  for (let i = 0; i < 4; i++) send({ op: OP.rw, data });
  assert.equal(receive(), undefined);
  stream.events?.delivered(0x1_0000);
  const update = receive();
  assert.deepEqual([update?.op, update?.credit], [OP.creditUpdate, [BUFFER_BYTES, 0x1_0000]]);
  send({ op: OP.creditRequest });
  assert.equal(receive()?.op, OP.creditUpdate);
});

test("a guest that sends more than there is room for loses the connection", () => {
  const { send, receive, connect } = setUp();
  const stream = connect();
  const data = new Uint8Array(0x4000);
  for (let i = 0; i <= BUFFER_BYTES / data.length; i++) send({ op: OP.rw, data });
  assert.equal(receive()?.op, OP.rst);
  assert.ok(stream.closed);
  assert.equal(stream.written.length, BUFFER_BYTES);
});

test("nobody there: the connection is reset", () => {
  const { host, send, receive } = setUp();
  send({ op: OP.request });
  host.streams[0]?.stream.events?.closed();
  assert.equal(receive()?.op, OP.rst);
  assert.equal(receive(), undefined);
});

test("each side ends its half, and both end the connection", () => {
  const { send, receive, connect } = setUp();
  const stream = connect();
  stream.arrive(1);
  stream.events?.ended();
  assert.deepEqual(receive()?.data, [1]);
  const shutdown = receive();
  assert.deepEqual([shutdown?.op, shutdown?.flags], [OP.shutdown, SHUTDOWN_SEND]);
  send({ op: OP.rw, data: Uint8Array.of(5) });
  send({ op: OP.shutdown, flags: SHUTDOWN_SEND });
  assert.deepEqual([stream.written, stream.ended, stream.closed], [[5], true, false]);
  send({ op: OP.shutdown, flags: SHUTDOWN_RECEIVE });
  assert.ok(stream.closed);
  assert.equal(receive()?.op, OP.rst);
  send({ op: OP.rw, data: Uint8Array.of(6) });
  assert.equal(receive()?.op, OP.rst);
});

test("the host connects to the guest", () => {
  const { host, send, receive } = setUp();
  const stream = new Stream();
  stream.events = host.listener(1234, stream);
  const request = receive();
  assert.deepEqual([request?.op, request?.ports[1]], [OP.request, 1234]);
  const hostPort = request?.ports[0] as number;
  stream.arrive(3);
  assert.equal(receive(), undefined);
  send({ op: OP.response, source: 1234, destination: hostPort });
  assert.equal(stream.accepted, hostPort);
  assert.deepEqual(receive()?.data, [3]);
  send({ op: OP.rst, source: 1234, destination: hostPort });
  assert.ok(stream.closed);
  assert.equal(receive(), undefined);
});

test("what is not for a connection is refused", () => {
  const { host, send, receive, connect } = setUp();
  for (const packet of [
    { op: OP.rw },
    { op: OP.response },
    { op: OP.shutdown },
    { op: 77 },
    { op: OP.request, cid: 9 },
    { op: OP.request, type: 2 },
  ]) {
    send(packet);
    assert.equal(receive()?.op, OP.rst, JSON.stringify(packet));
  }
  assert.equal(host.streams.length, 0);
  send({ op: OP.rst });
  assert.equal(receive(), undefined);
  const stream = connect();
  send({ op: OP.request });
  assert.equal(receive()?.op, OP.rst);
  assert.ok(stream.closed);
  const other = connect();
  send({ op: OP.rw, length: 100, data: Uint8Array.of(1) });
  assert.equal(receive()?.op, OP.rst);
  assert.deepEqual([other.written, other.closed], [[], true]);
});

test("a guest that takes no answers is not listened to for ever, and connections are limited", () => {
  const { host, driver, send, receive } = setUp();
  for (let i = 0; i < CONNECTIONS_MAX + 128 + 4; i++) send({ op: OP.request, source: i });
  assert.equal(host.streams.length, CONNECTIONS_MAX);
  // What is left waits in the queue.
  assert.equal(driver.used(TX).length, CONNECTIONS_MAX + 128);
  for (let i = 0; i < 8; i++) assert.equal(receive()?.op, OP.rst);
  assert.equal(driver.used(TX).length, CONNECTIONS_MAX + 128 + 4);
});

test("a reset closes all", () => {
  const { driver, connect } = setUp();
  const stream = connect();
  driver.write(STATUS, 0);
  assert.ok(stream.closed);
  stream.events?.readable();
});

test("any packets are harmless", () => {
  const word = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffff_ffff }));
  const packet = fc.record({
    op: fc.nat(9),
    source: fc.nat(2),
    destination: fc.nat(2),
    data: fc.uint8Array({ maxLength: 20 }),
    flags: fc.nat(4),
    buffer: word,
    forwarded: word,
    cid: fc.constantFrom(CID, CID, CID, 9),
    type: fc.constantFrom(1, 1, 1, 2),
    length: fc.oneof(fc.constant(undefined), word),
  });
  const event = fc.constantFrom("connected", "readable", "ended", "closed", "accept", "take" as const);
  fc.assert(
    fc.property(fc.array(fc.oneof(packet, event), { maxLength: 60 }), (steps) => {
      const { host, driver, send, receive } = setUp();
      for (const step of steps) {
        const stream = host.streams.at(-1)?.stream;
        if (step === "take") receive();
        else if (step === "accept") host.listener(1, new Stream());
        else if (typeof step !== "string")
          send(Object.fromEntries(Object.entries(step).filter(([, v]) => v !== undefined)) as unknown as Packet);
        else if (stream !== undefined && !stream.closed) {
          if (step === "readable") stream.input.push(1, 2, 3);
          stream.events?.[step]();
        }
      }
      assert.ok(driver.memory.guardsIntact());
    }),
  );
});
