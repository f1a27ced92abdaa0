import {
  type ByteString,
  childOf,
  type FileAttributes,
  type FileTime,
  type FolderPath,
  isName,
  type OpenFile,
  type OpenFlags,
  parentOf,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type SharedFolder,
} from "../../../bus/folder.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { ERRNO, errnoOf, FileError } from "./errno.ts";
import { FIDS_MAX, type Fid, Fids, type Listing } from "./fids.ts";
import * as P from "./messages.ts";
import { errorMessage, MessageReader, MessageWriter } from "./wire.ts";

const { T } = P;

const MSIZE_MIN = 4096;
/** Bytes of a message at most: what a client that asks for more gets. */
export const MSIZE_MAX = 512 * 1024;
/** Before the version has been agreed upon there is only Tversion. */
const NO_VERSION = 0;
/** The user that others of the host are to the guest, as in Linux's user namespaces. */
const NOBODY = 65534;

type Handler = (this: Session, request: MessageReader, reply: MessageWriter) => void;

/**
 * A server of 9P2000.L for one folder: messages in, answers out. Whatever a message holds, it changes nothing outside of the folder, and
 * throws nothing.
 */
export class Session {
  readonly #folder: SharedFolder;
  readonly #fids = new Fids();
  #msize = NO_VERSION;

  constructor(folder: SharedFolder) {
    this.#folder = folder;
  }

