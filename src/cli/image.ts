// `atoll image`: makes, shows, checks, changes and converts disk images. Names of options are qemu-img's.

import type { Command } from "commander";
import { BadInput } from "../machine/runnable.ts";
import { bytes, format, writableFormat } from "./image-options.ts";
import { declareOptions, type OptionRows, type Parsed, readOptions } from "./option.ts";
import { file, text } from "./option-values.ts";

const FORMAT = {
  kind: "value",
  flags: "-f, --format <FORMAT>",
  parse: format,
  help: "format; found out otherwise",
} as const;
const OPTIONS = {
  kind: "list",
  flags: "-o, --options <NAME=VALUE>",
  parse: text,
  help: "properties of a qcow2 image",
} as const;
const FORCE = { kind: "flag", flags: "--force", help: "replace the file where there is one" } as const;
const JSON_OUTPUT = { kind: "flag", flags: "--json", help: "print JSON" } as const;
const PROGRESS = {
  kind: "flag",
  flags: "-p, --progress",
  help: "show progress, although stderr is no terminal",
} as const;

export const IMAGE_OPTIONS = {
  create: {
    format: {
      kind: "value",
      flags: "-f, --format <FORMAT>",
      parse: writableFormat,
      help: "raw or qcow2",
      default: "raw",
    },
    options: OPTIONS,
    backing: { kind: "value", flags: "-b, --backing <FILE>", parse: file, help: "image under the new one" },
    backingFormat: { kind: "value", flags: "-F, --backing-format <FORMAT>", parse: format, help: "its format" },
    force: FORCE,
  },
  info: {
    format: FORMAT,
    chain: { kind: "flag", flags: "--backing-chain", help: "show what is under the image, too" },
    json: JSON_OUTPUT,
  },
  check: {
    format: FORMAT,
    repair: { kind: "flag", flags: "--repair", help: "put right what can be" },
    json: JSON_OUTPUT,
  },
  resize: {
    format: FORMAT,
    shrink: { kind: "flag", flags: "--shrink", help: "the disk may become smaller, and lose what is behind its end" },
  },
  convert: {
    format: FORMAT,
    output: {
      kind: "value",
      flags: "-O, --output <FORMAT>",
      parse: writableFormat,
      help: "raw or qcow2",
      default: "raw",
    },
    options: OPTIONS,
    compress: { kind: "flag", flags: "-c, --compress", help: "compress the clusters of a qcow2 image" },
    snapshot: { kind: "value", flags: "-l, --snapshot <NAME>", parse: text, help: "convert this internal snapshot" },
    progress: PROGRESS,
    limit: {
      kind: "value",
      flags: "--limit <SIZE>",
      parse: bytes,
      help: "most that a compressed raw image may become",
      default: "256G",
    },
    force: FORCE,
  },
  snapshot: {
    list: { kind: "flag", flags: "-l, --list", help: "list the internal snapshots" },
    create: { kind: "value", flags: "-c, --create <NAME>", parse: text, help: "make one" },
    apply: { kind: "value", flags: "-a, --apply <NAME>", parse: text, help: "make the disk what it was then" },
    delete: { kind: "value", flags: "-d, --delete <NAME>", parse: text, help: "delete one" },
    json: JSON_OUTPUT,
  },
} satisfies Readonly<Record<string, OptionRows>>;

export type ImageOptions<Verb extends keyof typeof IMAGE_OPTIONS> = Parsed<(typeof IMAGE_OPTIONS)[Verb]>;

export function declareImage(program: Command, done: (status: number) => void): void {
  const image = program
    .command("image")
    .summary("make, check, change and convert disk images")
    .description(
      "Makes, shows, checks, changes and converts disk images: raw, qcow2, and for reading VMDK, VDI and VHDX.",
    )
    .helpCommand(false);
  // Without one of its verbs.
  image.action(() => {
    throw new BadInput("give create, info, check, resize, convert or snapshot; atoll image --help tells more");
  });
  // What a verb does is loaded with it: a machine starts sooner without.
  const verb = <V extends keyof typeof IMAGE_OPTIONS>(
    name: V,
    args: string,
    description: string,
    load: () => Promise<(options: ImageOptions<V>, ...args: [string, string]) => number | Promise<number>>,
  ): void => {
    const command = image.command(`${name} ${args}`).description(description);
    declareOptions(command, IMAGE_OPTIONS[name]);
    command.action(async (...given: unknown[]) => {
      // Commander gives the arguments, the options and the command.
      const options = readOptions(IMAGE_OPTIONS[name], given.at(-2) as Record<string, unknown>) as ImageOptions<V>;
      const action = await load();
      done(await action(options, ...(given.slice(0, -2) as [string, string])));
    });
  };
  verb(
    "create",
    "<FILE> [SIZE]",
    "Makes an image whose disk is all zeros, or what its backing file is.",
    async () => (await import("./image-create.ts")).create,
  );
  verb(
    "info",
    "<FILE>",
    "Shows what an image is. Needs nobody's permission: a machine may be using it.",
    async () => (await import("./image-info.ts")).info,
  );
  verb(
    "check",
    "<FILE>",
    "Checks a qcow2 image. Status 5: data may be lost; 6: only space is.",
    async () => (await import("./image-check.ts")).check,
  );
  verb(
    "resize",
    "<FILE> <SIZE>",
    "Makes the disk larger or smaller: SIZE, +SIZE or -SIZE.",
    async () => (await import("./image-resize.ts")).resize,
  );
  verb(
    "convert",
    "<SOURCE> <TARGET>",
    "Copies a disk into a new image, leaving out zeros.",
    async () => (await import("./image-convert.ts")).convert,
  );
  verb(
    "snapshot",
    "<FILE>",
    "Lists, makes, goes back to or deletes internal snapshots of a qcow2 image.",
    async () => (await import("./image-snapshot.ts")).snapshot,
  );
}
