import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { machineDefinition, machineName, type NewMachine, newMachine } from "./definition.ts";
import { mapPaths } from "./paths.ts";

test("an empty definition is a machine with every default", () => {
  assert.deepEqual(machineDefinition.parse({}), {
    load: [],
    memory: 512 * 2 ** 20,
    cpus: 1,
    cpu: "max",
    machine: { gicVersion: 3, virtualization: false, secure: false },
    disk: [],
    net: [],
    publish: [],
    share: [],
    serialPort: [],
    balloon: false,
    noReboot: false,
  });
});

const path = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes("\0"));
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (b, i) => (i === 0 ? b & 0xfe : b).toString(16).padStart(2, "0")).join(":"));
const serial = maybe(fc.stringMatching(/^[!-~]{1,20}$/));
const definitions = fc.record(
  {
    kernel: path,
    append: fc.string(),
    bios: path,
    load: fc.array(fc.record({ file: path, address: fc.maxSafeNat() })),
    memory: fc.integer({ min: 256, max: 786432 }).map((pages) => pages * 4096),
    cpus: fc.integer({ min: 1, max: 64 }),
    cpu: fc.constantFrom("max", "cortex-a72"),
    machine: fc.record({ gicVersion: fc.constantFrom(2, 3), virtualization: fc.boolean(), secure: fc.boolean() }),
    disk: fc.array(
      fc.oneof(
        fc.record({
          file: path,
          format: maybe(fc.constantFrom("raw", "qcow2", "vmdk", "vdi", "vhdx")),
          readOnly: fc.boolean(),
          snapshot: fc.boolean(),
          serial,
        }),
        fc.record({ bytes: fc.integer({ min: 1, max: 2 ** 30 }).map((sectors) => sectors * 512), serial }),
      ),
    ),
    display: fc.record(
      { vnc: fc.constant({ host: "127.0.0.1", port: 5900 }), passwordFile: path },
      { requiredKeys: [] },
    ),
    net: fc.oneof(
      fc.record({ kind: fc.constant("none") }),
      fc.record({ kind: fc.constant("user"), mac: maybe(mac), capture: maybe(path) }),
      fc.record({ kind: fc.constant("switch"), name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/) }),
    ),
    publish: fc.array(
      fc.record({
        protocol: fc.constantFrom("tcp", "udp"),
        address: fc.oneof(fc.ipV4(), fc.ipV6()),
        port: fc.integer({ min: 1, max: 65535 }),
        guestPort: fc.integer({ min: 1, max: 65535 }),
      }),
    ),
    share: fc.array(fc.record({ folder: path, tag: fc.stringMatching(/^[^:,/\n]{1,60}$/), readOnly: fc.boolean() })),
    vsock: fc.record({ path, cid: fc.integer({ min: 3, max: 0xffff_fffe }) }),
    balloon: fc.boolean(),
  },
  { requiredKeys: [] },
);

test("a definition is the same after it was kept as JSON", () => {
  fc.assert(
    fc.property(definitions, (given) => {
      const definition = newMachine.parse(given);
      assert.deepEqual(
        newMachine.parse(JSON.parse(JSON.stringify(definition))),
        JSON.parse(JSON.stringify(definition)),
      );
    }),
  );
});

test("each path of a definition is changed, and nothing else is", () => {
  fc.assert(
    fc.property(definitions, (given) => {
      const definition = newMachine.parse(given);
      const seen: string[] = [];
      const changed = mapPaths(definition, (text) => {
        seen.push(text);
        return `/root/${text}`;
      });
      const back = mapPaths(changed, (text) => {
        assert.ok(text.startsWith("/root/"));
        return text.slice("/root/".length);
      });
      assert.deepEqual(JSON.parse(JSON.stringify(back)), JSON.parse(JSON.stringify(definition)));
      const [net] = definition.net;
      const capture = net?.kind === "user" ? net.capture : undefined;
      const named = definition.load.length + definition.share.length + definition.serialPort.length;
      const single = [
        definition.kernel,
        definition.bios,
        definition.vsock,
        definition.display?.passwordFile,
        capture,
      ].filter((one) => one !== undefined).length;
      assert.equal(seen.length, named + single + definition.disk.filter((disk) => "file" in disk).length);
    }),
  );
});

const BAD: readonly (readonly [string, Record<string, unknown>])[] = [
  ["an unknown field", { kernell: "a" }],
  ["an empty path", { kernel: "" }],
  ["a path with NUL", { kernel: "a\0b" }],
  ["no whole page of memory", { memory: 2 ** 20 + 1 }],
  ["too much memory", { memory: 4 * 2 ** 30 }],
  ["no CPU", { cpus: 0 }],
  ["half a CPU", { cpus: 1.5 }],
  ["a GICv4", { machine: { gicVersion: 4 } }],
  ["a disk that is both new and not", { disk: [{ file: "a", bytes: 512 }] }],
  ["half a sector", { disk: [{ bytes: 256 }] }],
  ["a group's mac", { net: { kind: "user", mac: "01:00:00:00:00:01" } }],
  ["two networks of the same addresses", { net: [{ kind: "user" }, { kind: "user" }] }],
  ["no network beside one", { net: [{ kind: "switch", name: "a" }, { kind: "none" }] }],
  ["a network of a node's", { net: { kind: "network", name: "a" } }],
  ["nine networks", { net: Array.from({ length: 9 }, (_, i) => ({ kind: "switch", name: `n${i}` })) }],
  ["port 0", { publish: [{ port: 0, guestPort: 80 }] }],
  ["a host name for an address", { publish: [{ address: "localhost", port: 1, guestPort: 80 }] }],
  ["a tag that is too long in UTF-8", { share: [{ folder: "/", tag: "é".repeat(128) }] }],
  ["the host's CID", { vsock: { path: "/a", cid: 2 } }],
];

for (const [what, given] of BAD) {
  test(`${what} is refused`, () => {
    assert.equal(newMachine.safeParse(given as unknown as NewMachine).success, false);
  });
}

test("names of machines are host names", () => {
  for (const good of ["a", "web-1", "0", "a".repeat(63)]) assert.ok(machineName.safeParse(good).success, good);
  for (const bad of ["", "-a", "a-", "A", "a.b", "a/b", "..", "a_b", "a\n", "a".repeat(64)])
    assert.ok(!machineName.safeParse(bad).success, bad);
});
