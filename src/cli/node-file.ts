// The file of `atoll up`: YAML. A domain's fields are the options of `atoll create` (a value is written as on the command line, or as
// its fields), and those of src/contract/domain.ts. What is wrong is told with its line.

import { dirname, resolve } from "node:path";
import * as YAML from "yaml";
import type * as z from "zod";
import { MAX_CHANNEL, MIN_CHANNEL } from "../contract/limits.ts";
import { type NodeFile, nodeFile } from "../contract/node.ts";
import { mapPaths } from "../contract/paths.ts";
import { load } from "../hosts/node/files.ts";
import { BadInput } from "../machine/runnable.ts";
import { definitionRows } from "./create.ts";
import { domainVsock } from "./device-values.ts";
import { domainNet } from "./network-values.ts";
import type { ListRow, ValueRow } from "./option.ts";
import { size } from "./option-values.ts";

/** Bytes: nobody writes more by hand, and aliases do not multiply what there is. */
const FILE_MAX = 2 ** 20;
const ALIASES_MAX = 100;

const CHANNEL_SIZE: ValueRow<number> = {
  ...{ kind: "value", flags: "size", help: "" },
  parse: size(MIN_CHANNEL, MAX_CHANNEL),
};

type Path = readonly (string | number)[];

/** @returns what the file describes; its paths are absolute. @throws BadInput that says where in the file what is wrong. */
export function loadNodeFile(name: string): NodeFile {
  const file = readNodeFile(new TextDecoder().decode(load(name, FILE_MAX).bytes), name);
  const folder = dirname(resolve(name));
  return {
    ...file,
    domains: Object.fromEntries(
      Object.entries(file.domains).map(([domain, definition]) => [
        domain,
        mapPaths(definition, (path) => resolve(folder, path)),
      ]),
    ),
  };
}

/** @param name of the file, for messages. @throws BadInput */
export function readNodeFile(text: string, name: string): NodeFile {
  const lines = new YAML.LineCounter();
  const document = YAML.parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: "error",
  });
  const fail = (message: string, offset: number | undefined): BadInput => {
    const line = offset === undefined ? "" : `:${lines.linePos(offset).line}`;
    return new BadInput(`${name}${line}: ${message.split("\n")[0]}`);
  };
  const [problem] = document.errors;
  if (problem !== undefined) throw fail(problem.message, problem.pos[0]);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error), undefined);
  }
  const wrong = (message: string, path: Path): BadInput =>
    fail(path.length === 0 ? message : `${path.join(".")}: ${message}`, offsetOf(document, path));
  if (!isMapping(value)) throw wrong("give domains: and, below it, each domain by its name", []);
  const checked = nodeFile.safeParse(withOptionsRead(value, wrong));
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  if (unknown !== undefined) throw wrong("there is no such field", [...((issue?.path ?? []) as Path), unknown]);
  throw wrong(issue === undefined ? "this is not understood" : messageOf(issue), (issue?.path ?? []) as Path);
}

/** What is wanted, in YAML's words. */
const KINDS: Readonly<Record<string, string>> = {
  record: "a mapping",
  object: "a mapping",
  array: "a list",
  number: "a number",
  int: "a whole number",
  string: "a text",
  boolean: "true or false",
};

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  const kind = issue.code === "invalid_type" ? KINDS[issue.expected] : undefined;
  return kind === undefined ? issue.message : `give ${kind}`;
}

/** Texts where an option's value belongs are read as that option's. */
function withOptionsRead(
  file: Readonly<Record<string, unknown>>,
  wrong: (message: string, path: Path) => BadInput,
): unknown {
  const options = definitionRows();
  const rows = {
    ...options,
    net: { ...options.net, parse: domainNet },
    vsock: { ...options.vsock, parse: domainVsock },
  };
  const read = (row: ValueRow<unknown> | ListRow<unknown>, value: unknown, path: Path): unknown => {
    if (typeof value !== "string" && typeof value !== "number") return value;
    try {
      return row.parse(String(value));
    } catch (error) {
      if (error instanceof BadInput) throw wrong(error.message, path);
      throw error;
    }
  };
  const { memory } = rows;
  const node = isMapping(file.node)
    ? { ...file.node, ...("memory" in file.node ? { memory: read(memory, file.node.memory, ["node", "memory"]) } : {}) }
    : file.node;
  const channels = isMapping(file.channels)
    ? Object.fromEntries(
        Object.entries(file.channels).map(([name, channel]): [string, unknown] => {
          if (!isMapping(channel)) return [name, channel];
          return [name, { ...channel, size: read(CHANNEL_SIZE, channel.size, ["channels", name, "size"]) }];
        }),
      )
    : file.channels;
  const rest = { ...file, ...(node === undefined ? {} : { node }), ...(channels === undefined ? {} : { channels }) };
  if (!isMapping(file.domains)) return rest;
  const domains = Object.entries(file.domains).map(([name, domain]): [string, unknown] => {
    // All of its fields have defaults.
    if (domain === null) return [name, {}];
    if (!isMapping(domain)) return [name, domain];
    const fields = Object.entries(domain).map(([key, value]): [string, unknown] => {
      const row = Object.hasOwn(rows, key) ? rows[key as keyof typeof rows] : undefined;
      const path = ["domains", name, key];
      if (row === undefined || row.kind === "flag") return [key, value];
      if (row.kind === "value") return [key, read(row, value, path)];
      // One that stands alone needs no list around it.
      if (!Array.isArray(value)) return [key, [read(row, value, path)]];
      return [key, value.map((each: unknown, index) => read(row, each, [...path, index]))];
    });
    return [name, Object.fromEntries(fields)];
  });
  return { ...rest, domains: Object.fromEntries(domains) };
}

/** Where in the text the node of a path begins, or the closest one around it that is there. */
function offsetOf(document: YAML.Document.Parsed, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const key = path[length - 1];
    if (YAML.isMap(parent)) {
      const pair = parent.items.find(({ key: each }) => YAML.isScalar(each) && String(each.value) === String(key));
      if (pair !== undefined) return (pair.key as YAML.Scalar).range?.[0];
    } else if (YAML.isSeq(parent)) {
      const item: unknown = parent.items[key as number];
      if (YAML.isNode(item)) return item.range?.[0];
    }
  }
  return document.contents?.range?.[0] ?? 0;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
