import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { atoll, ROOT } from "../../test/support/atoll.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { RUN_OPTIONS } from "./run-options.ts";

const folder = mkdtempSync(join(tmpdir(), "atoll-cli-"));
after(() => rmSync(folder, { recursive: true }));
const missing = join(folder, "missing");
const empty = join(folder, "empty");
writeFileSync(empty, "");

const HELP = "lists what there is";
const BAD: readonly (readonly [readonly string[], string])[] = [
  [[], "give a command: atoll run boots a machine, atoll --help tells more"],
  [["begin"], `unknown command 'begin'; atoll --help ${HELP}`],
  [["run", "--kernle", "x"], `unknown option '--kernle' (Did you mean --kernel?); atoll run --help ${HELP}`],
  [["run", "--memory"], `option '--memory <SIZE>' argument missing; atoll run --help ${HELP}`],
  [["run", "--memory", "1\n2"], "--memory 1 2: give a number and K, M or G, such as 512M"],
  [["run", "Image"], `too many arguments for 'run'. Expected 0 arguments but got 1: Image; atoll run --help ${HELP}`],
  [["run", "--kernel", missing], `cannot read ${missing}: no such file`],
  [["run", "--kernel", folder], `cannot read ${folder}: it is a directory, name a file`],
  [["run", "--initrd", missing], `cannot read ${missing}: no such file`],
  [["run", "--dtb", missing], `cannot read ${missing}: no such file`],
  [["run", "--bios", missing], `cannot read ${missing}: no such file`],
  [["run", "--load", `${missing}@0x48000000`], `cannot read ${missing}: no such file`],
  [["run", "--disk", missing], `cannot write ${missing}: no such file`],
  [["run", "--disk", `${missing},readonly`], `cannot read ${missing}: no such file`],
  [
    ["run", "--disk", empty],
    `cannot use ${empty} as a disk: it is empty; atoll image create makes one, as truncate -s 1G FILE does`,
  ],
];

for (const [args, line] of BAD) {
  test(`atoll ${args.map((a) => a.replace(folder, "FOLDER")).join(" ")} fails in one line`, async () => {
    const { status, stdout, stderr } = await atoll(...args);
    assert.equal(stderr, `atoll: ${line}\n`);
    assert.equal(stdout, "");
    assert.equal(status, EXIT_STATUS.badInput);
  });
}

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const { status, stdout } = await atoll("--version");
  assert.equal(stdout, `${version}\n`);
  assert.equal(status, 0);
});

test("run --help lists every option and the keys", async () => {
  const { status, stdout } = await atoll("run", "--help");
  for (const { flags } of Object.values(RUN_OPTIONS)) assert.ok(stdout.includes(flags), flags);
  assert.match(stdout, /ctrl-a x/);
  assert.equal(status, 0);
});

test("docs/cli.md explains every option and every exit status", () => {
  const text = readFileSync(join(ROOT, "docs", "cli.md"), "utf8");
  for (const { flags } of Object.values(RUN_OPTIONS)) assert.ok(text.includes(`\`${flags}\``), flags);
  for (const status of Object.values(EXIT_STATUS)) assert.match(text, new RegExp(`^\\| ${status} `, "m"));
});

/** Runs the launcher on this Node, or on one that says it is version 20. */
function launch(args: readonly string[], old: boolean, environment: NodeJS.ProcessEnv = {}) {
  const pretend = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.0.0" } });';
  const before = old ? ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`] : [];
  const env = { ...process.env, ...environment };
  return spawnSync(process.execPath, [...before, join(ROOT, "bin", "atoll.js"), ...args], { encoding: "utf8", env });
}

test("the launcher runs the command and passes its exit status on", () => {
  const { status, stderr } = launch(["begin"], false);
  assert.equal(stderr, `atoll: unknown command 'begin'; atoll --help ${HELP}\n`);
  assert.equal(status, EXIT_STATUS.badInput);
});

test("on an old Node the launcher hands over to the packaged one", () => {
  const { status, stdout } = launch(["run", "--help"], true);
  assert.match(stdout, /--kernel <FILE>/);
  assert.equal(status, 0);
  assert.equal(launch(["begin"], true).status, EXIT_STATUS.badInput);
});

test("on an old Node without a packaged one the launcher says what is missing", () => {
  const { status, stderr } = launch(["run"], true, { ATOLL_HANDED_OVER: "1" });
  assert.match(stderr, /^atoll: needs Node.js 24 or later and this is \S+: install a newer one, [^\n]*\n$/);
  assert.equal(status, EXIT_STATUS.badInput);
});
