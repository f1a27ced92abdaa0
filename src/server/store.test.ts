import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { ActionError } from "../contract/action.ts";
import { machineDefinition } from "../contract/definition.ts";
import { RUN_ENDS, type RunEnding } from "../contract/machines.ts";
import { BadInput } from "../machine/runnable.ts";
import { MachineStore } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-store-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `${files++}.sqlite`);

const names = fc.constantFrom("a", "b", "c");
const commands = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("add" as const), name: names, cpus: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ kind: fc.constant("remove" as const), name: names }),
    fc.record({ kind: fc.constant("began" as const), name: names }),
    fc.record({ kind: fc.constant("ended" as const), name: names, end: fc.constantFrom(...RUN_ENDS) }),
    fc.record({ kind: fc.constant("reopen" as const) }),
  ),
);

test("the store is what was done to it, also when it is opened again", () => {
  fc.assert(
    fc.property(commands, (steps) => {
      const path = newPath();
      let store = new MachineStore(path);
      const model = new Map<string, { cpus: number; run: boolean; end: RunEnding | undefined }>();
      for (const step of steps) {
        if (step.kind === "reopen") {
          store.close();
          store = new MachineStore(path);
          continue;
        }
        const known = model.get(step.name);
        switch (step.kind) {
          case "add": {
            const add = (): void => store.add(step.name, machineDefinition.parse({ cpus: step.cpus }));
            if (known !== undefined) assert.throws(add, (error) => (error as ActionError).code === "wrong-state");
            else {
              add();
              model.set(step.name, { cpus: step.cpus, run: false, end: undefined });
            }
            break;
          }
          case "remove":
            store.remove(step.name);
            model.delete(step.name);
            break;
          case "began":
            store.began(step.name);
            if (known) Object.assign(known, { run: true, end: undefined });
            break;
          case "ended":
            if (known?.run !== true) break;
            store.ended(step.name, step.end);
            known.end = step.end;
        }
      }
      const found = store.list().map(({ name, definition, lastRun }) => [name, definition.cpus, lastRun?.end]);
      store.close();
      assert.deepEqual(
        found,
        [...model].sort().map(([name, { cpus, end }]) => [name, cpus, end]),
      );
    }),
    { numRuns: 40 },
  );
});

test("who asks for a machine that is not there is told so", () => {
  const store = new MachineStore(newPath());
  assert.throws(
    () => store.get("web"),
    (error) => error instanceof ActionError && error.code === "no-such-machine",
  );
  store.close();
});

test("a store of a newer version, and a file that is none, are refused in one line", () => {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const newer = newPath();
  const database = new DatabaseSync(newer);
  database.exec("PRAGMA user_version = 99");
  database.close();
  assert.throws(() => new MachineStore(newer), /newer Atoll/);
  assert.throws(() => new MachineStore(import.meta.filename), BadInput);
});

/** Adds machines for ever; says each name when it is in the store. */
const WRITER = `
  import { writeSync } from "node:fs";
  import { machineDefinition } from ${JSON.stringify(new URL("../contract/definition.ts", import.meta.url))};
  import { MachineStore } from ${JSON.stringify(new URL("./store.ts", import.meta.url))};
  const [path, prefix] = process.argv.slice(-2);
  const store = new MachineStore(path);
  for (let i = 0; ; i++) {
    store.add(prefix + i, machineDefinition.parse({}));
    writeSync(1, prefix + i + "\\n");
  }`;

test("kill -9 loses no definition that was acknowledged", { timeout: 60_000 }, async () => {
  const path = newPath();
  let said: string[] = [];
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", WRITER, path, `m${round}-`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    child.kill("SIGKILL");
    await once(child, "close");
    said = said.concat(text.split("\n").slice(0, -1));
    const store = new MachineStore(path);
    const there = new Set(store.list().map(({ name }) => name));
    store.close();
    // What was added and not yet said may be there, too: one at most for each that was killed.
    assert.deepEqual(
      said.filter((name) => !there.has(name)),
      [],
    );
    assert.ok(there.size - said.length <= round + 1);
  }
  assert.ok(said.length >= 5);
});
