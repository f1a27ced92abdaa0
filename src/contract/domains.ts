// The domains of a node: what can be asked of them, and what is told of them. A node is one machine with the hypervisor at its EL2.

import * as z from "zod";
import type { Action } from "./action.ts";
import { machineName, publication } from "./definition.ts";
import { domainDefinition } from "./domain.ts";
import { INTROSPECTION_ACTIONS } from "./introspection.ts";
import { MIGRATION_ACTIONS } from "./migration.ts";
import { nodeFile, nodeMachine } from "./node.ts";

const time = z.iso.datetime().describe("UTC");

export const DOMAIN_STATUSES = [
  "off",
  "saved",
  "waiting",
  "running",
  "paused",
  "stopping",
  "failed",
  "incoming",
  "leaving",
  "moved",
  "saving",
] as const;

const counter = z.number().min(0);

/** Of a domain since it was started. Times in seconds, memory in bytes. */
export const domainStatistics = z.object({
  cpuTime: counter,
  stolen: counter.describe("Time that its CPUs were ready to run and had no physical CPU"),
  memory: z.object({
    size: counter.describe("RAM that the guest has"),
    resident: counter.describe("Of it, what it has touched"),
    private: counter.describe("Of the node's memory, what it alone has"),
    balloon: counter.describe("Of its RAM, what its guest has given away by its balloon"),
  }),
  shortages: counter.describe("How often it had to wait for memory of the node's"),
  exits: z.record(z.string(), counter).describe("Exits to the hypervisor, by kind"),
  refusals: z.record(z.string(), counter).describe("What its guest tried and may not do, by kind"),
  deviceAccesses: counter,
});

export const domainInfo = z.object({
  name: machineName,
  status: z
    .enum(DOMAIN_STATUSES)
    .describe(
      "waiting: for what it depends on, or until it is started again. failed: it could not go on, and is not started again. saved: it goes on from there when it is started. incoming: it comes from another node, and stands still. leaving: it stands still until it is known whether another node has it. moved: another node has it",
    ),
  reason: z.string().optional().describe("Why it failed, or what it waits for"),
  health: z.enum(["unknown", "healthy", "unhealthy"]).optional().describe("While it runs, where it is looked at"),
  restarts: z.int().min(0),
  watchdogs: z.int().min(0).describe("How often its watchdog expired, since the node was started"),
  started: time.optional(),
  wanted: z.boolean().describe("It is to run: it starts with the node"),
  definition: domainDefinition,
  display: z
    .strictObject({ host: z.string(), port: z.int() })
    .optional()
    .describe("Where VNC viewers connect, while it runs"),
  channels: z
    .array(z.object({ name: z.string(), size: counter, readOnly: z.boolean() }))
    .describe("Of which it is a member, and whether it may only read them"),
  forkedFrom: machineName.optional().describe("The domain that it is a copy of"),
  statistics: domainStatistics.optional(),
});

export const nodeInfo = z.object({
  pid: z.int(),
  started: time,
  machine: nodeMachine,
  memory: z.object({
    size: counter,
    free: counter.describe("Of it, what no domain has"),
    taken: counter.describe("Of it, what may take memory of the computer's"),
  }),
  busy: z.array(counter).describe("Of each physical CPU: seconds in which it had something to run"),
  worldSwitches: counter,
});

const nothing = z.strictObject({});
const named = z.strictObject({ name: machineName });

export const APPLY_CHANGES = ["added", "changed", "removed", "kept"] as const;

