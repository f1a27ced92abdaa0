import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { ip, packetOf, tcp } from "../../../../test/support/network.ts";
import { EVENT_IDX, TestDriver } from "../../../../test/support/virtio-driver.ts";
import { Frame, TCP4 } from "../../../network/frame.ts";
import type { NetworkLink, Offloads, Station } from "../../../network/link.ts";
import * as N from "./net.ts";

const MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
const [RX, TX, CONTROL] = [0, 1, 2];

class TestLink implements NetworkLink {
  readonly mac = MAC;
  station: Station | undefined;
  offloads: Offloads | undefined;
  sent: Frame[] = [];
  waiting: Frame[] = [];
  attach(station: Station): void {
    this.station = station;
  }
  setOffloads(offloads: Offloads): void {
    this.offloads = offloads;
  }
  transmit(frame: Frame): void {
    const copy = new Frame();
    copy.copyFrom(frame);
    this.sent.push(copy);
  }
  receive(): Frame | undefined {
    return this.waiting.shift();
  }
  reset(): void {
    this.waiting = [];
  }
  arrive(frame: Frame): void {
    this.waiting.push(frame);
    this.station?.ready();
  }
}

function setUp(features: number) {
  const link = new TestLink();
  const clock = new TestClock();
  const driver = new TestDriver((memory) => new N.VirtioNet(memory, link, clock));
  driver.setAvailableFlags(RX, 0);
  assert.ok(driver.start(features, 3));
  /** The machine's turn. */
  const turn = (): void => clock.advance(1);
  return { link, driver, turn };
}

function frameOf(bytes: readonly number[] | Uint8Array): Frame {
  const frame = new Frame();
  frame.bytes.set(bytes);
  frame.complete(bytes.length);
  return frame;
}

const plain = (length: number): number[] => [...MAC, ...Array.from({ length: length - 6 }, (_, i) => i & 0xff)];
const header = (...bytes: number[]): number[] => [...bytes, ...new Array<number>(12 - bytes.length).fill(0)];

test("its address and that the link is up are in the configuration", () => {
  const { driver } = setUp(N.F_MAC | N.F_STATUS);
  const shown = Array.from({ length: 8 }, (_, i) => driver.mmio.read(0x100 + i, 1));
  assert.deepEqual(shown, [...MAC, 1, 0]);
});

test("frames that are sent reach the link, without their headers and in one piece", () => {
  const { link, driver } = setUp(N.F_CSUM);
  driver.offer(TX, [Uint8Array.from(header()), Uint8Array.from(plain(10)), Uint8Array.from(plain(20))]);
  driver.notify(TX);
  assert.deepEqual([...(link.sent[0]?.bytes.subarray(0, 30) ?? [])], [...plain(10), ...plain(20)]);
  assert.equal(link.sent[0]?.checksumStart, 0);
});

test("what is left to be done goes with the frame, where it was negotiated and makes sense", () => {
  const both = N.F_CSUM | N.F_HOST_TSO4;
  const good = header(1, 1, 0, 0, 0xb4, 5, 34, 0, 16, 0);
  const cases: readonly (readonly [number, readonly number[], boolean])[] = [
    [both, good, true],
    [0, good, false],
    [N.F_CSUM, good, false],
    [both, header(0, 1, 0, 0, 0xb4, 5), false],
    [both, header(1, 4, 0, 0, 0xb4, 5, 34, 0, 16, 0), false],
    [both, header(1, 1, 0, 0, 0, 0, 34, 0, 16, 0), false],
    [both, header(1, 0, 0, 0, 0, 0, 99, 0, 0, 0), false],
    [both, header(1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), false],
  ];
  for (const [features, bytes, passes] of cases) {
    const { link, driver } = setUp(features);
    driver.offer(TX, [Uint8Array.from([...bytes, ...plain(100)])]);
    driver.notify(TX);
    assert.equal(link.sent.length, passes ? 1 : 0, JSON.stringify(bytes));
    assert.deepEqual(driver.used(TX), [{ head: 0, length: 0 }]);
    if (passes) {
      const [frame] = link.sent;
      assert.deepEqual(
        [frame?.segmentation, frame?.segmentBytes, frame?.checksumStart, frame?.checksumOffset],
        [TCP4, 1460, 34, 16],
      );
    }
  }
});

test("frames that are too short or too long are lost, and their buffers used", () => {
  const { link, driver } = setUp(0);
  driver.offer(TX, [new Uint8Array(5)]);
  driver.offer(TX, [new Uint8Array(20)], 1);
  driver.notify(TX);
  assert.deepEqual([link.sent.length, driver.used(TX).length], [0, 2]);
});

