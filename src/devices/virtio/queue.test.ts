import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  EVENT_IDX,
  INDIRECT,
  INDIRECT_DESC,
  NEXT,
  RAM,
  TestDriver,
  WRITE,
} from "../../../test/support/virtio-driver.ts";
import { VirtioDevice } from "./device.ts";
import { INTERRUPT_STATUS, STATUS } from "./mmio.ts";
import type { Queue } from "./queue.ts";

/** Writes back what it reads, as far as there is room, and takes at most `limit` chains. */
class Echo extends VirtioDevice {
  readonly id = 42;
  limit = Number.POSITIVE_INFINITY;
  served = 0;
  protected override notified(queue: Queue): void {
    this.serve(queue, (chain) => {
      if (this.served >= this.limit) return undefined;
      this.served++;
      const bytes = new Uint8Array(chain.readableBytes);
      chain.read(0, bytes);
      return chain.write(0, bytes);
    });
  }
}

function setUp(features = 0): { driver: TestDriver; echo: Echo; needsReset(): boolean } {
  let echo: Echo | undefined;
  const driver = new TestDriver((memory) => {
    echo = new Echo(memory, 0, [TestDriver.SIZE], 0);
    return echo;
  });
  driver.start(features);
  assert.ok(echo);
  return { driver, echo, needsReset: () => (driver.read(STATUS) & 64) !== 0 };
}

const text = (driver: TestDriver, at: number, length: number) =>
  String.fromCharCode(...driver.memory.bytes.subarray(at, at + length));
const bytes = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));

test("a chain goes to the device and is used with what was written", () => {
  const { driver } = setUp();
  const [, , a = 0, b = 0] = driver.offer(0, [bytes("hel"), bytes("lo"), 2, 10], 3);
  driver.notify(0);
  assert.deepEqual(driver.used(0), [{ head: 3, length: 5 }]);
  assert.equal(text(driver, a, 2), "he");
  assert.equal(text(driver, b, 3), "llo");
  assert.equal(driver.read(INTERRUPT_STATUS), 1);
});

test("the rings go round, also past 65535", () => {
  const { driver } = setUp();
  for (let i = 0; i < 66000; i++) {
    driver.setDescriptor(0, i % 8, { address: RAM + 0x4000, length: 1, flags: 0 });
    driver.publish(0, i % 8);
    driver.notify(0);
  }
  assert.equal(driver.used(0).length, 66000 - 65536);
  assert.equal(driver.used(0).at(-1)?.head, 65999 % 8);
});

test("what the device leaves is there at the next notification", () => {
  const { driver, echo } = setUp();
  echo.limit = 1;
  driver.offer(0, [bytes("a")], 0);
  driver.offer(0, [bytes("b")], 1);
  driver.notify(0);
  assert.deepEqual(driver.used(0), [{ head: 0, length: 0 }]);
  echo.limit = 2;
  driver.notify(0);
  assert.equal(driver.used(0).length, 2);
});

test("an indirect table takes the place of a chain's end", () => {
  const { driver } = setUp(INDIRECT_DESC);
  const table = driver.allocate(32);
  const buffer = driver.allocate(8);
  driver.memory.bytes.set(bytes("xyz"), buffer);
  driver.descriptorAt(table, { address: RAM + buffer, length: 1, flags: NEXT, next: 1 });
  driver.descriptorAt(table + 16, { address: RAM + buffer + 4, length: 4, flags: WRITE });
  driver.setDescriptor(0, 0, { address: RAM + buffer + 1, length: 2, flags: NEXT, next: 1 });
  driver.setDescriptor(0, 1, { address: RAM + table, length: 32, flags: INDIRECT });
  driver.publish(0, 0);
  driver.notify(0);
  assert.deepEqual(driver.used(0), [{ head: 0, length: 3 }]);
  assert.equal(text(driver, buffer + 4, 3), "yzx");
});

test("a driver that wants no interrupts gets none", () => {
  const { driver } = setUp();
  driver.setAvailableFlags(0, 1);
  driver.offer(0, [bytes("a")]);
  driver.notify(0);
  assert.equal(driver.used(0).length, 1);
  assert.equal(driver.line.level, false);
});

test("with event indices it interrupts when used_event is passed, and asks for the next chain", () => {
  const { driver } = setUp(EVENT_IDX);
  driver.setUsedEvent(0, 1);
  driver.offer(0, [bytes("a")], 0);
  driver.notify(0);
  assert.equal(driver.line.level, false);
  assert.equal(driver.availableEvent(0), 1);
  driver.offer(0, [bytes("b")], 1);
  driver.notify(0);
  assert.equal(driver.line.level, true);
  assert.equal(driver.availableEvent(0), 2);
});

