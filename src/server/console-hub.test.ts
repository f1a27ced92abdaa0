import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleHub } from "./console-hub.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (parts: Uint8Array[]): string => Buffer.concat(parts).toString();

test("everybody sees the output, and who comes late what was there lately", async () => {
  const hub = new ConsoleHub(() => {});
  const first: Uint8Array[] = [];
  assert.equal(hub.join((b) => first.push(b)).length, 0);
  for (const letter of "hello") hub.write(bytes(letter));
  await null;
  const second: Uint8Array[] = [];
  const late = (b: Uint8Array): void => void second.push(b);
  assert.equal(Buffer.from(hub.join(late)).toString(), "hello");
  hub.write(bytes(" world"));
  hub.flush();
  assert.equal(text(first), "hello world");
  assert.equal(text(second), " world");
  hub.leave(late);
  hub.write(bytes("!"));
  hub.flush();
  assert.equal(text(first), "hello world!");
  assert.equal(text(second), " world");
});

test("a machine that goes on has the screen that it had", () => {
  const hub = new ConsoleHub(() => {});
  hub.recall(bytes("before "));
  hub.write(bytes("after"));
  assert.equal(Buffer.from(hub.join(() => {})).toString(), "before after");
});

test("output is copied: what the guest does to its memory later changes nothing", () => {
  for (const length of [3, 0x2000]) {
    const hub = new ConsoleHub(() => {});
    const memory = new Uint8Array(length).fill(0x61);
    hub.write(memory);
    memory.fill(0x62);
    assert.equal(Buffer.from(hub.join(() => {})).toString(), "a".repeat(length));
  }
});

test("of much output the last lines are kept, from the beginning of one", () => {
  const hub = new ConsoleHub(() => {});
  for (let i = 0; i < 40_000; i++) hub.write(bytes(`line ${i}\n`));
  const recent = Buffer.from(hub.join(() => {})).toString();
  assert.ok(recent.length <= 0x10000 && recent.length > 0xff00);
  assert.match(recent, /^line \d+\n/);
  assert.ok(recent.endsWith("line 39999\n"));
});

test("what is typed reaches the guest, as much as it may", () => {
  let woken = 0;
  let readable = 0;
  const hub = new ConsoleHub(() => woken++);
  hub.onReadable(() => readable++);
  hub.type(bytes("abc"));
  assert.equal(Buffer.from(hub.read(2)).toString(), "ab");
  assert.equal(Buffer.from(hub.read(2)).toString(), "c");
  assert.deepEqual([woken, readable], [1, 1]);
  for (let i = 0; i < 100; i++) hub.type(new Uint8Array(0x1000));
  assert.equal(hub.read(2 ** 30).length, 0x10000);
});

test("the guest sees the size of the terminal that came last", () => {
  const hub = new ConsoleHub(() => {});
  let changes = 0;
  hub.onChange(() => changes++);
  assert.equal(hub.get(), undefined);
  hub.resize({ columns: 80, rows: 25 });
  hub.resize({ columns: 100, rows: 30 });
  assert.deepEqual(hub.get(), { columns: 100, rows: 30 });
  assert.equal(changes, 2);
});
