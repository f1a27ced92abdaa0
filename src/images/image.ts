import type { BlockStore } from "../bus/device.ts";
import { DISK_FORMATS } from "../contract/limits.ts";

export { DISK_FORMATS as FORMATS };
export type Format = (typeof DISK_FORMATS)[number];

/** What a range of an image holds. `hole`: nothing of its own, zeros where there is no backing file. */
export interface Extent {
  readonly kind: "data" | "zero" | "hole";
  /** Bytes, at least 1 and at most what was asked for. */
  readonly length: number;
}

/**
 * A disk image of some format, at byte offsets of the guest's disk. Functions are done when they return; all throw ImageError, and
 * never anything else, whatever the file holds. Ranges beyond the end are refused.
 */
export interface Image extends BlockStore {
  readonly format: Format;
  /** The image under this one, where it has one. */
  readonly backing: Image | undefined;
  /** What is at `offset`, looking into this image alone. */
  extent(offset: number, length: number): Extent;
  /** Makes the disk longer or shorter. */
  resize(bytes: number): void;
  /** What an image's information says of it beside the common fields, as JSON values. */
  details(): Readonly<Record<string, unknown>>;
  /** Bytes of the file itself. */
  fileBytes(): number;
  /** Writes what is pending. Backing images are closed as well. */
  close(): void;
}
