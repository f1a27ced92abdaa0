import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ACK,
  ALL_OFFLOADS,
  FIN,
  GUEST,
  ip,
  PSH,
  packetOf,
  RST,
  SYN,
  segmentOf,
  type TcpSegment,
  TestGuest,
  TestStream,
  tcp,
} from "../../../test/support/network.ts";
import { NO_OFFLOADS } from "../link.ts";

const SYN_OPTIONS = [2, 4, 5, 180, 1, 3, 3, 7];
const PEER = "192.0.2.1";

/** A connection from the guest's side: it keeps the guest's numbers. */
class Call {
  readonly guest: TestGuest;
  readonly peer: string;
  seq = 1000;
  ack = 0;
  window = 0xffff;

  constructor(guest: TestGuest, peer = PEER) {
    this.guest = guest;
    this.peer = peer;
  }
  get stream(): TestStream {
    return this.guest.host.streams.at(-1) as TestStream;
  }
  send(flags: number, data: readonly number[] = [], changes: { seq?: number } = {}): TcpSegment[] {
    this.guest.sendTcp(this.peer, { seq: this.seq >>> 0, ack: this.ack, flags, window: this.window, data, ...changes });
    this.seq += data.length + (flags & (SYN | FIN) ? 1 : 0);
    return this.guest.segments();
  }
  /** Up to data. */
  establish(options: readonly number[] = SYN_OPTIONS): TcpSegment {
    this.guest.sendTcp(this.peer, { seq: this.seq++, flags: SYN, window: this.window, options });
    assert.deepEqual(this.guest.segments(), [], "nothing is said before the host is connected");
    this.stream.events?.connected();
    const [answer, ...more] = this.guest.segments();
    assert.ok(answer && more.length === 0);
    this.ack = answer.seq + 1;
    assert.deepEqual(this.send(ACK), []);
    return answer;
  }
  /** Takes all that comes, and acknowledges it. */
  take(): number[] {
    const data: number[] = [];
    for (let segments = this.guest.segments(); segments.length > 0; segments = this.guest.segments()) {
      for (const segment of segments) {
        assert.equal(segment.seq, this.ack);
        this.ack = (segment.seq + segment.data.length + (segment.flags & FIN ? 1 : 0)) >>> 0;
        data.push(...segment.data);
      }
      this.guest.sendTcp(this.peer, { seq: this.seq, ack: this.ack, flags: ACK, window: this.window });
    }
    return data;
  }
}

const bytes = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => (i * 7 + from) & 0xff);

test("the guest's SYN connects the host; its SYN-ACK has MSS and window scale", () => {
  const call = new Call(new TestGuest());
  const answer = call.establish();
  assert.deepEqual([call.stream.address, call.stream.port], [PEER, 80]);
  assert.equal(answer.flags, SYN | ACK);
  assert.equal(answer.ack, 1001);
  assert.deepEqual([...answer.options], [2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 6]);
});

test("the gateway is the host's loopback, the name server's port 53 the host's name server; others of the network are nobody", () => {
  const guest = new TestGuest();
  guest.sendTcp("10.0.2.2", { seq: 1, flags: SYN, to: 22 });
  guest.sendTcp("fec0::2", { seq: 1, flags: SYN, to: 22 });
  guest.sendTcp("10.0.2.3", { seq: 1, flags: SYN, to: 53 });
  assert.deepEqual(
    guest.host.streams.map(({ address, port }) => `${address} ${port}`),
    ["127.0.0.1 22", "::1 22", "192.0.2.53 53"],
  );
  for (const nobody of ["10.0.2.77", "127.0.0.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::7", "fec0::9"]) {
    guest.sendTcp(nobody, { seq: 1, flags: SYN });
  }
  guest.sendTcp("10.0.2.3", { seq: 1, flags: SYN, to: 80 });
  assert.equal(guest.host.streams.length, 3);
  assert.ok(guest.segments().every(({ flags }) => flags === (RST | ACK)));
});

test("without the window scale option nothing is scaled", () => {
  const call = new Call(new TestGuest());
  assert.deepEqual([...call.establish([2, 4, 5, 180]).options.slice(4)], [0, 0, 0, 0]);
  assert.equal(call.send(ACK | PSH, [1])[0]?.window, 0xffff);
});

