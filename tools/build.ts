// Builds what is not TypeScript that Node can run as it is: the AssemblyScript module, the interpreter, and dist/ for the package.
// `npm ci` runs it (prepare), and so does `npm test`; parts that are newer than their sources are left alone.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileAssemblyScript } from "./asc.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...parts: string[]): string => join(root, ...parts);

function run(program: string, args: string[]): void {
  const { status, error } = spawnSync(process.execPath, [at("node_modules", program), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error(`build: ${program} ${args[0]} failed${error ? `: ${error.message}` : ""}`);
    process.exit(1);
  }
}

function newest(folder: string, keep: (path: string) => boolean): number {
  let time = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && keep(path)) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

/** Is `target` missing or older than the sources? */
function stale(target: string, keep: (path: string) => boolean): boolean {
  return (
    !existsSync(target) ||
    statSync(target).mtimeMs < Math.max(newest(at("src"), keep), statSync(at("tools", "build.ts")).mtimeMs)
  );
}

mkdirSync(at("build"), { recursive: true });

const native = at("build", "native.wasm");
if (stale(native, (p) => p.endsWith(".as.ts") || p.endsWith("-layout.ts"))) {
  compileAssemblyScript("src/cpu/native.as.ts", "build/native.wasm");
}

const interpreter = at("build", "interpreter.wasm");
if (
  existsSync(at("src", "engine", "interpreter.ts")) &&
  stale(interpreter, (p) => /src.(a64|ir|engine|wasm|arch|cpu)./.test(p))
) {
  const { buildInterpreterArtifact } = (await import(pathToFileURL(at("src", "engine", "artifact.ts")).href)) as {
    buildInterpreterArtifact: () => { bytes: Uint8Array; handlers: string };
  };
  const { bytes, handlers } = buildInterpreterArtifact();
  writeFileSync(interpreter, bytes);
  writeFileSync(at("build", "interpreter.json"), handlers);
}

const { buildBootedGuests } = await import("./booted-guest.ts");
await buildBootedGuests(root);

if (!process.argv.includes("--no-dist") && stale(at("dist", "cli", "main.js"), (p) => p.endsWith(".ts"))) {
  run("typescript/bin/tsc", ["-p", "tsconfig.build.json"]);
  rmSync(at("dist", "command"), { recursive: true, force: true });
  const { bundleCommand } = await import("./bundle-command.ts");
  await bundleCommand(root);
}
if (!process.argv.includes("--no-dist") && stale(at("dist", "browser", "worker.js"), (p) => p.endsWith(".ts"))) {
  const { buildLibrary } = await import("./build-web.ts");
  await buildLibrary();
}
