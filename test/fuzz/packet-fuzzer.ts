// Frames that no honest driver sends, and a host whose sockets do anything at any time.

import assert from "node:assert/strict";
import { FRAME_MAX, Frame, TCP4, TCP6, WHOLE } from "../../src/network/frame.ts";
import { DEFAULT_MAC, GATEWAY_MAC } from "../../src/network/plan.ts";
import { CONNECTIONS_MAX } from "../../src/network/tcp/table.ts";
import { MAPPINGS_MAX } from "../../src/network/udp.ts";
import { ALL_OFFLOADS, ip, segmentOf, TestGuest, TestStream, tcp, udp } from "../support/network.ts";
import { Random } from "../vectors/inputs.ts";

const DESTINATIONS = [
  "10.0.2.2",
  "10.0.2.3",
  "192.0.2.1",
  "10.0.2.77",
  "255.255.255.255",
  "fec0::2",
  "fec0::3",
  "2001:db8::1",
  "ff02::1",
  "fe80::2",
];

class Choices extends Random {
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** One network under attack. */
export class PacketFuzzer {
  readonly #random: Choices;
  #guest = new TestGuest();
  readonly #frame = new Frame();
  /** What the network said of its connections, to send what nearly fits. */
  #heard = { seq: 0, ack: 0, from: 40000, to: 80, peer: "192.0.2.1" };
  /** How many inputs became what the network acts on: a fuzzer whose inputs are all refused at the door shows nothing. */
  readonly effects = { frames: 0, connections: 0, written: 0, mappings: 0, queries: 0 };

  constructor(seed: number) {
    this.#random = new Choices(seed);
  }

  /** Sends one frame, lets the host do something, and takes what comes. */
  step(): void {
    const random = this.#random;
    const guest = this.#guest;
    this.#makeFrame();
    guest.network.transmit(this.#frame);
    if (random.oneIn(4)) this.#hostActs();
    if (random.oneIn(8)) guest.clock.advance(random.pick([1e6, 1e8, 1e9, random.oneIn(50) ? 200e9 : 3e9]));
    if (random.oneIn(512))
      guest.network.setOffloads(random.oneIn(2) ? ALL_OFFLOADS : { checksum: false, tcp4: false, tcp6: false });
    if (random.oneIn(3)) this.#take();
    const { connections, mappings } = guest.network.usage;
    assert.ok(connections <= CONNECTIONS_MAX && mappings <= MAPPINGS_MAX);
    this.effects.mappings = Math.max(this.effects.mappings, mappings);
    if (random.oneIn(20_000)) this.#restart();
  }

  #take(): void {
    for (
      let frame = this.#guest.network.receive(), count = 0;
      frame !== undefined;
      frame = this.#guest.network.receive(), count++
    ) {
      assert.ok(frame.sane && frame.length <= FRAME_MAX);
      assert.ok(count < 100_000, "the network sends for ever");
      this.effects.frames++;
      if (frame.bytes[23] !== 6 || frame.view.getUint16(12) !== 0x0800 || frame.length > 2000) continue;
      const { seq, ack, from, to } = segmentOf(frame.bytes.slice(34, frame.length));
      this.#heard = { seq, ack, from: to, to: from, peer: [...frame.bytes.subarray(26, 30)].join(".") };
    }
  }

  #hostActs(): void {
    const random = this.#random;
    const { host } = this.#guest;
    const stream = host.streams.length > 0 ? random.pick(host.streams) : undefined;
    this.effects.connections = Math.max(this.effects.connections, host.streams.length);
    if (stream !== undefined) {
      this.effects.written += stream.written.length;
      stream.written = [];
      switch (random.below(8)) {
        case 0:
        case 1:
          stream.events?.connected();
          break;
        case 2:
          if (!stream.paused) stream.events?.data(random.bytes(random.pick([1, 100, 5000])));
          break;
        case 3:
          stream.events?.ended();
          break;
        case 4:
          stream.waiting = random.pick([0, 1000, 0x100000]);
          stream.events?.sent();
          break;
        case 5: {
          const { events } = stream;
          stream.events = undefined;
          events?.closed(random.pick(["refused", "unreachable", "reset", undefined]));
        }
      }
    }
    // Calls after its end do not come.
    for (let i = host.streams.length - 1; i >= 0; i--) if (host.streams[i]?.aborted) host.streams.splice(i, 1);
    const socket = host.sockets.length > 0 ? random.pick(host.sockets) : undefined;
    if (socket && !socket.closed)
      socket.events.received(
        random.bytes(random.pick([0, 3, 2000])),
        random.pick(["127.0.0.1", "192.0.2.1", "::1", "x"]),
        7,
      );
    const query = host.queries.shift();
    if (query) {
      this.effects.queries++;
      query.done(random.oneIn(2) ? random.bytes(20) : undefined);
    }
    host.echoes.shift()?.done(random.oneIn(2));
    if (random.oneIn(50) && host.accept)
      host.accept(new TestStream("", 0), { address: random.pick(["127.0.0.1", "::1", "192.0.2.7"]), port: 1 });
  }

