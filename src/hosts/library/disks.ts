// A disk on a file, wherever that is: in memory, behind a URL, in the browser's own storage.

import { ImageError, refused } from "../../images/error.ts";
import type { Image } from "../../images/image.ts";
import { openImage } from "../../images/open.ts";
import { probe } from "../../images/probe.ts";
import { createQcow2 } from "../../images/qcow2/create.ts";
import { Header } from "../../images/qcow2/header.ts";
import { Qcow2Image } from "../../images/qcow2/qcow2.ts";
import { RawImage } from "../../images/raw.ts";
import type { Codecs, Storage } from "../../images/storage.ts";
import { unxz } from "../../images/xz/xz.ts";
import type { Inflate } from "../../machine/runnable.ts";
import type { DiskConfiguration } from "./config.ts";
import { MemoryStorage } from "./memory-storage.ts";

/** What a compressed image may become in memory. */
const MAX_EXPANDED_BYTES = 2 ** 30;

export interface DiskTools {
  readonly codecs: Codecs;
  readonly inflate: Inflate;
}

/**
 * Opens the image that a file holds. @param changes where what is written goes, where that is not the file itself; what it holds already
 * counts. @throws ImageError, and closes both files then.
 */
export function openDiskOn(storage: Storage, disk: DiskConfiguration, tools: DiskTools, changes?: Storage): Image {
  try {
    const writable = !disk.readOnly && !storage.readOnly && changes === undefined && !disk.snapshot;
    const base = openBase(storage, disk, tools, writable);
    if (base.bytes === 0) throw refused(`${storage.name} is empty: it can be no disk`);
    if (disk.readOnly || writable) return base;
    return overlayOn(base, changes ?? new MemoryStorage(`changes of ${storage.name}`), tools.codecs);
  } catch (error) {
    storage.close();
    changes?.close();
    throw error;
  }
}

function openBase(storage: Storage, disk: DiskConfiguration, tools: DiskTools, writable: boolean): Image {
  const found = disk.format === undefined ? probe(storage) : undefined;
  if (found === "gzip" || found === "xz" || found === "zstd") {
    const expanded = expand(storage, found, tools.inflate);
    expanded.readOnly = true;
    return new RawImage(expanded, true);
  }
  const host = {
    open: (path: string): Storage => {
      if (path === storage.name) return storage;
      throw new ImageError("host", `${storage.name} is on top of ${path}, which is not here: make one image of both`);
    },
    beside: (_image: string, name: string) => name,
    codecs: tools.codecs,
  };
  return openImage(host, storage.name, { writable, format: disk.format });
}

function expand(storage: Storage, kind: "gzip" | "xz" | "zstd", inflate: Inflate): MemoryStorage {
  const to = new MemoryStorage(storage.name);
  if (kind === "xz") {
    for (const piece of unxz(storage)) {
      if (to.size() + piece.length > MAX_EXPANDED_BYTES) throw tooLarge(storage);
      to.write(to.size(), piece);
    }
    return to;
  }
  const packed = new Uint8Array(storage.size());
  storage.read(0, packed);
  try {
    to.write(0, inflate(kind, packed, MAX_EXPANDED_BYTES));
  } catch (error) {
    throw new ImageError("corrupt", `${storage.name}: ${(error as Error).message}`);
  }
  return to;
}

const tooLarge = (storage: Storage): ImageError => refused(`${storage.name} is larger than 1 GiB when decompressed`);

/** A disk whose own file holds only what was written to it. */
export function overlayOn(base: Image, changes: Storage, codecs: Codecs): Image {
  if (changes.size() === 0) createQcow2(changes, base.bytes);
  const overlay = new Qcow2Image(changes, new Header(changes), base, codecs);
  if (overlay.bytes === base.bytes) return overlay;
  throw refused(`${changes.name} holds the changes of another disk: remove it, or give it another name`);
}
