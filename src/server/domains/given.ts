// Domains as a file gives them, and what there is of them already.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type DomainDefinition, domainDefinition, type NewDomain } from "../../contract/domain.ts";
import type { NodeChannels } from "../../contract/node.ts";
import { withAddresses } from "../interfaces.ts";
import { flushFolder, makeDisk, ownDisk } from "../new-disks.ts";
import type { StoredDomain } from "./store.ts";

/** What a domain is defined as, once those of its disks that are new are made. @param before what it was. */
export function definitionOf(given: NewDomain, before: DomainDefinition | undefined): DomainDefinition {
  return domainDefinition.parse({
    ...given,
    net: withAddresses(given.net, before?.net),
    disk: given.disk.map((disk, index) => ("file" in disk ? disk : ownDisk(disk, index))),
  });
}

/** Makes its new disks, where there are none from before. @param folder of the domain. */
export function makeMissingDisks(folder: string, given: NewDomain): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [index, disk] of given.disk.entries()) {
    if ("file" in disk || existsSync(join(folder, ownDisk(disk, index).file))) continue;
    makeDisk(disk, index, folder);
    flushFolder(folder);
  }
}

/** The channels that a domain is a member of. */
export function channelsOf(channels: NodeChannels, domain: string): NodeChannels {
  return Object.fromEntries(
    Object.entries(channels).filter(([, { members }]) => members.some((member) => member.domain === domain)),
  );
}

/** Whether a domain is given as it was before. */
export function isGivenAs(stored: StoredDomain | undefined, given: NewDomain | undefined): boolean {
  // Through JSON, as the stored one was.
  return isDeepStrictEqual(JSON.parse(stored?.given || "null"), JSON.parse(JSON.stringify(given ?? null)));
}
