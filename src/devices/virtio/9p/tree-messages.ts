// Messages about names: the tree of directories, and what is made, moved and removed in it.

import {
  type ByteString,
  childOf,
  type FileAttributes,
  type FolderPath,
  isName,
  parentOf,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  type SharedFolder,
} from "../../../bus/folder.ts";
import { FileError } from "./errno.ts";
import { type Handlers, nameFrom, notRoot, openFlags, putQid, type Served } from "./handler.ts";
import { AT_REMOVEDIR, NONE, OPEN, T, WALK_MAX } from "./messages.ts";
import type { MessageReader, MessageWriter } from "./wire.ts";

function attach({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const number = request.u32();
  request.u32();
  request.string();
  const tree = request.string();
  const user = request.u32();
  if (tree !== "" && tree !== "/") throw new FileError("ENOENT");
  const attributes = folder.attributes("");
  fids.add(number, "", user === NONE ? 0 : user);
  putQid(reply, attributes);
}

function walk({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const from = request.u32();
  const number = request.u32();
  const { path: start, user } = fids.get(from);
  const count = request.u16();
  if (count > WALK_MAX) throw new FileError("EINVAL");
  const names = Array.from({ length: count }, () => request.string());
  const qids: FileAttributes[] = [];
  let path = start;
  try {
    for (const name of names) {
      path = step(folder, path, name);
      qids.push(folder.attributes(path));
    }
  } catch (error) {
    // The client sees from their number how far it came.
    if (qids.length === 0) throw error;
  }
  if (qids.length === count) fids.add(number, path, user, number === from);
  reply.u16(qids.length);
  for (const attributes of qids) putQid(reply, attributes);
}

function step(folder: SharedFolder, path: FolderPath, name: ByteString): FolderPath {
  if ((folder.attributes(path).mode & S_IFMT) !== S_IFDIR) throw new FileError("ENOTDIR");
  if (name === "..") return parentOf(path);
  if (name === ".") return path;
  if (name.length > 255) throw new FileError("ENAMETOOLONG");
  if (!isName(name)) throw new FileError("ENOENT");
  return childOf(path, name);
}

function makeDirectory({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const path = childOf(fids.get(request.u32()).path, nameFrom(request));
  folder.makeDirectory(path, request.u32() & ~S_IFMT);
  putQid(reply, folder.attributes(path));
}

function makeLink({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const path = childOf(fids.get(request.u32()).path, nameFrom(request));
  const target = request.string();
  if (target === "") throw new FileError("ENOENT");
  if (target.includes("\0")) throw new FileError("EINVAL");
  folder.makeLink(path, target);
  putQid(reply, folder.attributes(path));
}

/** Regular files only: a guest makes no devices, pipes and sockets on the host. */
function makeNode({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  const path = childOf(fids.get(request.u32()).path, nameFrom(request));
  const mode = request.u32();
  const type = mode & S_IFMT;
  if (type !== S_IFREG && type !== 0) throw new FileError("EPERM");
  const file = folder.create(path, openFlags(OPEN.writeOnly), mode & ~S_IFMT);
  try {
    putQid(reply, file.attributes());
  } finally {
    file.close();
  }
}

function link({ folder, fids }: Served, request: MessageReader): void {
  const directory = fids.get(request.u32());
  const existing = fids.get(request.u32());
  folder.link(childOf(directory.path, nameFrom(request)), notRoot(existing));
}

function rename(served: Served, request: MessageReader): void {
  const { fids } = served;
  const from = notRoot(fids.get(request.u32()));
  const directory = fids.get(request.u32());
  move(served, from, childOf(directory.path, nameFrom(request)));
}

function renameAt(served: Served, request: MessageReader): void {
  const { fids } = served;
  const from = childOf(fids.get(request.u32()).path, nameFrom(request));
  move(served, from, childOf(fids.get(request.u32()).path, nameFrom(request)));
}

function move({ folder, fids }: Served, from: FolderPath, to: FolderPath): void {
  folder.rename(from, to);
  fids.moved(from, to);
}

function unlinkAt({ folder, fids }: Served, request: MessageReader): void {
  const path = childOf(fids.get(request.u32()).path, nameFrom(request));
  if (request.u32() & AT_REMOVEDIR) folder.removeDirectory(path);
  else folder.unlink(path);
}

/** The fid is gone afterwards, even where the file is not. */
function remove({ folder, fids }: Served, request: MessageReader): void {
  const number = request.u32();
  const { path } = fids.get(number);
  fids.remove(number);
  if (path === "") throw new FileError("EBUSY");
  const isDirectory = (folder.attributes(path).mode & S_IFMT) === S_IFDIR;
  if (isDirectory) folder.removeDirectory(path);
  else folder.unlink(path);
}

function readLink({ folder, fids }: Served, request: MessageReader, reply: MessageWriter): void {
  reply.string(folder.readLink(notRoot(fids.get(request.u32()))));
}

function clunk({ fids }: Served, request: MessageReader): void {
  fids.remove(request.u32());
}

export const TREE_MESSAGES: Handlers = [
  [T.attach, attach],
  [T.walk, walk],
  [T.mkdir, makeDirectory],
  [T.symlink, makeLink],
  [T.mknod, makeNode],
  [T.link, link],
  [T.rename, rename],
  [T.renameat, renameAt],
  [T.unlinkat, unlinkAt],
  [T.remove, remove],
  [T.readlink, readLink],
  [T.clunk, clunk],
];
