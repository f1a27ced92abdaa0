import assert from "node:assert/strict";
import { test } from "node:test";
import { AF, DEVICE, DEVICE_PA, Pe, RAM, READ_ONLY, USER } from "../../test/support/vmsa.ts";
import { ARG0, PAN, RESULT } from "../cpu/state-layout.ts";
import { CNTVOFF_EL2, FEATURE_EL2, PAR_EL1, SCTLR_EL1 } from "../cpu/sysreg-layout.ts";

const VA = 0x12_3400_0000n;
const RES1 = 1n << 11n;
const NS = 1n << 9n;

function paged(): Pe {
  const pe = new Pe();
  pe.enable();
  return pe;
}

/** PAR_EL1 after AT S1E<el>R or W. */
function par(pe: Pe, va: bigint, { el = 1, write = 0, pan = 0 } = {}): bigint {
  pe.set(ARG0, va);
  pe.call("addressTranslate", 1, el, write, pan);
  assert.equal(pe.fault(), undefined);
  return pe.get(PAR_EL1);
}

const failed = (status: bigint): bigint => RES1 | 1n | (status << 1n);

test("AT: address, attributes and shareability of what translates", () => {
  const pe = paged();
  const INNER = 3n << 8n;
  pe.map(VA, RAM + 0x3000n, AF | INNER);
  assert.equal(par(pe, VA + 0x123n), (0xffn << 56n) | (RAM + 0x3000n) | NS | RES1 | (3n << 7n));
  pe.map(VA + 0x1000n, RAM, AF | INNER | (2n << 2n));
  assert.equal(par(pe, VA + 0x1000n), (0x44n << 56n) | RAM | NS | RES1 | (2n << 7n));
  pe.map(VA + 0x2000n, DEVICE_PA, AF | DEVICE);
  assert.equal(par(pe, VA + 0x2000n), DEVICE_PA | NS | RES1 | (2n << 7n));
});

test("AT: the offset in a block is part of the address", () => {
  const pe = paged();
  pe.map(VA, RAM, AF, 2);
  assert.equal(par(pe, VA + 0x1_2345n) & 0xffff_ffff_f000n, RAM + 0x1_2000n);
});

test("AT: faults", () => {
  const pe = paged();
  assert.equal(par(pe, VA), failed(4n));
  pe.map(VA, RAM, 0n);
  assert.equal(par(pe, VA), failed(11n));
  pe.map(VA, RAM, AF | READ_ONLY);
  assert.equal(par(pe, VA, { write: 1 }), failed(15n));
  assert.equal(par(pe, VA) & 1n, 0n);
  assert.equal(par(pe, VA, { el: 0 }), failed(15n));
  assert.equal(par(pe, 1n << 50n), failed(4n));
});

test("AT: PAN counts for S1E1RP and S1E1WP only", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | USER);
  assert.equal(par(pe, VA, { pan: 1 }) & 1n, 0n);
  pe.setWord(PAN, 1);
  assert.equal(par(pe, VA, { pan: 1 }), failed(15n));
  assert.equal(par(pe, VA, { pan: 0 }) & 1n, 0n);
});

test("AT with translation off is flat, Device-nGnRnE, Outer Shareable", () => {
  const pe = paged();
  pe.set(SCTLR_EL1, 0n);
  assert.equal(par(pe, RAM + 0x5678n), (RAM + 0x5000n) | NS | RES1 | (2n << 7n));
});

test("cache maintenance by VA: memory, devices, faults", () => {
  const pe = paged();
  pe.map(VA, RAM);
  pe.map(VA + 0x1000n, DEVICE_PA);
  pe.map(VA + 0x2000n, RAM, AF | READ_ONLY);
  pe.set(ARG0, VA + 0x77n);
  assert.equal(pe.call("maintain", 0), pe.linear(RAM + 0x77n));
  pe.set(ARG0, VA + 0x1000n);
  assert.equal(pe.call("maintain", 0), 0);
  pe.set(ARG0, VA + 0x2000n);
  assert.equal(pe.call("maintain", 1), -1);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 15 | (1 << 8) | (1 << 6), far: VA + 0x2000n });
  pe.set(ARG0, VA + 0x3000n);
  assert.equal(pe.call("maintain", 0), -1);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | (1 << 8) | (1 << 6), far: VA + 0x3000n });
});

test("cleaning of a line: the data TLB knows the page after it, as it does after a load; who may not access it faults, with ISS.CM", () => {
  const pe = paged();
  pe.map(VA, RAM);
  pe.map(VA + 0x1000n, DEVICE_PA);
  assert.equal(pe.isFast(VA, false), false);
  pe.call("cleanLine", VA + 0x77n);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.isFast(VA, false), true);
  pe.call("cleanLine", VA + 0x1040n);
  assert.equal(pe.fault(), undefined);
  pe.call("cleanLine", VA + 0x3000n);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 7 | (1 << 8) | (1 << 6), far: VA + 0x3000n });
  pe.enter(0);
  pe.call("cleanLine", VA);
  assert.deepEqual(pe.fault(), { ec: 0x24, iss: 15 | (1 << 8) | (1 << 6), far: VA });
});

test("cleaning of a line: PSTATE.PAN does not count, and loads are kept out by it all the same", () => {
  const pe = paged();
  pe.map(VA, RAM, AF | USER);
  pe.setWord(PAN, 1);
  pe.call("cleanLine", VA);
  assert.equal(pe.fault(), undefined);
  assert.equal(pe.isFast(VA, false), false);
});

test("counters: 62.5 MHz, the virtual one behind by CNTVOFF_EL2", () => {
  const pe = new Pe(FEATURE_EL2);
  pe.nanoseconds = 16_000_015;
  pe.set(CNTVOFF_EL2, 100n);
  assert.equal(pe.call("counter", 0), 1_000_000n);
  assert.equal(pe.call("counter", 1), 999_900n);
  pe.call("readCounter", 1);
  assert.equal(pe.get(RESULT), 999_900n);
});
