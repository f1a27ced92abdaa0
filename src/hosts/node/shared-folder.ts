// A folder of this computer's that a guest shares.

import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  type Dir,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { resolve } from "node:path";
import {
  type ByteString,
  type FileAttributes,
  type FileTime,
  type FileTimes,
  type FolderPath,
  type FolderStatistics,
  isName,
  nameOf,
  type OpenDirectory,
  type OpenFile,
  type OpenFlags,
  parentOf,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type SharedFolder,
} from "../../bus/folder.ts";
import { BadInput } from "../../machine/runnable.ts";
import { reasonOf } from "./files.ts";
import { bytesOf, type Finder, failure, finderFor, type Place } from "./folder-places.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;
/** On Windows there are none of these. */
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0;
/** A pipe must not make the machine wait. */
const O_NONBLOCK = constants.O_NONBLOCK ?? 0;
/** What a guest may set of st_mode. The bits that lend a program its owner's rights are not lent to others of the host. */
const PERMISSIONS = 0o1777;
/** Names that are read of a directory at a time. */
const NAMES_AT_ONCE = 256;

export class NodeFolder implements SharedFolder {
  readonly #find: Finder;
  readonly #readOnly: boolean;
  readonly #devices = new Map<bigint, number>();

  /** @throws BadInput when it is no directory that can be read. */
  constructor(directory: string, readOnly: boolean) {
    this.#readOnly = readOnly;
    let root: string;
    try {
      root = realpathSync.native(resolve(directory), "latin1");
      if (!statSync(bytesOf(root)).isDirectory()) throw failure("ENOTDIR");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new BadInput(`cannot share ${directory}: ${code === "ENOTDIR" ? "it is no directory" : reasonOf(error)}`);
    }
    this.#find = finderFor(root);
  }

  attributes(path: FolderPath): FileAttributes {
    return this.#at(path, (place) => this.#attributesOf(statsOf(place)));
  }

  statistics(): FolderStatistics {
    return this.#at("", ({ path }) => {
      const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path);
      return { blockSize: bsize, blocks, free: bfree, available: bavail, files, freeFiles: ffree };
    });
  }

  readLink(path: FolderPath): ByteString {
    return this.#in(path, (name) => readlinkSync(name, "latin1"));
  }

  open(path: FolderPath, flags: OpenFlags): OpenFile {
    if (flags.write || flags.truncate) this.#changing();
    return this.#at(path, (place) => {
      if (typeOf(place) !== S_IFREG) throw failure("EACCES");
      const how = place.pinned === undefined ? O_NOFOLLOW | O_NONBLOCK : O_NONBLOCK;
      return this.#opened(openSync(place.path, numberOf(flags) | how));
    });
  }

  create(path: FolderPath, flags: OpenFlags, permissions: number): OpenFile {
    this.#changing();
    const how = O_CREAT | O_EXCL | O_NOFOLLOW;
    return this.#in(path, (name) => this.#opened(openSync(name, numberOf(flags) | how, permissions & PERMISSIONS)));
  }

  list(path: FolderPath): OpenDirectory {
    return this.#at(path, (place) => {
      // Not what a link leads to, which the host would list.
      if (typeOf(place) !== S_IFDIR) throw failure("ENOTDIR");
      // Node's types do not know that it takes bytes, as its other functions do.
      const name = place.path as unknown as string;
      return new NodeDirectory(opendirSync(name, { encoding: "latin1" as BufferEncoding, bufferSize: NAMES_AT_ONCE }));
    });
  }

  syncDirectory(path: FolderPath): void {
    this.#at(path, (place) => {
      if (typeOf(place) !== S_IFDIR) throw failure("ENOTDIR");
      const fd = openSync(place.path, O_RDONLY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  makeDirectory(path: FolderPath, permissions: number): void {
    this.#changing();
    this.#in(path, (name) => mkdirSync(name, permissions & PERMISSIONS));
  }

  makeLink(path: FolderPath, target: ByteString): void {
    this.#changing();
    this.#in(path, (name) => symlinkSync(bytesOf(target), name));
  }

  link(path: FolderPath, existing: FolderPath): void {
    this.#changing();
    this.#in(existing, (from) =>
      this.#in(path, (to) => {
        // Some hosts would follow a link here.
        if (process.platform !== "linux" && lstatSync(from).isSymbolicLink()) throw failure("EPERM");
        linkSync(from, to);
      }),
    );
  }

  rename(from: FolderPath, to: FolderPath): void {
    this.#changing();
    this.#in(from, (old) => this.#in(to, (fresh) => renameSync(old, fresh)));
  }

  unlink(path: FolderPath): void {
    this.#changing();
    this.#in(path, (name) => unlinkSync(name));
  }

  removeDirectory(path: FolderPath): void {
    this.#changing();
    this.#in(path, (name) => rmdirSync(name));
  }

  setPermissions(path: FolderPath, permissions: number): void {
    this.#changing();
    this.#at(path, (place) => {
      if (typeOf(place) === S_IFLNK) throw failure("EOPNOTSUPP");
      chmodSync(place.path, permissions & PERMISSIONS);
    });
  }

  setTimes(path: FolderPath, times: FileTimes): void {
    this.#changing();
    this.#at(path, (place) => {
      const set = place.pinned === undefined ? lutimesSync : utimesSync;
      set(place.path, ...secondsOf(times, this.#attributesOf(statsOf(place))));
    });
  }

  resize(path: FolderPath, bytes: number): void {
    this.#changing();
    this.#at(path, (place) => {
      if (typeOf(place) !== S_IFREG) throw failure("EINVAL");
      truncateSync(place.path, bytes);
    });
  }

  #changing(): void {
    if (this.#readOnly) throw failure("EROFS");
  }

  /** Does something with what the path names, itself. */
  #at<T>(path: FolderPath, action: (place: Place) => T): T {
    const place = this.#find(path);
    try {
      return action(place);
    } finally {
      place.release();
    }
  }

  /** Does something with a name in its directory. */
  #in<T>(path: FolderPath, action: (name: Buffer) => T): T {
    const name = nameOf(path);
    if (!isName(name)) throw failure("EINVAL");
    return this.#at(parentOf(path), (place) => {
      if (typeOf(place) !== S_IFDIR) throw failure("ENOTDIR");
      return action(Buffer.concat([place.path, bytesOf(`/${name}`)]));
    });
  }

  #opened(fd: number): OpenFile {
    return new NodeFile(fd, {
      attributesOf: (stats) => this.#attributesOf(stats),
      changing: () => this.#changing(),
    });
  }

  #attributesOf(stats: BigIntStats): FileAttributes {
    return {
      identity: this.#identityOf(stats),
      mode: Number(stats.mode),
      ownUser: process.getuid === undefined || Number(stats.uid) === process.getuid(),
      ownGroup: process.getgid === undefined || Number(stats.gid) === process.getgid(),
      links: Number(stats.nlink),
      size: Number(stats.size),
      blocks: Number(stats.blocks),
      blockSize: Number(stats.blksize),
      accessed: timeOf(stats.atimeNs),
      modified: timeOf(stats.mtimeNs),
      changed: timeOf(stats.ctimeNs),
    };
  }

  /** The file's number in its file system; of other file systems that are mounted inside the folder, with its top byte changed. */
  #identityOf({ dev, ino }: BigIntStats): { low: number; high: number } {
    let device = this.#devices.get(dev);
    if (device === undefined) {
      device = this.#devices.size & 0xff;
      this.#devices.set(dev, device);
    }
    const high = Number((ino >> 32n) & 0xffff_ffffn);
    return { low: Number(ino & 0xffff_ffffn), high: (high ^ (device << 24)) >>> 0 };
  }
}

