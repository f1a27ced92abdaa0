// The devices of `atoll run` that reach into this computer: shared folders.

import { NodeFolder } from "../hosts/node/shared-folder.ts";
import { BadInput, type MachineParts } from "../machine/runnable.ts";
import type { RunOptions } from "./run-options.ts";

/** @throws BadInput when what an option names cannot be used. */
export function openDevices(options: Pick<RunOptions, "share">): Pick<MachineParts, "shares"> {
  const tags = options.share.map(({ tag }) => tag);
  const twice = tags.find((tag, i) => tags.indexOf(tag) !== i);
  if (twice !== undefined) throw new BadInput(`--share: give each folder a tag of its own; ${twice} is there twice`);
  return {
    shares: options.share.map(({ folder, tag, readOnly }) => ({ tag, folder: new NodeFolder(folder, readOnly) })),
  };
}
