import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { PageRelease, RELEASE_BLOCKS_MAX, RELEASE_MIN } from "../../memory/page-release.ts";
import { largePages, pageRelease } from "./memory-advice.ts";

const MIB = 2 ** 20;
const release = pageRelease();
const skip = release === undefined && "this Node gives no memory back";

function memoryOf(bytes: number, shared = true): { memory: WebAssembly.Memory; bytes: Uint8Array } {
  const pages = bytes / RELEASE_MIN;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  return { memory, bytes: new Uint8Array(memory.buffer) };
}

const resident = (): number => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
const mappings = (): number => readFileSync("/proc/self/maps", "utf8").split("\n").length;
const large = (): number =>
  1024 * Number(/AnonHugePages:\s+(\d+)/.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))?.[1]);

/** Why there are no large pages to be had here. */
function noLargePages(): string | false {
  if (release === undefined) return "this Node cannot ask for large pages";
  const setting = "/sys/kernel/mm/transparent_hugepage/enabled";
  return (!existsSync(setting) || /\[never\]/.test(readFileSync(setting, "utf8"))) && "the host has no large pages";
}

for (const shared of [true, false]) {
  const name = `what is released of ${shared ? "shared" : "unshared"} memory takes none of the host's; it is zero, and can be written again`;
  test(name, { skip }, () => {
    const { memory, bytes } = memoryOf(256 * MIB, shared);
    bytes.fill(1);
    const before = resident();
    assert.equal(release?.(memory, 32 * MIB, 192 * MIB), true);
    const freed = before - resident();
    assert.ok(freed >= 0.8 * 192 * MIB, `${Math.round(freed / MIB)} of 192 MiB`);
    assert.equal(bytes.indexOf(0), 32 * MIB);
    assert.equal(bytes.indexOf(1, 32 * MIB), 224 * MIB);
    bytes.fill(2, 32 * MIB, 224 * MIB);
    assert.equal(release?.(memory, 64 * MIB, RELEASE_MIN), true);
    assert.equal(bytes.indexOf(0), 64 * MIB);
    assert.equal(bytes.indexOf(2, 64 * MIB), 64 * MIB + RELEASE_MIN);
  });
}

test("a memory has large pages behind it when they were asked for", { skip: noLargePages() }, () => {
  const { memory, bytes } = memoryOf(128 * MIB);
  const before = large();
  largePages(memory);
  bytes.fill(1);
  assert.ok(large() - before >= 64 * MIB, `${(large() - before) / MIB} of 128 MiB`);
});

test("every second block can be given back, and then the others", { skip }, () => {
  const { memory, bytes } = memoryOf(16 * MIB);
  const ram = new PageRelease(memory, 0, bytes.length, release as NonNullable<typeof release>);
  const before = mappings();
  for (const odd of [1, 0]) {
    bytes.fill(1);
    for (let at = odd * ram.block; at < bytes.length; at += 2 * ram.block) ram.clear(at, ram.block);
  }
  assert.ok(bytes.every((byte, at) => byte === Math.floor(at / ram.block) % 2));
  assert.ok(mappings() - before <= 4, `${mappings() - before} more mappings`);
  assert.ok(bytes.length / ram.block <= RELEASE_BLOCKS_MAX);
});

test("code that runs in the memory sees what it wrote, whatever was released between", { skip }, () => {
  const { memory, bytes } = memoryOf(4 * MIB, false);
  // (func (export "f") (param i32) (result i32) local.get 0, i32.load, local.get 0, i32.const 5, i32.store)
  const module = new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
      ...[2, 9, 1, 1, 0x65, 1, 0x6d, 2, 1, 1, 0x40, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0],
      ...[10, 16, 1, 14, 0, 0x20, 0, 0x28, 2, 0, 0x20, 0, 0x41, 5, 0x36, 2, 0, 0x0b],
    ]),
  );
  const { f } = new WebAssembly.Instance(module, { e: { m: memory } }).exports as unknown as {
    f: (at: number) => number;
  };
  for (let i = 0; i < 1000; i++) {
    const at = (i * 12345 * 4) % bytes.length;
    f(at);
    assert.equal(f(at), 5);
    release?.(memory, at - (at % RELEASE_MIN), RELEASE_MIN);
    assert.equal(f(at), 0);
  }
  assert.throws(() => f(bytes.length), /memory access out of bounds/);
});
