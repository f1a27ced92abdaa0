// Keeps a folder of the user's (File System Access API, or this site's own storage) and its tree in memory the same: what the guest has
// done goes into the folder, what others have done there comes into the tree.

import type { ByteString, SharedFolder } from "../../bus/folder.ts";
import { AtollError } from "../library/errors.ts";
import { failureOf } from "./folder-failure.ts";
import type { ReadPart } from "./folder-file.ts";
import {
  type AnyNode,
  bytesOf,
  type DirectoryNode,
  directoriesOf,
  type FileNode,
  FolderTree,
  filesOf,
  NODES_MAX,
  textOf,
} from "./folder-tree.ts";

/** Milliseconds from a change to its way into the folder, so that it goes along with those that follow. */
const GATHER = 100;
/** Milliseconds until what has failed is tried again. */
const RETRY = 3000;
/** Milliseconds between two looks at what others have done, while the guest uses the folder. */
const LOOK = 2000;
/** A look takes at most one part of so many of the time. */
const LOOK_SHARE = 20;
/** Files that are asked for at a time. */
const AT_ONCE = 64;

export interface KeeperOptions {
  /** By which the guest mounts it, for messages. */
  readonly tag: string;
  readonly readOnly: boolean;
  readonly read: ReadPart;
  /** Something could not be kept. */
  report(problem: AtollError): void;
}

export class FolderKeeper {
  readonly #handle: FileSystemDirectoryHandle;
  readonly #options: KeeperOptions;
  readonly #tree: FolderTree;
  /** Where a node is in the folder itself. */
  readonly #kept = new WeakMap<AnyNode, { readonly parent: DirectoryNode; readonly name: ByteString }>();
  /** Counts what the guest moves: where something was made may be another place by then. */
  #moves = 0;
  /** Files whose content is no more in a place that may go. */
  readonly #loaded = new WeakSet<FileNode>();
  /** One thing at a time is done in the folder. */
  #work: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looked = 0;
  #lookTime = 0;
  #wantsLook = false;
  #hasFailed = false;
  #isClosed = false;

