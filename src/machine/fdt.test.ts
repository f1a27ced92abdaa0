import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cells, cells64, EMPTY, FdtError, type FdtNode, fdtFind, fdtNode, readFdt, strings, writeFdt } from "./fdt.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9,._+#-]{0,12}$/);
const value = fc.uint8Array({ maxLength: 20 });
const properties = fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true });
const { node: anyNode } = fc.letrec<{ node: FdtNode }>((tie) => ({
  node: fc
    .record({
      name,
      properties,
      children: fc.oneof({ depthSize: "small" }, fc.constant<FdtNode[]>([]), fc.array(tie("node"), { maxLength: 4 })),
    })
    .map((n) => fdtNode(n.name, n.properties, unique(n.children))),
}));
const unique = (nodes: readonly FdtNode[] = []): FdtNode[] => [...new Map(nodes.map((n) => [n.name, n])).values()];
const anyReservation = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 48 }), fc.integer({ min: 1, max: 2 ** 40 }))
  .map(([address, size]) => ({ address, size }));
const anyTree = fc
  .tuple(anyNode, fc.array(anyReservation, { maxLength: 3 }), fc.nat(64))
  .map(([node, reservations, bootCpu]) => ({ root: { ...node, name: "" }, reservations, bootCpu }));

test("a tree that was written reads back the same", () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      assert.deepEqual(readFdt(writeFdt(tree)), tree);
    }),
  );
});

test("a blob with damage reads or throws FdtError, nothing else", () => {
  const blob = anyTree.map(writeFdt);
  const damage = fc.array(fc.tuple(fc.nat(4096), fc.nat(255)), { maxLength: 6 });
  const read = (bytes: Uint8Array): void => {
    try {
      readFdt(bytes);
    } catch (error) {
      assert.ok(error instanceof FdtError, String(error));
    }
  };
  fc.assert(
    fc.property(blob, damage, fc.nat(4096), (bytes, changes, cut) => {
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      read(bytes);
      read(bytes.subarray(0, cut));
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), read));
});

test("the header's fields are where the specification has them", () => {
  const blob = writeFdt({ root: fdtNode("", {}), reservations: [], bootCpu: 3 });
  const view = new DataView(blob.buffer);
  assert.equal(view.getUint32(0), 0xd00dfeed);
  assert.equal(view.getUint32(4), blob.length);
  assert.equal(view.getUint32(16), 40, "reservations follow the header");
  assert.equal(view.getUint32(20), 17);
  assert.equal(view.getUint32(24), 16);
  assert.equal(view.getUint32(28), 3);
  assert.equal(view.getUint32(8), 56, "the structure follows the one empty reservation");
});

test("a name that several properties have is stored once", () => {
  const child = (n: string): FdtNode => fdtNode(n, { "interrupt-parent": EMPTY });
  const size = (...n: FdtNode[]): number => writeFdt({ root: fdtNode("", {}, n), reservations: [], bootCpu: 0 }).length;
  // BEGIN_NODE, name, PROP, length, name offset, END_NODE
  assert.equal(size(child("a"), child("b")) - size(child("a")), 24);
});

test("values are big-endian", () => {
  assert.deepEqual([...cells(1, 0x80000000)], [0, 0, 0, 1, 0x80, 0, 0, 0]);
  assert.deepEqual([...cells64(0x1_4000_0000)], [0, 0, 0, 1, 0x40, 0, 0, 0]);
  assert.deepEqual([...strings("a", "b")], [97, 0, 98, 0]);
});

test("a node is found by its path", () => {
  const inner = fdtNode("b@1", {});
  const root = fdtNode("", {}, [fdtNode("a", {}, [inner])]);
  assert.equal(fdtFind(root, "/a/b@1"), inner);
  assert.equal(fdtFind(root, "/"), root);
  assert.equal(fdtFind(root, "/a/c/d"), undefined);
});
