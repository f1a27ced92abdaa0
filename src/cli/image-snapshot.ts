import { wallClock } from "../hosts/library/clocks.ts";
import { nodeImages, unlockedImages } from "../hosts/node/block-file.ts";
import { refused } from "../images/error.ts";
import { openImage } from "../images/open.ts";
import { Qcow2Image } from "../images/qcow2/qcow2.ts";
import { applySnapshot, createSnapshot, deleteSnapshot } from "../images/qcow2/snapshots.ts";
import { BadInput } from "../machine/runnable.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import type { ImageOptions } from "./image.ts";
import { snapshotInfo, snapshotLine } from "./image-info.ts";

/** Lists internal snapshots, or makes, goes back to or deletes one. @returns the exit status. @throws ImageError and BadInput */
export function snapshot(options: ImageOptions<"snapshot">, file: string): number {
  const changes = [options.create, options.apply, options.delete].filter((name) => name !== undefined);
  if (changes.length > 1 || (changes.length > 0 && options.list)) throw new BadInput("give one of -l, -c, -a and -d");
  const writable = changes.length > 0;
  const image = openImage(writable ? nodeImages : unlockedImages, file, { writable, withoutBacking: true });
  try {
    if (!(image instanceof Qcow2Image))
      throw refused(`${file} is a ${image.format} image: only qcow2 images have snapshots`);
    if (options.create !== undefined) createSnapshot(image, options.create, wallClock.now());
    else if (options.apply !== undefined) applySnapshot(image, options.apply);
    else if (options.delete !== undefined) deleteSnapshot(image, options.delete);
    else {
      const all = image.snapshots.map(snapshotInfo);
      const shown = options.json ? JSON.stringify(all, undefined, 2) : all.map(snapshotLine).join("\n");
      if (shown !== "") process.stdout.write(`${shown}\n`);
    }
  } finally {
    image.close();
  }
  return EXIT_STATUS.ok;
}
