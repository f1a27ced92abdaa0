// A node: one machine with the hypervisor at its EL2, and the domains on it, as a file for `atoll up` describes them.

import * as z from "zod";
import { isolationGroup, machineName } from "./definition.ts";
import { type Dependency, newDomain } from "./domain.ts";
import {
  CPU_MODELS,
  MAX_CHANNEL,
  MAX_CHANNEL_MEMBERS,
  MAX_CPUS,
  MAX_MEMORY,
  MIN_CHANNEL,
  MIN_MEMORY,
  SWITCH_NAME,
} from "./limits.ts";

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

/** A switch inside the node, for its domains. */
export const nodeNetwork = z.strictObject({
  isolation: z
    .array(isolationGroup)
    .readonly()
    .default([])
    .describe("Groups that interfaces may be in: members of one do not reach each other"),
});

/** Memory that domains share, with a doorbell for each: docs/hypercalls.md. */
export const nodeChannel = z.strictObject({
  size: z.int().min(MIN_CHANNEL).max(MAX_CHANNEL).multipleOf(4096).describe("Bytes of memory, in whole pages"),
  members: z
    .array(
      z.preprocess(
        (value) => (typeof value === "string" ? { domain: value } : value),
        z.strictObject({ domain: machineName, readOnly: z.boolean().default(false) }),
      ),
    )
    .min(2, "give two members at least")
    .max(MAX_CHANNEL_MEMBERS)
    .readonly(),
});

const named = (what: string): z.ZodString =>
  z.string().regex(SWITCH_NAME, `give a ${what} a name of at most 32 letters, digits, -, _ and .`);

/** What `atoll up` is given. */
export const nodeFile = z
  .strictObject({
    node: nodeMachine.default(() => nodeMachine.parse({})),
    networks: z.record(named("network"), nodeNetwork).default({}),
    channels: z.record(named("channel"), nodeChannel).default({}),
    domains: z.record(machineName, newDomain),
  })
  .superRefine(({ node, domains, networks, channels }, context) => {
    for (const [name, { members }] of Object.entries(channels)) {
      for (const [index, { domain }] of members.entries()) {
        const wrong = (message: string): void =>
          context.addIssue({ code: "custom", path: ["channels", name, "members", index], message });
        if (!Object.hasOwn(domains, domain)) wrong(`there is no domain ${domain}`);
        else if (members.findIndex((each) => each.domain === domain) < index) wrong(`${domain} is there twice`);
      }
    }
    const addresses = new Set<string>();
    const cids = new Map<number, string>();
    for (const [name, { dependsOn, net, vsock, publish, health, schedule }] of Object.entries(domains)) {
      const bad = (field: string, message: string): void =>
        context.addIssue({ code: "custom", path: ["domains", name, field], message });
      if (publish.length > 0 && net.length > 0 && !net.some(({ kind }) => kind === "user"))
        bad("publish", "only an interface of the kind user has ports that are published");
      if (
        health?.tcp !== undefined &&
        !publish.some((each) => each.protocol === "tcp" && each.guestPort === health.tcp)
      )
        bad("health", `port ${health.tcp} has to be published, so that it can be reached`);
      const missing = schedule.pinned?.flat().find((cpu) => cpu >= node.cpus);
      if (missing !== undefined) bad("schedule", `there is no CPU ${missing} to pin to: the node has ${node.cpus}`);
      if (vsock?.domains) {
        const other = cids.get(vsock.cid);
        if (other !== undefined)
          context.addIssue({
            ...{ code: "custom", path: ["domains", name, "vsock"] },
            message: `${other} has the CID ${vsock.cid} already: give cid=N`,
          });
        cids.set(vsock.cid, name);
      }
      for (const [index, each] of net.entries()) {
        if (each.kind !== "network") continue;
        const wrong = (message: string): void =>
          context.addIssue({ code: "custom", path: ["domains", name, "net", index], message });
        const network = Object.hasOwn(networks, each.name) ? networks[each.name] : undefined;
        if (network === undefined) wrong(`there is no network ${each.name}: networks: defines them`);
        else if (each.isolation !== undefined && !network.isolation.includes(each.isolation))
          wrong(`the network ${each.name} has no isolation group ${each.isolation}`);
        if (each.mac === undefined) continue;
        const address = `${each.name} ${each.mac}`;
        if (addresses.has(address)) wrong(`another interface of the network ${each.name} has that mac`);
        addresses.add(address);
      }
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
export type NodeChannels = Readonly<Record<string, Readonly<z.infer<typeof nodeChannel>>>>;
export type NodeFile = Readonly<z.infer<typeof nodeFile>>;
