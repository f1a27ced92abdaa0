import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { gunzip, inflate, inflateRaw, inflateZlib } from "./inflate.ts";

/** Bytes with repetitions, near and far, as files have. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 400 })), { maxLength: 12 })
  .map((pieces) => Buffer.concat(pieces.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

test("what zlib has compressed, in any way, is what it was", () => {
  fc.assert(
    fc.property(repetitive, fc.constantFrom(0, 1, 9), fc.boolean(), (bytes, level, fixed) => {
      const strategy = fixed ? constants.Z_FIXED : constants.Z_DEFAULT_STRATEGY;
      const options = { level, strategy };
      const limit = Math.max(1, bytes.length);
      assert.ok(bytes.equals(inflateRaw(deflateRawSync(bytes, options), limit)));
      assert.ok(bytes.equals(inflateZlib(deflateSync(bytes, options), limit)));
      assert.ok(bytes.equals(gunzip(gzipSync(bytes, options), limit)));
    }),
    { numRuns: 60 },
  );
});

test("damaged data is refused, and never read beyond its end", () => {
  const good = gzipSync(Buffer.from("the quick brown fox ".repeat(200)));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
      const bytes = cut ? good.subarray(0, at) : Uint8Array.from(good);
      if (!cut) bytes[at] = (bytes[at] as number) ^ change;
      try {
        assert.equal(gunzip(bytes, 1 << 20).length, 4000);
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof RangeError && /Maximum/.test(error.message)));
      }
    }),
  );
});

test("more than the limit is refused in words", () => {
  assert.throws(() => inflate("gzip", gzipSync(Buffer.alloc(5000)), 4999), /larger than 4999 bytes/);
  assert.throws(() => inflate("gzip", gzipSync(Buffer.alloc(5000)).subarray(0, 20), 5000), /damaged/);
  assert.throws(() => inflate("zstd", new Uint8Array(4), 5000), /zstd/);
});