/** The folder that a file is of. */
interface FolderOfFile {
  attributesOf(stats: BigIntStats): FileAttributes;
  /** @throws EROFS */
  changing(): void;
}

class NodeFile implements OpenFile {
  readonly #fd: number;
  readonly #folder: FolderOfFile;

  constructor(fd: number, folder: FolderOfFile) {
    this.#fd = fd;
    this.#folder = folder;
  }

  attributes(): FileAttributes {
    return this.#folder.attributesOf(fstatSync(this.#fd, { bigint: true }));
  }

  setPermissions(permissions: number): void {
    this.#folder.changing();
    fchmodSync(this.#fd, permissions & PERMISSIONS);
  }

  setTimes(times: FileTimes): void {
    this.#folder.changing();
    futimesSync(this.#fd, ...secondsOf(times, this.attributes()));
  }

  read(at: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#fd, into, done, into.length - done, at + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(at: number, from: Uint8Array): number {
    return from.length === 0 ? 0 : writeSync(this.#fd, from, 0, from.length, at);
  }

  resize(bytes: number): void {
    ftruncateSync(this.#fd, bytes);
  }

  sync(dataOnly: boolean): void {
    (dataOnly ? fdatasyncSync : fsyncSync)(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

class NodeDirectory implements OpenDirectory {
  readonly #directory: Dir;

  constructor(directory: Dir) {
    this.#directory = directory;
  }

  next(): ByteString | undefined {
    return this.#directory.readSync()?.name;
  }

  close(): void {
    this.#directory.closeSync();
  }
}

function statsOf({ path, pinned }: Place): BigIntStats {
  return pinned === undefined ? lstatSync(path, { bigint: true }) : fstatSync(pinned, { bigint: true });
}

function typeOf({ path, pinned }: Place): number {
  return (pinned === undefined ? lstatSync(path) : fstatSync(pinned)).mode & S_IFMT;
}

function numberOf({ read, write, append, truncate }: OpenFlags): number {
  const access = write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY;
  return access | (append ? O_APPEND : 0) | (truncate ? O_TRUNC : 0);
}

function timeOf(nanoseconds: bigint): FileTime {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanoseconds - rest) / 1_000_000_000n), nanoseconds: Number(rest) };
}

/** When a file is to have been accessed and modified; `before`: what it has. */
function secondsOf(times: FileTimes, before: FileAttributes): [accessed: number, modified: number] {
  const seconds = (time: FileTime | "now"): number =>
    time === "now" ? Date.now() / 1000 : time.seconds + time.nanoseconds / 1e9;
  return [seconds(times.accessed ?? before.accessed), seconds(times.modified ?? before.modified)];
}
