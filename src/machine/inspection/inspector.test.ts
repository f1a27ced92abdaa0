import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeMachine } from "../../../test/support/whole-machine.ts";
import type { ExceptionEvent } from "./exceptions.ts";

/** MOVZ X0, #42; then a branch to itself. */
const CODE = [0xd2800540, 0x14000000];
const RAM = 0x4000_0000n;

test("without translation an address is its own, and no table is read", async () => {
  const { machine } = await wholeMachine(CODE);
  const walk = machine.inspector.walk(0, RAM + 0x80000n, 1);
  assert.deepEqual(walk?.steps, []);
  assert.equal(walk?.physical, "0x40080000");
  assert.equal(machine.inspector.walk(1, RAM, 1), undefined);
});

test("stage 1 is walked descriptor by descriptor, and the guest's own registers are as before", async () => {
  // TTBR0 = RAM + 2 MiB: a level 1 block of 1 GiB at 0x40000000, with 4 KB granules and 39 bits; an invalid entry before it.
  const code = [
    0xd2a80400, // MOVZ X0, #0x4020, LSL #16
    0xd5182000, // MSR TTBR0_EL1, X0
    0xd2a80001, // MOVZ X1, #0x4000, LSL #16
    0xb27a0021, // ORR X1, X1, #64: read/write for EL0 too
    0xb2760021, // ORR X1, X1, #1 << 10: AF
    0xb2400021, // ORR X1, X1, #1: a block
    0xf9000401, // STR X1, [X0, #8]
    0xd2800322, // MOVZ X2, #25
    0xd5182042, // MSR TCR_EL1, X2
    0xd5381003, // MRS X3, SCTLR_EL1
    0xb2400063, // ORR X3, X3, #1
    0xd5181003, // MSR SCTLR_EL1, X3
    0xd5033fdf, // ISB
    0x14000000,
  ];
  const { machine } = await wholeMachine(code);
  machine.run(5);
  const before = machine.registers();
  const walk = machine.inspector.walk(0, RAM + 0x1234n, 1);
  assert.equal(walk?.physical, "0x40001234");
  assert.equal(walk?.steps.length, 1);
  const [step] = walk?.steps ?? [];
  assert.deepEqual([step?.stage, step?.level, step?.kind, step?.physical], [1, 1, "block", "0x40200008"]);
  assert.match(step?.text ?? "", /0x40000000; read\/write for EL1 and EL0 AF/);
  const fault = machine.inspector.walk(0, 0x1000n, 1);
  assert.equal(fault?.physical, undefined);
  assert.equal(fault?.outcome, "translation fault, level 1, stage 1");
  assert.equal(fault?.steps[0]?.kind, "invalid");
  assert.equal(machine.registers(), before);
});

test("exceptions are recorded while that is asked for", async () => {
  // SVC #7: to the vectors, which are zeros, so that exceptions follow each other without end.
  const { machine } = await wholeMachine([0xd40000e1, 0x14000000]);
  assert.equal(machine.inspector.record(true), true);
  machine.run(2);
  const events = machine.inspector.exceptions();
  assert.equal(events.length, 64);
  const { kind, from, to, text } = events[0] as ExceptionEvent;
  assert.deepEqual({ kind, from, to, text }, { kind: "taken", from: 1, to: 1, text: "unknown reason" });
  machine.inspector.record(false);
  assert.deepEqual(machine.inspector.exceptions(), []);
});

test("what runs is found where it runs", async () => {
  const { machine } = await wholeMachine(CODE);
  machine.run(2);
  machine.inspector.sample();
  const [hot] = machine.inspector.hotCode(5);
  assert.equal(hot?.address, "0000000040080000");
  assert.equal(hot?.share, 1);
  assert.deepEqual(machine.inspector.hotCode(5), []);
});
