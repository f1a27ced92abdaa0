// What becomes of a domain whose guest does not refresh its watchdog.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAP } from "../../src/machine/memory-map.ts";
import { bareMetal, hypervisor, runUntil } from "../support/hypervisor.ts";

/** 62.5 MHz: half a second. */
const OFFSET = 31_250_000;
const movz = (register: number, value: number, half: number): number =>
  0xd280_0000 | (half << 21) | ((value & 0xffff) << 5) | register;
const load = (register: number, value: number): number[] => [
  movz(register, value, 0),
  (movz(register, value >>> 16, 1) | 0x2000_0000) >>> 0,
];
const str = (register: number, base: number, offset: number): number =>
  0xb900_0000 | ((offset / 4) << 10) | (base << 5) | register;
const [WCS, WOR, WRR] = [0, 8, 0];
const BRANCH_TO_SELF = 0x1400_0000;
const bytes = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);

const starts = [
  ...load(0, MAP.watchdogControl.base),
  ...load(1, OFFSET),
  str(1, 0, WOR),
  movz(1, 1, 0),
  str(1, 0, WCS),
];
const hangs = bytes([...starts, BRANCH_TO_SELF]);
// Refreshes again and again: the branch goes back by one instruction.
const kicks = bytes([...starts, ...load(0, MAP.watchdogRefresh.base), str(1, 0, WRR), 0x17ff_ffff]);

test("a guest that refreshes its watchdog goes on; one that does not is reset, or ends, or stands still", {
  timeout: 60_000,
}, async () => {
  const { node, events } = hypervisor();
  for (const watchdog of ["restart", "fail", "pause"] as const)
    node.define(bareMetal(watchdog, hangs, { watchdog })[0]);
  node.define(bareMetal("kicks", kicks, { watchdog: "fail" })[0]);
  for (const name of node.names()) node.start(name);
  const seen = (kind: string, domain: string): number =>
    events.filter((event) => event.kind === kind && event.domain === domain).length;
  assert.ok(
    await runUntil(
      node,
      () => seen("reset", "restart") >= 2 && seen("stopped", "fail") > 0 && node.isQuiet("pause"),
      40,
    ),
  );
  assert.match(node.reason("fail") ?? "", /watchdog/);
  assert.deepEqual(
    ["restart", "fail", "pause", "kicks"].map((name) => node.status(name)),
    ["running", "failed", "paused", "running"],
  );
  assert.deepEqual([seen("watchdog", "fail"), seen("watchdog", "pause"), seen("watchdog", "kicks")], [1, 1, 0]);
  // It goes on as it was; the signal is given once.
  node.resume("pause");
  await runUntil(node, () => false, 0.2);
  assert.deepEqual([node.status("pause"), seen("watchdog", "pause")], ["running", 1]);
});

test("a domain without one has nothing at its place", { timeout: 60_000 }, async () => {
  const { node, events } = hypervisor();
  node.define(bareMetal("none", hangs)[0]);
  node.start("none");
  assert.ok(await runUntil(node, () => events.some(({ kind }) => kind === "refused"), 20));
});
