import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EscapeKeys, type Keys } from "./escape-keys.ts";

/** Feeds pieces of text; returns what they mean, input as text and joined where it is adjacent. */
function meaning(...pieces: string[]): string[] {
  const keys = new EscapeKeys();
  const found: string[] = [];
  let text = "";
  const add = (key: Keys): void => {
    if (key.kind === "input") {
      text += Buffer.from(key.bytes).toString("latin1");
      return;
    }
    if (text !== "") found.push(text);
    text = "";
    found.push(`<${key.kind}>`);
  };
  for (const piece of pieces) keys.feed(Buffer.from(piece, "latin1")).forEach(add);
  if (text !== "") found.push(text);
  return found;
}

const TABLE: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["ls -l\r"], ["ls -l\r"]],
  [["\x01x"], ["<quit>"]],
  [["\x01c"], ["<monitor>"]],
  [["\x01h"], ["<help>"]],
  [["\x01a"], ["\x01"]],
  [["\x01\x01"], ["\x01"]],
  [["\x01", "x"], ["<quit>"]],
  [
    ["ab\x01", "", "xcd"],
    ["ab", "<quit>", "cd"],
  ],
  [["a\x01\x01b"], ["a\x01b"]],
  [["\x01\x01x"], ["\x01x"]],
  [["a\x01qb"], ["ab"]],
  [["\x01c\x01ci"], ["<monitor>", "<monitor>", "i"]],
  [["\x03\x1a\x04"], ["\x03\x1a\x04"]],
];

for (const [pieces, expected] of TABLE) {
  test(`typing ${JSON.stringify(pieces)} means ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(meaning(...pieces), expected);
  });
}

test("where the input is cut does not matter", () => {
  const byte = fc.constantFrom("\x01", "x", "c", "h", "a", "z", "\r", "\xff");
  fc.assert(
    fc.property(fc.array(fc.array(byte)), (pieces) => {
      const texts = pieces.map((p) => p.join(""));
      assert.deepEqual(meaning(...texts), meaning(texts.join("")));
    }),
  );
});

test("input without ctrl-a passes unchanged", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const plain = bytes.filter((b) => b !== 1);
      const out = new EscapeKeys().feed(plain).flatMap((k) => (k.kind === "input" ? [...k.bytes] : [-1]));
      assert.deepEqual(out, [...plain]);
    }),
  );
});
