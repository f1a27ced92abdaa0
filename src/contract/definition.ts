// What a machine is made of, as its owner defines it: what the options of `atoll run` and `atoll create` give, what the state store keeps,
// and what a request to create a machine says. Values are JSON.

import * as z from "zod";
import { utf8 } from "../base/text.ts";
import {
  CID_MAX,
  CID_MIN,
  CPU_MODELS,
  DEFAULT_MEMORY,
  DISK_FORMATS,
  DISK_SERIAL,
  INTERFACE_NAME,
  MAC_ADDRESS,
  MACHINE_NAME,
  MAX_CPUS,
  MAX_DISK,
  MAX_MEMORY,
  MAX_NETWORKS,
  MIN_DISK,
  MIN_MEMORY,
  SERIAL_PORT_NAME,
  SWITCH_NAME,
  TAG_MAX,
  VNC_PASSWORD,
  WATCHDOG_ACTIONS,
} from "./limits.ts";
import { type AnyNet, netProblems } from "./net-problems.ts";

const NUL = "\0";

/** A path on the computer that the machine runs on. */
export const path = z
  .string()
  .min(1, "give the name of a file")
  .max(4096)
  .refine((name) => !name.includes(NUL), "a name of a file has no NUL");
const port = z.int().min(1).max(65535);
/** IPv4 or IPv6. */
const address = z.union([z.ipv4(), z.ipv6()], "give an IPv4 or IPv6 address");
const mac = z.string().regex(MAC_ADDRESS, "give a mac such as 52:54:00:12:34:56, its first byte even").optional();
const diskSerial = z
  .string()
  .regex(DISK_SERIAL, "give a serial of at most 20 letters, digits and signs")
  .optional()
  .describe("Serial number, as the guest sees it");

export const machineName = z
  .string()
  .regex(MACHINE_NAME, "give a name of at most 63 lower-case letters, digits and hyphens, no hyphen first or last");

export const disk = z.strictObject({
  file: path,
  format: z.enum(DISK_FORMATS).optional().describe("Found out where it is not given"),
  readOnly: z.boolean().default(false),
  snapshot: z.boolean().default(false).describe("What is written goes to a temporary file, and is gone at the end"),
  serial: diskSerial,
});

/** A disk that is to be made, and belongs to its machine. */
export const newDisk = z.strictObject({
  bytes: z.int().min(MIN_DISK).max(MAX_DISK).multipleOf(MIN_DISK).describe("Size, in whole sectors of 512 bytes"),
  serial: diskSerial,
});

export const board = z.strictObject({
  gicVersion: z.union([z.literal(2), z.literal(3)]).default(3),
  virtualization: z.boolean().default(false).describe("EL2 for the guest"),
  secure: z.boolean().default(false).describe("EL3 and Secure state for the guest"),
});

/** Of a network of a node. */
export const isolationGroup = z
  .string()
  .regex(SWITCH_NAME, "give an isolation group a name of at most 32 letters, digits, -, _ and .");

const capture = path.optional().describe("A file for the frames, in pcap's format");

const tapDevice = z
  .union([z.int().min(0), z.string().regex(/^\/./), z.string().regex(INTERFACE_NAME)])
  .describe("A file descriptor that the process has, the path of a macvtap device, or the name of a TAP interface");

export const net = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("user"), mac, dns: z.strictObject({ address, port }).optional(), capture }),
  z.strictObject({ kind: z.literal("switch"), name: z.string().regex(SWITCH_NAME), mac, capture }),
  z.strictObject({ kind: z.literal("tap"), device: tapDevice, vnetHeader: z.boolean().optional(), mac, capture }),
]);

/** An interface of a domain on a network of its node. */
export const nodeNet = z.strictObject({
  kind: z.literal("network"),
  name: z.string().regex(SWITCH_NAME),
  isolation: isolationGroup.optional().describe("Members of a group do not reach each other, but all others"),
  anyMac: z.boolean().default(false).describe("It may send from addresses that are not its own"),
  ...{ mac, capture },
});

/** A machine's interfaces, each of which is one of `kinds`; one that stands alone needs no list around it. */
export function nets<Kind extends z.ZodType<AnyNet>>(
  kinds: Kind,
): z.ZodDefault<z.ZodType<readonly z.output<Kind>[], z.input<Kind> | readonly z.input<Kind>[]>> {
  const list = z
    .array(kinds)
    .max(MAX_NETWORKS)
    .superRefine((value, context) => {
      for (const { index, message } of netProblems(value)) context.addIssue({ code: "custom", path: [index], message });
    })
    .readonly();
  const listed = (value: unknown): unknown => (isMapping(value) ? [value] : value);
  const schema = z.preprocess(listed, list) as z.ZodType as z.ZodType<
    readonly z.output<Kind>[],
    z.input<Kind> | readonly z.input<Kind>[]
  >;
  return schema.default([]);
}

