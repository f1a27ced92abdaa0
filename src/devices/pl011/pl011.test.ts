import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accesses } from "../../../test/support/device-accesses.ts";
import { perform, TestLine, TestSerial } from "../../../test/support/device-doubles.ts";
import { Pl011 } from "./pl011.ts";
import * as R from "./registers.ts";

function setUp(): {
  port: TestSerial;
  line: TestLine;
  uart: Pl011;
  read(at: number): number;
  write(at: number, v: number): void;
} {
  const port = new TestSerial();
  const line = new TestLine();
  const uart = new Pl011(port, line);
  return { port, line, uart, read: (at) => uart.read(at, 4), write: (at, value) => uart.write(at, 4, value) };
}

test("what is written to DR goes out", () => {
  const { port, uart, read, write } = setUp();
  write(R.DR, 0x48);
  uart.write(R.DR, 1, 0x69);
  assert.deepEqual(port.output, [0x48, 0x69]);
  assert.equal(read(R.FR) & R.FR_TXFE, R.FR_TXFE);
});

test("the transmit interrupt comes after a character and goes when cleared", () => {
  const { line, read, write } = setUp();
  write(R.IMSC, R.INT_TX);
  assert.equal(line.level, false);
  write(R.DR, 0x41);
  assert.equal(line.level, true);
  assert.equal(read(R.MIS), R.INT_TX);
  write(R.ICR, R.INT_TX);
  assert.equal(line.level, false);
});

test("below the trigger level a character raises the timeout interrupt, at it the receive interrupt", () => {
  const { port, line, read, write } = setUp();
  write(R.LCR_H, R.LCR_H_FEN);
  write(R.IFLS, 0);
  write(R.IMSC, R.INT_RX | R.INT_RT);
  port.arrive(1, 2, 3);
  assert.equal(read(R.MIS), R.INT_RT);
  assert.equal(line.level, true);
  port.arrive(4);
  assert.equal(read(R.MIS), R.INT_RX);
  assert.equal(read(R.DR), 1);
  assert.equal(read(R.MIS), R.INT_RT);
  for (const expected of [2, 3, 4]) assert.equal(read(R.DR), expected);
  assert.equal(line.level, false);
  assert.equal(read(R.FR) & R.FR_RXFE, R.FR_RXFE);
});

test("without FIFOs one character is the whole of it", () => {
  const { port, read } = setUp();
  port.arrive(1, 2);
  assert.equal(port.waiting, 1);
  assert.equal(read(R.FR) & R.FR_RXFF, R.FR_RXFF);
  assert.equal(read(R.RIS) & R.INT_RX, R.INT_RX);
  assert.equal(read(R.DR), 1);
  assert.equal(read(R.DR), 2);
});

test("the outside keeps what the FIFO has no room for", () => {
  const { port, read, write } = setUp();
  write(R.LCR_H, R.LCR_H_FEN);
  const sent = Array.from({ length: 100 }, (_, i) => i);
  port.arrive(...sent);
  assert.equal(port.waiting, 100 - 32);
  assert.equal(read(R.FR) & R.FR_RXFF, R.FR_RXFF);
  const received: number[] = [];
  while (!(read(R.FR) & R.FR_RXFE)) received.push(read(R.DR));
  assert.deepEqual(received, sent);
  assert.equal(read(R.RIS) & R.INT_OE, 0);
});

test("in loopback the transmitter is heard, the outside is not, and too much overruns", () => {
  const { port, read, write } = setUp();
  write(R.CR, R.CR_LBE | R.CR_RTS | R.CR_OUT2);
  assert.equal(read(R.FR) & (R.FR_CTS | R.FR_DSR | R.FR_DCD | R.FR_RI), R.FR_CTS | R.FR_RI);
  assert.equal(read(R.RIS) & 0xf, R.INT_DSR | R.INT_DCD | R.INT_RI);
  port.arrive(9);
  write(R.DR, 5);
  write(R.DR, 6);
  assert.deepEqual(port.output, []);
  assert.equal(read(R.RIS) & R.INT_OE, R.INT_OE);
  assert.equal(read(R.DR), 5);
  write(R.DR, 7);
  assert.equal(read(R.DR), R.DR_OE | 7);
  assert.equal(read(R.RSR_ECR), 8);
  write(R.RSR_ECR, 0);
  assert.equal(read(R.RSR_ECR), 0);
  write(R.LCR_H, R.LCR_H_BRK);
  assert.equal(read(R.DR), R.DR_BE);
  assert.equal(port.waiting, 1);
  write(R.CR, 0);
  assert.equal(read(R.DR), 9);
});

test("it identifies as a PL011 r1p5", () => {
  const { read } = setUp();
  const ids = [0xfe0, 0xfe4, 0xfe8, 0xfec, 0xff0, 0xff4, 0xff8, 0xffc].map(read);
  assert.deepEqual(ids, [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
});

test("reset empties it and lowers its line", () => {
  const { port, line, uart, read, write } = setUp();
  write(R.IMSC, R.INT_RX);
  port.arrive(1);
  assert.equal(line.level, true);
  uart.reset();
  assert.equal(line.level, false);
  assert.deepEqual([read(R.CR), read(R.IFLS), read(R.IMSC), read(R.RIS)], [0x300, 0x12, 0, 0]);
  assert.equal(read(R.FR) & R.FR_RXFE, R.FR_RXFE);
});

test("any accesses are harmless, and the line is always that of MIS", () => {
  const offsets = [R.DR, R.FR, R.LCR_H, R.CR, R.IFLS, R.IMSC, R.ICR];
  fc.assert(
    fc.property(accesses(0x1000, offsets), (list) => {
      const { uart, line, port } = setUp();
      port.arrive(...Array.from({ length: 50 }, (_, i) => i));
      for (const access of list) {
        perform(uart, access);
        assert.equal(line.level, uart.read(R.MIS, 4) !== 0);
      }
    }),
  );
});
