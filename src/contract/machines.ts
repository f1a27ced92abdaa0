// Machines that last: what can be asked of them, and what is told of them.

import * as z from "zod";
import type { Action } from "./action.ts";
import { machineDefinition, machineName, newMachine } from "./definition.ts";
import { STOP_TIMEOUT } from "./limits.ts";

const time = z.iso.datetime().describe("UTC");

export const STATUSES = ["off", "saved", "running", "paused", "failed", "busy"] as const;

/** How a run ended. */
export const RUN_ENDS = ["off", "exit", "reset", "watchdog", "saved", "forced", "failed"] as const;

export const machineInfo = z.object({
  name: machineName,
  status: z
    .enum(STATUSES)
    .describe(
      "saved: start goes on where it was. failed: the last run ended without a word, as when its process was killed, or by its watchdog. busy: another command is at work on it",
    ),
  created: time,
  folder: z.string().describe("Where its disks, console log and saved state are"),
  lastRun: z
    .object({
      started: time,
      ended: time.optional(),
      end: z.enum(RUN_ENDS).optional(),
      exitStatus: z.int().optional().describe("The guest's own, where it ended itself with one"),
    })
    .optional(),
  pid: z.int().optional().describe("Of its process, while it runs"),
  definition: machineDefinition,
});

const named = z.strictObject({ name: machineName });
const nothing = z.strictObject({});

export const MACHINE_ACTIONS = {
  list: {
    summary: "All machines",
    method: "get",
    path: "/machines",
    input: nothing,
    output: z.strictObject({ machines: z.array(machineInfo) }),
  },
  create: {
    summary: "Defines a machine, and makes its new disks",
    method: "post",
    path: "/machines",
    input: named.extend({ definition: newMachine }),
    output: machineInfo,
  },
  info: {
    summary: "One machine",
    method: "get",
    path: "/machines/{name}",
    input: named,
    output: machineInfo,
  },
  remove: {
    summary: "Removes a machine, its own disks and its saved state",
    method: "delete",
    path: "/machines/{name}",
    input: named.extend({ force: z.stringbool().or(z.boolean()).default(false).describe("Ends it first") }),
    output: nothing,
  },
  start: {
    summary: "Runs a machine, from where it was saved, or from power-on",
    method: "post",
    path: "/machines/{name}/start",
    input: named.extend({
      cold: z.boolean().default(false).describe("Forgets the saved state: from power-on"),
      boot: z
        .boolean()
        .optional()
        .describe("Boots the embedded guest, in place of starting from the snapshot of the booted one"),
    }),
    output: machineInfo,
  },
  stop: {
    summary: "Stops a machine; the answer comes when it has stopped",
    method: "post",
    path: "/machines/{name}/stop",
    input: named.extend({
      how: z
        .enum(["default", "save", "shutdown", "force"])
        .default("default")
        .describe("default: save where that is possible, else shutdown; shutdown: by the power key, then by force"),
      timeout: z
        .number()
        .min(0)
        .max(86400)
        .default(STOP_TIMEOUT)
        .describe("Seconds that the guest has to shut down before it is stopped by force"),
    }),
    output: z.strictObject({
      end: z.enum(RUN_ENDS),
      note: z.string().optional().describe("Why it did not end as one may have expected"),
    }),
  },
  pause: {
    summary: "Stops a machine's processors and its clock, in memory",
    method: "post",
    path: "/machines/{name}/pause",
    input: named,
    output: nothing,
  },
  resume: {
    summary: "Lets a paused machine go on",
    method: "post",
    path: "/machines/{name}/resume",
    input: named,
    output: nothing,
  },
} as const satisfies Readonly<Record<string, Action>>;

/**
 * The console of a running machine, a WebSocket: binary messages are its bytes, first those of the recent screen; text messages from the
 * client are a `consoleSize`.
 */
export const CONSOLE_PATH = "/machines/{name}/console";

/** Size of the client's terminal, in characters. */
export const consoleSize = z.strictObject({ columns: z.int().min(1).max(9999), rows: z.int().min(1).max(9999) });

type Actions = typeof MACHINE_ACTIONS;
export type MachineAction = keyof Actions;
/** What an action is given, defaults filled in. */
export type InputOf<Name extends MachineAction> = z.output<Actions[Name]["input"]>;
/** What may be said to a client of an action: defaults may be left out. */
export type RequestOf<Name extends MachineAction> = z.input<Actions[Name]["input"]>;
export type OutputOf<Name extends MachineAction> = z.output<Actions[Name]["output"]>;
export type MachineInfo = Readonly<z.infer<typeof machineInfo>>;
export type MachineStatus = MachineInfo["status"];
export type RunEnding = (typeof RUN_ENDS)[number];
