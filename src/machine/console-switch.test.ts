import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleSwitch } from "./console-switch.ts";

function bench() {
  let input: number[] = [];
  let arrived = (): void => {};
  const output: number[] = [];
  const consoles = new ConsoleSwitch({
    write: (bytes) => void output.push(...bytes),
    read: (max) => Uint8Array.from(input.splice(0, max)),
    onReadable: (listener) => {
      arrived = listener;
    },
  });
  const connect = () => {
    const port = consoles.connect();
    const got: number[] = [];
    port.onReadable(() => got.push(...port.read(10)));
    return { port, got };
  };
  const type = (...bytes: number[]): void => {
    input = [...input, ...bytes];
    arrived();
  };
  return { output, a: connect(), b: connect(), type };
}

test("all consoles write to the port", () => {
  const { output, a, b } = bench();
  a.port.write(Uint8Array.of(1));
  b.port.write(Uint8Array.of(2));
  assert.deepEqual(output, [1, 2]);
});

test("input goes to the console that wrote last, at first to the first", () => {
  const { a, b, type } = bench();
  type(1);
  b.port.write(Uint8Array.of(9));
  type(2);
  assert.deepEqual([...a.port.read(10)], []);
  a.port.write(Uint8Array.of(9));
  type(3);
  assert.deepEqual([a.got, b.got], [[1, 3], [2]]);
});
