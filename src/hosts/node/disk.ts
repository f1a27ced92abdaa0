// Disk images as commands name them.

import type { Disk } from "../../contract/definition.ts";
import { ImageError, refused } from "../../images/error.ts";
import type { Format, Image } from "../../images/image.ts";
import { openImage } from "../../images/open.ts";
import { type Compression, probe } from "../../images/probe.ts";
import { createQcow2 } from "../../images/qcow2/create.ts";
import { Header } from "../../images/qcow2/header.ts";
import { Qcow2Image } from "../../images/qcow2/qcow2.ts";
import { RawImage } from "../../images/raw.ts";
import type { ImageHost } from "../../images/storage.ts";
import { nodeImages, unlockedImages } from "./block-file.ts";
import { expand } from "./expand.ts";
import { TemporaryFile } from "./temporary-file.ts";

/** @throws ImageError when the image cannot be used so. */
export async function openDisk({ file, format, readOnly, snapshot }: Disk): Promise<Image> {
  if (!readOnly && !snapshot) {
    const image = openImage(nodeImages, file, { writable: true, format });
    if (image.bytes > 0) return image;
    image.close();
    throw empty(file);
  }
  const base = await openForReading(file, format);
  if (base.bytes === 0) {
    base.close();
    throw empty(file);
  }
  return snapshot ? overlay(base) : base;
}

function empty(file: string) {
  return refused(
    `cannot use ${file} as a disk: it is empty; atoll image create makes one, as truncate -s 1G FILE does`,
  );
}

/** Opens an image for reading, a compressed one, too. @param limit of its decompressed bytes. @throws ImageError */
export async function openForReading(file: string, format?: Format, limit?: number): Promise<Image> {
  const compression = format === undefined ? compressionOf(file) : undefined;
  if (compression === undefined) return openImage(nodeImages, file, { writable: false, format });
  const expanded = await expand(file, compression, limit);
  expanded.readOnly = true;
  return new RawImage(expanded, true);
}

/** The files of an image that are not written: those under it. */
export function filesUnder({ file, format }: Pick<Disk, "file" | "format">): string[] {
  const files: string[] = [];
  const open: ImageHost["open"] = (path, writable) => {
    files.push(path);
    return unlockedImages.open(path, writable);
  };
  try {
    openImage({ ...unlockedImages, open }, file, { writable: false, format }).close();
  } catch (error) {
    // One that is compressed as a whole has none; what else is wrong, whoever opens it hears.
    if (!(error instanceof ImageError)) throw error;
  }
  return files.slice(1);
}

function compressionOf(file: string): Compression | undefined {
  const storage = nodeImages.open(file, false);
  try {
    const found = probe(storage);
    return found === "gzip" || found === "xz" || found === "zstd" ? found : undefined;
  } finally {
    storage.close();
  }
}

/** What is written to it goes to a temporary file. */
export function overlay(base: Image): Image {
  const storage = new TemporaryFile();
  createQcow2(storage, base.bytes);
  return new Qcow2Image(storage, new Header(storage), base, nodeImages.codecs);
}
