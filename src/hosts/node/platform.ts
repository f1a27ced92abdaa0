// What a machine of the library gets from Node.

import { createReadStream } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NamedBytes } from "../../machine/runnable.ts";
import type { Source } from "../library/config.ts";
import { type DiskTools, openDiskOn } from "../library/disks.ts";
import { AtollError } from "../library/errors.ts";
import { storageOf } from "../library/memory-storage.ts";
import type { Platform } from "../library/session.ts";
import { fetchBytes } from "../library/sources.ts";
import { nodeBindings, nodePackageFile } from "./bindings.ts";
import { codecs } from "./codecs.ts";
import { openDisk } from "./disk.ts";
import { load } from "./files.ts";
import { openDevices } from "./guest-devices.ts";
import { pace } from "./pace.ts";
import { checksum, snapshotCodec } from "./snapshot-file.ts";

const tools: DiskTools = { codecs, inflate: nodeBindings.inflate };

export const nodePlatform: Platform = {
  ...{ bindings: nodeBindings, pace, snapshotCodec, checksum, usualNetwork: "user" },
  packageFile: nodePackageFile,
  load: async (source) => {
    const path = pathOf(source);
    return path === undefined ? bytesOf(source) : load(path);
  },
  stream: async (source) => {
    const path = pathOf(source);
    if (path !== undefined) return createReadStream(path, { highWaterMark: 2 ** 20 });
    const { bytes } = await bytesOf(source);
    return new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  },
  openDisk: async (disk) => {
    if (disk.changes !== undefined) throw noOpfs();
    const path = pathOf(disk.file);
    if (path !== undefined) return openDisk({ ...disk, file: path });
    const { name, bytes } = await bytesOf(disk.file);
    return openDiskOn(storageOf(name, bytes), disk, tools);
  },
  openDevices: openDevices.bind(undefined, undefined),
};

/** Where a source is in the host's file system. */
function pathOf(source: Source): string | undefined {
  if (typeof source === "string") return /^(https?|data|blob):/.test(source) ? undefined : localPath(source);
  return source instanceof URL && source.protocol === "file:" ? fileURLToPath(source) : undefined;
}

const localPath = (text: string): string => (text.startsWith("file:") ? fileURLToPath(text) : text);

const noOpfs = (): AtollError => new AtollError("unsupported", "only browsers have { opfs: name }: give a path");

async function bytesOf(source: Source): Promise<NamedBytes> {
  if (typeof source === "object" && "opfs" in source) throw noOpfs();
  return fetchBytes(source);
}
