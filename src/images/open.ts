// Opens images with what is under them.

import { corrupt, ImageError, refused, unsupported } from "./error.ts";
import { FORMATS, type Format, type Image } from "./image.ts";
import { probe } from "./probe.ts";
import { checkQcow2 } from "./qcow2/check.ts";
import { Header, INCOMPATIBLE } from "./qcow2/header.ts";
import { Qcow2Image } from "./qcow2/qcow2.ts";
import { RawImage } from "./raw.ts";
import type { ImageHost, Storage } from "./storage.ts";
import { openVdi } from "./vdi.ts";
import { openVhdx } from "./vhdx.ts";
import { openVmdk } from "./vmdk.ts";

export interface OpenOptions {
  readonly writable: boolean;
  /** Found out where it is not given. */
  readonly format?: Format | undefined;
  /** Does not open what is under it, which then reads as zeros: for looking at the image itself. */
  readonly withoutBacking?: boolean;
  /** Opens what should only be checked or repaired. */
  readonly forCheck?: boolean;
}

/** Images on top of each other. */
export const MAX_CHAIN = 100;

/** @throws ImageError */
export function openImage(host: ImageHost, path: string, options: OpenOptions): Image {
  return openLink(host, path, options, []);
}

function openLink(host: ImageHost, path: string, options: OpenOptions, over: readonly string[]): Image {
  if (over.length >= MAX_CHAIN) throw refused(`more than ${MAX_CHAIN} images are on top of each other`);
  const storage = host.open(path, options.writable);
  try {
    if (over.includes(storage.identity)) throw corrupt(`${path} is a backing file of itself`);
    return openStorage(host, path, storage, options, over);
  } catch (error) {
    storage.close();
    throw error;
  }
}

function openStorage(
  host: ImageHost,
  path: string,
  storage: Storage,
  options: OpenOptions,
  over: readonly string[],
): Image {
  const found = options.format ?? probe(storage);
  if (found === "gzip" || found === "xz" || found === "zstd") {
    throw unsupported(`${path} is compressed with ${found}: decompress it first`);
  }
  const format = found ?? "raw";
  if (options.writable && format !== "raw" && format !== "qcow2") {
    throw refused(`${path} can be read only, as ${format} images can: atoll image convert makes a qcow2 image of it`);
  }
  switch (format) {
    case "raw":
      return new RawImage(storage, options.format === undefined);
    case "qcow2":
      return openQcow2(host, path, storage, options, over);
    case "vmdk":
      return openVmdk(host, path, storage);
    case "vdi":
      return openVdi(storage);
    case "vhdx":
      return openVhdx(storage);
  }
}

function openQcow2(
  host: ImageHost,
  path: string,
  storage: Storage,
  options: OpenOptions,
  over: readonly string[],
): Qcow2Image {
  const header = new Header(storage);
  let backing: Image | undefined;
  if (header.backingFile !== undefined && !options.withoutBacking) {
    const below: OpenOptions = { writable: false, format: backingFormat(storage.name, header) };
    const file = backingPath(host, path, header.backingFile);
    try {
      backing = openLink(host, file, below, [...over, storage.identity]);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      throw new ImageError(error.failure, `${error.message} (the backing file of ${path})`);
    }
  }
  try {
    if (options.writable && !options.forCheck && (header.incompatible & INCOMPATIBLE.dirty) !== 0) {
      // Its reference counts are not to be believed before they are counted anew.
      checkQcow2(new Qcow2Image(storage, header, undefined, host.codecs, { forCheck: true }), true);
      return new Qcow2Image(storage, new Header(storage), backing, host.codecs);
    }
    return new Qcow2Image(storage, header, backing, host.codecs, { forCheck: options.forCheck === true });
  } catch (error) {
    backing?.close();
    throw error;
  }
}

function backingFormat(name: string, header: Header): Format | undefined {
  if (header.backingFormat === undefined) return undefined;
  const format = FORMATS.find((f) => f === header.backingFormat);
  if (format === undefined) throw unsupported(`${name}: backing files of format ${header.backingFormat} are not known`);
  return format;
}

/** A name with a colon before any slash is a protocol of QEMU's. */
export function backingPath(host: ImageHost, image: string, name: string): string {
  const plain = name.startsWith("file:") ? name.slice("file:".length) : name;
  if (/^[^/]*:/.test(plain)) throw unsupported(`${image}: a backing file must be a file, not ${name}`);
  return host.beside(image, plain);
}
