import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { Terminal } from "./terminal.ts";

function make(escapes: boolean) {
  const input = new PassThrough();
  const output = new PassThrough();
  const seen: string[] = [];
  const terminal = new Terminal(
    { input, output },
    {
      input: () => seen.push("input"),
      quit: () => seen.push("quit"),
      monitor: (active) => seen.push(`monitor ${active}`),
      monitorInput: (bytes) => seen.push(`monitor < ${Buffer.from(bytes).toString()}`),
      save: () => seen.push("save"),
      help: () => seen.push("help"),
      hangup: () => seen.push("hangup"),
    },
    escapes,
  );
  terminal.open();
  return { input, output, seen, terminal, take: (max = 1e6) => Buffer.from(terminal.read(max)).toString("latin1") };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("what arrives is announced, and read in pieces", async () => {
  const { input, seen, terminal, take } = make(false);
  let readable = 0;
  terminal.onReadable(() => readable++);
  input.write("abc\x01xdef");
  await settle();
  assert.deepEqual(seen, ["input"]);
  assert.equal(readable, 1);
  assert.deepEqual([take(2), take(3), take(), take()], ["ab", "c\x01x", "def", ""]);
});

test("the end of input is no news to anyone", async () => {
  const { input, seen, take } = make(false);
  input.end("last");
  await settle();
  assert.deepEqual(seen, ["input"]);
  assert.equal(take(), "last");
});

test("ctrl-a c sends what is typed to the monitor and back to the guest", async () => {
  const { input, seen, take } = make(true);
  input.write("ls\x01cinfo\x01cpwd\x01h\x01x");
  await settle();
  assert.deepEqual(seen, ["input", "monitor true", "monitor < info", "monitor false", "input", "help", "quit"]);
  assert.equal(take(), "lspwd");
});

test("a guest that does not read stops the host from sending, and gets everything in the end", async () => {
  const { input, take } = make(false);
  const sent = "x".repeat(200_000);
  for (let at = 0; at < sent.length; at += 10_000) input.write(sent.slice(at, at + 10_000));
  await settle();
  const first = take();
  assert.ok(first.length < 150_000, `${first.length} bytes were taken in`);
  let all = first;
  for (let i = 0; i < 100 && all.length < sent.length; i++) {
    await settle();
    all += take();
  }
  assert.equal(all, sent);
});

test("output is written as it was at the call, together, when the event loop has its turn", async () => {
  const { output, terminal } = make(false);
  const bytes = new Uint8Array(Buffer.from("boot"));
  terminal.write(bytes);
  bytes.fill(0x21);
  terminal.write(bytes);
  assert.equal(output.read(), null);
  await settle();
  assert.equal(output.read().toString(), "boot!!!!");
});

test("output keeps its order, whatever its size, and nothing is kept back when the terminal is given back", () => {
  const { output, terminal } = make(false);
  const pieces: string[] = [];
  output.on("data", (bytes: Buffer) => pieces.push(bytes.toString()));
  const sent = ["a".repeat(4000), "b".repeat(4000), "c".repeat(10_000), "dd", "ff"] as const;
  for (const text of sent.slice(0, 4)) terminal.write(Buffer.from(text));
  terminal.print("e");
  terminal.write(Buffer.from(sent[4]));
  terminal.close();
  assert.deepEqual(pieces, [sent[0], sent[1], sent[2], "dd", "e", "ff"]);
});

test("no terminal, no size", () => {
  assert.equal(make(false).terminal.get(), undefined);
});
