// Domains as a file gives them, and what there is of them already.

import { existsSync, mkdirSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { NewDomain } from "../../contract/domain.ts";
import type { NodeChannels } from "../../contract/node.ts";
import { flushFolder, makeDisks } from "../new-disks.ts";
import type { StoredDomain } from "./store.ts";

/** Its disks: new ones are made where there are none from before. @param folder of the domain. */
export function disksOf(folder: string, given: NewDomain): ReturnType<typeof makeDisks> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return given.disk.map((disk, index) => {
    const file = `disk${index}.qcow2`;
    if ("file" in disk || !existsSync(`${folder}/${file}`)) {
      const made = makeDisks([disk], folder, index);
      flushFolder(folder);
      return made[0] as (typeof made)[number];
    }
    return { file, format: "qcow2", readOnly: false, snapshot: false, serial: disk.serial };
  });
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
