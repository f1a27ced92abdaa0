// Messages about files and directories that are open: their contents and locks.

import {
  childOf,
  type FileAttributes,
  type FolderPath,
  type OpenFile,
  S_IFDIR,
  S_IFMT,
  type SharedFolder,
} from "../../../bus/folder.ts";
import { ERRNO, errnoOf, FileError } from "./errno.ts";
import { type Handlers, nameFrom, openFile, openFlags, putQid, type Served } from "./handler.ts";
import { LOCK, MSIZE_MAX, OPEN, T } from "./messages.ts";
import { listDirectory, readDirectory } from "./read-directory.ts";
import type { MessageReader, MessageWriter } from "./wire.ts";

function open({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const fid = fids.get(request.u32());
  const flags = request.u32();
  const attributes = folder.attributes(fid.path);
  if ((attributes.mode & S_IFMT) === S_IFDIR) {
    if ((flags & OPEN.access) !== 0) throw new FileError("EISDIR");
    fids.open(fid, () => ({ listing: listDirectory(folder, fid.path) }));
  } else {
    if (flags & OPEN.directory) throw new FileError("ENOTDIR");
    const how = openFlags(flags);
    fids.open(fid, () => ({ flags: how, file: folder.open(fid.path, how) }));
  }
  putQid(reply, attributes);
  reply.u32(0);
}

function create({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const number = request.u32();
  const fid = fids.get(number);
  const path = childOf(fid.path, nameFrom(request));
  const flags = request.u32();
  const mode = request.u32();
  if (fid.open !== undefined) throw new FileError("EINVAL");
  const file = createOrOpen(folder, path, flags, mode);
  let attributes: FileAttributes;
  try {
    attributes = file.attributes();
    // The fid of the directory becomes that of the file.
    fids.add(number, path, fid.user, true);
    fids.open(fids.get(number), () => ({ file, flags: openFlags(flags) }));
  } catch (error) {
    file.close();
    throw error;
  }
  putQid(reply, attributes);
  reply.u32(0);
}

function createOrOpen(folder: SharedFolder, path: FolderPath, flags: number, mode: number): OpenFile {
  try {
    return folder.create(path, openFlags(flags), mode & ~S_IFMT);
  } catch (error) {
    if (errnoOf(error) !== ERRNO.EEXIST || flags & OPEN.exclusive) throw error;
    return folder.open(path, openFlags(flags));
  }
}

function read({ fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const file = openFile(fids.get(request.u32()));
  const offset = offsetFrom(request);
  const count = request.u32();
  const at = reply.at;
  reply.u32(0);
  const done = file.read(offset, reply.space(count));
  reply.skip(done);
  reply.u32At(at, done);
}

function write({ fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const file = openFile(fids.get(request.u32()));
  const offset = offsetFrom(request);
  reply.u32(file.write(offset, request.bytes(request.u32())));
}

function sync({ folder, fids }: Served, request: MessageReader): void {
  const { open, path } = fids.get(request.u32());
  // Old clients leave this field out.
  const dataOnly = request.left >= 4 && request.u32() !== 0;
  if (open === undefined) throw new FileError("EBADF");
  if ("file" in open) open.file.sync(dataOnly);
  else folder.syncDirectory(path);
}

/** The client's own kernel has the locks of its processes; those of others on the host are not asked for. */
function lock({ fids }: Served, request: MessageReader, reply: MessageWriter): void {
  openFile(fids.get(request.u32()));
  if (request.u8() > LOCK.unlock) throw new FileError("EINVAL");
  reply.u8(LOCK.success);
}

function getLock({ fids }: Served, request: MessageReader, reply: MessageWriter): void {
  openFile(fids.get(request.u32()));
  if (request.u8() > LOCK.unlock) throw new FileError("EINVAL");
  const start = request.u64();
  const length = request.u64();
  const process = request.u32();
  reply.u8(LOCK.unlock);
  reply.u64(start);
  reply.u64(length);
  reply.u32(process);
  reply.string(request.string());
}

function offsetFrom(request: MessageReader): number {
  const offset = request.u64();
  // So that its end is exact, too.
  if (offset > Number.MAX_SAFE_INTEGER - MSIZE_MAX) throw new FileError("EFBIG");
  return offset;
}

export const FILE_MESSAGES: Handlers = [
  [T.lopen, open],
  [T.lcreate, create],
  [T.read, read],
  [T.write, write],
  [T.fsync, sync],
  [T.readdir, readDirectory],
  [T.lock, lock],
  [T.getlock, getLock],
];
