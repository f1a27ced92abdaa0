import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Machine } from "../../src/machine/machine.ts";
import type { MachineParts } from "../../src/machine/runnable.ts";
import { SnapshotError } from "../../src/snapshot/error.ts";
import { ROOT } from "../support/atoll.ts";
import { contents, restored, saved } from "../support/snapshots.ts";
import { wholeMachine } from "../support/whole-machine.ts";

/** Programs that test the machine from inside, and what they need; between them they use all of it that has state. Shorter ones end in their first slice. */
const PROGRAMS: readonly (readonly [string, Partial<MachineParts>])[] = [
  ["gic-gicv2", { gicVersion: 2 }],
  ["smp-gicv2", { gicVersion: 2, cpus: 2 }],
  ["smp-gicv3", { cpus: 2 }],
  ["timer-gicv2", { gicVersion: 2 }],
  ["timer-gicv3", {}],
  ["timers", { virtualization: true }],
  ["stage2", { virtualization: true }],
  ["lists-gicv2", { virtualization: true, gicVersion: 2 }],
];

/** Goes another way through the program at each seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function program(name: string): Uint8Array {
  return readFileSync(join(ROOT, "test", "baremetal", "bin", `${name}.bin`));
}

describe("a machine that is saved and restored again and again", { concurrency: 1 }, () => {
  for (const [name, changes] of PROGRAMS) {
    test(`${name} notices nothing`, { timeout: 120_000 }, async () => {
      const kernel = { name, bytes: program(name) };
      // Time goes by looks at the clock: where the machine is saved is the same in each run.
      const { machine, printed } = await wholeMachine([], { kernel, memory: 512 << 20, ...changes });
      const chance = random(name.length);
      let current: Machine = machine;
      let restores = 0;
      for (let turns = 0; turns < 200_000; turns++) {
        if (current.run(0.2 + 3 * chance()).kind === "off") break;
        if (turns < 8 || chance() < 0.01) {
          const file = await saved(current);
          current = await restored(file, current.anatomy.parts);
          restores++;
        }
      }
      const text = Buffer.from(printed).toString();
      assert.doesNotMatch(text, /^not ok/m);
      assert.match(text, /^done [0-9a-f]+ 0+\b/m, text.slice(-300));
      assert.ok(restores > 0);
    });
  }
});

test("what is restored and saved again is the same", async () => {
  for (const changes of [{ cpus: 2 }, { gicVersion: 2, cpus: 2 }, { virtualization: true, secure: true }] as const) {
    const kernel = {
      name: "smp",
      bytes: program(changes.cpus ? `smp-gicv${"gicVersion" in changes ? 2 : 3}` : "virtual"),
    };
    const { machine } = await wholeMachine([], { kernel, balloon: true, ...changes });
    for (let i = 0; i < 20; i++) {
      machine.run(1);
      const file = await saved(machine);
      const again = await saved(await restored(file, machine.anatomy.parts));
      assert.deepEqual(timeless(await contents(again)), timeless(await contents(file)));
    }
  }
});

/** A clock that goes on with each look gives another time. */
function timeless(sections: Map<string, Uint8Array>): Map<string, unknown> {
  const now = /"now":[\d.]+/;
  return new Map<string, unknown>(
    [...sections].map(([name, bytes]): [string, unknown] =>
      name.startsWith("machine ") ? [name, Buffer.from(bytes).toString().replace(now, "")] : [name, bytes],
    ),
  );
}

test("a snapshot of another machine says what differs", async () => {
  const { machine } = await wholeMachine([0x14000000]);
  const file = await saved(machine);
  const { parts } = machine.anatomy;
  const differences: readonly (readonly [Partial<MachineParts>, RegExp])[] = [
    [{ memory: 128 << 20 }, /its memory differ/],
    [{ cpus: 2 }, /its cpus differ/],
    [{ cpu: "cortex-a72" }, /its cpu differ/],
    [{ gicVersion: 2 }, /its gicVersion differ/],
    [{ balloon: true }, /its devices differ/],
  ];
  for (const [changes, message] of differences) {
    await assert.rejects(
      restored(file, { ...parts, ...changes }),
      (error) => error instanceof SnapshotError && error.failure === "other" && message.test(error.message),
    );
  }
});
