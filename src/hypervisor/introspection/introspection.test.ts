import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1 } from "../../cpu/sysreg-layout.ts";
import { GuestAddressSpace } from "./address-space.ts";
import { Btf } from "./btf.ts";
import type { LinuxKernel } from "./linux-kernel.ts";
import { listModules, listProcesses } from "./linux-lists.ts";

const RAM = 0x4000_0000;
const BYTES = 0x8_0000;

/** RAM, by IPA, with numbers of 8 bytes in it. */
function ram() {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  const read = (at: number, length: number): Uint8Array | undefined =>
    at >= RAM && at + length <= RAM + BYTES ? bytes.slice(at - RAM, at - RAM + length) : undefined;
  const put = (at: number, value: bigint): void => view.setBigUint64(at - RAM, BigInt.asUintN(64, value), true);
  return { bytes, view, put, memory: { read } };
}

function registers(values: Readonly<Record<number, bigint>>) {
  const of = (offset: number): bigint => values[offset] ?? 0n;
  return {
    word: (offset: number) => Number(BigInt.asIntN(32, of(offset))),
    high: (offset: number) => Number(BigInt.asIntN(32, of(offset) >> 32n)),
  };
}

/** TCR_EL1: both ranges of 64 - `size` bits; TG0 and TG1 of 4, 16 or 64 KiB. */
const tcr = (size: bigint, tg0: bigint, tg1: bigint): bigint => size | (size << 16n) | (tg0 << 14n) | (tg1 << 30n);
const TCR_4K = tcr(16n, 0n, 2n);

function mapped(table: (put: (at: number, value: bigint) => void) => void, control = TCR_4K): GuestAddressSpace {
  const { put, memory } = ram();
  table(put);
  const state = { [SCTLR_EL1]: 1n, [TCR_EL1]: control, [TTBR0_EL1]: BigInt(RAM), [TTBR1_EL1]: BigInt(RAM) | 1n };
  return new GuestAddressSpace(registers(state), memory);
}

const TABLE = 3n;
const BLOCK = 1n;

test("4 KiB granules, 48 bits: pages, blocks, tags, and the upper half by TTBR1", () => {
  const space = mapped((put) => {
    put(RAM + 8, BigInt(RAM + 0x1000) | TABLE);
    put(RAM + 8 * 511, BigInt(RAM + 0x1000) | TABLE);
    put(RAM + 0x1000, BigInt(RAM + 0x2000) | TABLE);
    put(RAM + 0x1000 + 8, 0x8000_0000n | BLOCK);
    put(RAM + 0x2000, BigInt(RAM + 0x3000) | TABLE);
    put(RAM + 0x2000 + 8, 0x4020_0000n | BLOCK | (1n << 54n));
    put(RAM + 0x3000 + 16, 0x4005_5000n | TABLE | (1n << 53n));
    put(RAM + 0x3000 + 24, 0x4005_5000n | BLOCK);
  });
  const base = 1n << 39n;
  const high = 0xffff_ff80_0000_0000n;
  assert.equal(space.translate(base + 0x2345n), 0x4005_5345);
  assert.equal(space.translate(high + 0x2345n), 0x4005_5345);
  assert.equal(space.translate(base + 0x20_1234n), 0x4020_1234);
  assert.equal(space.translate(base + 0x4012_3456n), 0x8012_3456);
  assert.equal(space.translate(base + 0x3000n), undefined, "a block at level 3");
  assert.equal(space.translate(base + 0x1000n), undefined);
  assert.equal(space.translate(base + (1n << 56n) + 0x2345n), undefined, "a tag without TBI");
  assert.equal(space.translate(1n << 50n), undefined, "between the ranges");
  assert.equal(space.read(base + 0x2ff8n, 16), undefined, "the second page is not mapped");
});

test("16 and 64 KiB granules, and translation that is off", () => {
  const sixteen = mapped(
    (put) => {
      put(RAM, BigInt(RAM + 0x4000) | TABLE);
      put(RAM + 0x4000 + 8, 0x4005_4000n | TABLE);
    },
    tcr(28n, 2n, 1n),
  );
  assert.equal(sixteen.translate(0x5abcn), 0x4005_5abc);
  const sixtyfour = mapped(
    (put) => {
      put(RAM, BigInt(RAM + 0x1_0000) | TABLE);
      put(RAM + 0x1_0000 + 8, 0x4005_0000n | TABLE);
    },
    tcr(22n, 1n, 3n),
  );
  assert.equal(sixtyfour.translate(0x1_2345n), 0x4005_2345);
  const off = new GuestAddressSpace(registers({}), ram().memory);
  assert.equal(off.translate(0x4000_1234n), 0x4000_1234);
});

