import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { buildLibrary } from "../../tools/build-web.ts";

/** What a page has to load to run a machine, beside the guest. */
const CORE = [
  ...["dist/browser/atoll.js", "dist/browser/worker.js"],
  ...["build/native.wasm", "build/interpreter.wasm", "build/interpreter.json"],
];
const MOST = 400_000;

before(buildLibrary);

test("the core for browsers is less than 400 kB compressed, without the guest", () => {
  const sizes = CORE.map(
    (file) => gzipSync(readFileSync(join(import.meta.dirname, "..", "..", file)), { level: 9 }).length,
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total < MOST, `${total} bytes: ${CORE.map((file, i) => `${file} ${sizes[i]}`).join(", ")}`);
});
