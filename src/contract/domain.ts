// A domain as its owner defines it: a machine's definition without what is the hypervisor's to say, and with its share of the machine, what it
// waits for, how its health is seen and what is done when it ends.

import * as z from "zod";
import { machineDefinition, machineName, net, nets, newMachine, nodeNet, vsock } from "./definition.ts";
import { MAX_CPUS, STOP_TIMEOUT } from "./limits.ts";

const seconds = z.number().positive().max(86_400);

/** What a domain may have of the physical CPUs (src/hypervisor/scheduler.ts). */
export const cpuShare = z.strictObject({
  weight: z
    .int()
    .min(1)
    .max(65_535)
    .default(256)
    .describe("Of what reservations leave, in proportion to the others' weights"),
  cap: z.number().positive().max(MAX_CPUS[3]).optional().describe("CPUs, at most: 0.5 is half of one"),
  reservation: z
    .number()
    .min(0)
    .max(MAX_CPUS[3])
    .default(0)
    .describe("CPUs that it gets, if it wants them, whatever others do"),
  pinned: z
    .array(
      z
        .array(
          z
            .int()
            .min(0)
            .max(MAX_CPUS[3] - 1),
        )
        .min(1),
    )
    .readonly()
    .optional()
    .describe("For each of its CPUs, the physical CPUs that it may run on"),
});

export const restart = z.strictObject({
  when: z
    .enum(["never", "failure", "always"])
    .default("never")
    .describe(
      "failure: it could not go on, its guest reset while noReboot, or was unhealthy; always: also when it shut down",
    ),
  most: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .describe("Restarts without a healthy minute between them; without it: no limit"),
  delay: seconds.default(1).describe("Seconds before the first; each further one waits twice as long"),
  longest: seconds.default(60).describe("Seconds that a restart waits at most"),
});

export const health = z
  .strictObject({
    tcp: z.int().min(1).max(65_535).optional().describe("Healthy while this port of the guest takes connections"),
    console: z
      .string()
      .min(1)
      .max(1024)
      .refine(isPattern, "this is no regular expression")
      .optional()
      .describe("Healthy since its console showed a line that this regular expression matches"),
    interval: seconds.default(10).describe("Seconds between two looks"),
    timeout: seconds.default(5).describe("Seconds that a look may take"),
    retries: z.int().min(1).max(1000).default(3).describe("Bad looks in a row that make it unhealthy"),
    startPeriod: seconds.default(60).describe("Seconds after its start in which bad looks do not count"),
  })
  .refine(({ tcp, console }) => (tcp === undefined) !== (console === undefined), "give tcp or console");

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

export const dependency = z.strictObject({
  domain: machineName,
  is: z.enum(["started", "healthy", "ended"]).default("started"),
});

const ofADomain = {
  net: nets(z.discriminatedUnion("kind", [...net.options, nodeNet])).describe("Without any: user"),
  vsock: vsock
    .extend({
      domains: z
        .boolean()
        .default(false)
        .describe("Other domains that have this, too, reach its ports by its CID, and it theirs"),
    })
    .optional(),
  schedule: cpuShare.default(() => cpuShare.parse({})),
  restart: restart.default(() => restart.parse({})),
  dependsOn: z.array(dependency).readonly().default([]),
  health: health.optional(),
  balloon: z.boolean().default(true).describe("Its guest can be asked to do with less memory when the node has little"),
  autostart: z.boolean().default(true).describe("It starts with the node"),
  stopTimeout: z
    .number()
    .min(0)
    .max(86_400)
    .default(STOP_TIMEOUT)
    .describe("Seconds to shut down by the power key, before force"),
};

/** What the hypervisor decides for all domains: the model of the CPU is the machine's, and there is no EL2 or firmware of their own. */
const THE_HYPERVISORS = { cpu: true, machine: true, bios: true } as const;

export const domainDefinition = machineDefinition.omit(THE_HYPERVISORS).extend(ofADomain);
/** A definition whose disks may have to be made first. */
export const newDomain = newMachine.omit(THE_HYPERVISORS).extend(ofADomain);

export type CpuShare = Readonly<z.infer<typeof cpuShare>>;
export type Restart = Readonly<z.infer<typeof restart>>;
export type Health = Readonly<z.infer<typeof health>>;
export type Dependency = Readonly<z.infer<typeof dependency>>;
export type DomainDefinition = Readonly<z.infer<typeof domainDefinition>>;
export type NewDomain = Readonly<z.infer<typeof newDomain>>;
