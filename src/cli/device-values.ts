// How the values of the options for devices that reach into this computer are read. Each function throws BadInput that says what a good
// value is.

import type { SerialPort, Share, Vsock } from "../contract/definition.ts";
import { CID_MAX, CID_MIN, TAG_MAX } from "../contract/limits.ts";
import { BadInput } from "../machine/runnable.ts";

/** `FOLDER:TAG[,readonly]`: the last colon counts. */
export function share(value: string): Share {
  const [, folder, tag, readOnly] = /^(.+):([^:,/]+)(,readonly)?$/s.exec(value) ?? [];
  if (folder === undefined || tag === undefined) throw new BadInput("give FOLDER:TAG, such as ./src:src,readonly");
  if (new TextEncoder().encode(tag).length > TAG_MAX) throw new BadInput(`give a tag of at most ${TAG_MAX} bytes`);
  return { folder, tag, readOnly: readOnly !== undefined };
}

/** `path=PATH[,cid=N]`. */
export function vsock(value: string): Vsock {
  const [, path, digits] = /^path=(.+?)(?:,cid=(\d{1,10}))?$/s.exec(value) ?? [];
  const cid = Number(digits ?? CID_MIN);
  if (path === undefined) throw new BadInput("give path=PATH[,cid=N], such as path=/tmp/guest.sock,cid=3");
  if (cid < CID_MIN || cid > CID_MAX) throw new BadInput(`give a cid from ${CID_MIN} to ${CID_MAX}`);
  return { path, cid };
}

/** As `vsock`, and `,domains=on`: of a domain, whose ports other domains reach. */
export function domainVsock(value: string): Vsock & { readonly domains: boolean } {
  const own = value.replace(/,domains=on$/, "");
  return { ...vsock(own), domains: own !== value };
}

/** `name=NAME,socket=PATH` or `name=NAME,file=PATH`. */
export function serialPort(value: string): SerialPort {
  const [, name, kind, path] = /^name=([\w.-]{1,64}),(socket|file)=(.+)$/s.exec(value) ?? [];
  if (name === undefined || path === undefined) {
    throw new BadInput(
      "give name=NAME,socket=PATH or name=NAME,file=PATH, such as name=org.example.0,socket=/tmp/port",
    );
  }
  return { name, kind: kind as "socket" | "file", path };
}
