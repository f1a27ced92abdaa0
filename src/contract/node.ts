// A node: one machine with the hypervisor at its EL2, and the domains on it, as a file for `atoll up` describes them.

import * as z from "zod";
import { machineName } from "./definition.ts";
import { type Dependency, newDomain } from "./domain.ts";
import { CPU_MODELS, MAX_CPUS, MAX_MEMORY, MIN_MEMORY } from "./limits.ts";

/** The machine that the domains share. */
export const nodeMachine = z.strictObject({
  cpus: z.int().min(1).max(MAX_CPUS[3]).default(1).describe("Physical CPUs"),
  cpu: z.enum(CPU_MODELS).default("max"),
  memory: z
    .int()
    .min(MIN_MEMORY)
    .max(MAX_MEMORY)
    .multipleOf(4096)
    .optional()
    .describe("Bytes of RAM for all domains together; without it: as much as theirs, and a sixteenth more"),
  sameMemory: z.boolean().default(false).describe("Pages of the same content are kept once (KSM)"),
});

/** What `atoll up` is given. */
export const nodeFile = z
  .strictObject({
    node: nodeMachine.default(() => nodeMachine.parse({})),
    domains: z.record(machineName, newDomain),
  })
  .superRefine(({ domains }, context) => {
    for (const [name, { dependsOn }] of Object.entries(domains)) {
      for (const [index, { domain }] of dependsOn.entries()) {
        const path = ["domains", name, "dependsOn", index];
        if (!Object.hasOwn(domains, domain))
          context.addIssue({ code: "custom", path, message: `there is no domain ${domain}` });
        else if (dependsUpon(domains, domain, name))
          context.addIssue({ code: "custom", path, message: `${name} and ${domain} wait for each other` });
      }
    }
  });

/** Whether `from` waits for `to`, itself or through others. */
function dependsUpon(
  domains: Readonly<Record<string, { readonly dependsOn: readonly Dependency[] }>>,
  from: string,
  to: string,
): boolean {
  const seen = new Set<string>();
  const wait = [from];
  for (let name = wait.pop(); name !== undefined; name = wait.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    for (const { domain } of domains[name]?.dependsOn ?? []) wait.push(domain);
  }
  return false;
}

export type NodeMachine = Readonly<z.infer<typeof nodeMachine>>;
export type NodeFile = Readonly<z.infer<typeof nodeFile>>;
