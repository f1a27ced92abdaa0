// How the values of the options for devices that reach into this computer are read. Each function throws BadInput that says what a good
// value is.

import { TAG_MAX } from "../devices/virtio/9p/9p.ts";
import { BadInput } from "../machine/runnable.ts";

export interface Share {
  readonly folder: string;
  /** By which the guest mounts it. */
  readonly tag: string;
  readonly readOnly: boolean;
}

/** `FOLDER:TAG[,readonly]`: the last colon counts. */
export function share(value: string): Share {
  const [, folder, tag, readOnly] = /^(.+):([^:,/]+)(,readonly)?$/s.exec(value) ?? [];
  if (folder === undefined || tag === undefined) throw new BadInput("give FOLDER:TAG, such as ./src:src,readonly");
  if (new TextEncoder().encode(tag).length > TAG_MAX) throw new BadInput(`give a tag of at most ${TAG_MAX} bytes`);
  return { folder, tag, readOnly: readOnly !== undefined };
}