test("data goes both ways, in order, and is acknowledged once for all that came", () => {
  const call = new Call(new TestGuest());
  call.establish();
  for (let i = 0; i < 3; i++) {
    call.guest.sendTcp(PEER, { seq: call.seq, ack: call.ack, flags: ACK, data: bytes(1000, i) });
    call.seq += 1000;
  }
  const acks = call.guest.segments();
  assert.deepEqual(
    acks.map(({ ack, flags }) => [ack, flags]),
    [[call.seq, ACK]],
  );
  assert.deepEqual(call.stream.written, [...bytes(1000, 0), ...bytes(1000, 1), ...bytes(1000, 2)]);
  call.stream.arrive(...bytes(5000));
  assert.deepEqual(call.take(), bytes(5000));
});

test("with segmentation offload one frame holds many segments; without it each is of the guest's MSS", () => {
  const large = new Call(new TestGuest());
  large.establish();
  large.stream.arrive(...bytes(10_000));
  const [frame, ...others] = large.guest.frames();
  assert.equal(others.length, 0);
  assert.deepEqual([frame?.segmentation, frame?.segmentBytes], [1, 1460]);

  const small = new Call(new TestGuest(NO_OFFLOADS));
  small.establish([2, 4, 500 >> 8, 500 & 0xff]);
  small.stream.arrive(...bytes(1200));
  assert.deepEqual(
    small.guest.segments().map(({ data }) => data.length),
    [500, 500, 200],
  );
});

test("no more is sent than the window has room for, scaled; it goes on when that opens", () => {
  const call = new Call(new TestGuest());
  call.window = 10;
  call.establish([2, 4, 5, 180, 1, 3, 3, 8]);
  call.stream.arrive(...bytes(4000));
  const sent = call.guest.segments();
  assert.equal(
    sent.reduce((sum, { data }) => sum + data.length, 0),
    2560,
  );
  call.ack += 2560;
  assert.equal(call.send(ACK)[0]?.data.length, 1440);
});

test("a window of zero is probed until it opens", () => {
  const call = new Call(new TestGuest());
  call.window = 0;
  call.establish();
  call.stream.arrive(1, 2, 3);
  assert.deepEqual(call.guest.segments(), []);
  for (let i = 0; i < 12; i++) {
    call.guest.clock.advance(300e9);
    const [probe] = call.guest.segments();
    assert.deepEqual([...(probe?.data ?? [])], [1]);
    // Refused, every time: the connection stays.
    call.send(ACK);
  }
  call.window = 100;
  assert.deepEqual([...(call.send(ACK)[0]?.data ?? [])], [1, 2, 3]);
});

test("what the host does not take closes the window, and an update opens it", () => {
  const call = new Call(new TestGuest());
  call.establish();
  call.stream.waiting = 0x100000;
  const [closed] = call.send(ACK, [1]);
  // What was promised stays promised.
  assert.ok(closed && closed.window << 6 < 0x10000);
  call.stream.waiting = 0;
  call.stream.events?.sent();
  const [update] = call.guest.segments();
  assert.ok(update && update.window << 6 > 0xf0000, `${update?.window}`);
});

test("data beyond the window is not taken, and not acknowledged", () => {
  const call = new Call(new TestGuest());
  const { window } = call.establish([2, 4, 5, 180]);
  call.stream.waiting = 0x100000;
  for (let left = window; left > 0; left -= 1000) call.send(ACK, bytes(Math.min(left, 1000)));
  assert.equal(call.stream.written.length, window);
  const before = call.seq;
  const [answer] = call.send(ACK, [9]);
  assert.deepEqual([answer?.ack, answer?.window], [before, 0]);
  assert.equal(call.stream.written.length, window);
});

test("the host is not read while much of its data waits for the guest", () => {
  const call = new Call(new TestGuest());
  call.establish();
  const chunk = Buffer.alloc(0x10000, 5);
  for (let i = 0; i < 16; i++) call.stream.events?.data(chunk);
  assert.ok(call.stream.paused);
  call.take();
  assert.ok(!call.stream.paused);
});

test("each side may end before the other: FIN either way", () => {
  const call = new Call(new TestGuest());
  call.establish();
  assert.equal(call.send(FIN | ACK)[0]?.ack, call.seq);
  assert.ok(call.stream.ended);
  call.stream.arrive(1, 2);
  assert.deepEqual(call.take(), [1, 2]);
  call.stream.events?.ended();
  assert.deepEqual(
    call.guest.segments().map(({ flags }) => flags),
    [FIN | ACK],
  );
  call.ack++;
  call.send(ACK);
  call.guest.clock.advance(10e9);
  assert.equal(call.guest.network.usage.connections, 0);
  assert.ok(!call.stream.aborted);

  const other = new Call(new TestGuest());
  other.establish();
  other.stream.arrive(7);
  other.stream.events?.ended();
  const [last] = other.guest.segments();
  assert.deepEqual([last?.flags, [...(last?.data ?? [])]], [FIN | PSH | ACK, [7]]);
  other.ack += 2;
  assert.equal(other.send(ACK, [4])[0]?.flags, ACK);
  assert.deepEqual(other.stream.written, [4]);
  assert.ok(!other.stream.ended);
});

