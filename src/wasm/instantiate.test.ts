import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "./code.ts";
import { moduleFor, withUnsharedMemory } from "./instantiate.ts";
import { ModuleWriter } from "./module.ts";

const TABLE = { type: { params: ["i32"], results: [] }, size: 2 } as const;

/** A table such as importing() imports: only a module can make one. */
function table(): unknown {
  const module = new ModuleWriter();
  const f = module.function(TABLE.type);
  f.code = new Code(TABLE.type);
  module.exportTable("table", TABLE, f);
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish() as Uint8Array<ArrayBuffer>)).exports.table;
}

function importing(): Uint8Array {
  const module = new ModuleWriter();
  module.importTable("env", "table", TABLE);
  module.importFunction("env", "f", { params: ["i32"], results: [] });
  module.importMemory("env", "memory", 1);
  return module.finish();
}

const imports = (memory: WebAssembly.Memory) => ({
  env: { memory, table: table(), f: () => {} },
});

for (const shared of [true, false]) {
  test(`a module gets a memory that is ${shared ? "" : "not "}shared`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared });
    assert.ok(new WebAssembly.Instance(moduleFor(memory, importing()), imports(memory)));
  });
}

test("one whose memory is not shared takes no shared one", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(withUnsharedMemory(importing()) as Uint8Array<ArrayBuffer>);
  assert.throws(() => new WebAssembly.Instance(module, imports(memory)), /shared/);
});
