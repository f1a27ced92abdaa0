// Runs small programs of A64 instructions on whole machines; test/baremetal and the embedded guest do the rest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeMachine } from "../../test/support/whole-machine.ts";
import { BadInput, type MachineParts, type RunState } from "./runnable.ts";
import { formatStatistics } from "./statistics.ts";

const MiB = 0x10_0000;

const words = (...code: number[]): Uint8Array => new Uint8Array(Uint32Array.from(code).buffer);
// movz w0, #8; movk w0, #0x8400, lsl #16; hvc #0
const SYSTEM_OFF = [0x52800100, 0x72b08000, 0xd4000002];
// movz w0, #9; movk w0, #0x8400, lsl #16; hvc #0
const SYSTEM_RESET = [0x52800120, 0x72b08000, 0xd4000002];
// movz x1, #0x900, lsl #16
const X1_IS_UART = 0xd2a12001;
// str w2, [x1]
const PRINT_W2 = 0xb9000022;
// wfi; b .-4
const IDLE = [0xd503207f, 0x17ffffff];

/** A machine that starts with `code` at 0x40080000, and what it printed. Time is 1 us more whenever somebody looks. */
async function machine(code: readonly number[], changes: Partial<MachineParts> = {}) {
  let time = 0;
  const monotonic = (): number => (time += 1000);
  const { machine: made, printed } = await wholeMachine(code, { tier: "interpreter", monotonic, ...changes });
  const run = (turns = 100): RunState => {
    let state: RunState = { kind: "running" };
    for (let i = 0; i < turns && state.kind === "running"; i++) state = made.run(1);
    return state;
  };
  return { machine: made, printed, run };
}

test("raw code starts with the device tree in X0 and may power the machine off", async () => {
  // ldrb w2, [x0]
  const { run, printed, machine: made } = await machine([X1_IS_UART, 0x39400002, PRINT_W2, ...SYSTEM_OFF]);
  assert.deepEqual(run(), { kind: "off" });
  assert.deepEqual(printed, [0xd0], "the first byte of a device tree's magic number");
  assert.deepEqual(run(), { kind: "off" }, "and stays off");
  assert.equal(made.deviceTree()[0], 0xd0);
  assert.match(made.registers(), /^CPU 0, off\nPC=000000004008001[0-9a-f] /);
  assert.match(made.memoryMap(), /000040000000-000043ffffff ram/);
  assert.match(formatStatistics(made.statistics()), /^instructions\n +all +6$/m);
});

test("after a reset the guest's files are as they were", async () => {
  // adr x4, .+0x40; ldrb w2, [x4]; ...; add w2, w2, #1; strb w2, [x4]
  const code = [X1_IS_UART, 0x10000204, 0x39400082, PRINT_W2, 0x11000442, 0x39000082, ...SYSTEM_RESET];
  const data = Array(20).fill(0);
  data[(4 + 0x40) / 4 - code.length] = 7;
  const { machine: made, run, printed } = await machine([...code, ...data]);
  assert.deepEqual(run(), { kind: "reset" });
  made.reset();
  assert.deepEqual(run(), { kind: "reset" });
  assert.deepEqual(printed, [7, 7]);
});

test("a machine that waits says for how long", async () => {
  const { run } = await machine(IDLE);
  assert.deepEqual(run(), { kind: "idle", nanoseconds: Number.POSITIVE_INFINITY });
  // mov w2, #62500; msr cntv_tval_el0, x2; mov w2, #1; msr cntv_ctl_el0, x2
  const timer = await machine([0x529e8482, 0xd51be302, 0x52800022, 0xd51be322, ...IDLE]);
  const state = timer.run();
  assert.equal(state.kind, "idle");
  assert.ok(state.kind === "idle" && state.nanoseconds > 0.9e6 && state.nanoseconds < 1e6, JSON.stringify(state));
});

test("a watchdog that is not refreshed ends a slice once, and a reset stops it", async () => {
  // The control frame in X1; WOR = 62 (about 1 us), WCS = 1; b .
  const code = [0xd2a12241, 0x528007c2, 0xb9000822, 0x52800022, 0xb9000022, 0x14000000];
  let time = 0;
  const monotonic = (): number => (time += 1e5);
  const { machine: made, run } = await machine(code, { watchdog: true, monotonic });
  assert.deepEqual(run(), { kind: "watchdog" });
  assert.deepEqual(run(20), { kind: "running" });
  made.reset();
  assert.deepEqual(run(), { kind: "watchdog" });
  const without = await machine(code, { monotonic });
  assert.deepEqual(without.run(20), { kind: "running" });
});

test("a guest that does not wait gets its time and no more", async () => {
  const { machine: made } = await machine([0x14000000]);
  assert.deepEqual(made.run(1), { kind: "running" });
});

