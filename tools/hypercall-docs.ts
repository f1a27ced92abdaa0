// Makes the table of docs/hypercalls.md of the calls' definition: `node tools/hypercall-docs.ts`, or with --check to say whether it is up to date.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HYPERCALLS, type Hypercall, type RegisterUse } from "../src/hypervisor/hypercalls/functions.ts";

const PATH = join(import.meta.dirname, "..", "docs", "hypercalls.md");
const BEGIN = "<!-- made by tools/hypercall-docs.ts -->\n";
const END = "<!-- end -->\n";

const registers = (uses: readonly RegisterUse[]): string =>
  uses.map(([n, what]) => `X${n}: ${what}`).join("<br>") || "-";

/** The table, of the definition. */
export function hypercallTable(): string {
  const calls = Object.entries<Hypercall>(HYPERCALLS);
  const rows = calls.map(
    ([name, call]) =>
      `| ${name} | 0x${call.id.toString(16)} | ${call.does} | ${registers(call.arguments)} | ${registers(call.results)} | ${call.since} |\n`,
  );
  return `| call | X0 | what it does | arguments | results | since |\n| --- | --- | --- | --- | --- | --- |\n${rows.join("")}`;
}

/** docs/hypercalls.md as it should be, of what it is. @throws Error when it has no place for the table. */
export function hypercallDocument(text: string): string {
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error("docs/hypercalls.md has no place for its table");
  return `${before}${BEGIN}${hypercallTable()}${END}${after}`;
}

if (import.meta.main) {
  const text = readFileSync(PATH, "utf8");
  if (!process.argv.includes("--check")) writeFileSync(PATH, hypercallDocument(text));
  else if (text !== hypercallDocument(text)) {
    console.error("docs/hypercalls.md is not what the definition says: run node tools/hypercall-docs.ts");
    process.exit(1);
  }
}
