// The ways of a trap, a page and an interrupt in docs/hypervisor.md name functions: they are there, in the files that are named.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/atoll.ts";

const WAYS = ["A trap's way", "A page's way", "An interrupt's way"];
const sources = globSync("src/{base,bus,cpu,devices,hypervisor,machine}/**/*.ts", { cwd: ROOT })
  .filter((path) => !path.endsWith(".test.ts"))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

/** The diagram below a heading: its lines are indented. */
function diagram(heading: string): string {
  const text = readFileSync(join(ROOT, "docs", "hypervisor.md"), "utf8");
  const [, section = ""] = text.split(`## ${heading}\n`);
  const lines = section.split(/^##+ /m)[0]?.split("\n") ?? [];
  return lines.filter((line) => line.startsWith("    ")).join("\n");
}

/** Classes' sources by name. */
const classes = new Map(
  sources.flatMap(({ text }) =>
    [...text.matchAll(/^export class (\w+)/gm)].map(({ index, 1: name = "" }) => [
      name,
      text.slice(index, text.indexOf("\n}\n", index)),
    ]),
  ),
);

for (const heading of WAYS) {
  test(`${heading}: each function and file that it names is there`, () => {
    const text = diagram(heading);
    const methods = [...text.matchAll(/\b([A-Z]\w+)\.(#?\w+)\(\)/g)];
    const functions = [...text.matchAll(/(?<![.\w#])([a-z]\w+)\(\)/g)];
    assert.ok(methods.length >= 6, `${methods.length}`);
    for (const [, owner = "", method = ""] of methods) {
      assert.ok(classes.has(owner), `there is no class ${owner}`);
      assert.match(classes.get(owner) ?? "", new RegExp(`^  ${method}\\(`, "m"), `${owner} has no ${method}`);
    }
    for (const [, name] of functions) {
      const declared = new RegExp(`^export function ${name}\\b`, "m");
      assert.ok(
        sources.some((source) => declared.test(source.text)),
        `there is no function ${name}`,
      );
    }
    for (const [file] of text.matchAll(/[\w-]+(?:\/[\w-]+)*\.ts/g))
      assert.ok(
        sources.some(({ path }) => path.endsWith(`/${file}`)),
        `there is no file ${file}`,
      );
  });
}
