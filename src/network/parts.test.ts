import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ip, packetOf, referenceSum, segmentOf, tcp } from "../../test/support/network.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { ByteRing } from "./byte-ring.ts";
import { checksum } from "./checksum.ts";
import { Frame, TCP4, TCP6 } from "./frame.ts";
import { Segmenter } from "./segmenter.ts";

test("the checksum is that of 16-bit words", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(checksum(new DataView(bytes.slice().buffer), 0, bytes.length), referenceSum(bytes));
    }),
  );
});

test("addresses are read and written", () => {
  for (const [text, shown] of [
    ["10.0.2.15", "10.0.2.15"],
    ["::", "0:0:0:0:0:0:0:0"],
    ["::1", "0:0:0:0:0:0:0:1"],
    ["fec0::2", "fec0:0:0:0:0:0:0:2"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1::", "1:0:0:0:0:0:0:0"],
    ["::ffff:1.2.3.4", "0:0:0:0:0:ffff:102:304"],
  ] as const) {
    const bytes = parseAddress(text) as Uint8Array;
    assert.equal(formatAddress(bytes, 0, bytes.length as 4 | 16), shown);
  }
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.4.5",
    "a.b.c.d",
    ":::",
    "1:2",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "fe80::1%eth0",
    "::1.2.3.4:1",
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("a ring of bytes gives what was put in, wherever one looks", () => {
  const step = fc.record({ put: fc.uint8Array({ maxLength: 9000 }), drop: fc.nat(9000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.nat(100), (steps, from) => {
      const ring = new ByteRing();
      let model: number[] = [];
      for (const { put, drop } of steps) {
        ring.push(put);
        model.push(...put);
        const dropped = Math.min(drop, model.length);
        ring.drop(dropped);
        model = model.slice(dropped);
        assert.equal(ring.length, model.length);
        if (from > model.length) continue;
        const got = new Uint8Array(model.length - from);
        ring.copy(from, got.length, got, 0);
        assert.equal(Buffer.compare(got, Uint8Array.from(model.slice(from))), 0);
      }
    }),
  );
});

for (const [to, segmentation, start] of [
  ["192.0.2.1", TCP4, 34],
  ["2001:db8::1", TCP6, 54],
] as const) {
  test(`a frame of many segments is cut into what a network card would make of it: ${to}`, () => {
    const data = Uint8Array.from({ length: 3500 }, (_, i) => i * 5);
    const packet = ip(6, to, tcp({ seq: 0xffff_fff0, flags: 0x99, data }));
    const frame = new Frame();
    frame.bytes.set([
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...(segmentation === TCP4 ? [8, 0] : [0x86, 0xdd]),
      ...packet,
    ]);
    frame.complete(14 + packet.length);
    Object.assign(frame, { checksumStart: start, checksumOffset: 16, segmentation, segmentBytes: 1460 });
    const segmenter = new Segmenter();
    segmenter.start(frame);
    const segments = [];
    // packetOf finds wrong lengths and checksums.
    for (let part = segmenter.next(); part; part = segmenter.next())
      segments.push(segmentOf(packetOf(part)?.payload as Uint8Array));
    assert.deepEqual(
      segments.map((s) => [s.seq, s.flags, s.data.length]),
      [
        [0xffff_fff0, 0x90, 1460],
        [1444, 0x10, 1460],
        [2904, 0x19, 580],
      ],
    );
    assert.equal(Buffer.compare(Buffer.concat(segments.map((s) => s.data)), data), 0);
  });
}

test("what cannot be done on a frame is not sane", () => {
  const frame = new Frame();
  frame.complete(100);
  assert.ok(frame.sane);
  for (const wrong of [
    { checksumStart: 5 },
    { checksumStart: 90, checksumOffset: 9 },
    { segmentation: TCP4 },
    { checksumStart: 90, segmentation: TCP4, segmentBytes: 9 },
  ]) {
    frame.complete(100);
    Object.assign(frame, wrong);
    assert.ok(!frame.sane, JSON.stringify(wrong));
  }
});
