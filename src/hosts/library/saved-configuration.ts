// What a snapshot keeps of a machine's configuration, and a machine made of that again.

import { type CheckedConfiguration, checkConfiguration } from "./config.ts";
import { AtollError } from "./errors.ts";

/** What a snapshot keeps of the configuration: what can be written down. */
export interface SavedConfiguration {
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Fields whose content was in memory alone, and is not there any more. */
  readonly missing: readonly string[];
}

const isWritable = (file: unknown): boolean =>
  typeof file !== "object" || file === null || "opfs" in file || file instanceof URL;

/** What can be written down of a configuration: files that are in memory cannot. */
export function savedConfiguration(configuration: CheckedConfiguration): SavedConfiguration {
  const missing: string[] = [];
  const kept: Record<string, unknown> = { ...configuration };
  for (const name of ["kernel", "initrd", "dtb", "bios"] as const) {
    if (configuration[name] === undefined || isWritable(configuration[name])) continue;
    missing.push(name);
    delete kept[name];
  }
  const lists = {
    load: configuration.load.every(({ file }) => isWritable(file)),
    disk: configuration.disk.every(({ file }) => isWritable(file)),
    share: configuration.share.every(({ folder }) => typeof folder === "string"),
  };
  for (const [name, isKept] of Object.entries(lists)) {
    if (isKept) continue;
    missing.push(name);
    delete kept[name];
  }
  // What looks into the machine is no part of it.
  for (const name of ["trace", "measure", "consoleSize"]) delete kept[name];
  return { configuration: kept, missing };
}

/** @param given what the caller says, which counts more. @throws AtollError "snapshot" where something is not there any more. */
export function restoredConfiguration(host: unknown, given: unknown): CheckedConfiguration {
  const saved = (host ?? {}) as Partial<SavedConfiguration>;
  const missing = Array.isArray(saved.missing) ? saved.missing : [];
  const overrides = (given ?? {}) as Record<string, unknown>;
  const outside = { disk: "disks in memory alone", share: "shared folders that only a page can give" };
  for (const [name, what] of Object.entries(outside)) {
    if (!missing.includes(name) || overrides[name] !== undefined) continue;
    throw new AtollError("snapshot", `the snapshot's machine had ${what}: give them again, as ${name}`);
  }
  return checkConfiguration({ ...(saved.configuration ?? {}), ...overrides });
}
