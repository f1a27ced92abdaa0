import type { Clock } from "../bus/device.ts";
import type { Fields, Saved } from "../snapshot/fields.ts";
import type { Frame } from "./frame.ts";

/** The work that an interface's driver takes over on frames which it is given. */
export interface Offloads {
  /** Frames with a checksum that is left to it. */
  readonly checksum: boolean;
  /** Frames that hold several TCP segments. */
  readonly tcp4: boolean;
  readonly tcp6: boolean;
}

export const NO_OFFLOADS: Offloads = { checksum: false, tcp4: false, tcp6: false };

/** The machine's side of a link. A link calls it at any time; it looks at the link in the machine's own turn. */
export interface Station {
  readonly clock: Clock;
  /** There may be frames to receive. */
  ready(): void;
  /** What is at the other end has changed: the guest should tell where it is. */
  announce(): void;
}

/**
 * What a network interface is plugged into. Frames are asked for, not pushed: one is made only when the guest has room for it, so what a
 * slow guest does not take stays with its sender.
 */
export interface NetworkLink {
  /** The interface's own address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Before anything else, once. */
  attach(station: Station): void;
  /** What a driver that has come up takes over. */
  setOffloads(offloads: Offloads): void;
  /** A frame from the guest, who may have put anything there. It is the link's until this returns. */
  transmit(frame: Frame): void;
  /** The next frame for the guest, its caller's until it asks for another; undefined: there is none. */
  receive(): Frame | undefined;
  /** The guest's driver is gone, and all that it knew. */
  reset(): void;
  /** What the guest knows of what it speaks with: a snapshot has that, and nothing of what is outside. */
  save?(): Saved;
  /** For a guest that was restored: what it has open here, and there is no more, is ended. @throws SnapshotError */
  restore?(state: Fields): void;
}
