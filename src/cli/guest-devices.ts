// The devices of `atoll run` that reach into this computer: shared folders and sockets.

import { NodeFolder } from "../hosts/node/shared-folder.ts";
import { StreamSockets } from "../hosts/node/stream-sockets.ts";
import { BadInput, type MachineParts } from "../machine/runnable.ts";
import type { RunOptions } from "./run-options.ts";

export interface GuestDevices {
  readonly parts: Pick<MachineParts, "shares" | "vsock">;
  /** Ends what has been opened. */
  close(): void;
}

/**
 * @param wake called when the guest may have something to do.
 * @throws BadInput when what an option names cannot be used.
 */
export async function openDevices(
  options: Pick<RunOptions, "share" | "vsock">,
  wake: () => void,
): Promise<GuestDevices> {
  const tags = options.share.map(({ tag }) => tag);
  const twice = tags.find((tag, i) => tags.indexOf(tag) !== i);
  if (twice !== undefined) throw new BadInput(`--share: give each folder a tag of its own; ${twice} is there twice`);
  const shares = options.share.map(({ folder, tag, readOnly }) => ({ tag, folder: new NodeFolder(folder, readOnly) }));
  const host = options.vsock && (await StreamSockets.listen(options.vsock.path, wake));
  return {
    parts: { shares, vsock: options.vsock && host && { cid: options.vsock.cid, host } },
    close: () => host?.close(),
  };
}