export const DOMAIN_ACTIONS = {
  list: {
    summary: "The node and all of its domains",
    method: "get",
    path: "/domains",
    input: nothing,
    output: z.object({ node: nodeInfo, domains: z.array(domainInfo) }),
  },
  apply: {
    summary:
      "Makes the node's domains those of a file: adds, replaces and removes; the answer comes when those that are to run do",
    method: "post",
    path: "/domains",
    input: z.strictObject({
      file: nodeFile,
      cold: z.boolean().default(false).describe("What was saved of its domains is forgotten: they start from power-on"),
    }),
    output: z.strictObject({ changes: z.array(z.object({ name: machineName, change: z.enum(APPLY_CHANGES) })) }),
  },
  info: { summary: "One domain", method: "get", path: "/domains/{name}", input: named, output: domainInfo },
  start: {
    summary: "Starts a domain, from where it was saved or from power-on, and from now on with the node",
    method: "post",
    path: "/domains/{name}/start",
    input: named.extend({ cold: z.boolean().default(false).describe("From power-on: a saved state is forgotten") }),
    output: domainInfo,
  },
  stop: {
    summary: "Stops a domain by its power key, then by force, and from now on it does not start with the node",
    method: "post",
    path: "/domains/{name}/stop",
    input: named.extend({
      force: z.boolean().default(false).describe("At once"),
      save: z.boolean().default(false).describe("Its state is saved, and it goes on from there when it is started"),
      timeout: z
        .number()
        .min(0)
        .max(86_400)
        .optional()
        .describe("Seconds to shut down; its definition's, where it is not given"),
    }),
    output: z.strictObject({ note: z.string().optional().describe("Why it did not end as one may have expected") }),
  },
  pause: {
    summary: "Stops a domain's CPUs and its clock",
    method: "post",
    path: "/domains/{name}/pause",
    input: named,
    output: nothing,
  },
  resume: {
    summary: "Lets a paused domain go on",
    method: "post",
    path: "/domains/{name}/resume",
    input: named,
    output: nothing,
  },
  fork: {
    summary: "Makes a copy of a running domain that goes on from where it is, beside it",
    method: "post",
    path: "/domains/{name}/fork",
    input: named.extend({
      newName: machineName.optional().describe("Without it: the domain's, with the next number that is free"),
      publish: z
        .array(publication)
        .readonly()
        .default([])
        .describe("Ports of the copy's; it has none of the original's"),
    }),
    output: z.strictObject({
      name: machineName,
      pause: counter.describe("Seconds for which the original stood still"),
      notes: z.array(z.string()).describe("What is otherwise with the copy, or with the original's disks from now on"),
    }),
  },
  remove: {
    summary: "Removes a domain and its own disks",
    method: "delete",
    path: "/domains/{name}",
    input: named.extend({ force: z.stringbool().or(z.boolean()).default(false).describe("Stops it first, by force") }),
    output: nothing,
  },
  ...INTROSPECTION_ACTIONS,
  ...MIGRATION_ACTIONS,
  down: {
    summary: "Stops all domains, in the reverse order of their dependencies, and ends the node",
    method: "post",
    path: "/down",
    input: z.strictObject({ force: z.boolean().default(false).describe("At once") }),
    output: nothing,
  },
} as const satisfies Readonly<Record<string, Action>>;

/** The console of a domain, a WebSocket: as CONSOLE_PATH of machines.ts. */
export const DOMAIN_CONSOLE_PATH = "/domains/{name}/console";
/** Counters for Prometheus. */
export const METRICS_PATH = "/metrics";
/** The OpenAPI description of all this. */
export const OPEN_API_PATH = "/openapi.json";

type Actions = typeof DOMAIN_ACTIONS;
export type DomainAction = keyof Actions;
export type DomainInput<Name extends DomainAction> = z.output<Actions[Name]["input"]>;
export type DomainRequest<Name extends DomainAction> = z.input<Actions[Name]["input"]>;
export type DomainOutput<Name extends DomainAction> = z.output<Actions[Name]["output"]>;
export type DomainInfo = Readonly<z.infer<typeof domainInfo>>;
export type NodeInfo = Readonly<z.infer<typeof nodeInfo>>;
export type DomainStatus = DomainInfo["status"];
export type AppliedChange = DomainOutput<"apply">["changes"][number];
