import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { hypercallDocument } from "../../../tools/hypercall-docs.ts";
import { HYPERCALLS, type Hypercall } from "./functions.ts";

const ROOT = new URL("../../../", import.meta.url);
const text = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const calls = Object.entries<Hypercall>(HYPERCALLS);

test("the manual's table is the definition's", () => {
  const document = text("docs/hypercalls.md");
  assert.equal(document, hypercallDocument(document), "run node tools/hypercall-docs.ts");
});

test("each has a number of its own in Atoll's part of the vendor-specific hypervisor services", () => {
  const numbers = calls.map(([, { id }]) => id & 0xffff);
  assert.equal(new Set(numbers).size, calls.length);
  for (const [name, { id }] of calls) assert.match(id.toString(16), /^[8c]60041[0-9a-f]{2}$/, name);
});

test("results are in X0 to X3, arguments from X1 to X6, and those of 64 bits only where the convention has them", () => {
  for (const [name, call] of calls) {
    assert.ok(call.results.length > 0 && call.results.every(([n], i) => n === i && n <= 3), name);
    assert.ok(
      call.arguments.every(([n], i) => n === i + 1 && n <= 6),
      name,
    );
  }
});

test("the programs for domains know the same numbers", () => {
  const header = text("test/baremetal/domains/domain.h");
  const given = [...header.matchAll(/^#define ATOLL_(\w+) 0x([0-9a-f]{8})$/gm)];
  assert.equal(given.length, calls.length);
  for (const [, name = "", digits = ""] of given)
    assert.equal(HYPERCALLS[name as keyof typeof HYPERCALLS]?.id, Number.parseInt(digits, 16), name);
});
