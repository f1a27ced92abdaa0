// The command in two files, for how soon it starts: finding, reading and linking 250 took half of the time until a guest's first instruction.
// CommonJS, as Node loads that sooner, and as imports of modules that are not there yet can wait for their first use.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/** Packages that are in the command's own files: what `atoll run` needs before it does anything. */
const BUNDLED = ["commander", "zod"];

/** Node's modules are loaded when something of them is first used: some take as long as all of the command. */
const lateBuiltins: Plugin = {
  name: "late-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "late-builtin" }));
    onLoad({ filter: /./, namespace: "late-builtin" }, async ({ path }) => {
      const { default: _, ...names } = (await import(path)) as Record<string, unknown>;
      const contents = `
        let loaded;
        const late = () => (loaded ??= process.getBuiltinModule(${JSON.stringify(path)}));
        module.exports = {
          get default() { return late(); },
          ${Object.keys(names).map((name) => `get ${name}() { return late().${name}; }`)}
        };`;
      return { contents, loader: "js" };
    });
  },
};

/**
 * Has modules import the late ones as they are. The bundler would have each of them make a copy, all names of which call the original: five
 * thousand functions for `node:fs` alone.
 */
function withoutCopies(text: string): string {
  const late = [...text.matchAll(/(\w+)=__commonJS\(\{"late-builtin:/g)].map(([, name]) => name);
  const copies = new RegExp(`__toESM\\(((?:${late.join("|")})\\(\\)),1\\)`, "g");
  if (!copies.test(text)) throw new Error("the bundler writes imports in another way");
  return text.replace(copies, "$1");
}

/**
 * Makes a function of a module, as bin/atoll.js runs it: what it reads is then what V8 takes, with nothing put around it. A hash of the rest is in
 * the first line, by which V8's code for it is found again.
 */
function wrapped(path: string): void {
  const body = withoutCopies(readFileSync(path, "utf8"));
  const text = `(function (exports, require, module, __filename, __dirname) {${body}\n})`;
  // It is read a byte a character.
  if (/[^\0-\x7f]/.test(text)) throw new Error(`${path} has characters that are not ASCII`);
  writeFileSync(path, `//${createHash("sha256").update(text).digest("hex").slice(0, 32)}\n${text}`);
}

/** Writes dist/command/: as deep in the package as src/ and dist/ have these files, which find the package's others from where they are. */
export async function bundleCommand(root: string): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: object };
  const outdir = join(root, "dist", "command", "cli");
  const engine = readFileSync(join(root, "build", "interpreter.sha256"), "utf8").trim();
  const bundle = (name: string, entry: string[]): Promise<unknown> =>
    build({
      entryPoints: { [name]: join(root, "src", ...entry) },
      outdir,
      outExtension: { ".js": ".cjs" },
      bundle: true,
      // Names stay, for what is reported of defects.
      minifyWhitespace: true,
      minifySyntax: true,
      external: Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)),
      plugins: [lateBuiltins],
      // The translator is named by what the interpreter was made of, which is of the same sources (build.ts).
      define: { "import.meta.url": "moduleUrl", ATOLL_ENGINE: JSON.stringify(engine) },
      banner: { js: 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
      platform: "node",
      format: "cjs",
      charset: "ascii",
      target: "node24",
      legalComments: "none",
    });
  await bundle("main", ["cli", "main.ts"]);
  // Workers are files beside the one that starts them: new URL("./NAME" + extname(import.meta.url), import.meta.url).
  await bundle("region-worker", ["hosts", "node", "region-worker.ts"]);
  wrapped(join(outdir, "main.cjs"));
}
