#!/usr/bin/env node
// Starts Atoll. Written for old versions of Node too, so that they either hand over to the newer Node that comes with the package,
// or say what is missing: no syntax later than Node 12's, no `node:` imports.
// biome-ignore-all lint/style/useNodejsImportProtocol: see above

import module from "module";

// Importing a module of Node's loads all that it would load when it is used.
const require = module.createRequire(import.meta.url);
const { existsSync, readFileSync, renameSync, writeFileSync } = require("fs");
const { dirname, join } = require("path");
const { fileURLToPath, pathToFileURL } = require("url");
const vm = require("vm");

const OLDEST_NODE = 24;
const script = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(script));

function fail(reason) {
  process.stderr.write(`atoll: ${reason}\n`);
  process.exit(2);
}

function start() {
  // V8's code is kept in a folder of the system's for temporary files.
  if (module.enableCompileCache) module.enableCompileCache();
  const bundle = join(packageRoot, "dist", "command", "cli", "main.cjs");
  if (existsSync(bundle)) return startBundle(bundle);
  // A source checkout that was not built runs as it is: Node strips the types.
  const main = [
    ["dist", "cli", "main.js"],
    ["src", "cli", "main.ts"],
  ]
    .map((parts) => join(packageRoot, ...parts))
    .find((path) => existsSync(path));
  if (main === undefined) fail("the package is incomplete: run npm ci again");
  return import(pathToFileURL(main).href);
}

/** Milliseconds after which what a start needs has run. */
const STARTED = 1500;

/**
 * Runs the command with the code that V8 has made of it in an earlier run. Node's own cache has no function that is compiled when it is first
 * called, and all of these took a quarter of the time until a guest's prompt.
 */
function startBundle(path) {
  const source = readFileSync(path, "latin1");
  const folder = module.getCompileCacheDir ? module.getCompileCacheDir() : undefined;
  // The first line is a hash of the others: V8 compares no more than the length.
  // Each verb has its own: what another one has called is no help.
  const verb = /^[a-z]{1,12}$/.test(process.argv[2]) ? `-${process.argv[2]}` : "";
  const cache = folder && join(folder, `atoll-${source.slice(2, source.indexOf("\n"))}${verb}`);
  let cachedData;
  try {
    if (cache) cachedData = readFileSync(cache);
  } catch (_) {
    // There will be one.
  }
  const script = new vm.Script(source, {
    filename: path,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const bundle = { exports: {} };
  if (cache && (cachedData === undefined || script.cachedDataRejected)) {
    let kept = false;
    const keep = () => {
      if (kept) return;
      kept = true;
      try {
        const temporary = `${cache}.${process.pid}`;
        writeFileSync(
          temporary,
          bundle.exports.withStartFlags(() => script.createCachedData()),
        );
        renameSync(temporary, cache);
      } catch (_) {
        // The next start takes as long as this one.
      }
    };
    setTimeout(keep, STARTED).unref();
    // What was refused has not done what the verb does.
    process.on("exit", (status) => {
      if (status === 0) keep();
    });
  }
  script.runInThisContext()(bundle.exports, module.createRequire(path), bundle, path, dirname(path));
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
