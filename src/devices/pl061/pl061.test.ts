import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform, TestLine } from "../../../test/support/device-doubles.ts";
import { Pl061 } from "./pl061.ts";
import * as R from "./registers.ts";

const PIN = 3;
const BIT = 1 << PIN;

function setUp() {
  const line = new TestLine();
  const gpio = new Pl061(line);
  return {
    line,
    gpio,
    read: (at: number) => gpio.read(at, 4),
    write: (at: number, value: number) => gpio.write(at, 4, value),
  };
}

test("the address masks the data", () => {
  const { gpio, read, write } = setUp();
  write(R.DIR, 0x0f);
  write(0x3fc, 0xff);
  assert.equal(read(0x3fc), 0x0f);
  write(0x2 << 2, 0);
  assert.equal(read(0x3fc), 0x0d);
  assert.equal(read(0x3 << 2), 0x01);
  assert.equal(gpio.output(0), true);
  assert.equal(gpio.output(1), false);
  assert.equal(gpio.output(7), undefined);
  gpio.setInput(7, true);
  gpio.setInput(1, true);
  assert.equal(read(0x3fc), 0x8d);
});

test("the outside is told of the levels that the guest drives, when they change", () => {
  const seen: string[] = [];
  const gpio = new Pl061({ set: () => {} }, (pin, level) => seen.push(`${pin}=${level}`));
  gpio.write(R.DIR, 4, 0x03);
  gpio.write(0x3fc, 4, 0xff);
  gpio.write(0x3fc, 4, 0x01);
  gpio.write(0x3fc, 4, 0x01);
  assert.deepEqual(seen, ["0=true", "1=true", "1=false"]);
});

test("a rising edge interrupts until cleared", () => {
  const { gpio, line, read, write } = setUp();
  write(R.IEV, BIT);
  write(R.IE, BIT);
  gpio.setInput(PIN, true);
  gpio.setInput(PIN, false);
  assert.equal(line.level, true);
  assert.equal(read(R.MIS), BIT);
  write(R.IC, BIT);
  assert.equal(line.level, false);
});

test("a falling edge does when IEV is 0, either does with IBE", () => {
  const { gpio, read, write } = setUp();
  gpio.setInput(PIN, true);
  assert.equal(read(R.RIS), 0);
  gpio.setInput(PIN, false);
  assert.equal(read(R.RIS), BIT);
  write(R.IC, BIT);
  write(R.IBE, BIT);
  gpio.setInput(PIN, true);
  assert.equal(read(R.RIS), BIT);
});

test("a level interrupts as long as it lasts", () => {
  const { gpio, line, write } = setUp();
  write(R.IEV, BIT);
  write(R.IS, BIT);
  write(R.IE, BIT);
  assert.equal(line.level, false);
  gpio.setInput(PIN, true);
  write(R.IC, BIT);
  assert.equal(line.level, true);
  gpio.setInput(PIN, false);
  assert.equal(line.level, false);
});

test("any accesses are harmless, and the line is always that of MIS", () => {
  const offsets = [0x3fc, R.DIR, R.IS, R.IBE, R.IEV, R.IE, R.IC];
  fc.assert(
    fc.property(accesses(0x1000, offsets), fc.infiniteStream(fc.nat(15)), (list, inputs) => {
      const { gpio, line } = setUp();
      for (const access of list) {
        perform(gpio, access);
        const input = inputs.next().value as number;
        gpio.setInput(input & 7, input > 7);
        const mis = gpio.read(R.MIS, 4);
        assert.ok(mis >= 0 && mis <= 0xff);
        assert.equal(line.level, mis !== 0);
      }
    }),
  );
});
