// Files that a definition names, before anything is made of it.

import { accessSync, constants } from "node:fs";
import { isAbsolute } from "node:path";
import { ActionError } from "../contract/action.ts";
import type { NewMachine } from "../contract/definition.ts";
import type { NewDomain } from "../contract/domain.ts";
import { mapPaths } from "../contract/paths.ts";
import { asBadInput } from "../hosts/node/files.ts";

type Named = NewMachine | NewDomain;

/** That what a definition names is there is better known now than at the start. @throws ActionError, BadInput when it is not. */
export function checkFiles(definition: Named): void {
  mapPaths(definition, (path) => {
    if (!isAbsolute(path)) throw new ActionError("bad-input", `${path}: give a path from the root`);
    return path;
  });
  const { kernel, initrd, dtb, load, disk, share } = definition;
  const bios = "bios" in definition ? definition.bios : undefined;
  const files = [
    ...[kernel, initrd, dtb, bios],
    ...load.map(({ file }) => file),
    ...disk.map((each) => ("file" in each ? each.file : undefined)),
    ...share.map(({ folder }) => folder),
  ];
  for (const file of files) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      throw asBadInput(error, "read", file);
    }
  }
}
