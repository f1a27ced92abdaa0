// Messages about files' attributes, and the file system's.

import { type FileTime, type OpenFile, S_IFMT, type SharedFolder } from "../../../bus/folder.ts";
import { FileError } from "./errno.ts";
import type { Fid } from "./fids.ts";
import { type Handlers, putQid, type Served } from "./handler.ts";
import { FILE_SYSTEM_TYPE, GETATTR_BASIC, SETATTR, T } from "./messages.ts";
import type { MessageReader, MessageWriter } from "./wire.ts";

/** The user that others of the host are to the guest, as in Linux's user namespaces. */
const NOBODY = 65534;
const BEGINNING: FileTime = { seconds: 0, nanoseconds: 0 };

function getAttributes({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const fid = fids.get(request.u32());
  const attributes = fileOf(folder, fid).attributes();
  reply.u64(GETATTR_BASIC);
  putQid(reply, attributes);
  reply.u32(attributes.mode);
  reply.u32(attributes.ownUser ? fid.user : NOBODY);
  reply.u32(attributes.ownGroup ? fid.user : NOBODY);
  reply.u64(attributes.links);
  reply.u64(0);
  reply.u64(attributes.size);
  reply.u64(attributes.blockSize);
  reply.u64(attributes.blocks);
  for (const time of [attributes.accessed, attributes.modified, attributes.changed, BEGINNING]) reply.time(time);
  // Generation and data version.
  reply.u64(0);
  reply.u64(0);
}

function setAttributes({ folder, fids }: Served, request: MessageReader): void {
  const fid = fids.get(request.u32());
  const valid = request.u32();
  const mode = request.u32();
  const owners = [request.u32(), request.u32()];
  const size = request.u64();
  const accessed = request.time();
  const modified = request.time();
  // Owners are those that getattr shows; there is no way to change them.
  [SETATTR.uid, SETATTR.gid].forEach((bit, i) => {
    if (valid & bit && owners[i] !== fid.user) throw new FileError("EPERM");
  });
  const file = fileOf(folder, fid);
  if (valid & SETATTR.mode) file.setPermissions(mode & ~S_IFMT);
  if (valid & SETATTR.size) resize(folder, fid, size);
  const { atime, atimeSet, mtime, mtimeSet } = SETATTR;
  if ((valid & (atime | mtime)) === 0) return;
  file.setTimes({
    accessed: valid & atime ? (valid & atimeSet ? accessed : "now") : undefined,
    modified: valid & mtime ? (valid & mtimeSet ? modified : "now") : undefined,
  });
}

function resize(folder: SharedFolder, fid: Fid, bytes: number): void {
  if (!Number.isSafeInteger(bytes)) throw new FileError("EFBIG");
  if (fid.open !== undefined && "file" in fid.open) {
    try {
      fid.open.file.resize(bytes);
      return;
    } catch {
      // Open for reading only: the file itself may allow it.
    }
  }
  folder.resize(fid.path, bytes);
}

function statistics({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  fids.get(request.u32());
  const { blockSize, blocks, free, available, files, freeFiles } = folder.statistics();
  reply.u32(FILE_SYSTEM_TYPE);
  reply.u32(blockSize);
  for (const value of [blocks, free, available, files, freeFiles, 0]) reply.u64(value);
  reply.u32(255);
}

/** What a fid stands for: a file that is open, even where it has no name any more, or what has the name now. */
function fileOf(
  folder: SharedFolder,
  { open, path }: Fid,
): Pick<OpenFile, "attributes" | "setPermissions" | "setTimes"> {
  if (open !== undefined && "file" in open) return open.file;
  return {
    attributes: () => folder.attributes(path),
    setPermissions: (permissions) => folder.setPermissions(path, permissions),
    setTimes: (times) => folder.setTimes(path, times),
  };
}

export const ATTRIBUTE_MESSAGES: Handlers = [
  [T.getattr, getAttributes],
  [T.setattr, setAttributes],
  [T.statfs, statistics],
];
