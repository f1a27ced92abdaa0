import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInput } from "../machine/runnable.ts";
import { newOrExistingDisk } from "./create.ts";
import { memoryText, table } from "./table.ts";

test("disks of a machine are made, or are there already", () => {
  assert.deepEqual(newOrExistingDisk("new:8G"), { bytes: 8 * 2 ** 30, serial: undefined });
  assert.deepEqual(newOrExistingDisk("new:100M,serial=data"), { bytes: 100 * 2 ** 20, serial: "data" });
  assert.deepEqual(newOrExistingDisk("./new:8G,readonly"), {
    file: "./new:8G",
    format: undefined,
    readOnly: true,
    snapshot: false,
    serial: undefined,
  });
  for (const bad of ["new:", "new:0", "new:many", "new:8G,readonly", "new:8G,format=raw", "new:8G,snapshot"]) {
    assert.throws(() => newOrExistingDisk(bad), BadInput, bad);
  }
});

test("tables have their columns under each other", () => {
  assert.equal(
    table([
      ["A", "B"],
      ["long", "x"],
    ]),
    "A     B\nlong  x\n",
  );
  assert.deepEqual([2 ** 30, 512 * 2 ** 20, 2 ** 20 + 4096].map(memoryText), ["1G", "512M", "1028K"]);
});
