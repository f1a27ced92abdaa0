// The definition of a machine in a snapshot: the options of `atoll run` that say what it is, where they are not the defaults.

import { resolve } from "node:path";
import type { MachineDefinition } from "../contract/definition.ts";
import { mapPaths } from "../contract/paths.ts";
import { SnapshotError } from "../snapshot/error.ts";
import type { Saved } from "../snapshot/fields.ts";
import { definitionRows } from "./create.ts";
import { readOptions } from "./option.ts";
import { RUN_OPTIONS, type RunOptions } from "./run-options.ts";

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Paths are from the root: whoever restores it may be elsewhere. */
export function savedDefinition(options: RunOptions): Saved {
  const absolute = mapPaths(options, (path) => resolve(path)) as unknown as Readonly<Record<string, unknown>>;
  const defaults = readOptions(RUN_OPTIONS, {}) as Readonly<Record<string, unknown>>;
  const changed = Object.keys(definitionRows()).filter((name) => !same(absolute[name], defaults[name]));
  return JSON.parse(JSON.stringify(Object.fromEntries(changed.map((name) => [name, absolute[name]])))) as Saved;
}

/** @throws SnapshotError when it is no definition. */
export async function readDefinition(saved: unknown): Promise<Partial<MachineDefinition>> {
  // Loading the schema takes longer than restoring a machine that has nothing to be read.
  if (same(saved, {})) return {};
  const { machineDefinition } = await import("../contract/definition.ts");
  // Compiling a parser for it takes twice as long as parsing once.
  const { data, success } = machineDefinition.safeParse(saved, { jitless: true });
  if (!success) throw new SnapshotError("damaged", "the snapshot's definition of its machine makes no sense");
  return data;
}
