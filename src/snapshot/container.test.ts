import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as hostCrc32 } from "node:zlib";
import fc from "fast-check";
import { snapshotCodec } from "../hosts/node/snapshot-file.ts";
import { crc32 } from "./crc32.ts";
import { SnapshotError } from "./error.ts";
import { CHUNK_MAX, ENCODINGS, type Encoding, HEADER_BYTES } from "./format.ts";
import { SnapshotReader, verifySnapshot } from "./reader.ts";
import { BytesSink, sourceOfBytes, sourceOfPieces } from "./streams.ts";
import { SnapshotWriter } from "./writer.ts";

interface Piece {
  readonly name: string;
  readonly page: number;
  readonly bytes: Uint8Array;
}

async function written(pieces: readonly Piece[], encoding: Encoding): Promise<Uint8Array> {
  const sink = new BytesSink();
  const writer = new SnapshotWriter({ sink, codec: snapshotCodec, encoding, checksum: crc32 });
  await writer.begin();
  for (const { name, page, bytes } of pieces) await writer.chunk(name, 1, page, bytes);
  await writer.end();
  return sink.bytes();
}

async function read(file: Uint8Array, source = sourceOfBytes(file)): Promise<Piece[]> {
  const reader = new SnapshotReader({ source, codec: snapshotCodec, checksum: crc32 });
  const pieces: Piece[] = [];
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
    pieces.push({ name: chunk.name, page: chunk.page, bytes: new Uint8Array(await reader.content(chunk)) });
  }
  return pieces;
}

const failure = (kind: string) => (error: unknown) => error instanceof SnapshotError && error.failure === kind;

const piece: fc.Arbitrary<Piece> = fc.record(
  {
    name: fc.stringMatching(/^[a-z.0-9]{1,32}$/).filter((name) => name !== "end"),
    page: fc.nat(0xffff_ffff),
    bytes: fc.uint8Array({ maxLength: 3000 }).chain((bytes) => fc.constantFrom(bytes, new Uint8Array(bytes.length))),
  },
  { noNullPrototype: true },
);

test("what is written is read again, however its bytes come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.constantFrom(...ENCODINGS),
      fc.integer({ min: 1, max: 500 }),
      async (pieces, encoding, size) => {
        const file = await written(pieces, encoding);
        assert.deepEqual(await read(file), pieces);
        const parts: Uint8Array[] = [];
        for (let at = 0; at < file.length; at += size) parts.push(file.subarray(at, at + size));
        assert.deepEqual(await read(file, sourceOfPieces(parts)), pieces);
      },
    ),
  );
});

test("a file that is cut short anywhere, or has anything after its end, is damaged", async () => {
  const file = await written([{ name: "a", page: 0, bytes: new Uint8Array(100).fill(7) }], "deflate");
  for (let length = 0; length < file.length; length++) {
    await assert.rejects(read(file.subarray(0, length)), failure(length < 8 ? "other" : "damaged"), `${length}`);
  }
  await assert.rejects(read(Uint8Array.from([...file, 0])), failure("damaged"));
});

test("any bit that is turned is found", async () => {
  const file = await written([{ name: "a", page: 0, bytes: Uint8Array.of(1, 2, 3) }], "stored");
  for (let bit = 0; bit < file.length * 8; bit++) {
    const turned = file.slice();
    turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
    await assert.rejects(read(turned), SnapshotError, `bit ${bit}`);
    await assert.rejects(verifySnapshot({ source: sourceOfBytes(turned), checksum: crc32 }), SnapshotError);
  }
});

test("chunks of two files do not make a third, nor do those of one in another order", async () => {
  const chunk = (fill: number): Piece => ({ name: `${fill}`, page: 0, bytes: new Uint8Array(10).fill(fill) });
  const [a, b] = [await written([chunk(1), chunk(2)], "stored"), await written([chunk(3), chunk(4)], "stored")];
  const size = 70;
  const part = (file: Uint8Array, n: number): Uint8Array =>
    file.subarray(HEADER_BYTES + n * size, HEADER_BYTES + (n + 1) * size);
  const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((bytes) => [...bytes]));
  const [begin, end] = [a.subarray(0, HEADER_BYTES), a.subarray(HEADER_BYTES + 2 * size)];
  assert.deepEqual(await read(join(begin, part(a, 0), part(a, 1), end)), [chunk(1), chunk(2)]);
  await assert.rejects(read(join(begin, part(a, 1), part(a, 0), end)), failure("damaged"));
  await assert.rejects(read(join(begin, part(a, 0), end)), failure("damaged"));
  await assert.rejects(read(join(begin, part(a, 0), part(b, 1), end)), failure("damaged"));
});

test("a newer container is newer, and not damaged", async () => {
  const file = await written([], "stored");
  const view = new DataView(file.buffer);
  view.setUint32(8, 2, true);
  view.setUint32(12, crc32(file.subarray(0, 12), 0), true);
  await assert.rejects(read(file), failure("newer"));
});

test("a chunk that unpacks to more than it says is damaged, and never unpacked whole", async () => {
  for (const encoding of ["deflate", "zstd"] as const) {
    const bomb = await snapshotCodec.encode(encoding, new Uint8Array(64 * CHUNK_MAX));
    const lying = { ...snapshotCodec, encode: () => bomb };
    const sink = new BytesSink();
    const writer = new SnapshotWriter({ sink, codec: lying, encoding, checksum: crc32 });
    await writer.begin();
    await writer.chunk("bomb", 1, 0, new Uint8Array(CHUNK_MAX));
    await writer.end();
    await assert.rejects(read(sink.bytes()), failure("damaged"));
  }
});

test("the checksum is the host's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(0xffff_ffff), (bytes, seed) => {
      assert.equal(crc32(bytes, seed), hostCrc32(bytes, seed));
    }),
  );
});
