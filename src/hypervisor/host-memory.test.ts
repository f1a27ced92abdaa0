import assert from "node:assert/strict";
import { test } from "node:test";
import { PageRelease, RELEASE_MIN } from "../memory/page-release.ts";
import { FIRST_DOMAIN, FrameAllocator, RUN_FRAMES } from "./allocator.ts";
import { HostMemory } from "./host-memory.ts";
import { MachineMemory } from "./machine-memory.ts";

const LOOK = 600e6;
const RUNS = 8;

/** A machine of eight runs behind a page of something else. */
function machine(gives = true): { frames: FrameAllocator; host: HostMemory; given: string[] } {
  const wasm = new WebAssembly.Memory({ initial: RUNS + 1, maximum: RUNS + 1 });
  const bytes = RUNS * RELEASE_MIN;
  const memory = new MachineMemory(wasm.buffer, RELEASE_MIN, bytes);
  const frames = new FrameAllocator(memory.frames);
  const given: string[] = [];
  const release = new PageRelease(wasm, RELEASE_MIN, bytes, (_, offset, length) => {
    given.push(`${offset / RELEASE_MIN - 1}+${length / RELEASE_MIN}`);
    return gives;
  });
  return { frames, host: new HostMemory({ memory, frames, release }), given };
}

test("memory goes back to the host when nobody has had it for two looks, runs beside each other together", () => {
  const { frames, host, given } = machine();
  const runs = Array.from({ length: 4 }, () => frames.takeRun(FIRST_DOMAIN));
  assert.equal(host.taken, 4 * RELEASE_MIN);
  host.look(LOOK);
  assert.equal(host.next, Number.POSITIVE_INFINITY);
  const give = (run: number): void => {
    for (let i = 0; i < RUN_FRAMES; i++) frames.release((runs[run] as number) + i, FIRST_DOMAIN);
  };
  give(0);
  give(1);
  give(3);
  frames.release(runs[2] as number, FIRST_DOMAIN);
  host.look(2 * LOOK);
  assert.deepEqual(given, []);
  assert.ok(host.next > 2 * LOOK && host.next <= 3 * LOOK);
  host.look(2 * LOOK + 1);
  assert.deepEqual(given, [], "not before it is time");
  host.look(3 * LOOK);
  assert.deepEqual(given, ["0+2", "3+1"]);
  assert.equal(host.taken, RELEASE_MIN);
  assert.equal(host.next, Number.POSITIVE_INFINITY);
  host.look(4 * LOOK);
  assert.equal(given.length, 2, "once");
});

test("what becomes free soon after a look is looked at again, though nothing else may happen until then", () => {
  const { frames, host } = machine();
  const frame = frames.take(FIRST_DOMAIN);
  host.look(LOOK);
  assert.equal(host.next, Number.POSITIVE_INFINITY);
  frames.release(frame, FIRST_DOMAIN);
  assert.ok(host.next > LOOK && host.next <= 2 * LOOK);
  host.look(host.next);
  host.look(host.next);
  assert.equal(host.taken, 0);
  assert.equal(host.next, Number.POSITIVE_INFINITY);
});

test("memory that is used again between two looks stays", () => {
  const { frames, host, given } = machine();
  const use = (): number => frames.take(FIRST_DOMAIN);
  let frame = use();
  frames.release(frame, FIRST_DOMAIN);
  host.look(LOOK);
  frame = use();
  host.look(2 * LOOK);
  frames.release(frame, FIRST_DOMAIN);
  host.look(3 * LOOK);
  assert.deepEqual(given, []);
  host.look(4 * LOOK);
  assert.deepEqual(given, ["0+1"]);
});

test("what the host does not take is offered again", () => {
  const { frames, host, given } = machine(false);
  frames.release(frames.take(FIRST_DOMAIN), FIRST_DOMAIN);
  for (let look = 1; look <= 3; look++) host.look(look * LOOK);
  assert.deepEqual(given, ["0+1", "0+1"]);
  assert.equal(host.taken, RELEASE_MIN);
});