test("a frame is received in the machine's turn, with a header that says one buffer", () => {
  const { link, driver, turn } = setUp(0);
  const [at = 0] = driver.offer(RX, [200]);
  link.arrive(frameOf(plain(60)));
  assert.deepEqual(driver.used(RX), []);
  turn();
  assert.deepEqual(driver.used(RX), [{ head: 0, length: 72 }]);
  assert.deepEqual(
    [...driver.memory.bytes.subarray(at, at + 72)],
    [...header(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), ...plain(60)],
  );
  assert.ok(driver.line.level);
});

test("mergeable buffers: a frame takes as many as it needs, or waits until there are as many", () => {
  const { link, driver, turn } = setUp(N.F_MRG_RXBUF);
  const offsets = [0, 1, 2].map((head) => driver.offer(RX, [40], head)[0] ?? 0);
  link.arrive(frameOf(plain(120)));
  turn();
  assert.deepEqual(driver.used(RX), []);
  offsets.push(driver.offer(RX, [40], 3)[0] ?? 0);
  driver.notify(RX);
  assert.deepEqual(
    driver.used(RX),
    [0, 1, 2, 3].map((head) => ({ head, length: head === 3 ? 12 : 40 })),
  );
  const got = offsets.flatMap((at) => [...driver.memory.bytes.subarray(at, at + 40)]).slice(0, 132);
  assert.deepEqual(got, [...header(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4), ...plain(120)]);
});

test("without mergeable buffers one that is too small is used for nothing", () => {
  const { link, driver, turn } = setUp(0);
  driver.offer(RX, [40]);
  driver.offer(RX, [200], 1);
  link.arrive(frameOf(plain(120)));
  link.arrive(frameOf(plain(60)));
  turn();
  assert.deepEqual(driver.used(RX), [
    { head: 0, length: 0 },
    { head: 1, length: 72 },
  ]);
});

test("with event indices the driver is asked to tell of buffers only when there are too few", () => {
  const { link, driver, turn } = setUp(N.F_MRG_RXBUF | EVENT_IDX);
  for (const head of [0, 1, 2]) driver.offer(RX, [200], head);
  driver.notify(RX);
  link.arrive(frameOf(plain(60)));
  turn();
  assert.equal(driver.availableEvent(RX), 0);
  for (let i = 0; i < 3; i++) link.arrive(frameOf(plain(60)));
  turn();
  assert.equal(driver.availableEvent(RX), 3);
});

const packet = ip(6, "192.0.2.1", tcp({ data: new Uint8Array(3000).fill(3) }));
function large(): Frame {
  const frame = frameOf([...MAC, 0, 0, 0, 0, 0, 0, 8, 0, ...packet]);
  // The sum over the pseudo-header, as a sender leaves it there.
  const pseudo = [...packet.subarray(12, 20), 0, 6, (packet.length - 20) >> 8, (packet.length - 20) & 0xff];
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += ((pseudo[i] as number) << 8) | (pseudo[i + 1] as number);
  frame.view.setUint16(50, (sum & 0xffff) + (sum >> 16));
  return Object.assign(frame, { checksumStart: 34, checksumOffset: 16, segmentation: TCP4, segmentBytes: 1460 });
}

test("a driver that segments and sums gets frames as they are; for others the device does it", () => {
  const all = N.F_GUEST_CSUM | N.F_GUEST_TSO4;
  const whole = setUp(all);
  const [at = 0] = whole.driver.offer(RX, [4000]);
  whole.link.arrive(large());
  whole.turn();
  assert.deepEqual(whole.link.offloads, { checksum: true, tcp4: true, tcp6: false });
  assert.deepEqual([...whole.driver.memory.bytes.subarray(at, at + 12)], [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 1, 0]);

  for (const features of [0, N.F_GUEST_TSO4]) {
    const cut = setUp(features);
    const offsets = [0, 1, 2].map((head) => cut.driver.offer(RX, [2000], head)[0] ?? 0);
    cut.link.arrive(large());
    cut.turn();
    assert.deepEqual(
      cut.driver.used(RX).map(({ length }) => length),
      [12 + 1514, 12 + 1514, 12 + 134],
    );
    for (const [i, offset] of offsets.entries()) {
      const length = (cut.driver.used(RX)[i]?.length ?? 0) - 12;
      // Finds wrong checksums and lengths.
      assert.ok(packetOf(frameOf(cut.driver.memory.bytes.slice(offset + 12, offset + 12 + length))));
      assert.equal(cut.driver.memory.bytes[offset], 0);
    }
  }
});

function command(driver: TestDriver, ...bytes: number[]): number | undefined {
  const at = driver.allocate(1);
  const data = driver.allocate(bytes.length);
  driver.memory.bytes.set(bytes, data);
  driver.memory.bytes[at] = 0x77;
  driver.setDescriptor(CONTROL, 0, { address: driver.memory.base + data, length: bytes.length, flags: 1, next: 1 });
  driver.setDescriptor(CONTROL, 1, { address: driver.memory.base + at, length: 1, flags: 2 });
  driver.publish(CONTROL, 0);
  driver.notify(CONTROL);
  return driver.memory.bytes[at];
}

