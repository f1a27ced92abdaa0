// What a domain takes along beside its state: the files that it boots from, and its disks. Where it goes, all of that is in its own folder; nothing is
// opened there by a path that the source names.

import { readFileSync } from "node:fs";
import type { DomainDefinition } from "../../contract/domain.ts";
import { asBadInput } from "../../hosts/node/files.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import { PAGE_BYTES } from "../../hypervisor/machine-memory.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { StoredDomain } from "../domains/store.ts";
import { FILE_FIELDS, type Luggage } from "./messages.ts";

/** Networks that every node has. */
const NETS: readonly string[] = ["none", "user", "switch", "network"];

/** @throws BadInput when it has something that cannot go along, or that is not in a file which lasts. */
export function checkMovable(name: string, definition: DomainDefinition): void {
  const stays = [
    [definition.share.length > 0, "shared folders"],
    [definition.vsock !== undefined, "a vsock"],
    [definition.serialPort.length > 0, "serial ports on the host"],
    [definition.net.some((net) => net.kind !== "none" && net.capture !== undefined), "a capture of its network"],
    [definition.net.some(({ kind }) => !NETS.includes(kind)), "an interface of its computer's kernel"],
    [definition.display !== undefined, "a display"],
    [definition.disk.some(({ snapshot }) => snapshot), "a disk whose changes are in a temporary file (,snapshot)"],
  ] as const;
  const [, what] = stays.find(([has]) => has) ?? [];
  if (what !== undefined) throw new BadInput(`${name} has ${what}, which cannot go along`);
}

/** A definition that names its files and disks by numbers, as they come after each other. */
export interface Packed {
  readonly definition: DomainDefinition;
  /** Paths, where they are now. */
  readonly files: readonly string[];
}

/** @param definition with whole paths. */
export function pack(definition: DomainDefinition): Packed {
  const files: string[] = [];
  const add = (path: string): string => {
    files.push(path);
    return fileName(files.length - 1);
  };
  const named: { kernel?: string; initrd?: string; dtb?: string } = {};
  for (const field of FILE_FIELDS) {
    const path = definition[field];
    if (path !== undefined) named[field] = add(path);
  }
  const load = definition.load.map((each) => ({ ...each, file: add(each.file) }));
  const disk = definition.disk.map(({ readOnly, serial }, i) => ({
    ...{ file: diskName(i), format: "qcow2" as const, readOnly, snapshot: false, serial },
  }));
  return { definition: { ...definition, ...named, load, disk, dependsOn: [] }, files };
}

/** @throws BadInput */
export function checkHasNoChannels({ config, channels }: Domain): void {
  if (channels.length > 0) throw new BadInput(`${config.name} shares channels with others, which cannot go along`);
}

/** As it is told to who takes it. */
export function luggageOf(stored: StoredDomain, packed: Packed, domain: Domain, files: readonly Uint8Array[]): Luggage {
  return {
    ...{
      name: stored.name,
      given: JSON.parse(stored.given || JSON.stringify(stored.definition)),
      definition: packed.definition,
    },
    resident: domain.space.mapped * PAGE_BYTES,
    files: files.map(({ length }) => ({ bytes: length })),
    disks: domain.config.disks.map(({ store, serial }) => ({ bytes: store.bytes, readOnly: store.readOnly, serial })),
  };
}

export const fileName = (index: number): string => `file${index}`;
export const diskName = (index: number): string => `disk${index}.qcow2`;

/** Whether a definition that came names nothing but what came with it. */
export function isPacked(definition: DomainDefinition, files: number, disks: number): boolean {
  const names = [
    ...FILE_FIELDS.flatMap((field) => definition[field] ?? []),
    ...definition.load.map(({ file }) => file),
  ];
  try {
    checkMovable("", definition);
  } catch {
    return false;
  }
  return (
    names.length === files &&
    names.every((name, i) => name === fileName(i)) &&
    definition.disk.length === disks &&
    definition.disk.every(({ file, format }, i) => file === diskName(i) && format === "qcow2")
  );
}

/** @throws BadInput */
export function readFiles(paths: readonly string[]): Uint8Array[] {
  return paths.map((path) => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw asBadInput(error, "read", path);
    }
  });
}
