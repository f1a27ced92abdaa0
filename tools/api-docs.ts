// Makes docs/api.md of the library's docstrings: `node tools/api-docs.ts`, or with --check to say whether it is up to date.
// (docs/decisions.md says why this is no TypeDoc.)

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Files with public names, and what heads their part. */
const FILES = [
  ["src/hosts/node/index.ts", "Making machines"],
  ["src/hosts/library/machine.ts", "Machine"],
  ["src/hosts/library/inspected-machine.ts", "Looking at machines"],
  ["src/hosts/library/console-streams.ts", "ConsoleStreams"],
  ["src/hosts/library/errors.ts", "AtollError"],
] as const;

export interface ApiMember {
  readonly file: string;
  readonly part: string;
  readonly name: string;
  /** As it is declared, without its body. */
  readonly signature: string;
  readonly text: string;
  readonly tags: readonly string[];
  readonly example: string | undefined;
  /** A class or a function, or a member of a class; not a type. */
  readonly isCallable: boolean;
}

/** Every public name: classes and their members, then types. */
export function apiMembers(): ApiMember[] {
  return [
    ...FILES.flatMap(([file, part]) => membersOf(file, part, readFileSync(join(root, file), "utf8"))),
    ...publicTypes(),
  ];
}

/** Where the library's names for types come together. */
const PUBLIC = "src/hosts/library/public.ts";

function publicTypes(): ApiMember[] {
  const exports = readFileSync(join(root, PUBLIC), "utf8").matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]*)"/gm);
  return [...exports].flatMap(([, names = "", from = ""]) => {
    const file = join(PUBLIC, "..", from);
    const source = readFileSync(join(root, file), "utf8");
    return names.split(",").flatMap((each) => {
      const name = each.replace(/\btype\b/, "").trim();
      const found = new RegExp(
        `((?:^/\\*\\*(?:(?!\\*/)[^])*\\*/\\n)?)^export ((?:interface ${name}\\b[^]*?^\\})|(?:type ${name} =[^]*?;$(?!\\n )))`,
        "m",
      ).exec(source);
      const [, comment = "", signature = ""] = found ?? [];
      // A class is among the files above.
      if (signature === "") return [];
      const text = comment
        .replace(/^\/\*\*|\*\/$/gm, "")
        .replace(/^ *\*? ?/gm, "")
        .trim();
      const part = "Types";
      return [{ file, part, name, signature, text, tags: [], example: undefined, isCallable: false }];
    });
  });
}

const DOCSTRING = /^( *)\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n([^\n]*)/gm;

function membersOf(file: string, part: string, source: string): ApiMember[] {
  const found: ApiMember[] = [];
  for (const [, indent = "", comment = "", line = ""] of source.matchAll(DOCSTRING)) {
    const isMember =
      indent === "  " && /^ {2}(?:readonly |static |get |async )*[a-z]\w*(?:<[^(]*>)?(?:\(|:| )/.test(line);
    const isExport = indent === "" && line.startsWith("export ") && !/^export (?:type|interface)\b/.test(line);
    if ((!isMember && !isExport) || /^\s*(?:#|private|protected|case)/.test(line)) continue;
    // Fields of interfaces and classes that are nobody's business.
    const body = comment.replace(/^ *\*? ?/gm, "").trim();
    if (body.includes("@internal") || /Access/.test(line)) continue;
    const [before = "", example] = body.split(/@example\n/);
    const [text = "", ...tags] = before.split(/(?=@(?:param|returns|throws)\b)/);
    const isInterfaceField = isMember && /;$/.test(line) && /^(?:interface|type)/.test(kindAround(source, comment));
    if (isInterfaceField) continue;
    found.push({
      ...{ file, part, text: text.trim(), tags: tags.map((tag) => tag.trim()), example: example?.trimEnd() },
      name:
        /(?:class|interface|type|const|function)\s+(\w+)/
          .exec(isExport ? line : "")?.[1]
          ?.replace("LibraryMachine", "Machine") ?? nameOf(line),
      signature: line
        .trim()
        .replace(/ ?[{;]?$/, "")
        .replace(/^export /, "")
        .replace("LibraryMachine", "Machine"),
      isCallable: isMember || /class|function/.test(line),
    });
  }
  return found;
}

/** Whether what is around a docstring is a class or an interface. */
function kindAround(source: string, comment: string): string {
  const before = source.slice(0, source.indexOf(comment));
  return [...before.matchAll(/^(?:export )?(?:abstract )?(class|interface|type)\b/gm)].at(-1)?.[1] ?? "";
}

const nameOf = (line: string): string => /^ *(?:readonly |static |get |async )*(\w+)/.exec(line)?.[1] ?? line.trim();

/** docs/api.md as it should be. */
export function apiDocument(): string {
  const lines = [
    "# API reference",
    "",
    "Made from the docstrings by `node tools/api-docs.ts`; each example is run as a test. `docs/library.md` is where to begin.",
    "In the examples, `Machine` and `AtollError` come from `atoll`, and `assert` from `node:assert/strict`.",
  ];
  let part = "";
  for (const member of apiMembers()) {
    if (member.part !== part) lines.push("", `## ${member.part}`);
    part = member.part;
    lines.push("", `### ${member.name}`, "", "```ts", member.signature, "```");
    if (member.text !== "") lines.push("", member.text.replace(/\n(?!\n)/g, " "));
    for (const tag of member.tags) {
      const [, kind, rest = ""] = /^@(\w+)\s*([\s\S]*)$/.exec(tag) ?? [];
      const label =
        kind === "param"
          ? `\`${rest.split(/\s/)[0]}\`: ${rest.split(/\s/).slice(1).join(" ")}`
          : `${kind === "throws" ? "Throws" : "Returns"}: ${rest}`;
      lines.push("", `- ${label.replace(/\s+/g, " ").trim()}`);
    }
    if (member.example) lines.push("", "```js", member.example, "```");
  }
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) {
  const path = join(root, "docs", "api.md");
  if (!process.argv.includes("--check")) writeFileSync(path, apiDocument());
  else if (readFileSync(path, "utf8") !== apiDocument()) {
    console.error("docs/api.md is not what the docstrings say: run node tools/api-docs.ts");
    process.exit(1);
  }
}
