import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PeState } from "../../cpu/pe-state.ts";
import { CPU_STRIDE, X } from "../../cpu/state-layout.ts";
import { SystemFirmware } from "./firmware.ts";
import type { PowerPort } from "./psci.ts";

/** Two PEs, the second one off, in a machine that writes down what it is asked to do. */
function bench(conduit: "hvc" | "smc" = "hvc") {
  const log: unknown[][] = [];
  const states = new Map<number, "on" | "off" | "on-pending">([
    [0, "on"],
    [1, "off"],
  ]);
  const power: PowerPort = {
    mpidr: (index) => ({ low: 0x8000_0000 | (index << 8), aff3: 0 }),
    cpus: 2,
    powerState: (index) => states.get(index) ?? "off",
    powerOn: (...args) => log.push(["powerOn", ...args]),
    powerOff: (index) => log.push(["powerOff", index]),
    suspend: (index) => log.push(["suspend", index]),
    systemOff: () => log.push(["systemOff"]),
    systemReset: () => log.push(["systemReset"]),
  };
  const state = new PeState(new ArrayBuffer(CPU_STRIDE), 0);
  const firmware = new SystemFirmware({
    conduit,
    ownsEL3: false,
    power,
    entropy: { fill: (into) => into.fill(0xff) },
    isEntry: (low, high) => high === 0 && low >= 0x4000_0000,
    pe: () => ({ state, index: 0 }),
  });
  const x = (n: number): [number, number] => [state.word(X + n * 8) >>> 0, state.high(X + n * 8) >>> 0];
  /** Calls with X0 and further registers, each a number or [low, high]; returns X0 as a number. */
  const call = (id: number, ...args: (number | [number, number])[]): number => {
    for (let n = 1; n < 8; n++) state.set64(X + n * 8, 0x5a5a, 0);
    for (const [n, arg] of [id, ...args].entries()) {
      if (typeof arg === "number") state.setNumber(X + n * 8, arg);
      else state.set64(X + n * 8, arg[0], arg[1]);
    }
    assert.equal(firmware.call(0, conduit, 0), true);
    const [low, high] = x(0);
    return high * 2 ** 32 + low > 2 ** 63 ? low | 0 : low;
  };
  return { firmware, log, states, call, x };
}

test("versions are PSCI 1.1, SMCCC 1.2 and TRNG 1.0", () => {
  const { call } = bench();
  assert.equal(call(0x84000000), 0x10001);
  assert.equal(call(0x80000000), 0x10002);
  assert.equal(call(0x84000050), 0x10000);
});

test("CPU_ON starts a PE that is off, at an address and with a context", () => {
  const { call, log } = bench();
  assert.equal(call(0xc4000003, 0x100, 0x4008_0000, [7, 9]), 0);
  assert.deepEqual(log, [["powerOn", 1, 0x4008_0000, 0, 7, 9]]);
});

test("the 32-bit CPU_ON takes the low halves of its arguments", () => {
  const { call, log } = bench();
  assert.equal(call(0x84000003, [0x100, 5], [0x4008_0000, 6], [7, 9]), 0);
  assert.deepEqual(log, [["powerOn", 1, 0x4008_0000, 0, 7, 0]]);
});

test("CPU_ON refuses a PE that is on, pending or missing, and an address that is no memory", () => {
  const { call, states, log } = bench();
  assert.equal(call(0xc4000003, 0, 0x4008_0000, 0), -4);
  assert.equal(call(0xc4000003, 0x200, 0x4008_0000, 0), -2);
  assert.equal(call(0xc4000003, [0x100, 1], 0x4008_0000, 0), -2);
  assert.equal(call(0xc4000003, 0x8000_0100, 0x4008_0000, 0), -2, "bits that are no affinity");
  assert.equal(call(0xc4000003, 0x100, 0x1000, 0), -9);
  states.set(1, "on-pending");
  assert.equal(call(0xc4000003, 0x100, 0x4008_0000, 0), -5);
  assert.deepEqual(log, []);
});

