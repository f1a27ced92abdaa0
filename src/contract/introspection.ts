// What is seen of a domain from outside of it, without its guest's help.

import * as z from "zod";
import type { Action } from "./action.ts";
import { machineName } from "./definition.ts";

/** Of 64 bits: JSON's numbers have less. */
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{1,16}$/, "give an address as 0x and up to 16 hexadecimal digits");

const offset = z.int().min(0).max(65_535);

export const taskOffsets = z
  .strictObject({
    ...{ tasks: offset, pid: offset, tgid: offset, comm: offset, state: offset, exitState: offset },
    ...{ parent: offset.describe("real_parent"), flags: offset },
  })
  .describe("Bytes from the start of struct task_struct");

export const moduleOffsets = z
  .strictObject({ list: offset, name: offset, state: offset, sizes: z.array(offset).max(16).readonly() })
  .describe("Bytes from the start of struct module; sizes: of the u32 whose sum is its size");

/** What the caller knows of a Linux kernel; the rest is found in its memory. */
export const kernelKnowledge = z.strictObject({
  symbols: z.record(z.string().max(64), address).optional().describe("Addresses by name, as the kernel runs"),
  task: taskOffsets.optional(),
  module: moduleOffsets.optional(),
});

const broken = z.string().optional().describe("Why there may be more than what is listed");
const named = z.strictObject({ name: machineName });
const withKernel = named.extend({ kernel: kernelKnowledge.optional() });

/** Symbols that are of use in it. */
export const KERNEL_SYMBOLS: readonly string[] = [
  ...["_stext", "_etext", "init_task", "modules", "sys_call_table"],
  ...["__arm64_sys_read", "__arm64_sys_write", "__arm64_sys_getpid"],
];

/** Bytes that one answer has at most. */
export const MOST_MEMORY = 65_536;

const violation = z.object({
  part: z.enum(["text", "system call table"]),
  what: z
    .enum(["write", "device write", "moved", "changed"])
    .describe("moved: the kernel's address leads to other memory; changed: found by comparing"),
  address,
  vcpu: z.int().optional(),
  pc: address.optional(),
});

export const guardInfo = z.object({
  mode: z.enum(["off", "stop", "report"]),
  pages: z.int().min(0),
  missing: z.array(z.string()).readonly().describe("What is not guarded, as its address is not known"),
  intact: z.boolean().describe("Everything that is guarded is as it was"),
  violations: z.array(violation).readonly(),
  dropped: z.int().min(0).describe("Violations beyond those that are kept"),
});

export const ACCESS_KINDS = ["read", "write", "execute"] as const;
/** Bytes that one watch has at most. */
export const MOST_WATCHED = 2 ** 24;

export const watchInfo = z.object({
  mode: z.enum(["off", "stop", "report"]),
  pages: z.int().min(0),
  kinds: z.array(z.enum(ACCESS_KINDS)).readonly(),
  accesses: z
    .array(
      z.object({
        access: z.enum(ACCESS_KINDS),
        address: address.describe("As the watch was given: virtual, or intermediate physical"),
        vcpu: z.int().optional().describe("Without it: a device of the domain's"),
        pc: address.optional(),
      }),
    )
    .readonly(),
  dropped: z.int().min(0).describe("Accesses beyond those that are kept"),
});

export const INTROSPECTION_ACTIONS = {
  processes: {
    summary: "The processes of a Linux guest, seen from outside",
    method: "post",
    path: "/domains/{name}/inspect/processes",
    input: withKernel,
    output: z.object({
      processes: z.array(
        z.object({
          ...{ pid: z.int(), parent: z.int(), name: z.string() },
          state: z.string().describe("As ps(1) says it; ? for one that is unknown"),
          kernel: z.boolean().describe("A thread of the kernel's"),
        }),
      ),
      broken,
    }),
  },
  modules: {
    summary: "The kernel modules of a Linux guest, seen from outside",
    method: "post",
    path: "/domains/{name}/inspect/modules",
    input: withKernel,
    output: z.object({
      modules: z.array(z.object({ name: z.string(), size: z.number(), state: z.string(), address })),
      broken,
    }),
  },
  registers: {
    summary: "The registers of each of a domain's CPUs",
    method: "get",
    path: "/domains/{name}/inspect/registers",
    input: named,
    output: z.object({
      cpus: z.array(
        z.object({ status: z.string(), registers: z.array(z.object({ name: z.string(), value: address })) }),
      ),
    }),
  },
  memory: {
    summary: "A domain's memory, in base64",
    method: "get",
    path: "/domains/{name}/inspect/memory",
    input: named.extend({
      address,
      length: z.coerce.number<number | string>().int().min(1).max(MOST_MEMORY),
      physical: z.stringbool().or(z.boolean()).default(false).describe("The address is an intermediate physical one"),
      cpu: z.coerce
        .number<number | string>()
        .int()
        .min(0)
        .default(0)
        .describe("Whose translation tables a virtual address goes through"),
    }),
    output: z.object({ bytes: z.base64() }),
  },
  guarded: {
    summary: "Whether a guarded kernel is as it was, and what happened to it",
    method: "get",
    path: "/domains/{name}/inspect/guard",
    input: named,
    output: guardInfo,
  },
  guard: {
    summary: "Guards the text and the system call table of a Linux guest's kernel from here on, or no longer",
    method: "post",
    path: "/domains/{name}/inspect/guard",
    input: withKernel.extend({
      mode: z
        .enum(["off", "stop", "report"])
        .default("stop")
        .describe("stop: the domain is paused before a write; report: writes are made, and noted"),
    }),
    output: guardInfo,
  },
  watched: {
    summary: "What was done to watched pages; those are watched again",
    method: "get",
    path: "/domains/{name}/inspect/watch",
    input: named,
    output: watchInfo,
  },
  watch: {
    summary: "Watches pages of a domain's memory from here on, in place of those that were watched, or none",
    method: "post",
    path: "/domains/{name}/inspect/watch",
    input: named.extend({
      mode: z
        .enum(["off", "stop", "report"])
        .default("report")
        .describe("stop: the domain is paused before an access; report: the first to each page is made, and noted"),
      address: address.optional().describe("Needed, but for off"),
      length: z.int().min(1).max(MOST_WATCHED).default(1).describe("Bytes; the whole pages that hold them are watched"),
      physical: z.boolean().default(false).describe("The address is an intermediate physical one"),
      cpu: z.int().min(0).default(0).describe("Whose translation tables a virtual address goes through"),
      kinds: z.array(z.enum(ACCESS_KINDS)).min(1).readonly().default(["write"]).describe("What is watched for"),
    }),
    output: watchInfo,
  },
} as const satisfies Readonly<Record<string, Action>>;

export type KernelKnowledge = Readonly<z.infer<typeof kernelKnowledge>>;
export type WatchInfo = Readonly<z.infer<typeof watchInfo>>;
export type GuardInfo = Readonly<z.infer<typeof guardInfo>>;
