// What all messages' handlers have in common.

import {
  type ByteString,
  type FileAttributes,
  type FolderPath,
  isName,
  type OpenFile,
  type OpenFlags,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  type SharedFolder,
} from "../../../bus/folder.ts";
import { FileError } from "./errno.ts";
import type { Fid, Fids } from "./fids.ts";
import { OPEN, QID_DIRECTORY, QID_LINK } from "./messages.ts";
import type { MessageReader, MessageWriter } from "./wire.ts";

/** What a client is served of. */
export interface Served {
  readonly folder: SharedFolder;
  readonly fids: Fids;
}

/** Does what a message asks for, and writes what the answer has behind its header. @throws FileError and the folder's own errors */
export type Handler = (served: Served, request: MessageReader, reply: MessageWriter) => void;

/** Handlers by the messages' types. */
export type Handlers = readonly (readonly [type: number, handler: Handler])[];

/** The name of something that is or will be in a directory. */
export function nameFrom(request: MessageReader): ByteString {
  const name = request.string();
  if (name.length > 255) throw new FileError("ENAMETOOLONG");
  if (!isName(name)) throw new FileError("EINVAL");
  return name;
}

export function notRoot({ path }: Fid): FolderPath {
  if (path === "") throw new FileError("EINVAL");
  return path;
}

export function openFile({ open }: Fid): OpenFile {
  if (open === undefined) throw new FileError("EBADF");
  if (!("file" in open)) throw new FileError("EISDIR");
  return open.file;
}

export function openFlags(flags: number): OpenFlags {
  const access = flags & OPEN.access;
  return {
    read: access !== OPEN.writeOnly,
    write: access === OPEN.writeOnly || access === OPEN.readWrite,
    append: (flags & OPEN.append) !== 0,
    truncate: (flags & OPEN.truncate) !== 0,
  };
}

/** The version lets a client see that a file has changed. */
export function putQid(reply: MessageWriter, { mode, identity, modified, size }: FileAttributes): void {
  const type = mode & S_IFMT;
  reply.u8(type === S_IFDIR ? QID_DIRECTORY : type === S_IFLNK ? QID_LINK : 0);
  reply.u32((modified.nanoseconds ^ (modified.seconds << 8) ^ size) >>> 0);
  reply.u32(identity.low);
  reply.u32(identity.high);
}
