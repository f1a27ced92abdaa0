#!/usr/bin/env node
// Starts Atoll. Written for old versions of Node too, so that they either hand over to the newer Node that comes with the package,
// or say what is missing: no syntax later than Node 12's, no `node:` imports.
// biome-ignore-all lint/style/useNodejsImportProtocol: see above

import { existsSync } from "fs";
import module from "module";
import { dirname, join } from "path";
import { fileURLToPath, pathToFileURL } from "url";
import { setFlagsFromString } from "v8";

const OLDEST_NODE = 24;
/** After which most of what a command consists of has run once. */
const FLUSH_MILLISECONDS = 3000;
const script = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(script));

function fail(reason) {
  process.stderr.write(`atoll: ${reason}\n`);
  process.exit(2);
}

function start() {
  // The heap's space for new objects grows while the command is loaded, and from the event loop's first turn on it stays as it is: it would
  // grow to 32 MB while the guest boots, and never shrink.
  setTimeout(() => setFlagsFromString("--semi-space-growth-factor=1"), 0);
  // That of the thread that translates is larger from the start: a region leaves 1 MB of garbage.
  setFlagsFromString("--min-semi-space-size=4");
  // No function of WebAssembly is inlined into another one: of what is translated nothing could be, and code that is not optimized yet
  // is slower where it counts its calls for that.
  setFlagsFromString("--no-wasm-inlining");
  setFlagsFromString("--no-wasm-inlining-call-indirect");
  // V8's code is kept in a folder of the system's for temporary files: now, since a command may be killed.
  if (module.enableCompileCache) module.enableCompileCache();
  if (module.flushCompileCache) setTimeout(() => module.flushCompileCache(), FLUSH_MILLISECONDS).unref();
  // A source checkout that was not built runs as it is: Node strips the types.
  const main = [
    ["dist", "command", "cli", "main.js"],
    ["dist", "cli", "main.js"],
    ["src", "cli", "main.ts"],
  ]
    .map((parts) => join(packageRoot, ...parts))
    .find((path) => existsSync(path));
  if (main === undefined) fail("the package is incomplete: run npm ci again");
  return import(pathToFileURL(main).href);
}

/** The Node of the npm package `node`: a dependency, so in our node_modules or, hoisted, beside us. */
function packagedNode() {
  const program = process.platform === "win32" ? "node.exe" : "node";
  return [join(packageRoot, "node_modules"), dirname(packageRoot)]
    .map((modules) => join(modules, "node", "bin", program))
    .find((path) => existsSync(path));
}

/** Runs the same command with another Node; its exit status or signal becomes ours. */
async function handOver(program) {
  const { spawn } = await import("child_process");
  const child = spawn(program, [script].concat(process.argv.slice(2)), {
    stdio: "inherit",
    env: Object.assign({}, process.env, { ATOLL_HANDED_OVER: "1" }),
  });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`cannot start ${program}: ${error.message}`));
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status);
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  });
}

if (parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  start();
} else {
  // The variable ends a loop in which the packaged Node is too old as well.
  const newer = process.env.ATOLL_HANDED_OVER ? undefined : packagedNode();
  if (newer !== undefined) handOver(newer);
  else {
    fail(
      `needs Node.js ${OLDEST_NODE} or later and this is ${process.version}: ` +
        "install a newer one, or run npm ci again to get the one that comes with Atoll",
    );
  }
}
