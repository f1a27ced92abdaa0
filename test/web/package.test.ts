// The package as it is published: a program in Node, its types, and a page that a bundler has made.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { buildLibrary } from "../../tools/build-web.ts";
import { serveSite } from "../../tools/web-server.ts";
import { missing, openBrowser, openPage } from "./browser.ts";

const root = join(import.meta.dirname, "..", "..");
const place = mkdtempSync(join(tmpdir(), "atoll-package-"));
const program = `
import { AtollError, Machine } from "atoll";
const machine = await Machine.create({ memory: "128M" });
await machine.start();
await machine.waitFor("~# ");
await machine.type("echo $((6 * 7)) answers\\n");
const answer: string = await machine.waitFor("42 answers");
await machine.close();
const refused = await Machine.create({ cpus: 1000 }).catch((error: unknown) => error instanceof AtollError && error.code);
`;
const plain = program.replace(": string", "").replace("(error: unknown)", "error");

before(async () => {
  await buildLibrary();
  const [packed] = JSON.parse(
    execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", place], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 2 ** 26,
    }),
  ) as [{ filename: string }];
  const modules = join(place, "node_modules");
  mkdirSync(join(modules, "atoll"), { recursive: true });
  execFileSync("tar", ["-xf", join(place, packed.filename), "-C", join(modules, "atoll"), "--strip-components=1"]);
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: object };
  for (const name of [...Object.keys(dependencies), "@types"]) {
    mkdirSync(join(modules, name, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(place, "package.json"), '{ "type": "module" }\n');
});

after(() => rmSync(place, { recursive: true, force: true }));

test("Node finds the library by its name, and it runs", () => {
  writeFileSync(join(place, "program.js"), `${plain}\nconsole.log(answer.includes("42 answers"), refused);\n`);
  const said = execFileSync(process.execPath, ["program.js"], { cwd: place, encoding: "utf8", timeout: 300_000 });
  assert.equal(said, "true configuration\n");
});

test("its types are found, by Node's rules and by bundlers'", () => {
  writeFileSync(join(place, "program.ts"), `${program}\nconsole.log(answer, refused);\n`);
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = ["--noEmit", "--strict", "--target", "es2024", "--lib", "es2024,dom", "--types", "node"];
    execFileSync(
      compiler,
      [...options, "--module", module as string, "--moduleResolution", resolution as string, "program.ts"],
      {
        cwd: place,
        encoding: "utf8",
      },
    );
  }
});

test("a bundler takes the browser's library, and the bundle boots a machine", { skip: missing }, async () => {
  writeFileSync(join(place, "page.js"), `${plain}\ndocument.title = refused + " " + answer.includes("42 answers");\n`);
  const site = join(place, "site");
  const { metafile } = await build({
    ...{ entryPoints: [join(place, "page.js")], bundle: true, format: "esm", outdir: join(site, "dist", "browser") },
    ...{ metafile: true, logLevel: "silent", absWorkingDir: place },
  });
  assert.deepEqual(Object.keys(metafile.inputs).sort(), ["node_modules/atoll/dist/browser/atoll.js", "page.js"]);
  // What docs/library.md says for bundlers that do not take along what new URL() names.
  for (const part of ["build", "guests", "dist/browser/worker.js"]) {
    const from = join(place, "node_modules", "atoll", part);
    assert.ok(existsSync(from), part);
    cpSync(from, join(site, part), { recursive: true });
  }
  writeFileSync(
    join(site, "index.html"),
    '<!doctype html><title>?</title><link rel="icon" href="data:,"><script type="module" src="dist/browser/page.js"></script>',
  );
  const server = await serveSite(site, 0, false);
  const browser = await openBrowser();
  try {
    const { page, errors } = await openPage(browser, server.url);
    await page.waitForFunction("document.title !== '?'", undefined, { timeout: 240_000 });
    assert.equal(await page.title(), "configuration true");
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    server.close();
  }
});
