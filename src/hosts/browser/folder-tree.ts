// The tree of a shared folder as the guest sees it, in memory: pages have no calls for files that are done when they return. What the
// guest does is done here at once, and is brought to the folder itself afterwards (folder-keeper.ts).

import {
  type ByteString,
  type FileAttributes,
  type FileTime,
  type FileTimes,
  type FolderPath,
  type FolderStatistics,
  nameOf,
  type OpenDirectory,
  type OpenFile,
  type OpenFlags,
  parentOf,
  S_IFDIR,
  S_IFREG,
  type SharedFolder,
} from "../../bus/folder.ts";
import { failure } from "./folder-failure.ts";
import { FolderFile, type FolderMemory, type ReadPart } from "./folder-file.ts";

const BLOCK = 4096;
/** Files and directories at most. */
export const NODES_MAX = 100_000;
const PERMISSIONS = 0o1777;
/** Files of a page have no permissions: everybody may do everything. */
const DEFAULT_PERMISSIONS = 0o755;

interface Node {
  readonly identity: number;
  /** Where it is; undefined: it has no name any more, or is the folder itself. */
  parent: DirectoryNode | undefined;
  name: ByteString;
  permissions: number;
  accessed: FileTime;
  modified: FileTime;
  changed: FileTime;
}

export interface FileNode extends Node {
  readonly kind: "file";
  readonly content: FolderFile;
  /** How often it is open. */
  opens: number;
  /** Of the folder's file when it was looked at: another value says that somebody else has written to it. */
  lastModified: number;
  /** What the last try to keep it has met with. */
  failed: Error | undefined;
}

export interface DirectoryNode extends Node {
  readonly kind: "directory";
  readonly children: Map<ByteString, FileNode | DirectoryNode>;
  /** Names that were of the folder's and are to go. */
  readonly removed: Set<ByteString>;
}

export type AnyNode = FileNode | DirectoryNode;

export interface TreeOptions {
  readonly readOnly: boolean;
  readonly read: ReadPart;
  /** Something has been changed, and is to be kept. */
  readonly onChange: () => void;
  /** It is in another place, or has another name, with all that is below it. */
  readonly onMove: (node: AnyNode) => void;
  /** Somebody has looked. */
  readonly onUse: () => void;
}

const timeOf = (milliseconds: number): FileTime => ({
  seconds: Math.floor(milliseconds / 1000),
  nanoseconds: Math.round((milliseconds - Math.floor(milliseconds / 1000) * 1000) * 1e6),
});
const now = (): FileTime => timeOf(Date.now());
const isName = (name: ByteString): boolean => {
  try {
    return textOf(name) !== "";
  } catch {
    return false;
  }
};

/** A name as the browser has it. @throws TypeError where it is not UTF-8. */
export function textOf(name: ByteString): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    Uint8Array.from(name, (c) => c.charCodeAt(0)),
  );
}

