// Builds what is not TypeScript that Node can run as it is: the AssemblyScript module, the interpreter, and dist/ for the package.
// `npm ci` runs it (prepare), and so does `npm test`; parts that are of their sources as they are now are left alone.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileAssemblyScript } from "./asc.ts";
import { buildBootedGuests } from "./booted-guest.ts";
import { buildCommandCode } from "./command-code.ts";
import { filesIn, hashOf, makeOf } from "./made-of.ts";

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

const isSource = (name: string): boolean => !name.endsWith(".test.ts");
const isLayout = (name: string): boolean => name.endsWith("-layout.ts");
const sources = filesIn(root, ["src"], isSource);
const tools = filesIn(root, ["tools"], isSource);

/** Makes a part of build/ or dist/. @param from what it is made of. */
function part(name: string, target: string, from: readonly string[], make: () => void | Promise<void>): Promise<void> {
  return makeOf(hashOf(root, from), { target: at(target), note: at("build", `${name}.sha256`) }, make);
}

mkdirSync(at("build"), { recursive: true });

await part(
  "native",
  "build/native.wasm",
  [...sources.filter((name) => name.endsWith(".as.ts") || isLayout(name)), "tools/asc.ts"],
  () => compileAssemblyScript("src/cpu/native.as.ts", "build/native.wasm"),
);

await part(
  "interpreter",
  "build/interpreter.wasm",
  sources.filter((name) => /^src.(a64|ir|engine|wasm|arch)./.test(name) || isLayout(name)),
  async () => {
    const { buildInterpreterArtifact } = (await import(pathToFileURL(at("src", "engine", "artifact.ts")).href)) as {
      buildInterpreterArtifact: () => { bytes: Uint8Array; handlers: string };
    };
    const { bytes, handlers } = buildInterpreterArtifact();
    writeFileSync(at("build", "interpreter.wasm"), bytes);
    writeFileSync(at("build", "interpreter.json"), handlers);
  },
);

await buildBootedGuests(root);

if (!process.argv.includes("--no-dist")) {
  const all = [...sources, ...tools, "package-lock.json", "tsconfig.build.json"];
  await part("command", "dist/cli/main.js", all, async () => {
    run("typescript/bin/tsc", ["-p", "tsconfig.build.json"]);
    rmSync(at("dist", "command"), { recursive: true, force: true });
    const { bundleCommand } = await import("./bundle-command.ts");
    await bundleCommand(root);
  });
  const started = [
    ...["bin/atoll.js", "dist/command/cli/main.cjs", "build/guest.snapshot"],
    ...["tools/command-code.ts", "tools/guest.ts"],
  ];
  await part("code", "dist/command/code", started, () => buildCommandCode(root));
  await part("library", "dist/browser/worker.js", all, async () => {
    const { buildLibrary } = await import("./build-web.ts");
    await buildLibrary();
  });
}
