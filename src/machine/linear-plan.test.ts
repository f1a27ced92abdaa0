import assert from "node:assert/strict";
import { test } from "node:test";
import { CPU_STRIDE } from "../cpu/state-layout.ts";
import { CPU_BASE } from "../memory/linear-layout.ts";
import { allocate, planMemory } from "./linear-plan.ts";
import { BadInput } from "./runnable.ts";

const MiB = 0x10_0000;

test("the parts follow each other without overlap, at pages", () => {
  const plan = planMemory(512 * MiB, 3, 1000);
  assert.ok(plan.area >= CPU_BASE + 3 * CPU_STRIDE);
  assert.ok(plan.flash0 >= plan.area + 1000);
  assert.equal(plan.flash1 - plan.flash0, 64 * MiB);
  assert.equal(plan.ram - plan.flash1, 64 * MiB);
  assert.equal(plan.bytes, plan.ram + 512 * MiB);
  assert.equal(plan.secureRam, 0);
  for (const at of Object.values(plan)) assert.equal(at % 0x1000, 0);
});

test("secure memory is there where it is asked for", () => {
  const plan = planMemory(512 * MiB, 3, 1000, true);
  assert.equal(plan.secureRam, plan.flash1 + 64 * MiB);
  assert.equal(plan.ram - plan.secureRam, 16 * MiB);
});

test("memory that is never touched can be had, up to what fits beside the rest", () => {
  const plan = planMemory(3072 * MiB, 4, 40 * MiB);
  // The first is made in another way than the others, shared or not.
  assert.equal(allocate(plan).buffer.byteLength, plan.bytes);
  assert.equal(allocate(plan, false).buffer.byteLength, plan.bytes);
});

test("too little and too much memory are refused with what to give", () => {
  const message = (memory: number): string => {
    try {
      planMemory(memory, 1, MiB);
    } catch (error) {
      assert.ok(error instanceof BadInput);
      return error.message;
    }
    return "";
  };
  assert.match(message(MiB), /^1 MiB is too little memory; give --memory 512M$/);
  assert.match(message(4096 * MiB), /^4 GiB of memory is more than .*; give --memory 3840M$/);
});
