// Disks that are made with their machine, and belong to it.

import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Disk, NewDisk } from "../contract/definition.ts";
import { NewFile } from "../hosts/node/new-file.ts";
import { createQcow2 } from "../images/qcow2/create.ts";

/** A new disk as it is defined once it is made, in its machine's folder. @param index its number. */
export function ownDisk({ serial }: NewDisk, index: number): Disk {
  return { file: `disk${index}.qcow2`, format: "qcow2", readOnly: false, snapshot: false, serial };
}

/** @throws ImageError when the host refuses. */
export function makeDisk(disk: NewDisk, index: number, folder: string): Disk {
  const made = ownDisk(disk, index);
  const target = new NewFile(join(folder, made.file), false);
  try {
    createQcow2(target.storage, disk.bytes);
    target.storage.flush();
    target.storage.close();
    target.finish();
  } finally {
    target.abandon();
  }
  return made;
}

/** Makes those that are new, in the machine's folder. @throws ImageError when the host refuses. */
export function makeDisks(disks: readonly (Disk | NewDisk)[], folder: string): Disk[] {
  return disks.map((disk, index) => ("file" in disk ? disk : makeDisk(disk, index, folder)));
}

/** What was made in a folder has its names there after a crash of the host, too. */
export function flushFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
