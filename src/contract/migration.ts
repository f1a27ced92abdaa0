// Domains that go to another node, or into a file: what can be asked of them.

import * as z from "zod";
import type { Action } from "./action.ts";
import { machineName, path, publication } from "./definition.ts";

const counter = z.number().min(0);

/** HOST:PORT, IPv6 addresses in brackets. */
export const NODE_ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/;
/** Milliseconds. */
export const DEFAULT_DOWNTIME = 100;
export const DEFAULT_ROUNDS = 30;

export const MIGRATION_ACTIONS = {
  migrate: {
    summary: "Moves a domain to another node while it runs; the answer comes when it runs there",
    method: "post",
    path: "/domains/{name}/migrate",
    input: z.strictObject({
      name: machineName,
      to: z
        .string()
        .max(300)
        .regex(NODE_ADDRESS, "give HOST:PORT, such as 192.0.2.7:7071")
        .describe("Where the other node takes domains"),
      token: z
        .string()
        .min(32)
        .max(256)
        .optional()
        .describe("The other node's; where it is not given this node's own, which the other has, too"),
      downtime: z
        .number()
        .min(1)
        .max(600_000)
        .default(DEFAULT_DOWNTIME)
        .describe(
          "Milliseconds that it may stand still: what is written meanwhile is copied again until the rest can be had in that time",
        ),
      share: z
        .array(
          z.strictObject({
            folder: path.refine((folder) => folder.startsWith("/"), "give a whole path, of the other computer"),
            tag: z.string().min(1),
          }),
        )
        .readonly()
        .default([])
        .describe("Where the folders that it shares are there, by their tags"),
      rounds: z
        .int()
        .min(1)
        .max(1000)
        .default(DEFAULT_ROUNDS)
        .describe("Of copying, at most, however long it then stands still"),
    }),
    output: z.strictObject({
      rounds: counter,
      pages: counter.describe("Of 4 KiB, copied in all rounds"),
      blocks: counter.describe("Of disks, 64 KiB each"),
      bytes: counter.describe("Sent"),
      seconds: counter,
      downtime: counter.describe(
        "Milliseconds from when its CPUs stood still here to when it was known that they run there",
      ),
    }),
  },
  save: {
    summary: "Saves a domain, with its disks, in a file of the node's computer; it goes on",
    method: "post",
    path: "/domains/{name}/save",
    input: z.strictObject({ name: machineName, file: path }),
    output: z.strictObject({ bytes: counter, seconds: counter.describe("For which it stood still") }),
  },
  load: {
    summary: "Adds a domain that was saved in a file; it goes on from where it was",
    method: "post",
    path: "/load",
    input: z.strictObject({
      file: path,
      name: machineName.optional().describe("Where it is not to have the one that it had"),
      publish: z
        .array(publication)
        .readonly()
        .optional()
        .describe("Its ports, in place of those that it had; without it: those"),
    }),
    output: z.strictObject({ name: machineName }),
  },
  takeBack: {
    summary:
      "Lets a domain go on here of which it is not known whether another node has it: only where that node is gone for good",
    method: "post",
    path: "/domains/{name}/take-back",
    input: z.strictObject({ name: machineName }),
    output: z.strictObject({}),
  },
} as const satisfies Readonly<Record<string, Action>>;