const isMapping = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

export const publication = z.strictObject({
  protocol: z.enum(["tcp", "udp"]).default("tcp"),
  address: address.default("127.0.0.1"),
  port: port.describe("Of this computer"),
  guestPort: port,
});

export const share = z.strictObject({
  folder: path,
  tag: z
    .string()
    .regex(/^[^:,/]+$/)
    .refine((tag) => utf8(tag).length <= TAG_MAX, `give a tag of at most ${TAG_MAX} bytes`)
    .describe("By which the guest mounts it"),
  readOnly: z.boolean().default(false),
});

export const vsock = z.strictObject({
  path: path.describe(
    "Of the Unix socket where connections to the guest begin; with _PORT after it, where the guest's end",
  ),
  cid: z.int().min(CID_MIN).max(CID_MAX).default(CID_MIN),
});

export const serialPort = z.strictObject({
  name: z.string().regex(SERIAL_PORT_NAME).describe("By which the guest finds it"),
  kind: z.enum(["socket", "file"]),
  path,
});

export const display = z.strictObject({
  vnc: z
    .strictObject({ host: z.string().min(1).max(255), port: z.int().min(0).max(65535) })
    .optional()
    .describe("Where VNC viewers connect; without it nobody sees the display. Port 0: any that is free"),
  password: z.string().regex(VNC_PASSWORD, "give a password of 1 to 8 ASCII characters").optional(),
  passwordFile: path.optional().describe("Its first line is the password"),
});

export const load = z.strictObject({ file: path, address: z.int().min(0) });

const MEMORY_RANGE = `give ${MIN_MEMORY / 2 ** 20} MiB to ${MAX_MEMORY / 2 ** 30} GiB`;

/** The names of its fields are those of `atoll run`'s options. */
export const machineDefinition = z.strictObject({
  kernel: path.optional().describe("Without it and without bios: the embedded Linux"),
  initrd: path.optional(),
  append: z.string().max(65536).optional().describe("Kernel command line"),
  dtb: path.optional(),
  load: z.array(load).readonly().default([]),
  bios: path.optional(),
  memory: z
    .int()
    .min(MIN_MEMORY, MEMORY_RANGE)
    .max(MAX_MEMORY, MEMORY_RANGE)
    .multipleOf(4096)
    .default(DEFAULT_MEMORY)
    .describe("Bytes of RAM"),
  cpus: z.int().min(1).max(MAX_CPUS[3]).default(1),
  cpu: z.enum(CPU_MODELS).default("max"),
  machine: board.default(() => board.parse({})),
  disk: z.array(disk).readonly().default([]),
  net: nets(net).describe("Without any: user, or none with bios where there is neither kernel nor disk"),
  publish: z.array(publication).readonly().default([]),
  share: z.array(share).readonly().default([]),
  vsock: vsock.optional(),
  serialPort: z.array(serialPort).readonly().default([]),
  display: display.optional(),
  balloon: z.boolean().default(false),
  noReboot: z.boolean().default(false).describe("A reset ends the machine"),
  watchdog: z
    .enum(WATCHDOG_ACTIONS)
    .optional()
    .describe(
      "It has a generic watchdog (arm,sbsa-gwdt); when its guest does not refresh that in time: restart resets it, fail ends it as failed (of a domain, so that its restart policy decides), pause keeps it as it is",
    ),
});

/** A definition whose disks may have to be made first. */
export const newMachine = machineDefinition.extend({
  disk: z
    .array(z.union([disk, newDisk], "give a file, or new:SIZE for a disk that is to be made"))
    .readonly()
    .default([]),
});

export type Disk = Readonly<z.infer<typeof disk>>;
export type NewDisk = Readonly<z.infer<typeof newDisk>>;
export type Board = Readonly<z.infer<typeof board>>;
export type Net = Readonly<z.infer<typeof net>>;
export type NodeNet = Readonly<z.infer<typeof nodeNet>>;
export type Publication = Readonly<z.infer<typeof publication>>;
export type Share = Readonly<z.infer<typeof share>>;
export type Vsock = Readonly<z.infer<typeof vsock>>;
export type SerialPort = Readonly<z.infer<typeof serialPort>>;
export type DisplayDefinition = Readonly<z.infer<typeof display>>;
export type Load = Readonly<z.infer<typeof load>>;
export type MachineDefinition = Readonly<z.infer<typeof machineDefinition>>;
export type NewMachine = Readonly<z.infer<typeof newMachine>>;