test("whatever tables and registers a guest has made, a walk ends and throws nothing", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(BYTES / 8 - 1), fc.bigInt(0n, (1n << 64n) - 1n))),
      fc.bigInt(0n, (1n << 64n) - 1n),
      fc.bigInt(0n, (1n << 64n) - 1n),
      (words, control, va) => {
        const space = mapped((put) => {
          for (let at = 0; at < 0x4000; at += 8) put(RAM + at, BigInt(RAM) | TABLE);
          for (const [index, value] of words) put(RAM + 8 * index, value);
        }, control);
        const ipa = space.translate(va);
        assert.ok(ipa === undefined || Number.isSafeInteger(ipa));
        space.read(va, 8193);
      },
    ),
  );
});

/** BTF of a struct task_struct { long x; char comm[16]; union { struct { int inner; }; }; volatile T __state } */
function btfOf(change: (view: DataView) => void = () => {}): Uint8Array {
  const names = ["", "int", "task_struct", "x", "comm", "inner", "__state", "T"];
  const strings = names.map((name) => `${name}\0`).join("");
  const at = (name: string): number => names.slice(0, names.indexOf(name)).join("\0").length + (name === "" ? 0 : 1);
  const words: number[] = [];
  const type = (name: string, kind: number, vlen: number, size: number, ...more: number[]): void => {
    words.push(at(name), (kind << 24) | vlen, size, ...more);
  };
  type("int", 1, 0, 4, 32); // 1
  type("", 3, 0, 0, 1, 1, 16); // 2: int[16]
  type("", 4, 1, 4, at("inner"), 1, 32); // 3
  type("", 5, 1, 8, 0, 3, 0); // 4
  type("T", 8, 0, 1); // 5
  type("", 9, 0, 5); // 6
  type("task_struct", 4, 4, 96, at("x"), 1, 0, at("comm"), 2, 64, 0, 4, 640, at("__state"), 6, 704); // 7
  const bytes = new Uint8Array(24 + 4 * words.length + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  bytes[2] = 1;
  for (const [i, word] of [24, 0, 4 * words.length, 4 * words.length, strings.length].entries())
    view.setUint32(4 + 4 * i, word, true);
  for (const [i, word] of words.entries()) view.setUint32(24 + 4 * i, word, true);
  bytes.set(new TextEncoder().encode(strings), 24 + 4 * words.length);
  change(view);
  return bytes;
}

test("BTF says where members are, also those of anonymous structures within", () => {
  const image = new Uint8Array(4096);
  image.set([0x9f, 0xeb, 1, 0, 24], 64);
  image.set(btfOf(), 1024);
  const btf = Btf.find(image) as Btf;
  const task = btf.struct("task_struct");
  assert.deepEqual(btf.member(task, "x"), { offset: 0, type: 1 });
  const comm = btf.member(task, "comm");
  assert.deepEqual(comm, { offset: 8, type: 2 });
  assert.deepEqual([btf.lengthOf(2), btf.elementOf(2), btf.sizeOf(2)], [16, 1, 64]);
  assert.equal(btf.member(task, "inner")?.offset, 84);
  assert.equal(btf.member(task, "__state")?.offset, 88);
  assert.equal(btf.member(task, "nothing"), undefined);
  assert.equal(btf.struct("nothing"), undefined);
});

test("damaged BTF is none, or says what it likes, but throws nothing and ends", () => {
  const length = btfOf().length;
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(length - 1), fc.nat(255)), { minLength: 1 }), (changes) => {
      const bytes = btfOf((view) => {
        for (const [at, value] of changes) view.setUint8(at, value);
      });
      const btf = Btf.parse(bytes);
      const task = btf?.struct("task_struct");
      for (const name of ["x", "inner", "nothing"]) {
        const member = btf?.member(task, name);
        if (member !== undefined) btf?.sizeOf(member.type);
      }
    }),
  );
});

