import { refused } from "./error.ts";
import type { Extent, Image } from "./image.ts";

/** An image that several are on top of, in this process: closed when the last of them is. Nobody writes it any more. */
export class SharedImage implements Image {
  readonly readOnly = true;
  readonly #image: Image;
  #users: number;

  constructor(image: Image, users: number) {
    this.#image = image;
    this.#users = users;
  }

  get format(): Image["format"] {
    return this.#image.format;
  }
  get bytes(): number {
    return this.#image.bytes;
  }
  get backing(): Image | undefined {
    return this.#image.backing;
  }

  read(offset: number, into: Uint8Array): void {
    this.#image.read(offset, into);
  }
  extent(offset: number, length: number): Extent {
    return this.#image.extent(offset, length);
  }
  details(): Readonly<Record<string, unknown>> {
    return this.#image.details();
  }
  fileBytes(): number {
    return this.#image.fileBytes();
  }

  write(): void {
    throw refused("others are on top of this image");
  }
  readonly writeZeroes = this.write;
  readonly discard = this.write;
  readonly resize = this.write;

  flush(): void {}

  /** Once by each user. */
  close(): void {
    this.#users--;
    if (this.#users === 0) this.#image.close();
  }
}
