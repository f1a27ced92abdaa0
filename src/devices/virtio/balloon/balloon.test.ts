import assert from "node:assert/strict";
import { test } from "node:test";
import { TestClock } from "../../../../test/support/device-doubles.ts";
import { RAM, TestDriver } from "../../../../test/support/virtio-driver.ts";
import { CONFIG, INTERRUPT_STATUS } from "../mmio.ts";
import { VirtioBalloon } from "./balloon.ts";

const INFLATE = 0;
const STATS = 2;
const STATS_VQ = 1 << 1;
const POISON = 1 << 4;
const REPORTING = 1 << 5;
const PAGE = 4096;

function setUp(features: number) {
  let balloon: VirtioBalloon | undefined;
  const driver = new TestDriver((memory) => {
    balloon = new VirtioBalloon(memory, new TestClock());
    return balloon;
  });
  driver.start(features, 5);
  return { driver, balloon: balloon as VirtioBalloon };
}

function pfns(...numbers: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}

test("the guest is told how many pages are wanted, and says how many it holds", () => {
  const { driver, balloon } = setUp(0);
  balloon.want(3 * PAGE + 5);
  assert.equal(driver.read(CONFIG), 3);
  assert.equal(driver.read(INTERRUPT_STATUS), 2);
  driver.write(CONFIG + 4, 2);
  driver.write(CONFIG, 99);
  assert.deepEqual([balloon.memory().held, balloon.memory().wanted], [2 * PAGE, 3 * PAGE]);
});

test("pages in the balloon are cleared, and what is no memory is passed by", () => {
  const { driver } = setUp(0);
  // Where the test's memory has whole pages of the host's.
  const at = PAGE * 12;
  driver.memory.bytes.fill(7, at, at + PAGE);
  driver.offer(INFLATE, [pfns((RAM + at) / PAGE, 0, 0xffff_ffff)]);
  driver.notify(INFLATE);
  assert.deepEqual(driver.used(INFLATE), [{ head: 0, length: 0 }]);
  assert.ok(driver.memory.guardsIntact());
});

test("where memory can be given back, pages next to each other are given back together", () => {
  const { driver } = setUp(REPORTING);
  const released: [number, number][] = [];
  const { memory } = driver;
  memory.release = (bytes) => released.push([(bytes.byteOffset - memory.bytes.byteOffset) / PAGE, bytes.length / PAGE]);
  const first = RAM / PAGE;
  driver.offer(INFLATE, [pfns(...[9, 8, 7, 3, 4, 5, 12, 0x8_0000, 13].map((page) => first + page))]);
  driver.notify(INFLATE);
  driver.setDescriptor(2, 0, { address: RAM + 0x6000, length: 2 * PAGE, flags: 2 });
  driver.publish(2, 0);
  driver.notify(2);
  assert.deepEqual(released, [
    [7, 3],
    [3, 3],
    [12, 1],
    [13, 1],
    [6, 2],
  ]);
});

test("free pages that do not hold zeroes are not given back", () => {
  const { driver } = setUp(REPORTING | POISON);
  driver.memory.release = () => assert.fail("given back");
  driver.write(CONFIG + 12, 0xaaaa_aaaa);
  driver.setDescriptor(2, 0, { address: RAM + 0x6000, length: 2 * PAGE, flags: 2 });
  driver.publish(2, 0);
  driver.notify(2);
  assert.equal(driver.used(2).length, 1);
});

for (const [name, features, queue] of [
  ["at their own place", REPORTING | STATS_VQ, 4],
  ["after the queues that there are", REPORTING | STATS_VQ, 3],
  ["without statistics", REPORTING, 2],
] as const) {
  test(`free pages are reported: ${name}`, () => {
    const { driver, balloon } = setUp(features);
    const at = 0x6000;
    driver.memory.bytes.fill(7, at, at + 4 * PAGE);
    driver.setDescriptor(queue, 0, { address: RAM + at, length: 3 * PAGE, flags: 2 });
    driver.publish(queue, 0);
    driver.notify(queue);
    assert.equal(driver.used(queue).length, 1);
    assert.equal(balloon.memory().reported, 3 * PAGE);
    const { bytes } = driver.memory;
    assert.ok(bytes.subarray(at, at + 3 * PAGE).filter((byte) => byte === 0).length >= 2 * PAGE);
    assert.ok(bytes.subarray(at + 3 * PAGE, at + 4 * PAGE).every((byte) => byte === 7));
  });
}

test("free pages hold what the driver says that they do", () => {
  const { driver } = setUp(REPORTING | STATS_VQ | POISON);
  driver.write(CONFIG + 12, 0xaaaa_aaaa);
  driver.setDescriptor(3, 0, { address: RAM + 0x6000, length: 2 * PAGE, flags: 2 });
  driver.publish(3, 0);
  driver.notify(3);
  const { bytes } = driver.memory;
  const whole = PAGE - (bytes.byteOffset % PAGE);
  assert.ok(bytes.subarray(0x6000 + whole, 0x6000 + whole + PAGE).every((byte) => byte === 0xaa));
});

test("statistics are kept, and newer ones are asked for", () => {
  const { driver, balloon } = setUp(STATS_VQ);
  const statistics = new Uint8Array(30);
  const view = new DataView(statistics.buffer);
  [
    [4, 1000],
    [5, 2 ** 33],
    [77, 1],
  ].forEach(([tag = 0, value = 0], i) => {
    view.setUint16(i * 10, tag, true);
    view.setBigUint64(i * 10 + 2, BigInt(value), true);
  });
  driver.offer(STATS, [statistics]);
  driver.notify(STATS);
  assert.equal(driver.used(STATS).length, 0);
  assert.deepEqual(
    [...balloon.memory().statistics],
    [
      ["free", 1000],
      ["total", 2 ** 33],
    ],
  );
  assert.equal(driver.used(STATS).length, 1);
});

test("a queue that was not negotiated does nothing", () => {
  const { driver } = setUp(0);
  driver.offer(STATS, [new Uint8Array(10)]);
  driver.notify(STATS);
  assert.equal(driver.used(STATS).length, 0);
});
