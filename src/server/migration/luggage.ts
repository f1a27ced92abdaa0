// What a domain takes along beside its state: the files that it boots from, and its disks. Where it goes, all of that is in its own folder, and so is what it
// has to do with files and sockets of its computer. Shared folders are those that who moves it names there.

import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Share } from "../../contract/definition.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import { macText } from "../../hosts/library/mac.ts";
import { asBadInput } from "../../hosts/node/files.ts";
import type { Domain } from "../../hypervisor/domain.ts";
import { PAGE_BYTES } from "../../hypervisor/machine-memory.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { StoredDomain } from "../domains/store.ts";
import { FILE_FIELDS, type Luggage } from "./messages.ts";

/** What of a definition names something of the computer where it is: in a file from somebody else it has no place. */
function ofTheComputer({ net, share }: DomainDefinition): string | undefined {
  if (share.length > 0) return "shared folders";
  return net.some(({ kind }) => kind === "tap") ? "an interface of its computer's kernel" : undefined;
}

/** @throws BadInput when it has something that cannot be in a file. */
export function checkFitsInFile(name: string, definition: DomainDefinition): void {
  const what = ofTheComputer(definition);
  if (what !== undefined)
    throw new BadInput(`${name} has ${what}, which cannot be in a file: atoll migrate moves it to another node`);
}

/** A shared folder's place where the domain goes, by its tag. */
export interface Placed {
  readonly folder: string;
  readonly tag: string;
}

/** The folders that a domain shares, where it goes. @throws BadInput when one of them has no place there, or there is another. */
export function placeShares(name: string, shares: DomainDefinition["share"], there: readonly Placed[]): Share[] {
  const stranger = there.find(({ tag }, i) => i !== there.findIndex((each) => each.tag === tag) || !has(shares, tag));
  if (stranger !== undefined) throw new BadInput(`${name} shares no folder as ${stranger.tag}, or it is given twice`);
  return shares.map((share) => {
    const place = there.find(({ tag }) => tag === share.tag);
    if (place === undefined)
      throw new BadInput(
        `${name} shares a folder as ${share.tag}: say where it is there, with --share FOLDER:${share.tag}`,
      );
    return { ...share, folder: place.folder };
  });
}

const has = (shares: DomainDefinition["share"], tag: string): boolean => shares.some((share) => share.tag === tag);

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
  const disk = definition.disk.map(({ readOnly, snapshot, serial }, i) => ({
    ...{ file: diskName(i), format: "qcow2" as const, readOnly: readOnly && !snapshot, snapshot, serial },
  }));
  const passwordFile = definition.display?.passwordFile;
  const display =
    passwordFile === undefined ? {} : { display: { ...definition.display, passwordFile: add(passwordFile) } };
  return { definition: { ...ofItsFolder(definition), ...named, load, disk, ...display, dependsOn: [] }, files };
}

/** Interfaces of the kernel's with the address that the guest has: the other computer's interface has another one of its own. */
export function withGuestAddresses(definition: DomainDefinition, { config }: Domain): DomainDefinition {
  const net = definition.net.map((each, i) => {
    const mac = config.networks?.[i]?.mac;
    return each.kind === "tap" && mac !== undefined ? { ...each, mac: macText(mac) } : each;
  });
  return { ...definition, net };
}

/** With files and sockets of its own in its own folder. */
function ofItsFolder({ vsock, serialPort, net, ...rest }: DomainDefinition): DomainDefinition {
  return {
    ...rest,
    ...(vsock && { vsock: { ...vsock, path: "vsock" } }),
    serialPort: serialPort.map((port, i) => ({ ...port, path: `serial${i}` })),
    net: net.map((each, i) =>
      each.kind === "none" || each.capture === undefined ? each : { ...each, capture: `net${i}.pcap` },
    ),
  };
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

/** @param mayName who gave it may name what this computer has. @returns whether a definition that came names nothing else but what came with it. */
export function isPacked(definition: DomainDefinition, files: number, disks: number, mayName: boolean): boolean {
  const names = [
    ...FILE_FIELDS.flatMap((field) => definition[field] ?? []),
    ...definition.load.map(({ file }) => file),
    ...(definition.display?.passwordFile === undefined ? [] : [definition.display.passwordFile]),
  ];
  if (!mayName && ofTheComputer(definition) !== undefined) return false;
  if (definition.share.some(({ folder }) => !isAbsolute(folder))) return false;
  if (!isDeepStrictEqual(ofItsFolder(definition), definition)) return false;
  return (
    names.length === files &&
    names.every((name, i) => name === fileName(i)) &&
    definition.disk.length === disks &&
    definition.disk.every(
      ({ file, format, readOnly, snapshot }, i) =>
        file === diskName(i) && format === "qcow2" && !(readOnly && snapshot),
    )
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
