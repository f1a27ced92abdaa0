// Builds what browsers load: dist/browser, the library's bundles, and dist/site, the page as files for any web server.
// Needs build/ (tools/build.ts).

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";

const root = join(import.meta.dirname, "..");
const at = (...parts: string[]): string => join(root, ...parts);

const common: BuildOptions = {
  bundle: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari18.4"],
  minify: true,
  legalComments: "none",
  logLevel: "warning",
};

/** The library: the machine's worker and what starts it. The files that they load are beside them in the package. */
export async function buildLibrary(): Promise<void> {
  await build({
    ...common,
    entryPoints: {
      atoll: at("src", "hosts", "browser", "index.ts"),
      worker: at("src", "hosts", "browser", "worker.ts"),
    },
    outdir: at("dist", "browser"),
  });
}

const FILES = [
  ["src/web/index.html", "index.html"],
  ["src/web/_headers", "_headers"],
  ["dist/browser/worker.js", "dist/browser/worker.js"],
  ["build/native.wasm", "build/native.wasm"],
  ["build/interpreter.wasm", "build/interpreter.wasm"],
  ["build/interpreter.json", "build/interpreter.json"],
  ["build/guest-alone.snapshot", "build/guest-alone.snapshot"],
  ["guests/embedded/Image.gz", "guests/embedded/Image.gz"],
  ["guests/embedded/initramfs.cpio.gz", "guests/embedded/initramfs.cpio.gz"],
] as const;

/** The page. It has the package's own layout, so that the worker finds its files. Returns its folder. */
export async function buildSite(): Promise<string> {
  await buildLibrary();
  const site = at("dist", "site");
  rmSync(site, { recursive: true, force: true });
  mkdirSync(site, { recursive: true });
  await build({
    ...common,
    entryPoints: { page: at("src", "web", "page.ts"), style: at("src", "web", "style.css") },
    outdir: join(site, "dist", "browser"),
  });
  for (const [from, to] of FILES) cpSync(at(...from.split("/")), join(site, ...to.split("/")), { recursive: true });
  return site;
}

if (import.meta.main) console.log(`The page is in ${await buildSite()}: give that folder to a web server.`);
