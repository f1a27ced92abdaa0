import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { BadInput } from "../../machine/runnable.ts";
import { inflate, inflateAhead } from "./inflate.ts";

const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
const packed = new Uint8Array(gzipSync(data));

test("a gzip file of several members is all of them, whatever the last says of its size", () => {
  const last = new Uint8Array(gzipSync(Uint8Array.of(1, 2, 3)));
  const both = new Uint8Array([...packed, ...last]);
  assert.deepEqual(inflate("gzip", both, 1e6), new Uint8Array([...data, 1, 2, 3]));
});

test("a gzip file that lies about its size is damaged", () => {
  for (const size of [0, 1, data.length - 1, 0xffff_ffff]) {
    const lying = packed.slice();
    new DataView(lying.buffer).setUint32(lying.length - 4, size, true);
    assert.throws(() => inflate("gzip", lying, 1e6), new BadInput("its gzip data is damaged"));
  }
  assert.throws(() => inflate("gzip", new Uint8Array(2), 1e6), BadInput);
});

test("what is exactly as large as it may be is taken, and one byte more is not", () => {
  assert.deepEqual(inflate("gzip", packed, data.length), data);
  assert.throws(() => inflate("gzip", packed, data.length - 1), /larger than 299999 bytes when decompressed/);
});

test("what was unpacked ahead is given once, within the limit; what is wrong with a file is said as ever", async () => {
  await inflateAhead(packed);
  assert.deepEqual(inflate("gzip", packed, data.length), data);
  assert.deepEqual(inflate("gzip", packed, data.length), data);
  await inflateAhead(packed);
  assert.throws(() => inflate("gzip", packed, data.length - 1), /larger than 299999 bytes/);
  const damaged = packed.slice(0, -20);
  await inflateAhead(damaged);
  assert.throws(() => inflate("gzip", damaged, 1e6), new BadInput("its gzip data is damaged"));
  await inflateAhead(new Uint8Array(0));
});
