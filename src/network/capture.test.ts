import assert from "node:assert/strict";
import { test } from "node:test";
import { CapturingLink } from "./capture.ts";
import { Frame } from "./frame.ts";
import type { NetworkLink, Station } from "./link.ts";

test("frames both ways are in the capture, with the machine's time", () => {
  const passed: number[] = [];
  const frames = [1, 2].map((byte) => {
    const frame = new Frame();
    frame.bytes.fill(byte, 0, 60);
    frame.complete(60);
    return frame;
  });
  const link: NetworkLink = {
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    attach: () => {},
    setOffloads: () => {},
    // A link may change what it is given.
    transmit: ({ bytes }) => passed.push(bytes[0] as number, bytes.fill(9).length),
    receive: () => frames[1],
    reset: () => {},
  };
  const pieces: Uint8Array[] = [];
  const capture = new CapturingLink(link, (bytes) => pieces.push(bytes), 1000);
  const clock = { now: () => 2_000_000_005, at: () => () => {} };
  capture.attach({ clock, ready: () => {}, announce: () => {} } satisfies Station);
  capture.transmit(frames[0] as Frame);
  assert.equal(capture.receive(), frames[1]);
  assert.equal(passed[0], 1);
  const bytes = Buffer.concat(pieces);
  assert.equal(bytes.length, 24 + 2 * (16 + 60));
  assert.equal(bytes.subarray(0, 8).toString("hex"), "4d3cb2a102000400");
  assert.equal(bytes.readUInt32LE(20), 1);
  for (const [at, byte] of [
    [24, 1],
    [100, 2],
  ] as const) {
    assert.deepEqual(
      [0, 4, 8, 12].map((field) => bytes.readUInt32LE(at + field)),
      [1002, 5, 60, 60],
    );
    assert.ok(bytes.subarray(at + 16, at + 76).every((each) => each === byte));
  }
});

test("nothing is recorded where there is no frame", () => {
  const pieces: Uint8Array[] = [];
  const none = {
    attach: () => {},
    setOffloads: () => {},
    transmit: () => {},
    receive: () => undefined,
    reset: () => {},
  };
  const capture = new CapturingLink({ ...none, mac: new Uint8Array(6) }, (bytes) => pieces.push(bytes), 0);
  assert.equal(capture.receive(), undefined);
  assert.equal(pieces.length, 1);
});
