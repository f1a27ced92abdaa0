// How one image file becomes two: what it holds becomes a layer that nobody writes any more, and its name goes to a new image over that layer.
// Another new image over it is the copy's. The name changes hands by one rename: a process or host that dies before has the old image there, and
// after it the new one, which reads the same.

import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { BlockFile, nodeImages, unlockedImages } from "../../hosts/node/block-file.ts";
import { reasonOf } from "../../hosts/node/files.ts";
import { ImageError } from "../../images/error.ts";
import type { Image } from "../../images/image.ts";
import { backingPath, openImage } from "../../images/open.ts";
import { createQcow2 } from "../../images/qcow2/create.ts";
import { Qcow2Image } from "../../images/qcow2/qcow2.ts";

export interface DiskFork {
  /** While nothing of the domain runs: from then on there are two disks with the same contents. */
  cut(): void;
  /** Takes away what was made ready and not used. */
  end(): void;
}

export interface FileForkParts {
  /** Where the image is, without symbolic links. */
  readonly path: string;
  /** The open image. */
  readonly image: Image;
  /** Of the copy's image, which is not there yet. */
  readonly copy: string;
  /** Where what the image holds now is to be; undefined: beside it. */
  readonly layer: string | undefined;
  /** Images in this folder name each other by relative paths, so that all of it can be moved; an image and its layer in folders that are neighbors. */
  readonly root: string;
  /** The disk's image is another one from now on. Undefined: none. */
  readonly replaced: (image: Image | undefined) => void;
  readonly copied: (image: Image) => void;
}

interface Base {
  readonly path: string;
  readonly format: string;
}

export class FileFork implements DiskFork {
  readonly #parts: FileForkParts;
  readonly #next: string;
  #base: Base;
  /** The second name of the disk's image, while it has one. */
  #linked: string | undefined;
  /** Nothing was written since the image was made: the copy can be on what it is on. */
  #untouched: boolean;

  /** Makes the new images, for which the host may take its time. @throws ImageError */
  constructor(parts: FileForkParts) {
    this.#parts = parts;
    this.#next = `${parts.path}.${process.pid}.tmp`;
    this.#untouched = isUntouched(parts.image);
    this.#base = this.#make();
    // So that there is little to write when it counts.
    parts.image.settle?.();
    parts.image.flush();
  }

  #make(): Base {
    const { path, image, copy, layer, root } = this.#parts;
    rmSync(this.#next, { force: true });
    const base =
      this.#untouched && image instanceof Qcow2Image && image.backing !== undefined
        ? { path: backingPath(nodeImages, path, image.header.backingFile as string), format: image.backing.format }
        : { path: layer ?? nameBeside(path), format: image.format };
    try {
      if (!this.#untouched) {
        attempt(path, () => linkSync(path, base.path));
        this.#linked = base.path;
        makeOver(base, this.#next, image.bytes, root);
      }
      makeOver(base, copy, image.bytes, root);
      // All that they are on top of is found from there.
      openImage(unlockedImages, copy, { writable: false }).close();
    } catch (error) {
      this.end();
      throw error;
    }
    return base;
  }

  cut(): void {
    const { path, image, copy, copied } = this.#parts;
    if (this.#untouched && !isUntouched(image)) {
      rmSync(copy, { force: true });
      this.#untouched = false;
      this.#base = this.#make();
    }
    if (!this.#untouched) this.#replace(path, image);
    copied(openImage(nodeImages, copy, { writable: true }));
  }

  #replace(path: string, image: Image): void {
    const { replaced } = this.#parts;
    replaced(undefined);
    // All of it is in the file then.
    image.close();
    try {
      attempt(path, () => renameSync(this.#next, path));
      replaced(openImage(nodeImages, path, { writable: true }));
      this.#linked = undefined;
    } catch (error) {
      attempt(path, () => renameSync(this.#base.path, path));
      replaced(openImage(nodeImages, path, { writable: true }));
      throw error;
    }
  }

  end(): void {
    rmSync(this.#next, { force: true });
    if (this.#linked !== undefined) rmSync(this.#linked, { force: true });
  }
}

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new ImageError("host", `cannot fork ${path}: ${reasonOf(error)}`);
  }
}

function isUntouched(image: Image): boolean {
  return image instanceof Qcow2Image && image.backing !== undefined && image.isEmpty;
}

/** @throws ImageError */
function makeOver(base: Base, path: string, bytes: number, root: string): void {
  const inside = (each: string): boolean => !relative(root, each).startsWith("..");
  const together = dirname(base.path) === dirname(path);
  const near = inside(base.path) && inside(path) ? relative(dirname(path), base.path) : base.path;
  attempt(path, () => closeSync(openSync(path, "wx", 0o600)));
  const storage = new BlockFile(path, true, false);
  try {
    createQcow2(storage, bytes, { backing: { file: together ? basename(base.path) : near, format: base.format } });
    storage.flush();
  } finally {
    storage.close();
  }
}

/** `data.qcow2.1` and so on. */
function nameBeside(path: string): string {
  for (let n = 1; ; n++) if (!existsSync(`${path}.${n}`)) return `${path}.${n}`;
}
