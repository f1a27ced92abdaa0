import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStorage } from "./memory-storage.ts";

const SIZE = 0x4_0000;

test("a file in memory holds what an array would", () => {
  const action = fc.record({
    kind: fc.constantFrom("write", "truncate", "zero" as const),
    at: fc.nat(SIZE),
    length: fc.integer({ min: 1, max: 0x1_8000 }),
    value: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
      const file = new MemoryStorage("file");
      const model = new Uint8Array(2 * SIZE);
      let size = 0;
      for (const { kind, at, length, value } of actions) {
        if (kind === "truncate") {
          file.truncate(at);
          model.fill(0, Math.min(at, size));
          size = at;
        } else {
          const byte = kind === "write" ? value : 0;
          file.write(at, new Uint8Array(length).fill(byte));
          model.fill(byte, at, at + length);
          size = Math.max(size, at + length);
        }
      }
      const read = new Uint8Array(2 * SIZE);
      file.read(0, read);
      assert.equal(file.size(), size);
      assert.ok(Buffer.compare(read, model) === 0);
    }),
    { numRuns: 50 },
  );
});