const broken: Record<string, (driver: TestDriver) => void> = {
  "a head beyond the table": (d) => d.publish(0, 8),
  "a next beyond the table": (d) => {
    d.setDescriptor(0, 0, { address: RAM, length: 1, flags: NEXT, next: 9 });
    d.publish(0, 0);
  },
  "a loop": (d) => {
    d.setDescriptor(0, 0, { address: RAM, length: 1, flags: NEXT, next: 1 });
    d.setDescriptor(0, 1, { address: RAM, length: 0, flags: NEXT, next: 0 });
    d.publish(0, 0);
  },
  "a buffer where no memory is": (d) => {
    d.setDescriptor(0, 0, { address: RAM + 0xffff, length: 2, flags: WRITE });
    d.publish(0, 0);
  },
  "a buffer at the end of the address space": (d) => {
    d.setDescriptor(0, 0, { address: 2 ** 64 - 2048, length: 0xffff_ffff, flags: WRITE });
    d.publish(0, 0);
  },
  "a readable buffer after a writable one": (d) => {
    d.setDescriptor(0, 0, { address: RAM, length: 1, flags: NEXT | WRITE, next: 1 });
    d.setDescriptor(0, 1, { address: RAM, length: 1, flags: 0 });
    d.publish(0, 0);
  },
  "more available than the queue holds": (d) => d.setAvailable(0, 9),
  "an indirect table within an indirect table": (d) => {
    d.descriptorAt(0x5000, { address: RAM + 0x5000, length: 16, flags: INDIRECT });
    d.setDescriptor(0, 0, { address: RAM + 0x5000, length: 16, flags: INDIRECT });
    d.publish(0, 0);
  },
  "an indirect table of a length that is none": (d) => {
    d.setDescriptor(0, 0, { address: RAM + 0x5000, length: 24, flags: INDIRECT });
    d.publish(0, 0);
  },
  "an indirect table of no length": (d) => {
    d.setDescriptor(0, 0, { address: RAM + 0x5000, length: 0, flags: INDIRECT });
    d.publish(0, 0);
  },
};

for (const [name, act] of Object.entries(broken)) {
  test(`${name} breaks the queue: the device needs a reset, and works after it`, () => {
    const { driver, needsReset } = setUp(INDIRECT_DESC);
    act(driver);
    driver.notify(0);
    assert.equal(needsReset(), true);
    assert.equal(driver.read(INTERRUPT_STATUS), 2);
    driver.notify(0);
    assert.equal(driver.used(0).length, 0);
    driver.memory.bytes.fill(0);
    driver.start(0);
    driver.offer(0, [bytes("a")]);
    driver.notify(0);
    assert.equal(driver.used(0).length, 1);
    assert.equal(needsReset(), false);
  });
}

test("without INDIRECT_DESC accepted an indirect descriptor breaks the queue", () => {
  const { driver, needsReset } = setUp();
  driver.setDescriptor(0, 0, { address: RAM + 0x5000, length: 16, flags: INDIRECT });
  driver.publish(0, 0);
  driver.notify(0);
  assert.equal(needsReset(), true);
});

test("any rings and descriptors are harmless, and end", () => {
  const address = fc.oneof(
    fc.nat(0xffff).map((at) => RAM + at),
    fc.nat(0x1000).map((at) => RAM + at),
    fc.double({ min: 0, max: 2 ** 63, noNaN: true }).map(Math.floor),
  );
  const descriptor = fc.record({
    address,
    length: fc.oneof(
      fc.nat(0x100),
      fc.nat(4).map((n) => n * 16),
      fc.nat(0xffff_ffff),
    ),
    flags: fc.nat(7),
    next: fc.oneof(fc.nat(9), fc.nat(0xffff)),
  });
  const descriptors = fc.array(descriptor, { minLength: 8, maxLength: 24 });
  const heads = fc.array(fc.nat(9), { maxLength: 8 });
  fc.assert(
    fc.property(descriptors, heads, fc.boolean(), (list, published, events) => {
      const { driver, echo, needsReset } = setUp(INDIRECT_DESC | (events ? EVENT_IDX : 0));
      for (const [i, d] of list.entries()) driver.setDescriptor(0, i, d);
      for (const head of published) driver.publish(0, head);
      driver.notify(0);
      assert.ok(driver.memory.guardsIntact());
      assert.ok(echo.served <= TestDriver.SIZE);
      assert.ok(needsReset() || echo.served === published.length);
    }),
    { numRuns: 500 },
  );
});
