#!/usr/bin/env node
// Starts Atoll. Written for old versions of Node too, so that they either hand over to the newer Node that comes with the package,
// or say what is missing: no syntax later than Node 12's, no `node:` modules. CommonJS (package.json beside this), which they load sooner.
// biome-ignore-all lint/style/useNodejsImportProtocol: see above

const {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} = require("fs");
const modules = require("module");
const { homedir } = require("os");
const { dirname, isAbsolute, join } = require("path");
const { pathToFileURL } = require("url");
const vm = require("vm");

const OLDEST_NODE = 24;
const packageRoot = dirname(__dirname);

function fail(reason) {
  process.stderr.write(`atoll: ${reason}\n`);
  process.exit(2);
}

/**
 * Where the command keeps things (src/hosts/node/kept-regions-file.ts, which cannot be imported here); undefined: nowhere. Node would keep V8's code
 * in the system's folder for temporary files, where others can put code of theirs before we come.
 */
function cacheFolder() {
  const { ATOLL_CACHE, XDG_CACHE_HOME } = process.env;
  if (ATOLL_CACHE !== undefined) return ATOLL_CACHE || undefined;
  return join(XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), ".cache"), "atoll");
}

/** Has V8's code of modules kept for the next start. @returns where; undefined: nowhere. */
function keepCode() {
  const folder = cacheFolder();
  if (folder === undefined || !modules.enableCompileCache) return undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    modules.enableCompileCache(join(folder, "code"));
    return modules.getCompileCacheDir();
  } catch (_) {
    return undefined;
  }
}

function start() {
  const kept = keepCode();
  const bundle = join(packageRoot, "dist", "command", "cli", "main.cjs");
  if (existsSync(bundle)) return startBundle(bundle, kept);
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
/** Milliseconds after which kept code is removed when other code is kept: 30 days. */
const KEPT = 30 * 86400e3;

function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch (_) {
    return undefined;
  }
}

/** Removes what older versions have kept. */
function removeOld(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > KEPT) unlinkSync(path);
  }
}

/**
 * Runs the command with the code that V8 has made of it: in an earlier run, or when the package was built (tools/command-code.ts), for the Node that
 * comes with it. Node's own cache has no function that is compiled when it is first called, and all of these took a quarter of the time until a
 * guest's prompt.
 * @param folder where code is kept; undefined: nowhere.
 */
function startBundle(path, folder) {
  const source = readFileSync(path, "latin1");
  // The first line is a hash of the others: V8 compares no more than the length.
  // Each verb has its own: what another one has called is no help.
  const verb = /^[a-z]{1,12}$/.test(process.argv[2]) ? process.argv[2] : "";
  const name = [source.slice(2, source.indexOf("\n")), verb, process.versions.v8, process.arch].join("-");
  const cache = folder && join(folder, name);
  const cachedData = (cache && readIfThere(cache)) || readIfThere(join(packageRoot, "dist", "command", "code", name));
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
        removeOld(folder);
      } catch (_) {
        // The next start takes as long as this one.
      }
    };
    // When the package is built, what is run is to be in it to its end.
    if (process.env.ATOLL_CODE !== "whole") setTimeout(keep, STARTED).unref();
    // What was refused has not done what the verb does; what was interrupted has.
    process.on("exit", (status) => {
      if (status === 0 || status === 130) keep();
    });
  }
  script.runInThisContext()(bundle.exports, modules.createRequire(path), bundle, path, dirname(path));
}

/** The Node of the npm package `node`: a dependency, so in our node_modules or, hoisted, beside us. */
function packagedNode() {
  const program = process.platform === "win32" ? "node.exe" : "node";
  return [join(packageRoot, "node_modules"), dirname(packageRoot)]
    .map((modules) => join(modules, "node", "bin", program))
    .find((path) => existsSync(path));
}

/** Runs the same command with another Node; its exit status or signal becomes ours. */
function handOver(program) {
  const { spawn } = require("child_process");
  const child = spawn(program, [__filename].concat(process.argv.slice(2)), {
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
