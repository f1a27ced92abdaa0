// Makes the node's domains those of a file.

import { isDeepStrictEqual } from "node:util";
import { ActionError, type Progress } from "../../contract/action.ts";
import type { AppliedChange, DomainInput } from "../../contract/domains.ts";
import type { NodeChannels, NodeFile } from "../../contract/node.ts";
import { asActionError } from "../errors.ts";
import { checkFiles } from "../given-files.ts";
import { channelsOf, definitionOf, isGivenAs, makeMissingDisks } from "./given.ts";
import { seenDifferences } from "./guest-view.ts";
import { checkIsHere, type NodeDomains } from "./node-domains.ts";
import { channelBytes, memoryOf } from "./node-memory.ts";
import type { StoredDomain } from "./store.ts";

type Report = (progress: Progress) => void;

const MIB = 2 ** 20;

/**
 * Those that are to run are wanted then.
 * @throws ActionError when the file cannot be this node's: nothing has changed.
 */
export async function applyFile(
  node: NodeDomains,
  { file, cold }: DomainInput<"apply">,
  progress: Report,
): Promise<AppliedChange[]> {
  check(node, file, cold);
  const { store, keepers } = node;
  const changes: AppliedChange[] = [];
  const before = new Map(store.list().map((stored) => [stored.name, stored]));
  const shared = store.channels;
  const isSame = (name: string): boolean =>
    isGivenAs(before.get(name), file.domains[name]) &&
    isDeepStrictEqual(channelsOf(shared, name), channelsOf(file.channels, name));
  for (const { name, forkedFrom } of before.values()) {
    const isWanted = Object.hasOwn(file.domains, name);
    if (isWanted && cold) keepers.get(name)?.forgetSaved();
    if (isWanted ? isSame(name) : forkedFrom !== undefined) continue;
    const keeper = keepers.get(name);
    await node.end(name, progress);
    // Its definition is replaced, not taken away: it is there whenever the node dies.
    if (isWanted) continue;
    keeper?.forgetSaved();
    store.remove(name);
    changes.push({ name, change: "removed" });
  }
  // Whose channels change does not run now.
  share(node, file.channels);
  for (const [position, [name, given]] of Object.entries(file.domains).entries()) {
    const stored = before.get(name);
    const same = stored !== undefined && isSame(name);
    if (!same) {
      progress({ step: `${name}: making its disks` });
      makeMissingDisks(node.folderOf(name).path, given);
      store.put(name, position, given, definitionOf(given, stored?.definition));
      node.keep(store.find(name) as StoredDomain);
    } else if (given.autostart && node.find(name).status !== "moved") want(node, name);
    changes.push({ name, change: stored === undefined ? "added" : same ? "kept" : "changed" });
  }
  return changes;
}

function want({ store, find }: NodeDomains, name: string): void {
  store.want(name, true);
  const keeper = find(name);
  keeper.wanted = true;
  if (keeper.status === "failed") keeper.status = "off";
}

/** Makes the channels those of a file. None of those that change has a member that runs. */
function share({ store, hypervisor }: NodeDomains, channels: NodeChannels): void {
  const before = store.channels;
  const isKept = (name: string): boolean => isDeepStrictEqual(before[name], channels[name]);
  for (const name of Object.keys(before)) if (!isKept(name)) hypervisor.channels.remove(name);
  store.channels = channels;
  for (const [name, { size, members }] of Object.entries(channels))
    if (!isKept(name)) hypervisor.channels.define({ name, bytes: size, members });
}

function naming(domain: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    const { code, message } = asActionError(error);
    throw new ActionError(code, `${domain}: ${message}`);
  }
}

/** @throws ActionError when the file cannot be this node's. */
function check(node: NodeDomains, file: NodeFile, cold: boolean): void {
  const { machine, keepers, store, hypervisor, isTaken } = node;
  const { memory, ...rest } = file.node;
  const { memory: size = 0, ...mine } = machine;
  if (!isDeepStrictEqual(rest, mine) || (memory !== undefined && memory !== size)) {
    throw new ActionError(
      "wrong-state",
      "the node runs with another machine: atoll down ends it, then it can have this one",
    );
  }
  const needed = memoryOf(file.node, Object.values(file.domains), file.channels);
  if (needed > size) {
    throw new ActionError(
      "wrong-state",
      `the node has ${size / MIB} MiB, and these domains need ${needed / MIB}: atoll down ends it, then it can have more`,
    );
  }
  for (const keeper of keepers.values()) {
    const { name, status, stored } = keeper;
    const given = Object.hasOwn(file.domains, name) ? file.domains[name] : undefined;
    const kept = status === "moved" && (given === undefined || isGivenAs(store.find(name), given));
    if (!kept && (given !== undefined || status === "leaving")) checkIsHere(keeper);
    if (status !== "saved" || given === undefined || cold) continue;
    const differences = seenDifferences(stored.definition, definitionOf(given, stored.definition));
    // Of one that is saved there were none.
    if (Object.keys(channelsOf(file.channels, name)).length > 0) differences.push("channels");
    if (differences.length === 0) continue;
    throw new ActionError(
      "wrong-state",
      `${name} is saved, and cannot go on with other ${differences.join(", ")}: put back what was there, or give --cold, which forgets what was saved`,
    );
  }
  if (channelBytes(file.channels) - channelBytes(store.channels) > hypervisor.node().free)
    throw new ActionError("wrong-state", "the node has not enough free memory for these channels");
  for (const [name, given] of Object.entries(file.domains)) {
    if (isTaken(name))
      throw new ActionError("wrong-state", `a machine has the name ${name}: atoll rm ${name} removes it`);
    if (!isGivenAs(store.find(name), given)) naming(name, () => checkFiles(given));
  }
}