  save(): Saved {
    return { msize: this.#msize, fids: this.#fids.save() };
  }

  restore(state: Fields): void {
    this.#msize = state.whole("msize", MSIZE_MAX);
    if (this.#msize !== NO_VERSION && this.#msize < MSIZE_MIN) throw state.wrong("msize");
    this.#fids.restore(state.list("fids", FIDS_MAX), this.#folder);
  }

  /** Forgets the client. */
  reset(): void {
    this.#fids.clear();
    this.#msize = NO_VERSION;
  }

  /**
   * Does what a message asks for.
   * @param request the message, which may be followed by bytes that are not of it.
   * @param reply where the answer goes; ERROR_BYTES at least.
   * @returns the answer's length; 0: what came is no message, and nobody could tell what an answer is to.
   */
  handle(request: Uint8Array, reply: Uint8Array): number {
    if (request.length < P.HEADER_BYTES || reply.length < P.ERROR_BYTES) return 0;
    const header = new MessageReader(request, 0);
    const size = header.u32();
    const type = header.u8();
    const tag = header.u16();
    try {
      if (size < P.HEADER_BYTES || size > request.length) throw new FileError("EINVAL");
      if (this.#msize === NO_VERSION ? type !== T.version : size > this.#msize) throw new FileError("EINVAL");
      const handler = HANDLERS.get(type);
      if (handler === undefined) throw new FileError("EOPNOTSUPP");
      const most = this.#msize === NO_VERSION ? reply.length : Math.min(this.#msize, reply.length);
      const writer = new MessageWriter(reply.subarray(0, most), P.HEADER_BYTES);
      handler.call(this, new MessageReader(request.subarray(0, size), P.HEADER_BYTES), writer);
      const length = writer.at;
      writer.at = 0;
      writer.u32(length);
      writer.u8(type + 1);
      writer.u16(tag);
      return length;
    } catch (error) {
      return errorMessage(reply, P.R_LERROR, tag, errnoOf(error));
    }
  }

  version(request: MessageReader, reply: MessageWriter): void {
    const msize = request.u32();
    const version = request.string();
    this.reset();
    const known = version === P.VERSION;
    if (known && msize < MSIZE_MIN) throw new FileError("EMSGSIZE");
    reply.u32(Math.min(msize, MSIZE_MAX));
    reply.string(known ? version : "unknown");
    if (known) this.#msize = Math.min(msize, MSIZE_MAX);
  }

  attach(request: MessageReader, reply: MessageWriter): void {
    const number = request.u32();
    request.u32();
    request.string();
    const tree = request.string();
    const user = request.u32();
    if (tree !== "" && tree !== "/") throw new FileError("ENOENT");
    const attributes = this.#folder.attributes("");
    this.#fids.add(number, "", user === P.NONE ? 0 : user);
    putQid(reply, attributes);
  }

  /** Messages are done one after the other: what is to be flushed has its answer already. */
  flush(): void {}

  walk(request: MessageReader, reply: MessageWriter): void {
    const from = request.u32();
    const number = request.u32();
    const { path: start, user } = this.#fids.get(from);
    const count = request.u16();
    if (count > P.WALK_MAX) throw new FileError("EINVAL");
    const names = Array.from({ length: count }, () => request.string());
    const qids: FileAttributes[] = [];
    let path = start;
    try {
      for (const name of names) {
        path = this.#step(path, name);
        qids.push(this.#folder.attributes(path));
      }
    } catch (error) {
      // The client sees from their number how far it came.
      if (qids.length === 0) throw error;
    }
    if (qids.length === count) this.#fids.add(number, path, user, number === from);
    reply.u16(qids.length);
    for (const attributes of qids) putQid(reply, attributes);
  }

  #step(path: FolderPath, name: ByteString): FolderPath {
    if ((this.#folder.attributes(path).mode & S_IFMT) !== S_IFDIR) throw new FileError("ENOTDIR");
    if (name === "..") return parentOf(path);
    if (name === ".") return path;
    if (name.length > 255) throw new FileError("ENAMETOOLONG");
    if (!isName(name)) throw new FileError("ENOENT");
    return childOf(path, name);
  }

  lopen(request: MessageReader, reply: MessageWriter): void {
    const fid = this.#fids.get(request.u32());
    const flags = request.u32();
    const attributes = this.#folder.attributes(fid.path);
    if ((attributes.mode & S_IFMT) === S_IFDIR) {
      if ((flags & P.OPEN.access) !== 0) throw new FileError("EISDIR");
      this.#fids.open(fid, () => ({ listing: this.#listing(fid.path) }));
    } else {
      if (flags & P.OPEN.directory) throw new FileError("ENOTDIR");
      const how = openFlags(flags);
      this.#fids.open(fid, () => ({ flags: how, file: this.#folder.open(fid.path, how) }));
    }
    putQid(reply, attributes);
    reply.u32(0);
  }

  lcreate(request: MessageReader, reply: MessageWriter): void {
    const number = request.u32();
    const fid = this.#fids.get(number);
    const path = childOf(fid.path, nameFrom(request));
    const flags = request.u32();
    const mode = request.u32();
    if (fid.open !== undefined) throw new FileError("EINVAL");
    const file = this.#createOrOpen(path, flags, mode);
    let attributes: FileAttributes;
    try {
      attributes = file.attributes();
      // The fid of the directory becomes that of the file.
      this.#fids.add(number, path, fid.user, true);
      this.#fids.open(this.#fids.get(number), () => ({ file, flags: openFlags(flags) }));
    } catch (error) {
      file.close();
      throw error;
    }
    putQid(reply, attributes);
    reply.u32(0);
  }

  #createOrOpen(path: FolderPath, flags: number, mode: number): OpenFile {
    try {
      return this.#folder.create(path, openFlags(flags), mode & ~S_IFMT);
    } catch (error) {
      if (errnoOf(error) !== ERRNO.EEXIST || flags & P.OPEN.exclusive) throw error;
      return this.#folder.open(path, openFlags(flags));
    }
  }

  mkdir(request: MessageReader, reply: MessageWriter): void {
    const path = childOf(this.#fids.get(request.u32()).path, nameFrom(request));
    this.#folder.makeDirectory(path, request.u32() & ~S_IFMT);
    putQid(reply, this.#folder.attributes(path));
  }

  symlink(request: MessageReader, reply: MessageWriter): void {
    const path = childOf(this.#fids.get(request.u32()).path, nameFrom(request));
    const target = request.string();
    if (target === "") throw new FileError("ENOENT");
    if (target.includes("\0")) throw new FileError("EINVAL");
    this.#folder.makeLink(path, target);
    putQid(reply, this.#folder.attributes(path));
  }

  /** Regular files only: a guest makes no devices, pipes and sockets on the host. */
  mknod(request: MessageReader, reply: MessageWriter): void {
    const path = childOf(this.#fids.get(request.u32()).path, nameFrom(request));
    const mode = request.u32();
    const type = mode & S_IFMT;
    if (type !== S_IFREG && type !== 0) throw new FileError("EPERM");
    const file = this.#folder.create(path, openFlags(P.OPEN.writeOnly), mode & ~S_IFMT);
    try {
      putQid(reply, file.attributes());
    } finally {
      file.close();
    }
  }

  link(request: MessageReader): void {
    const directory = this.#fids.get(request.u32());
    const existing = this.#fids.get(request.u32());
    this.#folder.link(childOf(directory.path, nameFrom(request)), notRoot(existing));
  }

  rename(request: MessageReader): void {
    const from = notRoot(this.#fids.get(request.u32()));
    const directory = this.#fids.get(request.u32());
    this.#rename(from, childOf(directory.path, nameFrom(request)));
  }

  renameat(request: MessageReader): void {
    const from = childOf(this.#fids.get(request.u32()).path, nameFrom(request));
    this.#rename(from, childOf(this.#fids.get(request.u32()).path, nameFrom(request)));
  }

  #rename(from: FolderPath, to: FolderPath): void {
    this.#folder.rename(from, to);
    this.#fids.moved(from, to);
  }

  unlinkat(request: MessageReader): void {
    const path = childOf(this.#fids.get(request.u32()).path, nameFrom(request));
    if (request.u32() & P.AT_REMOVEDIR) this.#folder.removeDirectory(path);
    else this.#folder.unlink(path);
  }

  /** The fid is gone afterwards, even where the file is not. */
  remove(request: MessageReader): void {
    const number = request.u32();
    const { path } = this.#fids.get(number);
    this.#fids.remove(number);
    if (path === "") throw new FileError("EBUSY");
    const isDirectory = (this.#folder.attributes(path).mode & S_IFMT) === S_IFDIR;
    if (isDirectory) this.#folder.removeDirectory(path);
    else this.#folder.unlink(path);
  }

  clunk(request: MessageReader): void {
    this.#fids.remove(request.u32());
  }

  readlink(request: MessageReader, reply: MessageWriter): void {
    reply.string(this.#folder.readLink(notRoot(this.#fids.get(request.u32()))));
  }

  getattr(request: MessageReader, reply: MessageWriter): void {
    const fid = this.#fids.get(request.u32());
    const attributes = this.#attributes(fid);
    reply.u64(P.GETATTR_BASIC);
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

  setattr(request: MessageReader): void {
    const fid = this.#fids.get(request.u32());
    const valid = request.u32();
    const mode = request.u32();
    const owners = [request.u32(), request.u32()];
    const size = request.u64();
    const accessed = request.time();
    const modified = request.time();
    // Owners are those that getattr shows; there is no way to change them.
    [P.SETATTR.uid, P.SETATTR.gid].forEach((bit, i) => {
      if (valid & bit && owners[i] !== fid.user) throw new FileError("EPERM");
    });
    if (valid & P.SETATTR.mode) this.#folder.setPermissions(fid.path, mode & ~S_IFMT);
    if (valid & P.SETATTR.size) this.#resize(fid, size);
    const { atime, atimeSet, mtime, mtimeSet } = P.SETATTR;
    if ((valid & (atime | mtime)) === 0) return;
    this.#folder.setTimes(fid.path, {
      accessed: valid & atime ? (valid & atimeSet ? accessed : "now") : undefined,
      modified: valid & mtime ? (valid & mtimeSet ? modified : "now") : undefined,
    });
  }

  #resize(fid: Fid, bytes: number): void {
    if (!Number.isSafeInteger(bytes)) throw new FileError("EFBIG");
    if (fid.open !== undefined && "file" in fid.open) {
      try {
        fid.open.file.resize(bytes);
        return;
      } catch {
        // Open for reading only: the file itself may allow it.
      }
    }
    this.#folder.resize(fid.path, bytes);
  }

  statfs(request: MessageReader, reply: MessageWriter): void {
    this.#fids.get(request.u32());
    const { blockSize, blocks, free, available, files, freeFiles } = this.#folder.statistics();
    reply.u32(P.FILE_SYSTEM_TYPE);
    reply.u32(blockSize);
    for (const value of [blocks, free, available, files, freeFiles, 0]) reply.u64(value);
    reply.u32(255);
  }

  read(request: MessageReader, reply: MessageWriter): void {
    const file = openFile(this.#fids.get(request.u32()));
    const offset = offsetFrom(request);
    const count = request.u32();
    const at = reply.at;
    reply.u32(0);
    const done = file.read(offset, reply.space(count));
    reply.skip(done);
    reply.u32At(at, done);
  }

  write(request: MessageReader, reply: MessageWriter): void {
    const file = openFile(this.#fids.get(request.u32()));
    const offset = offsetFrom(request);
    reply.u32(file.write(offset, request.bytes(request.u32())));
  }

  fsync(request: MessageReader): void {
    const { open, path } = this.#fids.get(request.u32());
    // Old clients leave this field out.
    const dataOnly = request.left >= 4 && request.u32() !== 0;
    if (open === undefined) throw new FileError("EBADF");
    if ("file" in open) open.file.sync(dataOnly);
    else this.#folder.syncDirectory(path);
  }

  readdir(request: MessageReader, reply: MessageWriter): void {
    const fid = this.#fids.get(request.u32());
    const offset = request.u64();
    const count = request.u32();
    if (fid.open === undefined || !("listing" in fid.open)) throw new FileError("EBADF");
    const { listing } = fid.open;
    const start = reply.at;
    reply.u32(0);
    const end = reply.at + Math.min(count, reply.room);
    this.#seek(fid.path, listing, offset);
    for (;;) {
      const name = nextName(listing);
      if (name === undefined) break;
      if (reply.at + P.QID_BYTES + 8 + 1 + 2 + name.length > end) {
        listing.pending = name;
        break;
      }
      listing.next++;
      const attributes = this.#entryAttributes(fid.path, name);
      if (attributes === undefined) continue;
      putQid(reply, attributes);
      reply.u64(listing.next);
      reply.u8(entryType(attributes));
      reply.string(name);
    }
    reply.u32At(start, reply.at - start - 4);
  }

  /** undefined: it is gone since. */
  #entryAttributes(directory: FolderPath, name: ByteString): FileAttributes | undefined {
    try {
      if (name === ".") return this.#folder.attributes(directory);
      if (name === "..") return this.#folder.attributes(parentOf(directory));
      return this.#folder.attributes(childOf(directory, name));
    } catch {
      return undefined;
    }
  }

  #listing(path: FolderPath): Listing {
    return { directory: this.#folder.list(path), next: 0, pending: undefined };
  }

  #seek(path: FolderPath, listing: Listing, offset: number): void {
    if (offset < listing.next || offset === 0) {
      const directory = this.#folder.list(path);
      listing.directory.close();
      listing.directory = directory;
      listing.next = 0;
      listing.pending = undefined;
    }
    while (listing.next < offset && nextName(listing) !== undefined) listing.next++;
  }

  /** The client's own kernel has the locks of its processes; those of others on the host are not asked for. */
  lock(request: MessageReader, reply: MessageWriter): void {
    openFile(this.#fids.get(request.u32()));
    if (request.u8() > P.LOCK.unlock) throw new FileError("EINVAL");
    reply.u8(P.LOCK.success);
  }

  getlock(request: MessageReader, reply: MessageWriter): void {
    openFile(this.#fids.get(request.u32()));
    if (request.u8() > P.LOCK.unlock) throw new FileError("EINVAL");
    const start = request.u64();
    const length = request.u64();
    const process = request.u32();
    reply.u8(P.LOCK.unlock);
    reply.u64(start);
    reply.u64(length);
    reply.u32(process);
    reply.string(request.string());
  }

  /** There are neither extended attributes nor authentication. */
  unsupported(): void {
    throw new FileError("EOPNOTSUPP");
  }

  /** Of a file that is open even where it has no name any more. */
  #attributes({ open, path }: Fid): FileAttributes {
    return open !== undefined && "file" in open ? open.file.attributes() : this.#folder.attributes(path);
  }
}

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [T.version, Session.prototype.version],
  [T.auth, Session.prototype.unsupported],
  [T.attach, Session.prototype.attach],
  [T.flush, Session.prototype.flush],
  [T.walk, Session.prototype.walk],
  [T.lopen, Session.prototype.lopen],
  [T.lcreate, Session.prototype.lcreate],
  [T.mkdir, Session.prototype.mkdir],
  [T.symlink, Session.prototype.symlink],
  [T.mknod, Session.prototype.mknod],
  [T.link, Session.prototype.link],
  [T.rename, Session.prototype.rename],
  [T.renameat, Session.prototype.renameat],
  [T.unlinkat, Session.prototype.unlinkat],
  [T.remove, Session.prototype.remove],
  [T.clunk, Session.prototype.clunk],
  [T.readlink, Session.prototype.readlink],
  [T.getattr, Session.prototype.getattr],
  [T.setattr, Session.prototype.setattr],
  [T.statfs, Session.prototype.statfs],
  [T.read, Session.prototype.read],
  [T.write, Session.prototype.write],
  [T.fsync, Session.prototype.fsync],
  [T.readdir, Session.prototype.readdir],
  [T.lock, Session.prototype.lock],
  [T.getlock, Session.prototype.getlock],
  [T.xattrwalk, Session.prototype.unsupported],
  [T.xattrcreate, Session.prototype.unsupported],
]);

const BEGINNING: FileTime = { seconds: 0, nanoseconds: 0 };

function nameFrom(request: MessageReader): ByteString {
  const name = request.string();
  if (name.length > 255) throw new FileError("ENAMETOOLONG");
  if (!isName(name)) throw new FileError("EINVAL");
  return name;
}

function notRoot({ path }: Fid): FolderPath {
  if (path === "") throw new FileError("EINVAL");
  return path;
}

function offsetFrom(request: MessageReader): number {
  const offset = request.u64();
  // So that its end is exact, too.
  if (offset > Number.MAX_SAFE_INTEGER - MSIZE_MAX) throw new FileError("EFBIG");
  return offset;
}

function openFile({ open }: Fid): OpenFile {
  if (open === undefined) throw new FileError("EBADF");
  if (!("file" in open)) throw new FileError("EISDIR");
  return open.file;
}

function openFlags(flags: number): OpenFlags {
  const access = flags & P.OPEN.access;
  return {
    read: access !== P.OPEN.writeOnly,
    write: access === P.OPEN.writeOnly || access === P.OPEN.readWrite,
    append: (flags & P.OPEN.append) !== 0,
    truncate: (flags & P.OPEN.truncate) !== 0,
  };
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
      return P.DT.directory;
    case S_IFREG:
      return P.DT.file;
    case S_IFLNK:
      return P.DT.link;
    default:
      return P.DT.unknown;
  }
}

/** The version lets a client see that a file has changed. */
function putQid(reply: MessageWriter, { mode, identity, modified, size }: FileAttributes): void {
  const type = mode & S_IFMT;
  reply.u8(type === S_IFDIR ? P.QID_DIRECTORY : type === S_IFLNK ? P.QID_LINK : 0);
  reply.u32((modified.nanoseconds ^ (modified.seconds << 8) ^ size) >>> 0);
  reply.u32(identity.low);
  reply.u32(identity.high);
}
