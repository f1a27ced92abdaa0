// What a machine of the library is made of: the definition that the command line and the HTTP API have, too (contract/definition.ts), with
// files that need be no paths.

import * as z from "zod";
import {
  disk as diskDefinition,
  load,
  machineDefinition,
  net,
  nets,
  serialPort,
  share,
  vsock,
} from "../../contract/definition.ts";
import { DEFAULT_MEMORY } from "../../contract/limits.ts";
import { PORTS_MAX } from "../../devices/virtio/console/ports.ts";
import { TRACE_KINDS } from "../../machine/trace/options.ts";
import { AtollError } from "./errors.ts";

const UNITS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const;

function bytesOf(text: string): number {
  const [, digits = "", unit = "M"] = /^(\d{1,12})([KMG])$/i.exec(text) ?? [];
  return digits === "" ? Number.NaN : Number(digits) * UNITS[unit.toUpperCase() as keyof typeof UNITS];
}

/** Bytes, or a number with K, M or G. */
const memory = z
  .union([z.string().transform(bytesOf), z.number()], "give bytes, or a size such as 512M")
  .pipe(machineDefinition.shape.memory.unwrap())
  .default(DEFAULT_MEMORY);

const isBinary = (value: unknown): value is Blob | ArrayBuffer | Uint8Array =>
  value instanceof Uint8Array || value instanceof ArrayBuffer || value instanceof Blob;

const opfs = z.strictObject({ opfs: z.string().regex(/^[^/\0]{1,200}$/, "give a name without /") });

/** A whole file. Strings are paths (Node) or URLs, relative to the page in a browser; `opfs` names one that the browser keeps for the site. */
export type Source = string | URL | Blob | ArrayBuffer | Uint8Array | { readonly opfs: string };

const source: z.ZodType<Source, Source> = z.union(
  [z.string().min(1), z.custom<Blob | ArrayBuffer | Uint8Array>(isBinary), z.instanceof(URL), opfs],
  { error: "give a path or URL, a Blob, an ArrayBuffer, a Uint8Array, or { opfs: name }" },
);

/** A directory handle of the File System Access API, where the library is in a browser. */
export interface DirectoryHandle {
  readonly kind: "directory";
  readonly name: string;
}

const isDirectory = (value: unknown): value is DirectoryHandle =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "directory";

const relay = z.strictObject({
  kind: z.literal("relay"),
  url: z.string().regex(/^wss?:\/\//, "give a URL such as wss://host:port"),
  token: z
    .string()
    .regex(/^[\w-]*$/)
    .optional(),
});

const disk = diskDefinition.extend({
  file: source,
  changes: opfs.optional().describe("Where what is written is kept, beside an image that stays as it is"),
});

const trace = z.strictObject({
  kinds: z.array(z.enum(TRACE_KINDS)).min(1),
  levels: z.array(z.int().min(0).max(3)).default([]),
  cpus: z.array(z.int().min(0)).default([]),
});

const size = z.int().min(1).max(999);

/** What `Machine.create` takes; every field has a default. */
const machineConfiguration = machineDefinition.extend({
  memory,
  kernel: source.optional(),
  initrd: source.optional(),
  dtb: source.optional(),
  bios: source.optional(),
  load: z
    .array(load.extend({ file: source }))
    .readonly()
    .default([]),
  disk: z.array(disk).readonly().default([]),
  net: nets(z.discriminatedUnion("kind", [...net.options, relay])),
  share: z
    .array(
      share.extend({
        folder: z.union([z.string().min(1), z.custom<DirectoryHandle>(isDirectory)], {
          error: "give a path (Node), or a directory handle (browsers)",
        }),
      }),
    )
    .readonly()
    .default([]),
  serialPort: z
    .array(
      z.discriminatedUnion("kind", [serialPort, serialPort.omit({ path: true }).extend({ kind: z.literal("stream") })]),
    )
    .max(PORTS_MAX)
    .readonly()
    .default([])
    .refine(
      (ports) => new Set(ports.map(({ name }) => name)).size === ports.length,
      "give each port a name of its own",
    ),
  vsock: vsock.partial({ path: true }).optional(),
  // VNC is the command line's: here the display is for whoever has the machine.
  display: z.strictObject({}).optional(),
  tier: z.enum(["auto", "interpreter", "translator"]).default("auto"),
  consoleSize: z.strictObject({ columns: size, rows: size }).optional(),
  boot: z
    .boolean()
    .default(false)
    .describe("Boots the embedded guest, in place of starting from the snapshot of the booted one"),
  measure: z.enum(["tiers", "stacks"]).optional(),
  trace: trace.optional(),
});

/** What a machine is made of. Every field has a default; docs/library.md says what each means, and on which hosts it is there. */
export interface MachineConfiguration extends z.input<typeof machineConfiguration> {}
/** With every default filled in. */
export type CheckedConfiguration = Readonly<z.output<typeof machineConfiguration>>;
export type DiskConfiguration = Readonly<z.output<typeof disk>>;

/** @throws AtollError ("configuration") that names the first field that is wrong. */
export function checkConfiguration(configuration: unknown): CheckedConfiguration {
  const result = machineConfiguration.safeParse(configuration);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("") ?? "";
  throw new AtollError("configuration", `${path === "" ? "configuration" : path.slice(1)}: ${issue?.message}`);
}
