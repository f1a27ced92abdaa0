import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Code } from "./code.ts";
import { link } from "./function-object.ts";
import { ModuleWriter } from "./module.ts";
import type { FunctionType } from "./types.ts";

const I32_ADD = 0x6a;
const NOTHING: FunctionType = { params: [], results: ["i32"] };

test("a function is linked with addresses of any value, and with functions of any index", () => {
  const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(
      address,
      address,
      fc.integer({ min: 0, max: 2 ** 20 }),
      i32,
      fc.nat(300),
      (a, b, addend, given, before) => {
        // Two addresses, what an imported function gives, and a branch with a hint.
        const code = new Code(NOTHING, true);
        const local = code.local("i32");
        code.address(7, addend);
        code.call(3);
        code.op(I32_ADD);
        code.set(local);
        code.get(local);
        code.likely();
        code.if();
        code.address(-2, 0);
        code.get(local);
        code.op(I32_ADD);
        code.set(local);
        code.end();
        code.get(local);
        const object = code.object();

        const module = new ModuleWriter();
        const called = new Map<number, number>();
        for (let i = 0; i < before; i++) module.importFunction("env", "other", NOTHING);
        const linked = link(object, {
          functionIndex: (n) => {
            called.set(n, called.get(n) ?? module.importFunction("env", `f${n}`, NOTHING));
            return called.get(n) as number;
          },
          address: (symbol) => (symbol === 7 ? a : b),
        });
        assert.ok(linked.hasHints);
        const f = module.function(NOTHING);
        f.code = linked;
        module.export("f", f);
        const imports = { env: { other: () => 0, f3: () => given } };
        const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), imports);
        const sum = (a + addend + given) | 0;
        assert.equal((exports.f as () => number)(), sum === 0 ? 0 : (sum + b) | 0);
      },
    ),
  );
});

test("the hints of a linked function are those of the same code in a module of its own", () => {
  const emit = (code: Code): void => {
    code.local("i64");
    code.i32(1);
    code.unlikely();
    code.if();
    code.end();
    code.i32(2);
  };
  const bytesOf = (finish: (code: Code) => ReturnType<typeof link> | Code, relocatable: boolean): Uint8Array => {
    const code = new Code(NOTHING, relocatable);
    emit(code);
    const module = new ModuleWriter();
    module.function(NOTHING).code = finish(code);
    return module.finish();
  };
  const none = { functionIndex: () => 0, address: () => 0 };
  assert.deepEqual(
    bytesOf((code) => link(code.object(), none), true),
    bytesOf((code) => code, false),
  );
});
