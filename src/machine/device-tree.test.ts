import assert from "node:assert/strict";
import { test } from "node:test";
import { applyChosen, applyMemory, type BoardDescription, boardTree } from "./device-tree.ts";
import { type Fdt, fdtFind, fdtNode, readFdt, writeFdt } from "./fdt.ts";

const board: BoardDescription = {
  memory: 0x2000_0000,
  cpus: 2,
  cpuCompatible: "arm,cortex-a72",
  gicVersion: 3,
  mpidr: (cpu) => cpu,
  conduit: "hvc",
  virtualization: false,
  hypervisorVirtualTimer: false,
  secure: false,
};
const words = (tree: Fdt, path: string, name: string): number[] => {
  const value = fdtFind(tree.root, path)?.properties.get(name);
  assert.ok(value, `${path} has ${name}`);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return Array.from({ length: value.length / 4 }, (_, i) => view.getUint32(i * 4));
};
const text = (tree: Fdt, path: string, name: string): string =>
  String.fromCharCode(...(fdtFind(tree.root, path)?.properties.get(name) ?? []));

test("the tree survives being written and read", () => {
  const tree = boardTree(board);
  assert.deepEqual(readFdt(writeFdt(tree)), tree);
});

test("addresses and interrupts are those of QEMU's virt machine", () => {
  const tree = boardTree(board);
  assert.deepEqual(words(tree, "/intc@8000000", "reg"), [0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000]);
  assert.deepEqual(words(tree, "/pl011@9000000", "interrupts"), [0, 1, 4]);
  assert.deepEqual(words(tree, "/virtio_mmio@a003e00", "interrupts"), [0, 47, 1]);
  assert.deepEqual(words(tree, "/timer", "interrupts"), [1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4]);
  assert.deepEqual(words(tree, "/memory@40000000", "reg"), [0, 0x40000000, 0, 0x20000000]);
  assert.deepEqual(words(tree, "/flash@0", "reg"), [0, 0, 0, 0x4000000, 0, 0x4000000, 0, 0x4000000]);
});

test("with a GICv2, private interrupts name the CPUs that have them", () => {
  const tree = boardTree({ ...board, gicVersion: 2 });
  assert.deepEqual(words(tree, "/intc@8000000", "reg"), [0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000]);
  assert.deepEqual(words(tree, "/pmu", "interrupts"), [1, 7, 0x304]);
});

test("every phandle that is referred to exists once", () => {
  const tree = boardTree(board);
  const phandles: number[] = [];
  const collect = (node: typeof tree.root, path: string): void => {
    if (node.properties.has("phandle")) phandles.push(...words(tree, path, "phandle"));
    for (const child of node.children) collect(child, `${path}/${child.name}`);
  };
  collect(tree.root, "");
  assert.equal(new Set(phandles).size, phandles.length);
  for (const [path, name] of [
    ["/", "interrupt-parent"],
    ["/pl031@9010000", "clocks"],
    ["/cpus/cpu-map/socket0/cluster0/core1", "cpu"],
    ["/gpio-keys/poweroff", "gpios"],
  ] as const) {
    assert.ok(phandles.includes(words(tree, path, name)[0] as number), `${path} ${name}`);
  }
});

test("the firmware's conduit is SMC where it is said to be", () => {
  assert.equal(text(boardTree({ ...board, conduit: "smc" }), "/psci", "method"), "smc\0");
  assert.equal(text(boardTree(board), "/psci", "method"), "hvc\0");
});

const normal = { rngSeed: new Uint8Array(32), kaslrSeed: new Uint8Array(8) };
const seeds = { ...normal, secure: { rngSeed: new Uint8Array(32).fill(1), kaslrSeed: new Uint8Array(8).fill(1) } };

test("with virtualization, the interrupt controller has what a hypervisor needs", () => {
  const hypervised = { ...board, virtualization: true, conduit: "smc" } as const;
  assert.deepEqual(words(boardTree(hypervised), "/intc@8000000", "interrupts"), [1, 9, 4]);
  const gicv2 = boardTree({ ...hypervised, gicVersion: 2, cpus: 1 });
  assert.deepEqual(words(gicv2, "/intc@8000000", "interrupts"), [1, 9, 0x104]);
  assert.deepEqual(
    words(gicv2, "/intc@8000000", "reg").filter((_, i) => i % 4 === 1),
    [0x800_0000, 0x801_0000, 0x803_0000, 0x804_0000],
  );
  const vhe = boardTree({ ...hypervised, hypervisorVirtualTimer: true });
  assert.deepEqual(words(vhe, "/timer", "interrupts").slice(-3), [1, 12, 4]);
});

test("with Secure state, what only that may use is disabled for everybody else", () => {
  const tree = boardTree({ ...board, secure: true });
  for (const path of ["/secflash@0", "/pl011@9040000", "/pl061@90b0000", "/secram@e000000", "/gpio-restart"]) {
    assert.equal(text(tree, path, "status"), "disabled\0", path);
    assert.equal(text(tree, path, "secure-status"), "okay\0", path);
  }
  assert.deepEqual(words(tree, "/flash@4000000", "reg"), [0, 0x400_0000, 0, 0x400_0000]);
  assert.equal(fdtFind(tree.root, "/flash@0"), undefined);
  assert.deepEqual(words(tree, "/pl011@9040000", "interrupts"), [0, 8, 4]);
  applyChosen(tree, { bootargs: "", ...seeds });
  assert.notDeepEqual(words(tree, "/secure-chosen", "rng-seed"), words(tree, "/chosen", "rng-seed"));
});

test("a guest that owns the highest level is told of no firmware", () => {
  const tree = boardTree({ ...board, secure: true, conduit: undefined });
  assert.equal(fdtFind(tree.root, "/psci"), undefined);
  assert.equal(fdtFind(tree.root, "/cpus/cpu@1")?.properties.has("enable-method"), false);
});

test("boot parameters go to /chosen and leave the rest of it", () => {
  const tree = boardTree(board);
  applyChosen(tree, { bootargs: "quiet", initrd: { start: 0x4800_0000, end: 0x4800_1234 }, ...seeds });
  assert.equal(text(tree, "/chosen", "bootargs"), "quiet\0");
  assert.equal(text(tree, "/chosen", "stdout-path"), "/pl011@9000000\0");
  assert.deepEqual(words(tree, "/chosen", "linux,initrd-end"), [0, 0x4800_1234]);
  assert.equal(words(tree, "/chosen", "rng-seed").length, 8);
});

test("a tree from elsewhere gets this machine's memory and keeps its own command line when none is given", () => {
  const root = fdtNode("", {}, [
    fdtNode("memory@0", {}),
    fdtNode("chosen", { bootargs: Uint8Array.of(97, 0) }),
    fdtNode("memory-controller@1", {}),
  ]);
  const tree: Fdt = { root, reservations: [], bootCpu: 0 };
  applyChosen(tree, { bootargs: "", ...seeds });
  applyMemory(tree, 0x1000_0000);
  assert.equal(text(tree, "/chosen", "bootargs"), "a\0");
  assert.deepEqual(
    root.children.map((n) => n.name),
    ["memory@40000000", "chosen", "memory-controller@1"],
  );
  // No #size-cells: one cell.
  assert.deepEqual(words(tree, "/memory@40000000", "reg"), [0, 0x4000_0000, 0x1000_0000]);
});