test("refused: a reset; unreachable: ICMP says so", () => {
  const guest = new TestGuest();
  guest.sendTcp(PEER, { seq: 5, flags: SYN });
  guest.host.streams[0]?.events?.closed("refused");
  assert.deepEqual(
    guest.segments().map(({ flags, ack }) => [flags, ack]),
    [[RST | ACK, 6]],
  );
  guest.sendTcp(PEER, { seq: 5, flags: SYN });
  guest.host.streams[1]?.events?.closed("unreachable");
  const [icmp] = guest.packets();
  assert.deepEqual([icmp?.protocol, ...(icmp?.payload.subarray(0, 2) ?? [])], [1, 3, 1]);
  assert.equal(guest.network.usage.connections, 0);
});

test("resets pass through, both ways; one outside of the window does nothing", () => {
  const call = new Call(new TestGuest());
  call.establish();
  call.send(RST, [], { seq: call.seq + 0x200000 });
  assert.ok(!call.stream.aborted);
  call.send(RST);
  assert.ok(call.stream.aborted);

  const other = new Call(new TestGuest());
  other.establish();
  other.stream.events?.closed("reset");
  assert.ok((other.guest.segments()[0]?.flags ?? 0) & RST);
  assert.equal(other.guest.network.usage.connections, 0);
});

test("a segment of no connection is answered by a reset, a reset by nothing", () => {
  const guest = new TestGuest();
  guest.sendTcp(PEER, { seq: 5, ack: 77, flags: ACK });
  assert.deepEqual(
    guest.segments().map(({ flags, seq }) => [flags, seq]),
    [[RST, 77]],
  );
  guest.sendTcp(PEER, { seq: 5, flags: RST });
  assert.deepEqual(guest.segments(), []);
});

test("a wrong checksum: no segment", () => {
  const guest = new TestGuest();
  guest.sendIp(ip(6, PEER, tcp({ seq: 5, flags: SYN })));
  assert.equal(guest.host.streams.length, 0);
});

test("out of order, and twice: acknowledged, and taken once", () => {
  const call = new Call(new TestGuest());
  call.establish();
  const at = call.seq;
  assert.equal(call.send(ACK, [3], { seq: at + 2 })[0]?.ack, at);
  call.seq = at;
  call.send(ACK, [1, 2]);
  assert.equal(call.send(ACK, [1, 2, 3], { seq: at })[0]?.ack, at + 3);
  assert.deepEqual(call.stream.written, [1, 2, 3]);
});

test("what is not acknowledged is sent again; in the end the connection is given up", () => {
  const call = new Call(new TestGuest());
  call.establish();
  call.stream.arrive(1, 2, 3);
  call.guest.segments();
  for (let i = 0; i < 8; i++) {
    call.guest.clock.advance(300e9);
    assert.deepEqual([...(call.guest.segments()[0]?.data ?? [])], [1, 2, 3]);
  }
  call.guest.clock.advance(600e9);
  assert.ok((call.guest.segments()[0]?.flags ?? 0) & RST);
  assert.ok(call.stream.aborted);
});

test("three duplicate acknowledgements: sent again at once", () => {
  const call = new Call(new TestGuest());
  call.establish();
  call.stream.arrive(1, 2, 3);
  call.guest.segments();
  call.send(ACK);
  call.send(ACK);
  assert.deepEqual([...(call.send(ACK)[0]?.data ?? [])], [1, 2, 3]);
});

test("a guest that is silent for hours is asked whether it is there", () => {
  const call = new Call(new TestGuest());
  call.establish();
  call.guest.clock.advance(7201e9);
  const [alive] = call.guest.segments();
  assert.deepEqual([alive?.seq, alive?.data.length], [call.ack - 1, 0]);
  call.send(ACK);
  for (let i = 0; i < 20; i++) call.guest.clock.advance(7201e9);
  assert.ok(call.stream.aborted);
});

