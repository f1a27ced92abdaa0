import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "./bytes.ts";
import { Code } from "./code.ts";
import { ModuleWriter } from "./module.ts";

function signed(bytes: Uint8Array): bigint {
  let value = 0n;
  let shift = 0n;
  for (const b of bytes) {
    value |= BigInt(b & 0x7f) << shift;
    shift += 7n;
  }
  return BigInt.asIntN(Number(shift), value);
}

test("signed LEB128 of 64-bit halves reads back, and is as short as can be", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (v) => {
      const out = new ByteWriter();
      out.s64(Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
      assert.equal(signed(out.view()), v);
      const bits = (v < 0n ? ~v : v).toString(2).length + 1;
      assert.ok(out.length <= Math.ceil(bits / 7) || v === 0n || v === -1n);
    }),
  );
});

test("signed LEB128 of 32 bits reads back", () => {
  fc.assert(
    fc.property(fc.integer(), (v) => {
      const out = new ByteWriter();
      out.s32(v);
      assert.equal(signed(out.view()), BigInt(v));
    }),
  );
});

test("a module with a constant function runs", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (v) => {
      const module = new ModuleWriter();
      const type = { params: [], results: ["i64"] } as const;
      const f = module.function(type);
      const code = new Code(type);
      code.i64(Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)));
      f.code = code;
      module.export("f", f);
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
      assert.equal((exports.f as unknown as () => bigint)(), v);
    }),
    { numRuns: 50 },
  );
});

test("a declared function without code is refused", () => {
  const module = new ModuleWriter();
  module.function({ params: [], results: [] });
  assert.throws(() => module.finish(), TypeError);
});
