// What a machine gets from a browser, in a worker.

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
import { codecs } from "./codecs.ts";
import { BlobFile, RemoteFile } from "./files.ts";
import { inflate } from "./inflate.ts";
import { OpfsFile, opfsHandle } from "./opfs.ts";
import { pace } from "./pace.ts";
import { browserPackageFile } from "./package-files.ts";
import { openPageSwitch } from "./page-switch.ts";

const tools: DiskTools = { codecs, inflate };
const NO_NETWORK = { links: [], close: () => {} };

export const browserPlatform: Platform = {
  bindings: { entropy, wallClock, monotonic, inflate, sharedMemory: globalThis.crossOriginIsolated === true },
  pace,
  packageFile: browserPackageFile,
  load: async (source) =>
    fetchBytes(isInOpfs(source) ? await (await opfsHandle(source.opfs, false)).getFile() : source),
  openDisk: async (disk) => openDiskOn(await storage(disk), disk, tools, await changes(disk)),
  openDevices: async ({ net, share, vsock, serialPort }, wake) => {
    if (share.length > 0 || vsock || serialPort.length > 0) {
      throw new AtollError("unsupported", "browsers have no shared folders, vsock or serial ports for guests yet");
    }
    const network = await openNetwork(net, wake);
    return { parts: { networks: network.links }, close: () => network.close() };
  },
};

const isInOpfs = (source: Source): source is { opfs: string } =>
  typeof source === "object" && "opfs" in source && typeof source.opfs === "string";

async function storage({ file: source }: DiskConfiguration): Promise<Storage> {
  if (isInOpfs(source)) return OpfsFile.open(source.opfs, false);
  if (source instanceof Blob) return new BlobFile(nameOf(source), source);
  if (typeof source === "string" || source instanceof URL) {
    const remote = await RemoteFile.open(new URL(source, globalThis.location.href).href);
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

async function openNetwork(net: CheckedConfiguration["net"], wake: () => void): Promise<Network> {
  if (net === undefined || net.kind === "none") return NO_NETWORK;
  if (net.kind === "relay") return openRelay(net, wake);
  if (net.kind === "switch") return openPageSwitch(net.name, macOf(net) ?? randomMac(), wake);
  throw new AtollError("unsupported", "a browser has no sockets: give net of kind relay, and run atoll relay");
}
