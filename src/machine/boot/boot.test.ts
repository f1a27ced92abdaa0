import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { inflate } from "../../hosts/node/inflate.ts";
import { boardTree } from "../device-tree.ts";
import { type FdtNode, fdtFind, readFdt, strings, writeFdt } from "../fdt.ts";
import { BadInput } from "../runnable.ts";
import { LoadError } from "./load-error.ts";
import { type BootInput, planBoot } from "./plan.ts";

const MiB = 0x10_0000;
const RAM = 0x4000_0000;

function fields(size: number, ...values: (readonly [at: number, bytes: 1 | 2 | 4 | 8, value: number])[]): Uint8Array {
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  for (const [at, bytes, value] of values) {
    if (bytes === 1) view.setUint8(at, value);
    else if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  }
  return file;
}
const ARM64 = 0x644d5241;
const linuxImage = (imageSize: number, textOffset = 0, flags = 0xa, size = 4096): Uint8Array =>
  fields(size, [0x38, 4, ARM64], [8, 8, textOffset], [16, 8, imageSize], [24, 8, flags]);
function zboot(compression: string, payload: Uint8Array, machine = 0xaa64): Uint8Array {
  const file = fields(
    128 + payload.length,
    ...([
      [8, 4, 128],
      [12, 4, payload.length],
      [0x38, 4, 0x818223cd],
      [0x3c, 4, 64],
      [68, 2, machine],
    ] as const),
  );
  file.set(strings("MZ").subarray(0, 2));
  file.set(strings("zimg").subarray(0, 4), 4);
  file.set(strings(compression), 24);
  file.set(strings("PE"), 64);
  file.set(payload, 128);
  return file;
}
function elf(
  segments: { va: number; pa: number; data: number[]; size: number }[],
  entry: number,
  machine = 183,
): Uint8Array {
  const data = 64 + segments.length * 56;
  const file = fields(
    data + segments.length * 16,
    ...([
      [0, 4, 0x464c457f],
      [4, 1, 2],
      [5, 1, 1],
      [16, 2, 2],
      [18, 2, machine],
    ] as const),
    ...([
      [24, 8, entry],
      [32, 8, 64],
      [54, 2, 56],
      [56, 2, segments.length],
    ] as const),
    ...segments.flatMap(({ va, pa, size, data: { length } }, i): [number, 4 | 8, number][] => {
      const at = 64 + i * 56;
      return [
        [at, 4, 1],
        [at + 8, 8, data + i * 16],
        [at + 16, 8, va],
        [at + 24, 8, pa],
        [at + 32, 8, length],
        [at + 40, 8, size],
      ];
    }),
  );
  segments.forEach((segment, i) => {
    file.set(segment.data, data + i * 16);
  });
  return file;
}

const board = {
  memory: 256 * MiB,
  cpus: 1,
  cpuCompatible: "x",
  gicVersion: 3,
  mpidr: () => 0,
  conduit: "hvc",
  ...{ virtualization: false, hypervisorVirtualTimer: false, secure: false },
} as const;
const seeds = { rngSeed: new Uint8Array(32), kaslrSeed: new Uint8Array(8) };
const input = (changes: Partial<BootInput>): BootInput => ({
  memory: 256 * MiB,
  loads: [],
  append: "",
  tree: boardTree(board),
  seeds: { ...seeds, secure: seeds },
  granules: [4, 64],
  inflate,
  ...changes,
});
const file = (bytes: Uint8Array, name = "F") => ({ name, bytes });
const boot = (bytes: Uint8Array, changes: Partial<BootInput> = {}) =>
  planBoot(input({ kernel: file(bytes), ...changes }));
