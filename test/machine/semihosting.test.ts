// Semihosting calls of hostile guests: test/systems/semihosting.test.ts has the honest ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Debugger } from "../../src/machine/gdb/debugger.ts";
import type { SemihostingFile, SemihostingFiles } from "../../src/machine/semihosting/host.ts";
import { wholeMachine } from "../support/whole-machine.ts";

const HLT = 0xd45e0000;
const LOOP = 0x14000000;
const START = 0x40080000n;
const BLOCK = 0x41000000n;
/** Where the name "a" is. */
const NAME = 0x41200000n;

const file: SemihostingFile = {
  read: (_at, into) => into.length,
  write: (_at, from) => from.length,
  length: () => 7,
  close() {},
};
const files: SemihostingFiles = {
  open(name) {
    if (name.includes("x")) throw Object.assign(new Error("no"), { code: "EFOO" });
    return file;
  },
  remove() {
    throw new Error("without a code");
  },
  rename() {},
  temporaryName: (n) => `t${n}`,
};

async function guest() {
  const { machine, printed, type } = await wholeMachine([HLT, LOOP], {
    debug: "wait",
    semihosting: { files, commandLine: "a program" },
  });
  const target = machine.debugger as Debugger;
  target.access.write(undefined, NAME, Uint8Array.of(0x61), "look");
  const [registers] = target.registers;
  assert.ok(registers);
  const number = (value: bigint): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    return bytes;
  };
  /** One call; X0 as a signed number. */
  const call = (operation: number, operand: bigint, fields: readonly bigint[]): bigint => {
    for (const [i, field] of fields.entries())
      target.access.write(undefined, BLOCK + BigInt(8 * i), number(field), "look");
    registers.write(32, number(START));
    registers.write(0, number(BigInt(operation)));
    registers.write(1, number(operand));
    target.resume([{ kind: "step" }]);
    machine.run(1);
    const bytes = registers.read(0) as Uint8Array;
    return new DataView(bytes.buffer).getBigInt64(0, true);
  };
  const pc = (): bigint => new DataView((registers.read(32) as Uint8Array).buffer).getBigUint64(0, true);
  return { machine, call, pc, printed, type };
}

test("lengths and addresses that are not the guest's are errors, and nothing else", async () => {
  const { call } = await guest();
  for (const length of [2n ** 21n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
    assert.equal(call(0x01, BLOCK, [NAME, 0n, length]), -1n, `a name of ${length}`);
  }
  const handle = call(0x01, BLOCK, [NAME, 6n, 1n]);
  assert.equal(handle, 1n);
  assert.ok(call(0x05, BLOCK, [handle, 0x40000000n, 2n ** 40n]) > 0n, "some of it was not written");
  assert.ok(call(0x06, BLOCK, [handle, 0x41100000n, 2n ** 40n]) > 0n, "some of it was not read");
  assert.equal(call(0x06, BLOCK, [handle, 0x10n, 8n]), -1n, "flash cannot be written");
  assert.equal(call(0x05, 0xffff_ffff_ffff_fff8n, []), -1n);
});

test("handles come to an end", async () => {
  const { call } = await guest();
  let last = 0n;
  for (let i = 0; i < 300 && last >= 0n; i++) last = call(0x01, BLOCK, [NAME, 0n, 1n]);
  assert.equal(last, -1n);
  assert.equal(call(0x13, 0n, []), 24n, "EMFILE");
});

test("a key that has not come: the PE waits at the call, and goes on when it comes", async () => {
  const { call, pc, type, machine } = await guest();
  call(0x07, 0n, []);
  assert.equal(pc(), START);
  type("k");
  machine.debugger?.resume();
  machine.run(1);
  machine.debugger?.hold();
  assert.equal(pc(), START + 4n);
});

test("no parameters make a call fail otherwise than by its result", async () => {
  const { call, machine } = await guest();
  const word = fc.oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: BLOCK - 64n, max: BLOCK + 64n }),
    fc.constantFrom(0x43ff_fff8n, 0x9000000n, 2n ** 63n),
  );
  const operation = fc.oneof(fc.integer({ min: 0, max: 0x32 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(operation, word, fc.array(word, { minLength: 4, maxLength: 4 }), (op, operand, fields) => {
      call(op, operand, fields);
      if (machine.run(0).kind === "exit") machine.reset();
    }),
    { numRuns: 3000 },
  );
});
