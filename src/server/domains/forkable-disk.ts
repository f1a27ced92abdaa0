// A domain's disk, which a copy of the domain can take as it is at a moment.

import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { BlockStore } from "../../bus/device.ts";
import { ActionError } from "../../contract/action.ts";
import type { Disk } from "../../contract/definition.ts";
import { openDisk, overlay } from "../../hosts/node/disk.ts";
import { ImageError } from "../../images/error.ts";
import type { Image } from "../../images/image.ts";
import { MAX_CHAIN } from "../../images/open.ts";
import { SharedImage } from "../../images/shared.ts";
import { flushFolder } from "../new-disks.ts";
import { type DiskFork, FileFork } from "./disk-fork.ts";

/** Images under one that can still be forked: two more have to fit. */
const DEPTH_MAX = MAX_CHAIN - 2;

/** Where the parts of a forked disk are. */
export interface ForkPlaces {
  /** As FileForkParts. */
  readonly layer: string | undefined;
  readonly root: string;
}

export class ForkableDisk implements BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly #definition: Disk;
  #image: Image | undefined;
  /** Folders of files that got their names a moment ago: a crash of the host may still take those away. */
  readonly #folders = new Set<string>();
  #closed = false;

  private constructor(definition: Disk, image: Image | undefined, { bytes, readOnly }: BlockStore) {
    this.#definition = definition;
    this.#image = image;
    this.bytes = bytes;
    this.readOnly = readOnly;
  }

  /** @param definition its path resolved. @throws ImageError when it cannot be used. */
  static async open(definition: Disk): Promise<ForkableDisk> {
    const image = await openDisk(definition);
    return new ForkableDisk(definition, image, image);
  }

  /** Of a copy: what is only read is opened once more, others have nothing before the original is forked. */
  static copyOf(original: ForkableDisk, definition: Disk): Promise<ForkableDisk> | ForkableDisk {
    return original.readOnly ? ForkableDisk.open(definition) : new ForkableDisk(definition, undefined, original);
  }

  /** Undefined only when the host failed in the midst of a fork. */
  get #there(): Image {
    if (this.#image === undefined) throw new ImageError("host", `${this.#definition.file} is not open`);
    return this.#image;
  }

  read(offset: number, into: Uint8Array): void {
    this.#there.read(offset, into);
  }
  write(offset: number, from: Uint8Array): void {
    this.#there.write(offset, from);
  }
  writeZeroes(offset: number, bytes: number, unmap: boolean): void {
    this.#there.writeZeroes(offset, bytes, unmap);
  }
  discard(offset: number, bytes: number): void {
    this.#there.discard(offset, bytes);
  }
  flush(): void {
    for (const folder of this.#folders) flushFolder(folder);
    this.#folders.clear();
    this.#there.flush();
  }
  settle(): void {
    this.flush();
    this.#there.settle?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#image?.close();
    this.#image = undefined;
  }

  /**
   * Gets ready to give `copy` what is here, while the guest goes on.
   * @throws ActionError, ImageError when that cannot be done.
   */
  prepareFork(copy: ForkableDisk, { layer, root }: ForkPlaces): DiskFork {
    const { file, snapshot, format } = this.#definition;
    if (this.readOnly) return { cut: () => {}, end: () => {} };
    if (snapshot) return { cut: () => this.#share(copy), end: () => {} };
    const refuse = (why: string): ActionError => new ActionError("bad-input", `${file}: ${why}`);
    if (format === "raw") {
      throw refuse(
        "it is given with format=raw, but after a fork it is a qcow2 image over what it was: leave that out",
      );
    }
    if (depthOf(this.#there) > DEPTH_MAX) {
      throw refuse(`it is on top of ${DEPTH_MAX} images: stop its domain, and atoll image convert makes one of them`);
    }
    const path = realpathSync(file);
    return new FileFork({
      ...{ path, image: this.#there, copy: copy.#definition.file, layer, root },
      replaced: (image) => {
        this.#image = image;
        this.#folders.add(dirname(path));
        if (layer !== undefined) this.#folders.add(dirname(layer));
      },
      copied: (image) => {
        copy.#image = image;
        copy.#folders.add(dirname(copy.#definition.file));
      },
    });
  }

  /** What is in a temporary file has no name by which to find it: both are on top of the open image. */
  #share(copy: ForkableDisk): void {
    const shared = new SharedImage(this.#there, 2);
    this.#image = overlay(shared);
    copy.#image = overlay(shared);
  }
}

function depthOf(image: Image): number {
  let depth = 0;
  for (let under = image.backing; under !== undefined; under = under.backing) depth++;
  return depth;
}