export function bytesOf(text: string): ByteString {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

export class FolderTree implements SharedFolder {
  readonly root: DirectoryNode;
  /** Files whose content is to be kept. */
  readonly dirty = new Set<FileNode>();
  /** Files without a name that are still open. */
  readonly nameless = new Set<FileNode>();
  readonly #options: TreeOptions;
  readonly #memory: FolderMemory;
  #identities = 0;
  #nodes = 0;
  /** What the browser says of its storage. */
  space = { free: 2 ** 40, all: 2 ** 40 };

  constructor(options: TreeOptions) {
    this.#options = options;
    this.#memory = { read: options.read, waiting: 0 };
    this.root = this.newDirectory();
  }

  /** @throws ENOSPC where there are too many. */
  newFile(file: File | undefined): FileNode {
    const at = file ? timeOf(file.lastModified) : now();
    return {
      ...this.#newNode(at),
      ...{ kind: "file", content: new FolderFile(file, this.#memory), opens: 0 },
      ...{ lastModified: file?.lastModified ?? Number.NaN, failed: undefined },
    };
  }

  /** @throws ENOSPC where there are too many. */
  newDirectory(): DirectoryNode {
    return { ...this.#newNode(now()), kind: "directory", children: new Map(), removed: new Set() };
  }

  #newNode(at: FileTime): Node {
    if (this.#nodes >= NODES_MAX) throw failure("ENOSPC");
    this.#nodes++;
    const identity = this.#identities++;
    const place = { parent: undefined, name: "" };
    return { identity, ...place, permissions: DEFAULT_PERMISSIONS, accessed: at, modified: at, changed: at };
  }

  /** Gives a name to what has none. */
  put(parent: DirectoryNode, name: ByteString, node: AnyNode): void {
    node.parent = parent;
    node.name = name;
    parent.children.set(name, node);
  }

  /** A name is gone, with all that is below it. */
  drop(node: AnyNode): void {
    this.#nodes--;
    node.parent = undefined;
    if (node.kind === "directory") {
      for (const child of node.children.values()) this.drop(child);
      return;
    }
    this.dirty.delete(node);
    if (node.opens > 0) this.nameless.add(node);
    else node.content.release();
  }

  attributes(path: FolderPath): FileAttributes {
    this.#options.onUse();
    return attributesOf(this.#find(path));
  }

  statistics(): FolderStatistics {
    const { free, all } = this.space;
    const [blocks, left] = [Math.floor(all / BLOCK), Math.floor(Math.max(0, free) / BLOCK)];
    const freeFiles = NODES_MAX - this.#nodes;
    return { blockSize: BLOCK, blocks, free: left, available: left, files: NODES_MAX, freeFiles };
  }

  readLink(): ByteString {
    throw failure("EINVAL");
  }

  open(path: FolderPath, flags: OpenFlags): OpenFile {
    if (flags.write || flags.truncate) this.#changing();
    const node = this.#find(path);
    if (node.kind !== "file") throw failure("EACCES");
    if (flags.truncate && node.content.size > 0) this.#resize(node, 0);
    return this.#opened(node, flags);
  }

  create(path: FolderPath, flags: OpenFlags, permissions: number): OpenFile {
    const parent = this.#parentForNew(path);
    const node = this.newFile(undefined);
    node.permissions = permissions & PERMISSIONS;
    this.dirty.add(node);
    this.put(parent, nameOf(path), node);
    this.#stir(parent);
    return this.#opened(node, flags);
  }

  list(path: FolderPath): OpenDirectory {
    this.#options.onUse();
    const names = [...this.#directory(path).children.keys()].values();
    return { next: () => names.next().value, close: () => {} };
  }

  syncDirectory(path: FolderPath): void {
    this.#directory(path);
  }

  makeDirectory(path: FolderPath, permissions: number): void {
    const parent = this.#parentForNew(path);
    const node = this.newDirectory();
    node.permissions = permissions & PERMISSIONS;
    this.put(parent, nameOf(path), node);
    this.#stir(parent);
  }

  /** Neither kind of link is in what browsers know of folders. */
  makeLink(): void {
    this.#changing();
    throw failure("EPERM");
  }

  link(): void {
    this.#changing();
    throw failure("EPERM");
  }

  rename(from: FolderPath, to: FolderPath): void {
    this.#changing();
    const source = this.#directory(parentOf(from));
    const target = this.#directory(parentOf(to));
    const [oldName, newName] = [nameOf(from), nameOf(to)];
    const node = source.children.get(oldName);
    if (node === undefined) throw failure("ENOENT");
    if (!isName(newName)) throw failure("EINVAL");
    if (`${to}/`.startsWith(`${from}/`) && to !== from) throw failure("EINVAL");
    const old = target.children.get(newName);
    if (old === node) return;
    if (old !== undefined) {
      if (old.kind === "directory" && node.kind !== "directory") throw failure("EISDIR");
      if (old.kind !== "directory" && node.kind === "directory") throw failure("ENOTDIR");
      if (old.kind === "directory" && old.children.size > 0) throw failure("ENOTEMPTY");
      this.drop(old);
      if (old.kind === "directory") target.removed.add(newName);
    }
    source.children.delete(oldName);
    source.removed.add(oldName);
    this.put(target, newName, node);
    this.#options.onMove(node);
    node.changed = now();
    this.#stir(source, target);
    // What browsers give has no way to move a folder: all of it is written anew.
    for (const file of filesOf(node)) this.dirty.add(file);
  }

  unlink(path: FolderPath): void {
    this.#changing();
    const node = this.#find(path);
    if (node.kind === "directory") throw failure("EISDIR");
    this.#take(path, node);
  }

  removeDirectory(path: FolderPath): void {
    this.#changing();
    const node = this.#directory(path);
    if (path === "") throw failure("EBUSY");
    if (node.children.size > 0) throw failure("ENOTEMPTY");
    this.#take(path, node);
  }

  /** They hold as long as the machine has the folder. */
  setPermissions(path: FolderPath, permissions: number): void {
    this.#changing();
    setPermissions(this.#find(path), permissions);
  }

  /** As permissions. */
  setTimes(path: FolderPath, times: FileTimes): void {
    this.#changing();
    setTimes(this.#find(path), times);
  }

  resize(path: FolderPath, bytes: number): void {
    this.#changing();
    const node = this.#find(path);
    if (node.kind !== "file") throw failure("EINVAL");
    this.#resize(node, bytes);
  }

  #changing(): void {
    this.#options.onUse();
    if (this.#options.readOnly) throw failure("EROFS");
  }

  #find(path: FolderPath): AnyNode {
    let node: AnyNode = this.root;
    if (path === "") return node;
    for (const name of path.split("/")) {
      if (node.kind !== "directory") throw failure("ENOTDIR");
      const next: AnyNode | undefined = node.children.get(name);
      if (next === undefined) throw failure("ENOENT");
      node = next;
    }
    return node;
  }

  #directory(path: FolderPath): DirectoryNode {
    const node = this.#find(path);
    if (node.kind !== "directory") throw failure("ENOTDIR");
    return node;
  }

  #parentForNew(path: FolderPath): DirectoryNode {
    this.#changing();
    const parent = this.#directory(parentOf(path));
    if (!isName(nameOf(path))) throw failure("EINVAL");
    if (parent.children.has(nameOf(path))) throw failure("EEXIST");
    return parent;
  }

  #take(path: FolderPath, node: AnyNode): void {
    const parent = this.#directory(parentOf(path));
    parent.children.delete(nameOf(path));
    parent.removed.add(nameOf(path));
    this.drop(node);
    this.#stir(parent);
  }

  #stir(...directories: DirectoryNode[]): void {
    for (const each of directories) each.modified = each.changed = now();
    this.#options.onChange();
  }

  #resize(node: FileNode, bytes: number): void {
    node.content.resize(bytes);
    this.#written(node);
  }

  #written(node: FileNode): void {
    node.modified = node.changed = now();
    if (this.nameless.has(node)) return;
    this.dirty.add(node);
    this.#options.onChange();
  }

  #opened(node: FileNode, flags: OpenFlags): OpenFile {
    node.opens++;
    return {
      attributes: () => attributesOf(node),
      setPermissions: (permissions) => {
        this.#changing();
        setPermissions(node, permissions);
      },
      setTimes: (times) => {
        this.#changing();
        setTimes(node, times);
      },
      read: (at, into) => {
        this.#options.onUse();
        if (!flags.read) throw failure("EBADF");
        return node.content.read(at, into);
      },
      write: (at, from) => {
        if (!flags.write) throw failure("EBADF");
        node.content.write(flags.append ? node.content.size : at, from);
        this.#written(node);
        return from.length;
      },
      resize: (bytes) => {
        if (!flags.write) throw failure("EBADF");
        this.#resize(node, bytes);
      },
      sync: () => {
        const { failed } = node;
        node.failed = undefined;
        if (failed) throw failed;
      },
      close: () => {
        node.opens--;
        if (node.opens === 0 && this.nameless.delete(node)) node.content.release();
      },
    };
  }
}

