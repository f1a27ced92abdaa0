import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkedPaths, type Finder, pins } from "./folder-places.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "atoll-places-")));
after(() => rmSync(base, { recursive: true }));
mkdirSync(join(base, "elsewhere"));
writeFileSync(join(base, "elsewhere", "x"), "");
mkdirSync(join(base, "root", "d"), { recursive: true });
writeFileSync(join(base, "root", "d", "x"), "");
symlinkSync("../elsewhere", join(base, "root", "link"));
symlinkSync("d", join(base, "root", "inside"));

const finders: [string, Finder][] = [["checked paths", checkedPaths(join(base, "root"))]];
if (process.platform === "linux") finders.push(["pins", pins(join(base, "root"))]);

for (const [name, find] of finders) {
  test(`${name}: what is in the folder is found, and links themselves`, () => {
    const found = (path: string): string[] => {
      const place = find(path);
      try {
        return readdirSync(place.path);
      } finally {
        place.release();
      }
    };
    assert.deepEqual([found("").sort(), found("d")], [["d", "inside", "link"], ["x"]]);
    find("d/x").release();
    const link = find("link");
    if (link.pinned === undefined) assert.ok(lstatSync(link.path).isSymbolicLink());
    link.release();
  });

  test(`${name}: nothing is found through a link, or out of the folder`, () => {
    for (const path of [
      "link/x",
      "inside/x",
      "..",
      "../elsewhere",
      "d/../../elsewhere/x",
      "link/nothing",
      "nothing",
      "d/nothing",
    ]) {
      assert.throws(() => find(path), { code: "ENOENT" }, path);
    }
  });
}