for (const gicVersion of [2, 3] as const) {
  test(`CPU_ON starts another PE with its context, with a GICv${gicVersion}`, async () => {
    // mov x0, #0xc4000003; mov x1, #1; adr x2, second; mov x3, #0x42; hvc #0; wfe; b .-4; second: str w0, [x1 = UART]
    const first = [0xd2800060, 0xf2b88000, 0xd2800021, 0x100000a2, 0xd2800843, 0xd4000002, 0xd503205f, 0x17ffffff];
    const second = [X1_IS_UART, 0xb9000020, ...SYSTEM_OFF];
    const { run, printed } = await machine([...first, ...second], { cpus: 2, gicVersion });
    assert.deepEqual(run(), { kind: "off" });
    assert.deepEqual(printed, [0x42]);
  });
}

test("firmware runs from flash at address 0", async () => {
  const bios = { name: "bios", bytes: words(X1_IS_UART, 0x52800822, PRINT_W2, ...SYSTEM_OFF) };
  const { run, printed } = await machine([], { bios });
  assert.deepEqual(run(), { kind: "off" });
  assert.deepEqual(printed, [65]);
});

// movz w0, #8; movk w0, #0x8400, lsl #16; smc #0
const SYSTEM_OFF_SMC = [0x52800100, 0x72b08000, 0xd4000003];
// mrs x2, currentel
const X2_IS_LEVEL = 0xd5384242;

test("a kernel starts at the highest level that the firmware leaves to it", async () => {
  for (const [changes, level, off] of [
    [{}, 1, SYSTEM_OFF],
    [{ virtualization: true }, 2, SYSTEM_OFF_SMC],
    [{ secure: true }, 1, SYSTEM_OFF_SMC],
    [{ secure: true, virtualization: true }, 2, SYSTEM_OFF_SMC],
  ] as const) {
    const { run, printed } = await machine([X1_IS_UART, X2_IS_LEVEL, PRINT_W2, ...off], changes);
    assert.deepEqual(run(), { kind: "off" }, JSON.stringify(changes));
    assert.deepEqual(printed, [level << 2]);
  }
});

test("firmware of the guest's owns EL3, Secure memory and devices, on every PE", async () => {
  const code = words(
    // x2 = CurrentEL, by way of Secure memory to the Secure UART
    ...[X2_IS_LEVEL, 0xd2a1c001, 0xb9000022, 0xb9400023, 0xd2a12081, 0xb9000023],
    // PE 0 goes on: mrs x4, mpidr_el1; and x4, x4, #0xff; cbz x4, .+12; wfi; b .-4
    ...[0xd53800a4, 0x92401c84, 0xb4000064, ...IDLE],
    // wfe; then the Secure GPIO controller's line 0
    ...[0xd503205f, 0xd2a12161, 0x52800022, 0xb9040022, 0xb9000422, ...IDLE],
  );
  const {
    run,
    printed,
    machine: made,
  } = await machine([], {
    ...{ secure: true, cpus: 2, bios: { name: "bios", bytes: code } },
  });
  assert.deepEqual(run(), { kind: "off" });
  assert.deepEqual(printed, [3 << 2, 3 << 2]);
  assert.match(made.memoryMap(), /00000e000000-00000effffff ram.secure \(Secure\)$/m);
  assert.match(made.memoryMap(), / pl011.secure \(Secure\)$/m);
  assert.match(made.memoryMap(), / pl011$/m);
});

test("Secure memory and devices are not there for Non-secure accesses", async () => {
  // The flash at address 0, the Secure UART, Secure memory.
  for (const address of [0, 0x904, 0xe00]) {
    // adr x0, vectors; msr vbar_el1, x0; movz x3, #address, lsl #16; ldr w2, [x3]
    const access = [0x10004000, 0xd518c000, 0xd2a00003 + (address << 5), 0xb9400062];
    // At the vector, of the same level: mrs x2, esr_el1
    const report = [0xd5385202, X1_IS_UART, PRINT_W2, ...SYSTEM_OFF_SMC];
    const code = [...access, ...Array<number>((0xa00 - 16) / 4).fill(0xd503201f), ...report];
    const { run, printed } = await machine(code, { secure: true });
    assert.deepEqual(run(), { kind: "off" }, address.toString(16));
    assert.deepEqual(printed, [0x10], "synchronous external abort");
  }
});

test("parts that do not fit together are refused", async () => {
  const message = (changes: Partial<MachineParts>): Promise<string> =>
    machine(SYSTEM_OFF, changes).then(
      () => "",
      (error) => {
        assert.ok(error instanceof BadInput, String(error));
        return error.message;
      },
    );
  assert.match(await message({ cpus: 9, gicVersion: 2 }), /^a GICv2 serves at most 8 CPUs; .*gic-version=3$/);
  assert.match(await message({ cpus: 100 }), /^a GICv3 serves at most 64 CPUs; /);
  assert.match(await message({ memory: MiB }), /--memory/);
  assert.match(await message({ memory: 8192 * MiB }), /--memory/);
});
