// A directory's entries, in as many answers as it takes.

import {
  type ByteString,
  childOf,
  type FileAttributes,
  type FolderPath,
  parentOf,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type SharedFolder,
} from "../../../bus/folder.ts";
import { FileError } from "./errno.ts";
import type { Listing } from "./fids.ts";
import { putQid, type Served } from "./handler.ts";
import { DT, QID_BYTES } from "./messages.ts";
import type { MessageReader, MessageWriter } from "./wire.ts";

export function readDirectory({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const fid = fids.get(request.u32());
  const offset = request.u64();
  const count = request.u32();
  if (fid.open === undefined || !("listing" in fid.open)) throw new FileError("EBADF");
  const { listing } = fid.open;
  const start = reply.at;
  reply.u32(0);
  const end = reply.at + Math.min(count, reply.room);
  seek(folder, fid.path, listing, offset);
  for (;;) {
    const name = nextName(listing);
    if (name === undefined) break;
    if (reply.at + QID_BYTES + 8 + 1 + 2 + name.length > end) {
      listing.pending = name;
      break;
    }
    listing.next++;
    const attributes = entryAttributes(folder, fid.path, name);
    if (attributes === undefined) continue;
    putQid(reply, attributes);
    reply.u64(listing.next);
    reply.u8(entryType(attributes));
    reply.string(name);
  }
  reply.u32At(start, reply.at - start - 4);
}

/** undefined: it is gone since. */
function entryAttributes(folder: SharedFolder, directory: FolderPath, name: ByteString): FileAttributes | undefined {
  try {
    if (name === ".") return folder.attributes(directory);
    if (name === "..") return folder.attributes(parentOf(directory));
    return folder.attributes(childOf(directory, name));
  } catch {
    return undefined;
  }
}

export function listDirectory(folder: SharedFolder, path: FolderPath): Listing {
  return { directory: folder.list(path), next: 0, pending: undefined };
}

function seek(folder: SharedFolder, path: FolderPath, listing: Listing, offset: number): void {
  if (offset < listing.next || offset === 0) {
    const directory = folder.list(path);
    listing.directory.close();
    listing.directory = directory;
    listing.next = 0;
    listing.pending = undefined;
  }
  while (listing.next < offset && nextName(listing) !== undefined) listing.next++;
}

/** Reads on: what was put back, then "." and "..", then the directory. */
function nextName(listing: Listing): ByteString | undefined {
  const { pending } = listing;
  listing.pending = undefined;
  if (pending !== undefined) return pending;
  if (listing.next < 2) return listing.next === 0 ? "." : "..";
  return listing.directory.next();
}

function entryType({ mode }: FileAttributes): number {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return DT.directory;
    case S_IFREG:
      return DT.file;
    case S_IFLNK:
      return DT.link;
    default:
      return DT.unknown;
  }
}
