// Disks that are made with their machine, and belong to it.

import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Disk, NewDisk } from "../contract/definition.ts";
import { NewFile } from "../hosts/node/new-file.ts";
import { createQcow2 } from "../images/qcow2/create.ts";

/** Makes those that are new, in the machine's folder. @param first the number of the first. @throws ImageError when the host refuses. */
export function makeDisks(disks: readonly (Disk | NewDisk)[], folder: string, first = 0): Disk[] {
  return disks.map((disk, i) => {
    if ("file" in disk) return disk;
    const file = `disk${first + i}.qcow2`;
    const target = new NewFile(join(folder, file), false);
    try {
      createQcow2(target.storage, disk.bytes);
      target.storage.flush();
      target.storage.close();
      target.finish();
    } finally {
      target.abandon();
    }
    return { file, format: "qcow2", readOnly: false, snapshot: false, serial: disk.serial };
  });
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