  private constructor(handle: FileSystemDirectoryHandle, options: KeeperOptions) {
    this.#handle = handle;
    this.#options = options;
    this.#tree = new FolderTree({
      ...{ readOnly: options.readOnly, read: options.read },
      onChange: () => this.#schedule(GATHER),
      onMove: (node) => {
        this.#moves++;
        for (const each of [...directoriesOf(node), ...filesOf(node)]) this.#kept.delete(each);
      },
      onUse: () => this.#used(),
    });
  }

  /** @throws AtollError where the folder cannot be read, or has too much in it. */
  static async open(handle: FileSystemDirectoryHandle, options: KeeperOptions): Promise<FolderKeeper> {
    const keeper = new FolderKeeper(handle, options);
    try {
      await keeper.#look();
    } catch (error) {
      const { code } = failureOf(error) as { code?: string };
      throw new AtollError(
        "load",
        code === "ENOSPC"
          ? `cannot share ${options.tag}: there are more than ${NODES_MAX} files in it`
          : `cannot share ${options.tag}: the browser does not let this page read it, or it is gone`,
      );
    }
    return keeper;
  }

  get folder(): SharedFolder {
    return this.#tree;
  }

  /** Done when what the guest has done is in the folder, as far as it can be. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#queue(() => this.#keepAll());
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.settle();
    clearTimeout(this.#timer);
  }

  #queue(action: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(action, action);
    return this.#work;
  }

  #schedule(delay: number): void {
    this.#timer ??= setTimeout(() => void this.settle(), delay);
  }

  #used(): void {
    const period = Math.max(LOOK, this.#lookTime * LOOK_SHARE);
    if (this.#wantsLook || this.#isClosed || performance.now() - this.#looked < period) return;
    this.#wantsLook = true;
    void this.#queue(async () => {
      try {
        await this.#look();
      } catch {
        // The folder is gone, or may not be read any more: what is known of it stays.
      }
      this.#wantsLook = false;
    });
  }

  async #look(): Promise<void> {
    const started = performance.now();
    await this.#lookAt(this.#tree.root, this.#handle);
    const { usage = 0, quota = 2 ** 40 } = (await navigator.storage?.estimate?.()) ?? {};
    this.#tree.space = { free: quota - usage, all: quota };
    this.#looked = performance.now();
    this.#lookTime = this.#looked - started;
  }

  async #lookAt(directory: DirectoryNode, handle: FileSystemDirectoryHandle): Promise<void> {
    const found = new Map<ByteString, File | FileSystemDirectoryHandle>();
    let asked: Promise<unknown>[] = [];
    for await (const entry of handle.values()) {
      const name = bytesOf(entry.name);
      if (name.length > 255) continue;
      if (entry.kind === "directory") found.set(name, entry as FileSystemDirectoryHandle);
      else {
        const file = (entry as FileSystemFileHandle).getFile().then((file) => found.set(name, file));
        // One that has gone since is none.
        asked.push(file.catch(() => {}));
      }
      if (asked.length < AT_ONCE) continue;
      await Promise.all(asked);
      asked = [];
    }
    await Promise.all(asked);
    this.#merge(directory, found);
    for (const [name, entry] of found) {
      const child = directory.children.get(name);
      if (child?.kind === "directory" && "values" in entry) await this.#lookAt(child, entry);
    }
  }

  /** What the guest has done counts more, where both have changed the same. */
  #merge(directory: DirectoryNode, found: ReadonlyMap<ByteString, File | FileSystemDirectoryHandle>): void {
    for (const [name, child] of directory.children) {
      const isMine = child.kind === "file" && this.#tree.dirty.has(child);
      const entry = found.get(name);
      const isSame = entry !== undefined && "values" in entry === (child.kind === "directory");
      if (isSame || isMine || !this.#isKept(child)) continue;
      directory.children.delete(name);
      this.#tree.drop(child);
    }
    for (const [name, entry] of found) {
      if (directory.removed.has(name)) continue;
      const old = directory.children.get(name);
      if (old === undefined) {
        const node = "values" in entry ? this.#tree.newDirectory() : this.#tree.newFile(entry);
        this.#tree.put(directory, name, node);
        this.#kept.set(node, { parent: directory, name });
      } else if (old.kind === "file" && !("values" in entry) && !this.#tree.dirty.has(old)) {
        if (old.lastModified === entry.lastModified && old.content.size === entry.size) continue;
        old.content.replaced(entry);
        old.lastModified = entry.lastModified;
        const seconds = Math.floor(entry.lastModified / 1000);
        old.modified = old.changed = { seconds, nanoseconds: Math.round((entry.lastModified % 1000) * 1e6) };
      }
    }
  }

  #isKept(node: AnyNode): boolean {
    const place = this.#kept.get(node);
    return place !== undefined && place.parent === node.parent && place.name === node.name;
  }

  async #keepAll(): Promise<void> {
    // What comes while this is done goes along; what fails waits.
    const failed = new Set<AnyNode>();
    const isOpen = (node: AnyNode): boolean => !failed.has(node);
    for (;;) {
      for (const node of this.#tree.nameless) await this.#load(node);
      const directories = [...directoriesOf(this.#tree.root)];
      const fresh = directories.filter((each) => each.parent && !this.#isKept(each)).filter(isOpen);
      const files = [...this.#tree.dirty].filter(isOpen);
      const less = directories.filter((each) => this.#removable(each).length > 0).filter(isOpen);
      if (fresh.length + files.length + less.length === 0) break;
      for (const node of fresh) await this.#attempt(node, failed, async () => void (await this.#place(node)));
      for (const node of files) await this.#attempt(node, failed, () => this.#keepFile(node));
      for (const node of less) await this.#attempt(node, failed, () => this.#remove(node));
    }
    this.#hasFailed = failed.size > 0;
    if (this.#hasFailed && !this.#isClosed) this.#schedule(RETRY);
  }

  async #attempt(node: AnyNode, failed: Set<AnyNode>, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (error instanceof Gone) return;
      failed.add(node);
      const failure = failureOf(error);
      if (node.kind === "file") {
        node.failed = failure;
        if (node.parent) this.#tree.dirty.add(node);
      }
      if (!this.#hasFailed) this.#options.report(this.#problem(node, failure));
      this.#hasFailed = true;
    }
  }

  #problem(node: AnyNode, failure: Error): AtollError {
    const what = `cannot write ${textOf(node.name) || "to it"} in the shared folder ${this.#options.tag}`;
    const { code } = failure as { code?: string };
    if (code === "ENOSPC") return new AtollError("storage-full", `${what}: there is no space left`);
    return new AtollError("load", `${what}: ${code === "EACCES" ? "the browser does not allow it" : "it failed"}`);
  }

  /** A directory in the folder itself, which is made where it is not there yet. */
  async #place(node: DirectoryNode): Promise<FileSystemDirectoryHandle> {
    const { parent, name } = node;
    if (node === this.#tree.root) return this.#handle;
    if (parent === undefined) throw new Gone();
    const moves = this.#moves;
    const folder = await this.#place(parent);
    if (moves !== this.#moves) return this.#place(node);
    const text = textOf(name);
    // What had the name before is no part of what has it now.
    if (!this.#isKept(node) && parent.removed.has(name)) await this.#removeFrom(folder, parent, name);
    const handle = await this.#entry(folder, text, () => folder.getDirectoryHandle(text, { create: true }));
    this.#made(node, parent, name, moves);
    return handle;
  }

  #made(node: AnyNode, parent: DirectoryNode, name: ByteString, moves: number): void {
    if (moves === this.#moves) this.#kept.set(node, { parent, name });
    // It has gone while it was made.
    if (!parent.children.has(name)) parent.removed.add(name);
  }

  /** What is in a folder; where something of the other kind has the name, that goes first. */
  async #entry<T>(folder: FileSystemDirectoryHandle, name: string, get: () => Promise<T>): Promise<T> {
    try {
      return await get();
    } catch (error) {
      if ((error as DOMException).name !== "TypeMismatchError") throw error;
      await this.#loadWandering();
      await removeEntry(folder, name);
      return get();
    }
  }

  async #keepFile(node: FileNode): Promise<void> {
    const { parent, name, content } = node;
    if (parent === undefined) return;
    const moves = this.#moves;
    const folder = await this.#place(parent);
    // What is in its place is about to change: it is read from memory until the new is there, and so is what was in that place before.
    await this.#load(node);
    if (!this.#isKept(node)) await this.#loadWandering();
    // It is dirty still, if it is anywhere.
    if (moves !== this.#moves || node.parent !== parent) return;
    this.#tree.dirty.delete(node);
    const { version } = content;
    const packed = content.pack();
    const text = textOf(name);
    const handle = await this.#entry(folder, text, () => folder.getFileHandle(text, { create: true }));
    const writable = await handle.createWritable();
    try {
      await writable.write(packed);
      await writable.close();
    } catch (error) {
      await writable.abort().catch(() => {});
      throw error;
    }
    const file = await handle.getFile();
    content.packed(file, version);
    this.#loaded.delete(node);
    node.lastModified = file.lastModified;
    node.failed = undefined;
    this.#made(node, parent, name, moves);
    if (moves !== this.#moves && node.parent) this.#tree.dirty.add(node);
  }

  /** Names that may go now: those that have been given again wait for what has them, which may fail. */
  #removable({ children, removed }: DirectoryNode): ByteString[] {
    return [...removed].filter((name) => {
      const successor = children.get(name);
      return successor === undefined || this.#isKept(successor);
    });
  }

  async #remove(directory: DirectoryNode): Promise<void> {
    const handle = await this.#place(directory);
    for (const name of this.#removable(directory)) {
      // A file has been written over what was there; a directory has taken its place when it was made.
      if (directory.children.has(name)) directory.removed.delete(name);
      else await this.#removeFrom(handle, directory, name);
    }
  }

  async #removeFrom(handle: FileSystemDirectoryHandle, directory: DirectoryNode, name: ByteString): Promise<void> {
    await this.#loadWandering();
    directory.removed.delete(name);
    try {
      await removeEntry(handle, textOf(name));
    } catch (error) {
      directory.removed.add(name);
      throw error;
    }
  }

  /** What lives on without the place that it comes from, and is not written elsewhere yet, has to be in memory. */
  async #loadWandering(): Promise<void> {
    for (const node of this.#tree.dirty) if (!this.#isKept(node)) await this.#load(node);
    for (const node of this.#tree.nameless) await this.#load(node);
  }

  async #load(node: FileNode): Promise<void> {
    if (this.#loaded.has(node)) return;
    await node.content.load().catch(() => {});
    this.#loaded.add(node);
  }
}

/** What was to be kept has been removed since. */
class Gone extends Error {}

async function removeEntry(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await folder.removeEntry(name, { recursive: true });
  } catch (error) {
    if ((error as DOMException).name !== "NotFoundError") throw error;
  }
}
