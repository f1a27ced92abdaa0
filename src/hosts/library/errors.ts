import { ImageError } from "../../images/error.ts";
import { BadInput } from "../../machine/runnable.ts";

/** What went wrong, for programs. */
export type ErrorCode =
  /** The configuration is not what a machine can be made of, or what it names cannot be booted. */
  | "configuration"
  /** The host has not as much memory as the machine wants. */
  | "memory"
  /** A disk image is damaged. */
  | "image-corrupt"
  /** A disk image cannot be used: missing, in use, of a kind that is not supported. */
  | "image"
  /** What is to be loaded cannot be had: no such file, the network failed. */
  | "load"
  /** The place where disks and snapshots are kept is full. */
  | "storage-full"
  /** A snapshot is damaged, or of another machine or version. */
  | "snapshot"
  /** The machine is closed, or not in a state in which that can be done. */
  | "state"
  /** The host cannot do that: no such device, an old browser. */
  | "unsupported"
  /** A defect of Atoll's. */
  | "internal";

/**
 * Every failure of the library. The message is one line that says what is wrong and what to do.
 *
 * @example
 * try {
 *   await Machine.create({ cpus: 1000 });
 * } catch (error) {
 *   assert(error instanceof AtollError);
 *   assert.equal(error.code, "configuration");
 * }
 */
export class AtollError extends Error {
  override readonly name = "AtollError";
  /**
   * What went wrong.
   *
   * @example
   * await assert.rejects(Machine.create({ memory: "1K" }), { code: "configuration" });
   */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const IMAGE_CODES = { corrupt: "image-corrupt", unsupported: "image", refused: "image", host: "image" } as const;

/** @internal Any error as the library's. Those of hosts (DOMException) are known by their names. */
export function asAtollError(error: unknown): AtollError {
  if (error instanceof AtollError) return error;
  if (error instanceof ImageError) return new AtollError(IMAGE_CODES[error.failure], error.message);
  if (error instanceof BadInput) {
    return new AtollError(/^the host cannot give/.test(error.message) ? "memory" : "configuration", error.message);
  }
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  if (name === "QuotaExceededError") {
    return new AtollError("storage-full", "the browser's storage is full: remove disks or snapshots, then try again");
  }
  if (name === "NotFoundError") return new AtollError("load", `it is not there: ${message}`);
  if (name === "SnapshotError") return new AtollError("snapshot", message);
  return new AtollError("internal", message);
}
