import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { MakerSetup } from "../../engine/region-maker.ts";
import type { RegionObject } from "../../engine/region-object.ts";
import { KeptRegionsFile, type KeptRegionsFiles, keptRegionsFiles, readKept } from "./kept-regions-file.ts";

const none = new Int32Array();
const WORD = 0x1400_0000;
const wordAt = (): number => WORD;
const object: RegionObject = {
  ...{ entry: 3, aligned: false, instructions: 1, words: Int32Array.of(3, WORD) },
  code: { body: Uint8Array.of(0, 0x0b), hints: none, calls: none, addresses: none },
};
const setup: MakerSetup = {
  ...{ memory: new WebAssembly.Memory({ initial: 1 }), area: 0, features: new Set(), directSysregs: true },
  ...{ firstRegion: 100, countInstructions: false, eager: false, onlyCpu: 4096 },
};

function withFiles(use: (files: KeptRegionsFiles, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "atoll-kept-"));
  try {
    use(keptRegionsFiles(setup, "translator", { ATOLL_CACHE: join(folder, "cache") }) as KeptRegionsFiles, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
function keep(files: KeptRegionsFiles): void {
  const file = new KeptRegionsFile(files);
  file.add(file.regions.add(object, wordAt));
  file.flush();
}
const found = (files: KeptRegionsFiles): RegionObject | undefined =>
  new KeptRegionsFile(files).regions.find(3, false, wordAt);

test("regions are kept from one run to the next, for the user alone", () => {
  withFiles((files) => {
    assert.equal(found(files), undefined);
    keep(files);
    assert.deepEqual(found(files), object);
    assert.equal(readKept(files.entries).length, 8);
    assert.equal(statSync(files.regions).mode & 0o77, 0);
  });
});

test("files that were cut off are begun anew", () => {
  withFiles((files) => {
    keep(files);
    truncateSync(files.regions, statSync(files.regions).size - 3);
    assert.equal(found(files), undefined);
    assert.equal(readKept(files.regions).length + readKept(files.entries).length, 0);
    keep(files);
    assert.deepEqual(found(files), object);
  });
});

test("what two processes keep at once is all there", () => {
  withFiles((files) => {
    const [one, two] = [new KeptRegionsFile(files), new KeptRegionsFile(files)];
    one.add(one.regions.add(object, wordAt));
    two.add(two.regions.add({ ...object, entry: 4, words: Int32Array.of(4, WORD) }, wordAt));
    one.flush();
    two.flush();
    assert.deepEqual(found(files), object);
    assert.ok(new KeptRegionsFile(files).regions.find(4, false, wordAt));
  });
});

test("files that no machine used for a month are removed, and nothing else is", () => {
  withFiles((files, folder) => {
    keep(files);
    const old = [join(folder, "cache", "0123456789abcdef.regions"), join(folder, "cache", "notes.regions")] as const;
    for (const path of [...old, files.regions, files.entries]) {
      if (path === old[0] || path === old[1]) writeFileSync(path, "");
      utimesSync(path, 0, 0);
    }
    assert.deepEqual(found(files), object);
    assert.deepEqual([existsSync(old[0]), existsSync(old[1]), existsSync(files.entries)], [false, true, true]);
    assert.ok(statSync(files.regions).mtimeMs > 0);
  });
});

test("a cache that cannot be written is none", () => {
  withFiles((_files, folder) => {
    writeFileSync(join(folder, "file"), "");
    const files = keptRegionsFiles(setup, "translator", { ATOLL_CACHE: join(folder, "file") }) as KeptRegionsFiles;
    keep(files);
    assert.equal(found(files), undefined);
    assert.equal(readFileSync(join(folder, "file")).length, 0);
    chmodSync(join(folder, "file"), 0o600);
  });
});

test("another translator and another machine have files of their own, and an empty ATOLL_CACHE keeps nothing", () => {
  const at = (engine: string | undefined, changes: Partial<MakerSetup>, environment: NodeJS.ProcessEnv) =>
    keptRegionsFiles({ ...setup, ...changes }, engine, environment)?.regions;
  const home = { HOME: "/nowhere", XDG_CACHE_HOME: "/cache" };
  const names = [at("a", {}, home), at("b", {}, home), at("a", { onlyCpu: undefined }, home)];
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name as string, /^\/cache\/atoll\/[0-9a-f]{16}\.regions$/);
  assert.equal(at("a", {}, { ATOLL_CACHE: "" }), undefined);
  assert.equal(at(undefined, {}, home), undefined);
});
