// Folders that machines share: whether the page may have them, and those of snapshots, across reloads. A handle is nothing that could be written
// to a file, so they are in the browser's database (IndexedDB).

import type { MachineConfiguration } from "../hosts/browser/index.ts";

type Share = NonNullable<MachineConfiguration["share"]>[number];
/** One by its handle. */
export type FolderShare = Share & { readonly folder: FileSystemDirectoryHandle };

const DATABASE = "atoll";
const STORE = "folders";

/** Those of a configuration that a page can have. */
export const folderShares = (configuration: MachineConfiguration): FolderShare[] =>
  (configuration.share ?? []).filter((share): share is FolderShare => typeof share.folder !== "string");

/**
 * Whether the page may read a folder, and write to it. Where the browser asks its user, it does so only just after a click or a key: elsewhere
 * the answer is no.
 */
export async function isAllowed(folder: FileSystemDirectoryHandle, mode: "read" | "readwrite"): Promise<boolean> {
  // Browsers without the call have only folders of their own storage.
  if ((await folder.queryPermission?.({ mode })) !== "granted" && folder.requestPermission) {
    return folder.requestPermission({ mode }).then(
      (state) => state === "granted",
      () => false,
    );
  }
  return true;
}

/** Why the page cannot have a folder, as the end of a sentence; undefined: it can. */
export async function whyNot(
  folder: FileSystemDirectoryHandle,
  mode: "read" | "readwrite",
): Promise<string | undefined> {
  if (!(await isAllowed(folder, mode))) return "and this browser does not let the page have it";
  try {
    await folder.keys().next();
    return undefined;
  } catch {
    return "and it is not there any more";
  }
}

/** Asks for a folder of this computer. Undefined where the user thinks better of it, or the browser gives pages none. */
export function chooseFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  return window.showDirectoryPicker?.({ mode: "readwrite" }).catch(() => undefined) ?? Promise.resolve(undefined);
}

/** Keeps the folders of a snapshot, in place of those that it had. */
export async function keepFolders(snapshot: string, shares: readonly FolderShare[]): Promise<void> {
  await inStore("readwrite", (store) => (shares.length > 0 ? store.put(shares, snapshot) : store.delete(snapshot)));
}

export async function keptFolders(snapshot: string): Promise<FolderShare[]> {
  return ((await inStore("readonly", (store) => store.get(snapshot))) as FolderShare[] | undefined) ?? [];
}

async function inStore(mode: IDBTransactionMode, action: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => void opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    return await done(action(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
