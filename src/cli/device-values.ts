// How the values of the options for devices that reach into this computer are read. Each function throws BadInput that says what a good
// value is.

import { TAG_MAX } from "../devices/virtio/9p/9p.ts";
import { CID_MAX, CID_MIN } from "../devices/virtio/vsock/vsock.ts";
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

export interface VsockOption {
  /** Of the Unix socket where connections to the guest begin; with _PORT after it, of those where the guest's end. */
  readonly path: string;
  readonly cid: number;
}

/** `path=PATH[,cid=N]`. */
export function vsock(value: string): VsockOption {
  const [, path, digits] = /^path=(.+?)(?:,cid=(\d{1,10}))?$/s.exec(value) ?? [];
  const cid = Number(digits ?? CID_MIN);
  if (path === undefined) throw new BadInput("give path=PATH[,cid=N], such as path=/tmp/guest.sock,cid=3");
  if (cid < CID_MIN || cid > CID_MAX) throw new BadInput(`give a cid from ${CID_MIN} to ${CID_MAX}`);
  return { path, cid };
}

export interface SerialPortOption {
  /** By which the guest finds it. */
  readonly name: string;
  readonly kind: "socket" | "file";
  readonly path: string;
}

/** `name=NAME,socket=PATH` or `name=NAME,file=PATH`. */
export function serialPort(value: string): SerialPortOption {
  const [, name, kind, path] = /^name=([\w.-]{1,64}),(socket|file)=(.+)$/s.exec(value) ?? [];
  if (name === undefined || path === undefined) {
    throw new BadInput(
      "give name=NAME,socket=PATH or name=NAME,file=PATH, such as name=org.example.0,socket=/tmp/port",
    );
  }
  return { name, kind: kind as "socket" | "file", path };
}
