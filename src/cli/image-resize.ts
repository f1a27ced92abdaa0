import { nodeImages } from "../hosts/node/block-file.ts";
import { openImage } from "../images/open.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";
import { newBytes } from "./image-options.ts";

/** @param size bytes with a unit, or with a sign before them how many more or fewer. @returns the exit status. @throws ImageError and BadInput */
export function resize(options: ImageOptions<"resize">, file: string, size: string): number {
  const image = openImage(nodeImages, file, { writable: true, format: options.format });
  try {
    const bytes = newBytes(size, image.bytes);
    if (bytes < image.bytes && !options.shrink) {
      throw new BadInput(`${file} would lose what is behind ${bytes} bytes: give --shrink if that is meant`);
    }
    image.resize(bytes);
  } finally {
    image.close();
  }
  return EXIT_STATUS.ok;
}
