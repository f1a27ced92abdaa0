// The page: machines side by side.

import type { MachineConfiguration } from "../hosts/browser/index.ts";
import { button, byId } from "./element.ts";
import { chooseFolder, type FolderShare, folderShares, isAllowed, keptFolders, whyNot } from "./folders.ts";
import { MachineView, type MachineViewOptions } from "./machine-view.ts";
import { attempt, report, say } from "./messages.ts";
import { askForMachine, type Dropped } from "./new-machine.ts";
import { readLink } from "./share-link.ts";
import { disks, keepDisk, type StoredSnapshot, snapshotFile, snapshotParts, snapshots } from "./storage.ts";
import { showStored } from "./stored-view.ts";
import { setUpTheme } from "./theme.ts";

const views = new Set<MachineView>();
let number = 1;

function nextName(): string {
  return `machine ${number}`;
}

/** Two machines with one name would keep their snapshots in one place. */
function free(name: string): string {
  const names = new Set([...views].map((view) => view.name));
  for (let i = 1; ; i++) {
    const found = i === 1 ? name : `${name} (${i})`;
    if (!names.has(found)) return found;
  }
}

async function boot(
  name: string,
  configuration: MachineConfiguration,
  snapshot?: MachineViewOptions["snapshot"],
): Promise<void> {
  number++;
  const view = new MachineView(
    {
      ...{ name: free(name), configuration, snapshot },
      onClosed: (closed) => views.delete(closed),
      onFork: (name, configuration, from) => attempt(() => boot(`${name}, fork ${number}`, configuration, from)),
    },
    byId("machines"),
  );
  views.add(view);
  await view.start();
}

async function restore(snapshot: StoredSnapshot, folders?: readonly FolderShare[]): Promise<void> {
  const { name, screen } = snapshot;
  const share = folders ?? (await keptFolders(name));
  for (const each of share) {
    const why = await whyNot(each.folder, each.readOnly ? "read" : "readwrite");
    if (why === undefined) continue;
    const again = (label: string, folder: () => Promise<FileSystemDirectoryHandle | undefined>): HTMLButtonElement =>
      button(label, async () => {
        const found = await folder();
        if (found === undefined) return;
        line.remove();
        attempt(() =>
          restore(
            snapshot,
            share.map((other) => (other === each ? { ...each, folder: found } : other)),
          ),
        );
      });
    const line = say(
      "problem",
      `${name} shares the folder ${each.folder.name} with its guest, ${why}. With the folder it goes on.`,
      again("Try again", async () => each.folder),
      again("Choose a folder", chooseFolder),
    );
    return;
  }
  const parts = await snapshotParts(name);
  const configuration = share.length > 0 ? { ...parts, share } : parts;
  await boot(name, configuration, { file: await snapshotFile(name), screen });
}

/** `#snapshot=NAME`: one that this browser keeps, to be bookmarked. */
async function restoreNamed(name: string): Promise<void> {
  const found = (await snapshots()).find((snapshot) => snapshot.name === name);
  if (found === undefined) throw new Error(`this browser keeps no snapshot called ${name}`);
  await restore(found);
}

async function ask(dropped?: Dropped): Promise<void> {
  const stored = await disks().catch(() => []);
  const wanted = await askForMachine(
    nextName(),
    dropped,
    stored.map(({ name }) => name),
  );
  if (wanted === undefined) return;
  const { name, keep } = wanted;
  const configuration = await withAllowedFolders(name, wanted.configuration);
  if (keep === undefined) return boot(name, configuration);
  const note = say("note", `Copying ${keep.name} into this browser's storage.`);
  try {
    const opfs = await keepDisk(keep);
    await boot(name, { ...configuration, disk: [...(configuration.disk ?? []), { file: { opfs } }] });
  } finally {
    note.remove();
  }
}

/** A folder that was dropped may be read; who dropped it is asked whether it may be written to. */
async function withAllowedFolders(name: string, configuration: MachineConfiguration): Promise<MachineConfiguration> {
  const share = await Promise.all(
    folderShares(configuration).map(async (each) => {
      if (each.readOnly || (await isAllowed(each.folder, "readwrite"))) return each;
      say(
        "note",
        `${name} may read the folder ${each.folder.name}, but this browser does not let the page write to it.`,
      );
      return { ...each, readOnly: true };
    }),
  );
  return share.length > 0 ? { ...configuration, share } : configuration;
}

function acceptDrops(): void {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
    // All are asked for at once: what was dropped is gone afterwards.
    const found = items.map((item) => ({ file: item.getAsFile(), handle: item.getAsFileSystemHandle?.() }));
    if (found.length > 0) attempt(async () => ask(await dropped(found)));
  });
}

async function dropped(
  found: readonly { file: File | null; handle: Promise<FileSystemHandle | null> | undefined }[],
): Promise<Dropped> {
  const handles = await Promise.all(found.map(({ handle }) => handle?.catch(() => null)));
  return {
    files: found.flatMap(({ file }, i) => (file && handles[i]?.kind !== "directory" ? [file] : [])),
    folder: handles.find((handle) => handle?.kind === "directory") as FileSystemDirectoryHandle | undefined,
  };
}

/** A closed tab takes its machines along: it is asked for first, and said afterwards. */
function guardAgainstLoss(): void {
  const key = "atoll-lost";
  const unsaved = (): MachineView[] =>
    [...views].filter(({ machine, isSaved }) => machine?.state === "running" && !isSaved);
  addEventListener("beforeunload", (event) => {
    if (unsaved().length > 0) event.preventDefault();
  });
  addEventListener("pagehide", () => {
    const names = unsaved().map(({ name }) => name);
    if (names.length > 0) localStorage.setItem(key, names.join(", "));
  });
  const lost = localStorage.getItem(key);
  localStorage.removeItem(key);
  if (lost === null) return;
  say(
    "note",
    `The page was closed while ${lost} ran, without a snapshot since the last key: that run is gone. Disks and snapshots that this browser keeps are as they were.`,
  );
}

function main(): void {
  byId("machines").dataset.ready = "";
  setUpTheme();
  acceptDrops();
  guardAgainstLoss();
  byId("new").addEventListener("click", () => attempt(() => ask()));
  byId("stored").addEventListener("click", () =>
    attempt(() => showStored({ restore, bootDisk: (opfs) => boot(nextName(), { disk: [{ file: { opfs } }] }) })),
  );
  byId("isolation").textContent = crossOriginIsolated
    ? ""
    : "This site has no cross-origin isolation: machines do without shared memory.";
  try {
    const snapshot = new URLSearchParams(location.hash.slice(1)).get("snapshot");
    if (snapshot !== null) {
      attempt(() => restoreNamed(snapshot));
      return;
    }
    // Without a machine where the address asks for none: `#none`.
    const wanted = location.hash === "#none" ? undefined : (readLink(location.hash) ?? {});
    if (wanted) attempt(() => boot(nextName(), wanted));
  } catch (error) {
    report(error);
  }
}

addEventListener("unhandledrejection", ({ reason }) => report(reason));
if (typeof WebAssembly === "undefined") {
  say("problem", "This browser has no WebAssembly, or it is switched off: Atoll needs it.");
} else main();