test("a structure that holds itself a thousand times keeps nobody busy", () => {
  const members = 1000;
  const name = new TextEncoder().encode("\0task_struct\0");
  const types = 12 + 12 * members;
  const bytes = new Uint8Array(24 + types + name.length);
  const view = new DataView(bytes.buffer);
  const header = [0x0001_eb9f, 24, 0, types, types, name.length, 1, (4 << 24) | members, 8];
  for (const [i, word] of header.entries()) view.setUint32(4 * i, word, true);
  for (let i = 0; i < members; i++) view.setUint32(36 + 12 * i + 4, 1, true);
  bytes.set(name, 24 + types);
  const btf = Btf.parse(bytes);
  const began = performance.now();
  assert.equal(btf?.struct("task_struct"), 1);
  assert.equal(btf?.member(1, "nothing"), undefined);
  assert.ok(performance.now() - began < 5000);
});

const KERNEL = 0xffff_0000_0000_0000n;
const TASK_BYTES = 256;
const TASK = { tasks: 0, pid: 16, tgid: 20, state: 24, exitState: 28, flags: 32, parent: 40, comm: 48 };

/** A kernel whose memory, at KERNEL, is RAM; with so many tasks in the list. */
function kernelWith(tasks: number) {
  const { bytes, view, put, memory } = ram();
  const space = {
    read: (va: bigint, length: number) => (va < KERNEL ? undefined : memory.read(Number(va - KERNEL) + RAM, length)),
    number: (va: bigint, length: number) => {
      const piece = space.read(va, length);
      return (
        piece &&
        BigInt(
          `0x${[...piece]
            .reverse()
            .map((b) => b.toString(16).padStart(2, "0"))
            .join("")}`,
        )
      );
    },
  };
  const address = (index: number): bigint => KERNEL + BigInt(TASK_BYTES * (index % (tasks + 1)));
  for (let i = 0; i <= tasks; i++) {
    const at = RAM + TASK_BYTES * i;
    put(at, address(i + 1));
    put(at + 8, address(i + tasks));
    view.setUint32(at - RAM + TASK.pid, i, true);
    view.setUint32(at - RAM + TASK.tgid, i, true);
    view.setUint32(at - RAM + TASK.state, i & 1, true);
    put(at + TASK.parent, address(0));
    bytes.set(new TextEncoder().encode(`task\x1b${i}`), TASK_BYTES * i + TASK.comm);
  }
  const module = { list: 0, name: TASK.comm, state: TASK.state, sizes: [TASK.pid] };
  const kernel = { space, task: TASK, module, firstTask: KERNEL, moduleList: KERNEL } as unknown as LinuxKernel;
  return { kernel, put, address };
}

test("processes and modules are listed, their names without what a terminal would obey", () => {
  const { kernel } = kernelWith(3);
  const { items, broken } = listProcesses(kernel);
  assert.equal(broken, undefined);
  assert.deepEqual(
    items.map(({ pid, name, state, parent }) => [pid, name, state, parent]),
    [
      [1, "task?1", "S", 0],
      [2, "task?2", "R", 0],
      [3, "task?3", "S", 0],
    ],
  );
  assert.deepEqual(
    listModules(kernel).items.map(({ name, size, state }) => [name, size, state]),
    [
      ["task?1", 1, "coming"],
      ["task?2", 2, "live"],
      ["task?3", 3, "coming"],
    ],
  );
});

test("lists that a guest has broken end, and say why", () => {
  const broken = (value: (address: (index: number) => bigint) => bigint): string | undefined => {
    const { kernel, put, address } = kernelWith(9);
    put(RAM + 5 * TASK_BYTES, value(address));
    const found = listProcesses(kernel);
    assert.equal(found.items.length, 5);
    return found.broken;
  };
  assert.match(broken((address) => address(3)) ?? "", /leads back into itself/);
  assert.match(broken((address) => address(7)) ?? "", /does not lead back/);
  assert.match(broken(() => KERNEL - 8n) ?? "", /no address of the kernel's|does not lead back/);
  assert.match(broken(() => 0n) ?? "", /no address of the kernel's/);
  assert.match(broken((address) => address(6) + 3n) ?? "", /no address of the kernel's/);
  assert.match(broken(() => KERNEL + BigInt(BYTES)) ?? "", /does not lead back/);
});
