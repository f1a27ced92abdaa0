import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FEATURES } from "../arch/features.ts";
import { ambiguousRows, createDecoder, rowProblems, shapesOf } from "./decoder.ts";
import { recordLayout } from "./encoding.ts";
import { ALL_ROWS } from "./index.ts";
import { operandBytes } from "./row.ts";

const all = createDecoder(ALL_ROWS, new Set(FEATURES));
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

test("no word matches two rows of which neither refines the other", () => {
  assert.deepEqual(
    ambiguousRows(ALL_ROWS).map(([a, b]) => `${a.id} ${b.id}`),
    [],
  );
});

test("every row is well formed and its id is unique", () => {
  assert.deepEqual(ALL_ROWS.flatMap(rowProblems), []);
  const ids = ALL_ROWS.map((r) => r.id);
  assert.deepEqual(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    [],
  );
});

test("every row has an allocated shape, and its sample decodes to that row or to a refinement of it", () => {
  for (const row of ALL_ROWS) {
    const shapes = shapesOf(row);
    assert.ok(shapes.length > 0, row.id);
    for (const { sample } of shapes) if (sample !== undefined) assert.ok(all.rowOf(sample), row.id);
  }
});

test("a decoded record holds the operands that decode() gives", () => {
  const buffer = new ArrayBuffer(16);
  const bytes = new Uint8Array(buffer);
  const words = new Int32Array(buffer);
  fc.assert(
    fc.property(word, (w) => {
      words.fill(0);
      const key = all.decodeInto(w, bytes, words, 0);
      const decoded = all.decode(w);
      assert.equal(key, decoded?.handlerKey ?? -1);
      if (!decoded) return;
      const { row, shape } = all.handlerOf(key);
      assert.equal(row, decoded.row);
      assert.deepEqual(shape, decoded.shape);
      recordLayout(row).forEach((operand, i) => {
        const value = decoded.operands[i];
        const low = typeof value === "object" ? value.lo : (value as number);
        const read = operandBytes(operand.kind) === 1 ? bytes[operand.offset] : words[operand.offset >> 2];
        assert.equal(read, low, `${row.id} ${operand.name}`);
      });
    }),
    { numRuns: 20_000 },
  );
});

test("an instruction of a feature that is absent is unallocated", () => {
  const base = createDecoder(ALL_ROWS, new Set());
  const ldadd = 0xb8200000;
  assert.equal(all.decode(ldadd)?.row.id, "LDADD");
  assert.equal(base.decode(ldadd), undefined);
});
