import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { asciiBytes, encodePacket, fromHex, type Incoming, PACKET_BYTES, PacketReader, toHex } from "./packets.ts";

function read(text: string | Uint8Array): Incoming[] {
  const reader = new PacketReader();
  reader.feed(typeof text === "string" ? asciiBytes(text) : text);
  const all: Incoming[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) all.push(next);
  return all;
}
const packet = (body: string): Incoming => ({ kind: "packet", body: asciiBytes(body) });

/** What a client makes of a packet: its body, with escapes and runs undone (Debugging with GDB, E.1). */
function decode(bytes: Uint8Array): Uint8Array {
  const end = bytes.lastIndexOf(0x23);
  const sum = bytes.subarray(1, end).reduce((a, b) => (a + b) & 0xff, 0);
  assert.equal(bytes[0], 0x24);
  assert.equal(String.fromCharCode(...bytes.subarray(end + 1)), sum.toString(16).padStart(2, "0"));
  const body: number[] = [];
  for (let i = 1; i < end; i++) {
    const byte = bytes[i] as number;
    assert.ok(byte !== 0x24 && byte !== 0x23, "neither $ nor # in a body");
    if (byte === 0x7d) body.push((bytes[++i] as number) ^ 0x20);
    else if (byte === 0x2a) {
      const count = bytes[++i] as number;
      assert.ok(count >= 0x20 && count <= 0x7e, "a count is a printable character");
      body.push(...Array(count - 29).fill(body.at(-1)));
    } else body.push(byte);
  }
  return Uint8Array.from(body);
}

const GOOD: readonly (readonly [string, readonly Incoming[]])[] = [
  ["$g#67", [packet("g")]],
  ["$g#67$?#3f", [packet("g"), packet("?")]],
  ["+$#00-", [{ kind: "ack" }, packet(""), { kind: "nak" }]],
  ["\x03", [{ kind: "interrupt" }]],
  ["noise$g#67", [packet("g")]],
  ["$lost$g#67", [packet("g")]],
  ["$\x03#03", [packet("\x03")]],
  ["$}\x04#81", [packet("$")]],
  ["$g#6", []],
];
for (const [text, expected] of GOOD) {
  test(`a client that says ${JSON.stringify(text)}`, () => assert.deepEqual(read(text), expected));
}

for (const text of ["$g#68", "$g#zz", "$g##67", `$${"a".repeat(PACKET_BYTES + 1)}#61`]) {
  test(`a damaged packet: ${text.slice(0, 12)}`, () => {
    assert.deepEqual(read(`${text}$g#67`).slice(0, 1), [{ kind: "damaged" }]);
  });
}

test("a packet may arrive in any pieces", () => {
  const reader = new PacketReader();
  const found: Incoming[] = [];
  for (const character of "+$qC#b4$m0,4#fd") {
    reader.feed(asciiBytes(character));
    for (let next = reader.next(); next !== undefined; next = reader.next()) found.push(next);
  }
  assert.deepEqual(found, [{ kind: "ack" }, packet("qC"), packet("m0,4")]);
});

test("runs are shortened", () => {
  assert.equal(String.fromCharCode(...encodePacket(asciiBytes("0000"))), "$0* #7a");
  assert.ok(encodePacket(asciiBytes("0".repeat(1000))).length < 40);
});

test("what is encoded is what a client decodes, for any bytes and runs", () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 120 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(runs, (pieces) => {
      const body = Uint8Array.from(pieces.flatMap(([byte, count]) => Array<number>(count).fill(byte)));
      assert.deepEqual(decode(encodePacket(body)), body);
    }),
  );
});

test("any bytes are read without failing, and what is held is bounded", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (pieces) => {
      const reader = new PacketReader();
      for (const piece of pieces) {
        reader.feed(piece);
        while (reader.next() !== undefined);
      }
    }),
  );
});

test("hexadecimal digits", () => {
  assert.equal(toHex(Uint8Array.of(0, 0x0f, 0xff)), "000fff");
  assert.deepEqual(fromHex("00Ff"), Uint8Array.of(0, 255));
  assert.equal(fromHex("0"), undefined);
  assert.equal(fromHex("0g"), undefined);
});
