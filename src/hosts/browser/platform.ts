// What a machine gets from a browser, in a worker.

import type { SharedFolder } from "../../bus/folder.ts";
import type { Storage } from "../../images/storage.ts";
import type { NetworkLink } from "../../network/link.ts";
import { entropy, monotonic, wallClock } from "../library/clocks.ts";
import type { CheckedConfiguration, DiskConfiguration, Source } from "../library/config.ts";
import { type DiskTools, openDiskOn } from "../library/disks.ts";
import { AtollError } from "../library/errors.ts";
import { macOf, randomMac } from "../library/mac.ts";
import { storageOf } from "../library/memory-storage.ts";
import { openRelay } from "../library/relay-link.ts";
import type { Platform } from "../library/session.ts";
import { fetchBytes, nameOf } from "../library/sources.ts";
import type { Closable, WantedNet } from "../library/wanted-machine.ts";
import { codecs } from "./codecs.ts";
import { BlobFile, RemoteFile } from "./files.ts";
import type { ReadPart } from "./folder-file.ts";
import { FolderKeeper } from "./folder-keeper.ts";
import { inflate } from "./inflate.ts";
import { OpfsFile, opfsHandle } from "./opfs.ts";
import { pace } from "./pace.ts";
import { browserPackageFile } from "./package-files.ts";
import { openPageSwitch } from "./page-switch.ts";
import { startRegionThread } from "./region-thread.ts";
import { snapshotCodec } from "./snapshot-codec.ts";

export type Report = (problem: AtollError) => void;

const tools: DiskTools = { codecs, inflate };
/** Reads a part of a file at once, as only workers can. */
const reader = new FileReaderSync();
const readPart: ReadPart = (file, from, to) => new Uint8Array(reader.readAsArrayBuffer(file.slice(from, to)));

const NO_NETWORK = { links: [], close: () => {} };

const bindings = {
  ...{ entropy, wallClock, monotonic, inflate, regionThread: startRegionThread },
  sharedMemory: globalThis.crossOriginIsolated === true,
};

/** @param base what URLs are relative to. @param report is told what fails while a machine runs. */
export const browserPlatform = (base: string, report: Report): Platform => ({
  ...{ bindings, pace, snapshotCodec, usualNetwork: "none" },
  packageFile: browserPackageFile,
  load: async (source) => fetchBytes(await wholeFile(source, base)),
  stream: async (source) => {
    const file = await wholeFile(source, base);
    return piecesOf(file instanceof Blob ? file : new Blob([(await fetchBytes(file)).bytes as BlobPart]));
  },
  openDisk: async (disk) => openDiskOn(await storage(disk, base, report), disk, tools, await changes(disk, report)),
  openDevices: async ({ net, share, vsock, serialPort }, wake) => {
    if (vsock || serialPort.length > 0) {
      throw new AtollError(
        "unsupported",
        "a browser has no sockets that a vsock's path or a serial port could lead to",
      );
    }
    const opened: Closable[] = [];
    const close = (): Promise<void> => Promise.all(opened.map((each) => each.close())).then(() => {});
    try {
      const shares: { tag: string; folder: SharedFolder }[] = [];
      for (const each of share) {
        const keeper = await openFolder(each, report);
        opened.push(keeper);
        shares.push({ tag: each.tag, folder: keeper.folder });
      }
      const links: NetworkLink[] = [];
      for (const each of net) {
        const network = await openNetwork(each, wake);
        opened.push(network);
        links.push(...network.links);
      }
      return { parts: { networks: links, shares }, close };
    } catch (error) {
      await close();
      throw error;
    }
  },
});

const isInOpfs = (source: Source): source is { readonly opfs: string } =>
  typeof source === "object" && "opfs" in source && typeof source.opfs === "string";

/** A source that is no name of the browser's storage, and no relative URL. */
async function wholeFile(source: Source, base: string): Promise<Exclude<Source, { readonly opfs: string }>> {
  if (isInOpfs(source)) return (await opfsHandle(source.opfs, false)).getFile();
  return typeof source === "string" ? new URL(source, base) : source;
}

async function* piecesOf(file: Blob): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader();
  for (let { value, done } = await reader.read(); !done && value; { value, done } = await reader.read()) yield value;
}

async function storage({ file: source }: DiskConfiguration, base: string, report: Report): Promise<Storage> {
  if (isInOpfs(source)) return OpfsFile.open(source.opfs, false, report);
  if (source instanceof Blob) return new BlobFile(nameOf(source), source);
  if (typeof source === "string" || source instanceof URL) {
    const remote = await RemoteFile.open(new URL(source, base).href);
    if (remote !== undefined) return remote;
  }
  const { name, bytes } = await fetchBytes(source);
  return storageOf(name, bytes);
}

async function changes({ changes }: DiskConfiguration, report: Report): Promise<Storage | undefined> {
  return changes ? OpfsFile.open(changes.opfs, true, report) : undefined;
}

async function openFolder(
  { folder, tag, readOnly }: CheckedConfiguration["share"][number],
  report: Report,
): Promise<FolderKeeper> {
  if (typeof folder === "string") {
    throw new AtollError("unsupported", `a browser has no folders by path: share ${tag} as a directory handle`);
  }
  const handle = folder as FileSystemDirectoryHandle;
  return FolderKeeper.open(handle, { tag, readOnly, read: readPart, report });
}

interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

async function openNetwork(net: WantedNet, wake: () => void): Promise<Network> {
  if (net.kind === "none") return NO_NETWORK;
  if (net.kind === "relay") return openRelay(net, wake);
  if (net.kind === "switch") return openPageSwitch(net.name, macOf(net) ?? randomMac(), wake);
  throw new AtollError("unsupported", "a browser has no sockets: give net of kind relay, and run atoll relay");
}