test("commands: which frames are received", () => {
  const { link, driver, turn } = setUp(
    N.F_CTRL_VQ | N.F_CTRL_RX | N.F_CTRL_RX_EXTRA | N.F_CTRL_MAC_ADDR | N.F_MRG_RXBUF,
  );
  const passes = (...to: number[]): boolean => {
    const before = driver.used(RX).length;
    driver.offer(RX, [100], before % 8);
    link.arrive(frameOf([...to, ...new Array<number>(14).fill(0)]));
    turn();
    const got = driver.used(RX).length > before;
    if (!got) {
      // Its buffer is for the next.
      link.arrive(frameOf([...own, ...new Array<number>(14).fill(0)]));
      turn();
    }
    return got;
  };
  let own = [...MAC];
  const other = [2, 9, 9, 9, 9, 9];
  const group = [1, 0, 0x5e, 0, 0, 1];
  const everybody = [255, 255, 255, 255, 255, 255];
  assert.ok(passes(...other));
  assert.equal(command(driver, 0, 0, 0), 0);
  assert.deepEqual(
    [passes(...other), passes(...group), passes(...everybody), passes(...MAC)],
    [false, false, true, true],
  );
  assert.equal(command(driver, 0, 1, 1), 0);
  assert.ok(passes(...group));
  assert.equal(command(driver, 0, 1, 0), 0);
  assert.equal(command(driver, 1, 0, 1, 0, 0, 0, ...other, 1, 0, 0, 0, ...group), 0);
  assert.deepEqual([passes(...other), passes(...group)], [true, true]);
  assert.equal(command(driver, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
  assert.equal(command(driver, 1, 1, ...other), 0);
  own = other;
  assert.deepEqual([passes(...other), passes(...MAC)], [true, false]);
  assert.equal(command(driver, 0, 5, 1), 0);
  assert.ok(!passes(...everybody));
});

test("commands that make no sense are refused", () => {
  const { driver } = setUp(N.F_CTRL_VQ | N.F_CTRL_RX | N.F_CTRL_GUEST_OFFLOADS | N.F_GUEST_CSUM);
  for (const bytes of [
    [0],
    [0, 0],
    [0, 9, 1],
    [1, 0, 255, 255, 255, 255],
    [1, 0, 1, 0, 0, 0, 1, 2],
    [1, 1, 1, 2, 3, 4, 5, 6],
    [3, 1],
    [4, 0, 1, 0],
    [5, 0, 1],
    [5, 0, 4, 0, 0, 0, 0, 0, 0, 0],
    [5, 0, 2, 0, 0, 0, 1, 0, 0, 0],
    [77, 1],
  ]) {
    assert.equal(command(driver, ...bytes), 1, JSON.stringify(bytes));
  }
  assert.equal(command(driver, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0), 0);
});

test("what the driver takes over can change while it runs", () => {
  const { link, driver } = setUp(N.F_CTRL_VQ | N.F_CTRL_GUEST_OFFLOADS | N.F_GUEST_CSUM | N.F_GUEST_TSO4);
  command(driver, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(link.offloads, { checksum: true, tcp4: false, tcp6: false });
  command(driver, 5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(link.offloads, { checksum: true, tcp4: true, tcp6: false });
});

test("an announcement is asked for, and acknowledged", () => {
  const { link, driver } = setUp(N.F_CTRL_VQ | N.F_STATUS | N.F_GUEST_ANNOUNCE);
  link.station?.announce();
  assert.equal(driver.mmio.read(0x106, 2), 3);
  assert.equal(command(driver, 3, 0), 0);
  assert.equal(driver.mmio.read(0x106, 2), 1);
});

test("whatever is in the queues, the device neither throws nor writes outside", () => {
  const buffers = fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.nat(80)), { minLength: 1, maxLength: 4 });
  const action = fc.record({ queue: fc.constantFrom(RX, TX, CONTROL), buffers, arrive: fc.boolean(), head: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), fc.nat(0xffffff), (actions, features) => {
      const link = new TestLink();
      const clock = new TestClock();
      const driver = new TestDriver((memory) => new N.VirtioNet(memory, link, clock));
      driver.start(features & driver.mmio.read(0x10, 4), 3);
      for (const { queue, buffers: given, arrive, head } of actions) {
        driver.offer(queue, given, head > 4 ? 0 : head);
        if (head > 7) driver.publish(queue, head);
        driver.notify(queue);
        if (arrive) link.arrive(large());
        clock.advance(1);
      }
      assert.ok(link.sent.every(({ sane }) => sane));
    }),
  );
});