  #restart(): void {
    this.#guest.network.reset();
    const left = this.#guest.network.usage;
    assert.deepEqual(left, { connections: 0, mappings: 0 });
    for (const { events } of this.#guest.host.sockets) events.received(Uint8Array.of(1), "127.0.0.1", 7);
    this.#guest = new TestGuest();
    void this.#guest.network.publish({ protocol: "tcp", address: "127.0.0.1", port: 1, guestPort: 22 });
  }

  #makeFrame(): void {
    const random = this.#random;
    const frame = this.#frame;
    const bytes = random.oneIn(20) ? random.bytes(14 + random.below(200)) : this.#makePacket();
    if (random.oneIn(3))
      for (let i = random.below(4); i >= 0; i--)
        bytes[random.below(bytes.length)] = random.pick([0, 1, 255, random.below(256)]);
    const length = random.oneIn(10) ? Math.max(14, random.below(bytes.length + 1)) : bytes.length;
    frame.bytes.set(bytes);
    frame.complete(length);
    if (random.oneIn(3)) {
      frame.checksumStart = random.pick([34, 54, random.below(length)]);
      frame.checksumOffset = random.pick([16, 6, random.below(64)]);
    }
    if (random.oneIn(6)) {
      frame.segmentation = random.pick([TCP4, TCP6, WHOLE]);
      frame.segmentBytes = random.pick([1, 536, 1460, 65535]);
    }
    // As the device, which lets no others through.
    if (!frame.sane) frame.complete(length);
  }

  #makePacket(): Uint8Array {
    const random = this.#random;
    const to = random.oneIn(3) ? this.#heard.peer : random.pick(DESTINATIONS);
    const destination = random.oneIn(10) ? [255, 255, 255, 255, 255, 255] : GATEWAY_MAC;
    const ethernet = (type: number, packet: Uint8Array): Uint8Array =>
      Uint8Array.from([...destination, ...DEFAULT_MAC, type >> 8, type & 0xff, ...packet]);
    if (random.oneIn(16))
      return ethernet(
        0x0806,
        Uint8Array.from([
          0,
          1,
          8,
          0,
          6,
          4,
          0,
          1,
          ...DEFAULT_MAC,
          10,
          0,
          2,
          15,
          0,
          0,
          0,
          0,
          0,
          0,
          10,
          0,
          2,
          random.below(4),
        ]),
      );
    const six = to.includes(":");
    const fragment = random.oneIn(16) ? random.pick([0x2000, 0x2000 | random.below(64), random.below(0x1fff)]) : 0;
    const options = { fragment, id: random.below(3), ttl: random.pick([64, 255]) };
    switch (random.below(6)) {
      case 0:
        return ethernet(
          six ? 0x86dd : 0x0800,
          ip(six ? 58 : 1, to, this.#icmp(six), { ...options, checksumAt: 2, pseudo: six }),
        );
      case 1: {
        const port = random.pick([53, 67, 547, 7, random.below(65536)]);
        const payload = port === 67 ? this.#dhcp() : random.bytes(random.below(300));
        const from = random.pick([68, 546, 5000, random.below(65536)]);
        return ethernet(six ? 0x86dd : 0x0800, ip(17, to, udp(from, port, payload), { ...options, checksumAt: 6 }));
      }
      case 2:
        if (six)
          return ethernet(0x86dd, ip(random.pick([0, 43, 44, 60]), to, random.bytes(8 + random.below(64)), options));
        return ethernet(0x0800, ip(random.below(256), to, random.bytes(random.below(64)), options));
      default:
        return ethernet(six ? 0x86dd : 0x0800, ip(6, to, this.#tcp(), { ...options, checksumAt: 16 }));
    }
  }

  #tcp(): Uint8Array {
    const random = this.#random;
    const near = random.oneIn(2);
    const heard = this.#heard;
    return tcp({
      from: near ? heard.from : 40000 + random.below(2000),
      to: near ? heard.to : random.pick([80, 53, 22]),
      seq: (heard.ack + random.pick([0, 0, 0, 1, -1, random.below(65536), random.below(2 ** 31)])) >>> 0,
      ack: (heard.seq + random.pick([0, 1, 1, random.below(3000), random.below(2 ** 31)])) >>> 0,
      flags: random.pick([2, 2, 16, 16, 16, 17, 24, 4, 20, random.below(64)]),
      window: random.pick([0, 1, 1000, 65535]),
      options: random.oneIn(4)
        ? [...random.bytes(4 * random.below(10))]
        : random.oneIn(2)
          ? [2, 4, 5, 180, 1, 3, 3, 7]
          : [],
      data: random.oneIn(2) ? random.bytes(random.pick([1, 10, 1400])) : [],
    });
  }

  #icmp(six: boolean): Uint8Array {
    const random = this.#random;
    const type = six ? random.pick([128, 133, 135, 136, random.below(256)]) : random.pick([8, 8, random.below(256)]);
    return Uint8Array.from([type, 0, 0, 0, ...random.bytes(4 + random.below(random.pick([40, 1400])))]);
  }

  #dhcp(): Uint8Array {
    const random = this.#random;
    const message = new Uint8Array(244 + random.below(80));
    message.set([1, 1, 6, 0, 1, 2, 3, 4]);
    message.set(random.oneIn(2) ? DEFAULT_MAC : random.bytes(6), 28);
    message.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1 + random.below(9)], 236);
    message.set(random.bytes(message.length - 243), 243);
    return message;
  }
}
