// What this browser keeps for the page: disks, and snapshots with the picture of their terminals.

import { AtollError } from "../hosts/browser/index.ts";
import { keepFolders } from "./folders.ts";

const FOLDER = "atoll";
const SNAPSHOT = ".snapshot";
const NOTE = ".json";
/** Files that a machine was booted from, and needs again when it is reset. */
export const PARTS = ["kernel", "initrd", "bios", "dtb"] as const;
export type Parts = { readonly [Name in (typeof PARTS)[number]]?: Blob };
const ofSnapshot = (name: string, part: string): string => `${name}${SNAPSHOT}.${part}`;
const IS_PART = new RegExp(`\\${SNAPSHOT}\\.(${PARTS.join("|")})$`);

export interface StoredSnapshot {
  readonly name: string;
  readonly bytes: number;
  readonly saved: Date;
  /** What the terminal showed. */
  readonly screen: string;
}

export interface StoredDisk {
  readonly name: string;
  readonly bytes: number;
}

async function folder(): Promise<FileSystemDirectoryHandle> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    throw new AtollError("unsupported", "this browser gives pages no storage here (a private window?)");
  }
}

/** Writes a file as a whole: what was there stays until all of it is written. */
async function write(name: string, content: Blob): Promise<void> {
  const file = await (await folder()).getFileHandle(name, { create: true });
  try {
    const writable = await file.createWritable();
    try {
      await content.stream().pipeTo(writable);
    } catch (error) {
      await writable.abort().catch(() => {});
      throw error;
    }
  } catch (error) {
    if ((await file.getFile()).size === 0) await remove(name);
    if ((error as DOMException).name !== "QuotaExceededError") throw error;
    throw new AtollError(
      "storage-full",
      `this browser's storage is full, and ${name} was not kept: remove something under Stored`,
    );
  }
}

async function remove(name: string): Promise<void> {
  await (await folder()).removeEntry(name).catch(() => {});
}

async function files(): Promise<File[]> {
  const found: File[] = [];
  for await (const entry of (await folder()).values()) {
    if (entry.kind === "file") found.push(await (entry as FileSystemFileHandle).getFile());
  }
  return found;
}

/** Names that are for people: without what file systems would not like. */
export const fileName = (name: string): string => name.replace(/[^\p{L}\p{N} ._-]+/gu, "-").slice(0, 80) || "unnamed";

export async function keepSnapshot(name: string, snapshot: Blob, screen: string, parts: Parts): Promise<void> {
  // So that the browser does not clear it away when space is short.
  await navigator.storage.persist?.().catch(() => false);
  await write(`${name}${SNAPSHOT}`, snapshot);
  await write(`${name}${NOTE}`, new Blob([JSON.stringify({ screen })]));
  for (const part of PARTS) {
    const file = parts[part];
    if (file) await write(ofSnapshot(name, part), file);
    else await remove(ofSnapshot(name, part));
  }
}

/** What the machine of a snapshot was booted from, where that was files of this computer. */
export async function snapshotParts(name: string): Promise<Parts> {
  const all = await files();
  const found = PARTS.flatMap((part) => {
    const file = all.find((other) => other.name === ofSnapshot(name, part));
    return file ? [[part, file] as const] : [];
  });
  return Object.fromEntries(found);
}

export async function snapshots(): Promise<StoredSnapshot[]> {
  const all = await files();
  const found = await Promise.all(
    all
      .filter(({ name }) => name.endsWith(SNAPSHOT))
      .map(async (file) => {
        const name = file.name.slice(0, -SNAPSHOT.length);
        const note = all.find((other) => other.name === `${name}${NOTE}`);
        return { name, bytes: file.size, saved: new Date(file.lastModified), screen: note ? await screenOf(note) : "" };
      }),
  );
  return found.sort((a, b) => b.saved.getTime() - a.saved.getTime());
}

async function screenOf(note: File): Promise<string> {
  try {
    const { screen } = JSON.parse(await note.text()) as { screen?: unknown };
    return typeof screen === "string" ? screen : "";
  } catch {
    return "";
  }
}

export async function snapshotFile(name: string): Promise<File> {
  return (await (await folder()).getFileHandle(`${name}${SNAPSHOT}`)).getFile();
}

export async function removeSnapshot(name: string): Promise<void> {
  await remove(`${name}${SNAPSHOT}`);
  await remove(`${name}${NOTE}`);
  for (const part of PARTS) await remove(ofSnapshot(name, part));
  await keepFolders(name, []);
}

/** Copies a file into the browser's storage, where a machine can write to it. Gives the name that it has there. */
export async function keepDisk(file: File): Promise<string> {
  const taken = new Set((await files()).map(({ name }) => name));
  const wanted = fileName(file.name);
  let name = wanted;
  for (let i = 2; taken.has(name); i++) name = `${i}-${wanted}`;
  await navigator.storage.persist?.().catch(() => false);
  await write(name, file);
  return name;
}

export async function disks(): Promise<StoredDisk[]> {
  return (await files())
    .filter(({ name }) => ![SNAPSHOT, NOTE, ".crswap"].some((end) => name.endsWith(end)) && !IS_PART.test(name))
    .map(({ name, size }) => ({ name, bytes: size }));
}

export async function diskFile(name: string): Promise<File> {
  return (await (await folder()).getFileHandle(name)).getFile();
}

export async function removeDisk(name: string): Promise<void> {
  try {
    await (await folder()).removeEntry(name);
  } catch {
    throw new AtollError("image", `${name} is in use by a machine: close that first`);
  }
}

/** Bytes that are used and that there are, as far as the browser says. */
export async function space(): Promise<{ used: number; all: number } | undefined> {
  const { usage, quota } = (await navigator.storage.estimate?.()) ?? {};
  return usage === undefined || quota === undefined ? undefined : { used: usage, all: quota };
}