function setPermissions(node: AnyNode, permissions: number): void {
  node.permissions = permissions & PERMISSIONS;
  node.changed = now();
}

function setTimes(node: AnyNode, { accessed, modified }: FileTimes): void {
  const time = (given: FileTime | "now" | undefined, old: FileTime): FileTime =>
    given === undefined ? old : given === "now" ? now() : given;
  node.accessed = time(accessed, node.accessed);
  node.modified = time(modified, node.modified);
  node.changed = now();
}

function attributesOf(node: AnyNode): FileAttributes {
  const isDirectory = node.kind === "directory";
  const size = isDirectory ? BLOCK : node.content.size;
  const { accessed, modified, changed } = node;
  return {
    identity: { low: node.identity, high: 0 },
    mode: (isDirectory ? S_IFDIR : S_IFREG) | node.permissions,
    ...{ ownUser: true, ownGroup: true },
    links: isDirectory ? 2 : 1,
    ...{ size, blocks: Math.ceil(size / 512), blockSize: BLOCK },
    ...{ accessed, modified, changed },
  };
}

/** All files of a tree. */
export function* filesOf(node: AnyNode): Generator<FileNode> {
  if (node.kind === "file") yield node;
  else for (const child of node.children.values()) yield* filesOf(child);
}

/** All directories of a tree, the upper ones first. */
export function* directoriesOf(node: AnyNode): Generator<DirectoryNode> {
  if (node.kind === "file") return;
  yield node;
  for (const child of node.children.values()) yield* directoriesOf(child);
}