test("a published port: the guest is called from who calls, or from the gateway", async () => {
  for (const [from, seen] of [
    ["127.0.0.1", "10.0.2.2"],
    ["::1", "10.0.2.2"],
    ["198.51.100.7", "198.51.100.7"],
  ] as const) {
    const guest = new TestGuest();
    await guest.network.publish({ protocol: "tcp", address: "127.0.0.1", port: 8080, guestPort: 80 });
    const stream = new TestStream("", 0);
    stream.paused = true;
    guest.host.accept?.(stream, { address: from, port: 50000 });
    // The guest's address is asked for first.
    const [request] = guest.frames();
    assert.equal(request?.view.getUint16(12), 0x0806);
    guest.sendFrame(
      0x0806,
      Uint8Array.from([
        0, 1, 8, 0, 6, 4, 0, 2, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
      ]),
    );
    guest.clock.advance(2e9);
    const packet = guest.frames().map(packetOf)[0];
    assert.deepEqual([packet?.from, packet?.to], [seen, GUEST]);
    const syn = segmentOf(packet?.payload as Uint8Array);
    assert.deepEqual([syn.flags, syn.from, syn.to], [SYN, 50000, 80]);
    guest.sendTcp(seen, { from: 80, to: 50000, seq: 9, ack: syn.seq + 1, flags: SYN | ACK, options: SYN_OPTIONS });
    assert.equal(guest.segments()[0]?.ack, 10);
    assert.ok(!stream.paused);
    guest.sendTcp(seen, { from: 80, to: 50000, seq: 10, ack: syn.seq + 1, flags: ACK, data: [1, 2] });
    assert.deepEqual(stream.written, [1, 2]);
  }
});

test("a published port that the guest does not listen at: the caller sees a reset", async () => {
  const guest = new TestGuest();
  await guest.network.publish({ protocol: "tcp", address: "127.0.0.1", port: 8080, guestPort: 80 });
  guest.sendFrame(
    0x0806,
    Uint8Array.from([
      0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
    ]),
  );
  const stream = new TestStream("", 0);
  guest.host.accept?.(stream, { address: "127.0.0.1", port: 50000 });
  const [syn] = guest.segments();
  guest.sendTcp("10.0.2.2", { from: 80, to: 50000, seq: 0, ack: (syn?.seq ?? 0) + 1, flags: RST | ACK });
  assert.ok(stream.aborted);
});

test("there are not more than so many connections", () => {
  const guest = new TestGuest();
  for (let port = 1; port <= 1100; port++) guest.sendTcp(PEER, { from: port, seq: 1, flags: SYN });
  assert.equal(guest.network.usage.connections, 1024);
  guest.network.reset();
  assert.equal(guest.network.usage.connections, 0);
  assert.ok(guest.host.streams.every(({ aborted }) => aborted));
});

test("IPv6", () => {
  const call = new Call(new TestGuest(), "2001:db8::1");
  const answer = call.establish();
  assert.equal((answer.options[2] as number) * 256 + (answer.options[3] as number), 1440);
  call.stream.arrive(...bytes(3000));
  assert.deepEqual(call.take(), bytes(3000));
});

test("whatever is lost on the way and however the window moves, all arrives once and in order", () => {
  const step = fc.record({
    host: fc.nat(4000),
    guest: fc.nat(3000),
    window: fc.constantFrom(0, 100, 1460, 65535),
    lose: fc.boolean(),
    wait: fc.constantFrom(0, 1e8, 3e9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, offload) => {
      const call = new Call(new TestGuest(offload ? ALL_OFFLOADS : NO_OFFLOADS));
      call.establish([2, 4, 5, 180]);
      const sent = { host: [] as number[], guest: [] as number[] };
      const got: number[] = [];
      const take = (lose: boolean): void => {
        for (const [i, segment] of call.guest.segments().entries()) {
          if (lose && i % 2 === 0) continue;
          const ahead = (call.ack - segment.seq) | 0;
          if (ahead < 0 || ahead >= segment.data.length) continue;
          const fresh = segment.data.subarray(ahead);
          got.push(...fresh);
          call.ack = (call.ack + fresh.length) >>> 0;
        }
      };
      for (const { host, guest, window, lose, wait } of [...steps, ...Array.from({ length: 40 }, () => END)]) {
        const data = bytes(host, sent.host.length);
        sent.host.push(...data);
        call.stream.arrive(...data);
        call.window = window;
        const own = bytes(Math.min(guest, 1460), sent.guest.length);
        sent.guest.push(...own);
        call.guest.sendTcp(PEER, { seq: call.seq >>> 0, ack: call.ack, flags: ACK, window, data: own });
        call.seq += own.length;
        take(lose);
        call.guest.clock.advance(wait);
      }
      assert.equal(Buffer.compare(Buffer.from(got), Buffer.from(sent.host)), 0);
      assert.equal(Buffer.compare(Buffer.from(call.stream.written), Buffer.from(sent.guest)), 0);
    }),
    { numRuns: 60 },
  );
});

const END = { host: 0, guest: 0, window: 65535, lose: false, wait: 10e9 };
