import { nodeImages } from "../hosts/node/block-file.ts";
import { NewFile } from "../hosts/node/new-file.ts";
import type { Format } from "../images/image.ts";
import { backingPath, openImage } from "../images/open.ts";
import { createQcow2 } from "../images/qcow2/create.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";
import { createOptions, diskBytes } from "./image-options.ts";

/** Makes an image. @param size absent: the backing file's. @returns the exit status. @throws ImageError and BadInput */
export function create(options: ImageOptions<"create">, file: string, size?: string): number {
  const { backingFile, backingFormat, ...qcow2 } = createOptions(options.options);
  const under = options.backing ?? backingFile;
  if (options.format === "raw" && (under !== undefined || options.options.length > 0)) {
    throw new BadInput("a raw image has no backing file and no properties: give -f qcow2");
  }
  const backing = under === undefined ? undefined : lookAt(file, under, options.backingFormat ?? backingFormat);
  const bytes = size === undefined ? backing?.bytes : diskBytes(size);
  if (bytes === undefined) throw new BadInput("give the size of the disk, as in atoll image create disk.img 10G");
  const target = new NewFile(file, options.force);
  try {
    if (options.format === "raw") target.storage.truncate(bytes);
    else {
      createQcow2(target.storage, bytes, {
        ...qcow2,
        ...(backing === undefined ? {} : { backing: { file: under as string, format: backing.format } }),
      });
    }
    target.storage.flush();
    target.storage.close();
    target.finish();
  } finally {
    target.abandon();
  }
  return EXIT_STATUS.ok;
}

/** What the image under the new one is; that it can be opened is better known now than later. */
function lookAt(file: string, under: string, format: Format | undefined): { bytes: number; format: Format } {
  const backing = openImage(nodeImages, backingPath(nodeImages, file, under), { writable: false, format });
  const { bytes, format: found } = backing;
  backing.close();
  return { bytes, format: found };
}
