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

test("both stages are walked, and list registers are seen, where a hypervisor has set them up", async () => {
  // As for stage 1, and stage 2 with a level 1 block of the same addresses; then one pending interrupt in ICH_LR0_EL2.
  const code = [
    0xd2a80400, // MOV X0, #0x40200000
    0xd5182000, // MSR TTBR0_EL1, X0
    0xd2a80604, // MOV X4, #0x40300000
    0xd51c2104, // MSR VTTBR_EL2, X4
    0xd2a80001, // MOV X1, #0x40000000
    0xb27a0021, // ORR X1, X1, #0x40
    0xb2760021, // ORR X1, X1, #0x400
    0xb2400021, // ORR X1, X1, #0x1
    0xf9000401, // STR X1, [X0, #8]
    0xd2a80005, // MOV X5, #0x40000000
    0xf280ffa5, // MOVK X5, #0x7FD
    0xf9000485, // STR X5, [X4, #8]
    0xd2800322, // MOV X2, #0x19
    0xd5182042, // MSR TCR_EL1, X2
    0xd2a00046, // MOV X6, #0x20000
    0xf2800b26, // MOVK X6, #0x59
    0xd51c2146, // MSR VTCR_EL2, X6
    0xd5381003, // MRS X3, SCTLR_EL1
    0xb2400063, // ORR X3, X3, #0x1
    0xd5181003, // MSR SCTLR_EL1, X3
    0xd2b00007, // MOV X7, #0x80000000
    0xb24000e7, // ORR X7, X7, #0x1
    0xd51c1107, // MSR HCR_EL2, X7
    0xd2800368, // MOV X8, #0x1B
    0xf2ea1408, // MOVK X8, #0x50A0, LSL #48
    0xd51ccc08, // MSR ICH_LR0_EL2, X8
    0xd5033fdf, // ISB
    0x14000000, // B .
  ];
  const { machine } = await wholeMachine(code, { virtualization: true });
  machine.run(5);
  const walk = machine.inspector.walk(0, RAM + 0x1234n, 1);
  assert.equal(walk?.physical, "0x40001234");
  assert.deepEqual(
    walk?.steps.map(({ stage, level, kind, address }) => [stage, level, kind, address]),
    [
      // Where stage 1's own descriptor is, that descriptor, and what it leads to.
      [2, 1, "block", "0x40300008"],
      [1, 1, "block", "0x40200008"],
      [2, 1, "block", "0x40300008"],
    ],
  );
  assert.match(walk?.steps[2]?.text ?? "", /^-> 0x40000000; read\/write AF MemAttr=15, inner shareable$/);
  const { listRegisters } = machine.inspector.interrupts();
  const pending = { cpu: 0, index: 0, state: "pending", virtualId: 27, priority: 0xa0, physicalId: undefined };
  assert.deepEqual(listRegisters, [pending]);
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
