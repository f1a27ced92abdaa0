// The browser's own storage of this site (Origin Private File System): disks and snapshots that stay across reloads.

import { ImageError } from "../../images/error.ts";
import type { Storage } from "../../images/storage.ts";
import { AtollError } from "../library/errors.ts";

/** The folder that all of Atoll's files are in. */
const FOLDER = "atoll";

/** @throws AtollError "unsupported" where the browser has none, as in some private windows. */
export async function opfsFolder(): Promise<FileSystemDirectoryHandle> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    throw new AtollError("unsupported", "this browser gives pages no storage here (a private window?)");
  }
}

/** @throws AtollError "load" when it is not there and shall not be made. */
export async function opfsHandle(name: string, create: boolean): Promise<FileSystemFileHandle> {
  const folder = await opfsFolder();
  try {
    return await folder.getFileHandle(name, { create });
  } catch (error) {
    if ((error as DOMException).name !== "NotFoundError") throw error;
    throw new AtollError("load", `there is no ${name} in this browser's storage`);
  }
}

/** A file in the browser's storage. Only one at a time has it: another machine, or another tab, is refused. */
export class OpfsFile implements Storage {
  readonly readOnly = false;
  readonly name: string;
  readonly identity: string;
  readonly #handle: FileSystemSyncAccessHandle;
  readonly #report: (problem: AtollError) => void;
  #hasReported = false;
  #isClosed = false;

  private constructor(name: string, handle: FileSystemSyncAccessHandle, report: (problem: AtollError) => void) {
    this.#report = report;
    this.name = name;
    this.identity = `opfs:${name}`;
    this.#handle = handle;
  }

  /**
   * @param report is told, once, when there is no space for what the guest writes.
   * @throws ImageError when somebody has it; AtollError "load" when it is not there and shall not be made.
   */
  static async open(name: string, create: boolean, report: (problem: AtollError) => void): Promise<OpfsFile> {
    const file = await opfsHandle(name, create);
    try {
      return new OpfsFile(name, await file.createSyncAccessHandle(), report);
    } catch {
      throw new ImageError("host", `${name} is in use by another machine, here or in another tab: close that first`);
    }
  }

  size(): number {
    return this.#handle.getSize();
  }

  read(offset: number, into: Uint8Array): void {
    const read = this.#attempt("read", () => this.#handle.read(into, { at: offset }));
    into.fill(0, read);
  }

  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length; ) {
      const written = this.#attempt("write", () => this.#handle.write(from.subarray(done), { at: offset + done }));
      if (written <= 0) throw this.#full();
      done += written;
    }
  }

  truncate(size: number): void {
    this.#attempt("write", () => this.#handle.truncate(size));
  }

  /** There is no call that makes a hole. */
  discard(): void {}

  flush(): void {
    this.#attempt("write", () => this.#handle.flush());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
  }

  #attempt<T>(verb: "read" | "write", action: () => T): T {
    try {
      return action();
    } catch (error) {
      if ((error as DOMException).name === "QuotaExceededError") throw this.#full();
      throw new ImageError("host", `cannot ${verb} ${this.name}: ${(error as Error).message}`);
    }
  }

  #full(): ImageError {
    const message = `cannot write ${this.name}: this browser's storage is full; remove disks or snapshots`;
    if (!this.#hasReported) this.#report(new AtollError("storage-full", message));
    this.#hasReported = true;
    return new ImageError("host", message);
  }
}
