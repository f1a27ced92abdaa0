// The backend port of a shared folder: a tree of files that the outside gives, and that nothing leads out of.

/** Bytes as a file system has them in names, one character (U+0000 to U+00FF) each: names need not be any encoding's text. */
export type ByteString = string;

/** From the folder down, with "/" between names; "" is the folder itself. */
export type FolderPath = ByteString;

/** Whether it can be the name of something in a directory. */
export function isName(name: ByteString): boolean {
  return (
    name !== "" && name !== "." && name !== ".." && name.length <= 255 && !name.includes("/") && !name.includes("\0")
  );
}

export function childOf(directory: FolderPath, name: ByteString): FolderPath {
  return directory === "" ? name : `${directory}/${name}`;
}

export function parentOf(path: FolderPath): FolderPath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function nameOf(path: FolderPath): ByteString {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of st_mode, as Linux has them. */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** Since 1970 UTC; nanoseconds from 0 to 999999999. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface FileAttributes {
  /** The same for all names of one file, and for no other file of the folder: 64 bits. */
  readonly identity: { readonly low: number; readonly high: number };
  /** Type and permissions, as st_mode. */
  readonly mode: number;
  /** Whether it belongs to the user, and to the group, that the machine runs as. */
  readonly ownUser: boolean;
  readonly ownGroup: boolean;
  readonly links: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly blockSize: number;
  readonly accessed: FileTime;
  readonly modified: FileTime;
  readonly changed: FileTime;
}

export interface FolderStatistics {
  readonly blockSize: number;
  readonly blocks: number;
  readonly free: number;
  readonly available: number;
  readonly files: number;
  readonly freeFiles: number;
}

export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
}

/** undefined: is left as it is. */
export interface FileTimes {
  readonly accessed: FileTime | "now" | undefined;
  readonly modified: FileTime | "now" | undefined;
}

/** A file whatever its name is, and where it has none any more. */
export interface OpenFile {
  attributes(): FileAttributes;
  /** @param permissions of st_mode. */
  setPermissions(permissions: number): void;
  setTimes(times: FileTimes): void;
  /** Less than into.length only at the file's end. */
  read(at: number, into: Uint8Array): number;
  write(at: number, from: Uint8Array): number;
  resize(bytes: number): void;
  /** What was written before is on the host's disk when it returns. */
  sync(dataOnly: boolean): void;
  close(): void;
}

export interface OpenDirectory {
  /** The next name; undefined after the last. Without "." and "..". */
  next(): ByteString | undefined;
  close(): void;
}

/**
 * All functions act on what the path itself names: a symbolic link is never followed. They are done when they return, and throw an
 * Error whose `code` is POSIX's name of what went wrong (ENOENT, EACCES, ...). A folder that is read-only throws EROFS.
 */
export interface SharedFolder {
  attributes(path: FolderPath): FileAttributes;
  statistics(): FolderStatistics;
  readLink(path: FolderPath): ByteString;
  /** A regular file; others throw EACCES. */
  open(path: FolderPath, flags: OpenFlags): OpenFile;
  list(path: FolderPath): OpenDirectory;
  /** What has been done to a directory's names is on the host's disk when it returns. */
  syncDirectory(path: FolderPath): void;
  /** EEXIST where there is something already. @param permissions of st_mode. */
  create(path: FolderPath, flags: OpenFlags, permissions: number): OpenFile;
  makeDirectory(path: FolderPath, permissions: number): void;
  makeLink(path: FolderPath, target: ByteString): void;
  /** One more name of a file. */
  link(path: FolderPath, existing: FolderPath): void;
  rename(from: FolderPath, to: FolderPath): void;
  unlink(path: FolderPath): void;
  removeDirectory(path: FolderPath): void;
  setPermissions(path: FolderPath, permissions: number): void;
  setTimes(path: FolderPath, times: FileTimes): void;
  resize(path: FolderPath, bytes: number): void;
}
