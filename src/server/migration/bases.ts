// Disks that keep nothing (`,snapshot`): what is under them goes along as a disk does, and what was written since the domain started goes on top of it,
// into a temporary file of the destination's.

import { join } from "node:path";
import type { BlockStore } from "../../bus/device.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import { nodeImages } from "../../hosts/node/block-file.ts";
import { openDisk } from "../../hosts/node/disk.ts";
import type { Image } from "../../images/image.ts";
import { openImage } from "../../images/open.ts";
import type { Message } from "./channel.ts";
import { decodePiece, Unexpected } from "./messages.ts";

const SECTOR = 512;

/** What is under disks that keep nothing, by their numbers, for as long as it is looked at. */
export class Bases {
  readonly stores: readonly (BlockStore | undefined)[];
  readonly #open: readonly Image[];

  private constructor(images: readonly (Image | undefined)[]) {
    this.stores = images;
    this.#open = images.filter((image) => image !== undefined);
  }

  /** @param definition with whole paths. @throws ImageError */
  static async of(definition: DomainDefinition): Promise<Bases> {
    const images: (Image | undefined)[] = [];
    try {
      for (const disk of definition.disk)
        images.push(disk.snapshot ? await openDisk({ ...disk, snapshot: false, readOnly: true }) : undefined);
    } catch (error) {
      for (const image of images) image?.close();
      throw error;
    }
    return new Bases(images);
  }

  close(): void {
    for (const image of this.#open) image.close();
  }
}

/** The same at the destination, before its disks are those of a domain. */
export class ArrivingBases {
  readonly #images = new Map<number, Image>();

  /** @param folder where the disks are, as yet of zeroes. @throws ImageError */
  constructor(folder: string, disks: DomainDefinition["disk"]) {
    for (const [index, { file, format, snapshot }] of disks.entries())
      if (snapshot) this.#images.set(index, openImage(nodeImages, join(folder, file), { writable: true, format }));
  }

  /** @throws Unexpected, ImageError */
  take(message: Message): void {
    const { index, offset, content } = decodePiece(message);
    const image = this.#images.get(index);
    const whole = offset % SECTOR === 0 && content.length % SECTOR === 0;
    if (image === undefined || !whole || offset + content.length > image.bytes)
      throw new Unexpected("a block is not of what is under a disk");
    image.write(offset, content);
  }

  /** All of it has come. @throws ImageError */
  close(): void {
    for (const [index, image] of this.#images) {
      this.#images.delete(index);
      image.flush();
      image.close();
    }
  }

  /** Nobody wants it any more. */
  abandon(): void {
    try {
      this.close();
    } catch {
      // What a host's disk does not take is about to be removed.
    }
  }
}
