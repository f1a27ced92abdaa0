// What a machine gets from a browser, in a worker.

import type { Storage } from "../../images/storage.ts";
import type { NetworkLink } from "../../network/link.ts";
import { entropy, monotonic, wallClock } from "../library/clocks.ts";
import type { DiskConfiguration, Source } from "../library/config.ts";
import { type DiskTools, openDiskOn } from "../library/disks.ts";
import { AtollError } from "../library/errors.ts";
import { macOf, randomMac } from "../library/mac.ts";
import { storageOf } from "../library/memory-storage.ts";
import { openRelay } from "../library/relay-link.ts";
import type { Platform } from "../library/session.ts";
import { fetchBytes, nameOf } from "../library/sources.ts";
import type { WantedNet } from "../library/wanted-machine.ts";
import { codecs } from "./codecs.ts";
import { BlobFile, RemoteFile } from "./files.ts";
import { inflate } from "./inflate.ts";
import { OpfsFile, opfsHandle } from "./opfs.ts";
import { pace } from "./pace.ts";
import { browserPackageFile } from "./package-files.ts";
import { openPageSwitch } from "./page-switch.ts";
import { startRegionThread } from "./region-thread.ts";
import { snapshotCodec } from "./snapshot-codec.ts";

const tools: DiskTools = { codecs, inflate };
const NO_NETWORK = { links: [], close: () => {} };

const bindings = {
  ...{ entropy, wallClock, monotonic, inflate, regionThread: startRegionThread },
  sharedMemory: globalThis.crossOriginIsolated === true,
};

/** @param base what URLs are relative to. */
export const browserPlatform = (base: string): Platform => ({
  ...{ bindings, pace, snapshotCodec },
  packageFile: browserPackageFile,
  load: async (source) => fetchBytes(await wholeFile(source, base)),
  stream: async (source) => {
    const file = await wholeFile(source, base);
    return piecesOf(file instanceof Blob ? file : new Blob([(await fetchBytes(file)).bytes as BlobPart]));
  },
  openDisk: async (disk) => openDiskOn(await storage(disk, base), disk, tools, await changes(disk)),
  openDevices: async ({ net, share, vsock, serialPort }, wake) => {
    if (share.length > 0 || vsock || serialPort.length > 0) {
      throw new AtollError("unsupported", "browsers have no shared folders, vsock or serial ports for guests yet");
    }
    const opened: Network[] = [];
    const close = (): void => {
      for (const network of opened) network.close();
    };
    try {
      for (const each of net) opened.push(await openNetwork(each, wake));
    } catch (error) {
      close();
      throw error;
    }
    return { parts: { networks: opened.flatMap(({ links }) => links) }, close };
  },
});

const isInOpfs = (source: Source): source is { opfs: string } =>
  typeof source === "object" && "opfs" in source && typeof source.opfs === "string";

/** A source that is no name of the browser's storage, and no relative URL. */
async function wholeFile(source: Source, base: string): Promise<Exclude<Source, { opfs: string }>> {
  if (isInOpfs(source)) return (await opfsHandle(source.opfs, false)).getFile();
  return typeof source === "string" ? new URL(source, base) : source;
}

async function* piecesOf(file: Blob): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader();
  for (let { value, done } = await reader.read(); !done && value; { value, done } = await reader.read()) yield value;
}

async function storage({ file: source }: DiskConfiguration, base: string): Promise<Storage> {
  if (isInOpfs(source)) return OpfsFile.open(source.opfs, false);
  if (source instanceof Blob) return new BlobFile(nameOf(source), source);
  if (typeof source === "string" || source instanceof URL) {
    const remote = await RemoteFile.open(new URL(source, base).href);
    if (remote !== undefined) return remote;
  }
  const { name, bytes } = await fetchBytes(source);
  return storageOf(name, bytes);
}

async function changes({ changes }: DiskConfiguration): Promise<Storage | undefined> {
  return changes ? OpfsFile.open(changes.opfs, true) : undefined;
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