test("AFFINITY_INFO tells on, off and pending of PEs", () => {
  const { call, states } = bench();
  assert.equal(call(0xc4000004, 0, 0), 0);
  assert.equal(call(0xc4000004, 0x100, 0), 1);
  states.set(1, "on-pending");
  assert.equal(call(0x84000004, 0x100, 0), 2);
  assert.equal(call(0xc4000004, 0x300, 0), -2);
  assert.equal(call(0xc4000004, 0, 1), -2);
});

test("CPU_SUSPEND waits and returns SUCCESS, even from a power down", () => {
  const { call, log } = bench();
  assert.equal(call(0xc4000001, 0, 0, 0), 0);
  assert.equal(call(0xc4000001, 0x1_0000, 0x4008_0000, 0), 0);
  assert.equal(call(0xc4000001, 0x1_0000, 0, 0), -9);
  assert.equal(call(0xc4000001, 0x80_0000, 0, 0), -2);
  assert.deepEqual(log, [
    ["suspend", 0],
    ["suspend", 0],
  ]);
});

test("CPU_OFF, SYSTEM_OFF, SYSTEM_RESET and a warm SYSTEM_RESET2 do not return a value", () => {
  const { call, log } = bench();
  const calls = [0x84000002, 0x84000008, 0x84000009, 0x84000012];
  for (const id of calls) assert.equal(call(id, 0), id);
  assert.deepEqual(log, [["powerOff", 0], ["systemOff"], ["systemReset"], ["systemReset"]]);
  assert.equal(call(0xc4000012, 5), -2);
});

test("PSCI_FEATURES knows what there is", () => {
  const { call } = bench();
  for (const id of [0x84000001, 0xc4000003, 0x84000012, 0x80000000, 0x8400000a]) {
    assert.equal(call(0x8400000a, id), 0, id.toString(16));
  }
  for (const id of [0x8400000b, 0xc4000000, 0x84000050, 0x8400000d]) {
    assert.equal(call(0x8400000a, id), -1, id.toString(16));
  }
});

test("workarounds for speculation are offered as not needed, and change nothing", () => {
  const { call, x } = bench();
  for (const id of [0x80008000, 0x80007fff, 0x80003fff]) {
    assert.equal(call(0x80000001, id), 1);
    assert.equal(call(id, 3), id);
    assert.deepEqual(x(1), [3, 0]);
  }
  assert.equal(call(0x80000001, 0x80000002), -1, "no SoC identifier");
});

test("random bits are as many as asked for, the lowest in X3", () => {
  const { call, x } = bench();
  assert.equal(call(0xc4000053, 70), 0);
  assert.deepEqual(
    [x(1), x(2), x(3)],
    [
      [0, 0],
      [0x3f, 0],
      [0xffff_ffff, 0xffff_ffff],
    ],
  );
  assert.equal(call(0x84000053, 96), 0);
  assert.deepEqual([x(1), x(2), x(3)], Array(3).fill([0xffff_ffff, 0]));
  assert.equal(call(0x84000053, 97), -2);
  assert.equal(call(0xc4000053, 0), -2);
  assert.deepEqual(x(1), [0, 0]);
  assert.equal(call(0x84000051, 0xc4000053), 0);
  assert.equal(call(0x84000051, 0x84000054), -1);
});

test("an unknown function is NOT_SUPPORTED in all 64 bits", () => {
  const { call, x } = bench();
  assert.equal(call(0x8600ff01), -1);
  assert.deepEqual(x(0), [0xffff_ffff, 0xffff_ffff]);
  assert.equal(call(0x04000000), -1, "a yielding call");
});

test("the other conduit, and an immediate that is not zero, are not for the firmware", () => {
  const { firmware } = bench("smc");
  assert.equal(firmware.call(0, "hvc", 0), false);
  assert.equal(firmware.call(0, "smc", 1), false);
  assert.equal(firmware.call(0, "smc", 0), true);
});

test("any call with any arguments returns", () => {
  const { call } = bench();
  const half = fc.integer({ min: 0, max: 0xffff_ffff });
  const arg = fc.tuple(half, half);
  const id = fc.oneof(
    half,
    fc.nat(0x60).chain((n) => fc.constantFrom(0x84000000 + n, 0xc4000000 + n, 0x80000000 + n)),
  );
  fc.assert(fc.property(id, arg, arg, arg, (...args) => void call(...args)));
});