const refuses = (message: RegExp, bytes: Uint8Array, changes: Partial<BootInput> = {}): void =>
  assert.throws(
    () => boot(bytes, changes),
    (error) => {
      assert.ok(error instanceof LoadError && error instanceof BadInput, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
const cell64 = (node: FdtNode | undefined, name: string): number => {
  const value = node?.properties.get(name);
  assert.ok(value, `/chosen has ${name}`);
  return new DataView(value.buffer, value.byteOffset).getUint32(4);
};

test("a Linux Image goes to a 2 MiB boundary plus its offset, initrd and device tree above its BSS", () => {
  const bytes = linuxImage(150 * MiB);
  const plan = boot(bytes, { initrd: file(Uint8Array.of(7, 8, 9)), append: "quiet" });
  const [kernel, initrd, dtb] = plan.writes;
  assert.equal(kernel?.address, RAM + 2 * MiB);
  assert.equal(kernel?.bytes, bytes);
  assert.equal(plan.entry, RAM + 2 * MiB);
  assert.equal(initrd?.address, RAM + 152 * MiB);
  assert.equal(dtb?.address, RAM + 154 * MiB);
  assert.deepEqual(plan.x, [RAM + 154 * MiB, 0, 0, 0]);
  const chosen = fdtFind(readFdt(plan.deviceTree).root, "/chosen");
  assert.equal(cell64(chosen, "linux,initrd-start"), RAM + 152 * MiB);
  assert.equal(cell64(chosen, "linux,initrd-end"), RAM + 152 * MiB + 3);
  assert.deepEqual(chosen?.properties.get("bootargs"), strings("quiet"));
});

test("text_offset counts, and an old kernel without a size gets the old offset", () => {
  assert.equal(boot(linuxImage(MiB, 0x8_0000)).entry, RAM + 0x8_0000);
  assert.equal(boot(linuxImage(0)).entry, RAM + 0x8_0000);
});

test("gzip and zboot kernels are what they hold", () => {
  const image = linuxImage(MiB);
  for (const bytes of [gzipSync(image), zboot("gzip", gzipSync(image))]) {
    const plan = boot(bytes);
    assert.equal(plan.entry, RAM + 2 * MiB);
    assert.deepEqual(plan.writes[0]?.bytes, image);
  }
});

test("ELF segments go to their physical addresses, and the entry point with them", () => {
  const va = 0x1000_0000;
  const plan = boot(elf([{ va, pa: RAM + MiB, data: [1, 2, 3], size: 0x5000 }], va + 4));
  assert.equal(plan.entry, RAM + MiB + 4);
  assert.deepEqual(plan.writes[0], { address: RAM + MiB, bytes: Uint8Array.of(1, 2, 3), zeroes: 0x4ffd });
  assert.equal(plan.x[0], RAM, "the tree is at the start of RAM, where bare-metal programs look for it");
  const low = boot(elf([{ va: RAM, pa: RAM, data: [1], size: 1 }], RAM));
  assert.equal(low.x[0], RAM + 128 * MiB, "unless the program is there");
});

test("raw code goes to 0x40080000 with the device tree in x0", () => {
  const plan = boot(Uint8Array.of(0, 0, 0, 0x14));
  assert.equal(plan.entry, 0x4008_0000);
  assert.equal(plan.x[0], RAM + 128 * MiB);
});

test("firmware starts in flash at 0, with the device tree at the start of RAM", () => {
  const plan = planBoot(input({ bios: file(Uint8Array.of(1, 2)), kernel: file(linuxImage(MiB)) }));
  assert.equal(plan.entry, 0);
  assert.deepEqual([...plan.flash], [1, 2]);
  assert.deepEqual(
    plan.writes.map((w) => w.address),
    [RAM],
  );
});

test("files are placed where they are told to, unless something is there", () => {
  const loads = [{ file: file(Uint8Array.of(5), "L"), address: RAM + 100 * MiB }];
  assert.deepEqual(boot(linuxImage(MiB), { loads }).writes.at(-1)?.bytes, Uint8Array.of(5));
  refuses(/^L at 0x46400000 overlaps F; /, linuxImage(120 * MiB), { loads });
  refuses(/^L does not go to 0x1000: RAM is from 0x40000000 to 0x4fffffff; /, linuxImage(MiB), {
    loads: [{ file: file(Uint8Array.of(5), "L"), address: 0x1000 }],
  });
});

test("a device tree of the user's is used, with this machine's boot parameters", () => {
  const tree = boardTree(board);
  tree.root.properties.set("model", strings("mine"));
  const dtb = file(writeFdt(tree));
  const { root } = readFdt(boot(linuxImage(MiB), { dtb, memory: 64 * MiB, append: "a=b" }).deviceTree);
  assert.deepEqual(root.properties.get("model"), strings("mine"));
  assert.deepEqual(fdtFind(root, "/chosen")?.properties.get("bootargs"), strings("a=b"));
  assert.equal(cell64(fdtFind(root, "/memory@40000000"), "reg"), RAM);
  refuses(/^D is no device tree blob \(it has no device tree header\); /, linuxImage(MiB), {
    dtb: file(Uint8Array.of(1), "D"),
  });
});

test("too little memory is said with how much is needed", () => {
  refuses(/^too little memory: F needs 300 MiB at 0x40200000; give --memory 512M$/, linuxImage(300 * MiB));
  refuses(/^too little memory: I needs 200 MiB at .*; give --memory 512M$/, linuxImage(MiB), {
    initrd: file(new Uint8Array(200 * MiB), "I"),
  });
  refuses(/^too little memory: the device tree /, linuxImage(13 * MiB), { memory: 16 * MiB });
});

test("a file of the wrong kind is named as what it is", () => {
  const at = (offset: number, text: string): Uint8Array => {
    const bytes = new Uint8Array(0x9000);
    bytes.set(
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
      offset,
    );
    return bytes;
  };
  const bzImage = at(0x202, "HdrS");
  bzImage.set([0x4d, 0x5a]);
  bzImage.set([0x55, 0xaa], 0x1fe);
  refuses(/^F is an x86 Linux kernel; this machine needs a 64-bit Arm /, bzImage);
  refuses(/^F holds an x86 Linux kernel; /, gzipSync(bzImage));
  refuses(/^F is a 32-bit Arm Linux kernel /, fields(64, [0x24, 4, 0x016f2818]));
  refuses(/^F is an ELF file for x86-64; /, elf([], 0, 62));
  refuses(/^F is an ELF file with nothing to load/, elf([], 0));
  refuses(/^F is a kernel for another architecture; /, zboot("gzip", gzipSync(linuxImage(MiB)), 0x8664));
  refuses(/^F holds a kernel compressed with lzma; /, zboot("lzma", new Uint8Array(8)));
  refuses(/^F is compressed with xz; /, at(0, "\xfd7zXZ\0"));
  refuses(/^F is an initramfs /, at(0, "070701"));
  refuses(/^F is a text file; /, at(0, "").fill(65));
  refuses(/^F is empty; /, new Uint8Array(0));
  refuses(/^F is compressed twice; /, gzipSync(gzipSync(linuxImage(MiB))));
  refuses(/^F cannot be used: its gzip data is damaged$/, gzipSync(linuxImage(MiB)).subarray(0, 20));
  refuses(/^F uses pages of 16 KiB, /, linuxImage(MiB, 0, 0x4));
  refuses(/^F is a big-endian kernel; /, linuxImage(MiB, 0, 1));
  refuses(/^there is nothing to boot; /, new Uint8Array(1), { kernel: undefined });
});

test("whatever a file holds, it is planned or refused with a LoadError", () => {
  const files = [
    linuxImage(MiB),
    elf([{ va: 0, pa: RAM, data: [1], size: 9 }], 0),
    zboot("gzip", gzipSync(linuxImage(1))),
  ];
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...files), damage, fc.nat(300), (seed, changes, cut) => {
      const bytes = seed.slice(0, cut);
      for (const [at, byte] of changes) bytes[at] = byte;
      try {
        const plan = boot(bytes);
        for (const write of plan.writes) {
          assert.ok(write.address >= RAM && write.address + write.bytes.length + write.zeroes <= RAM + 256 * MiB);
        }
      } catch (error) {
        assert.ok(error instanceof LoadError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
