/**
 * Why a snapshot cannot be used. damaged: cut short, or changed since it was written. newer: of a version that this Atoll does not know.
 * other: no snapshot, or one of another build or machine.
 */
export type SnapshotFailure = "damaged" | "newer" | "other";

/** A snapshot cannot be used. The message is one line, without the file's name. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly failure: SnapshotFailure;

  constructor(failure: SnapshotFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

export const damaged = (how: string): SnapshotError => new SnapshotError("damaged", `the snapshot is damaged: ${how}`);
export const newer = (what: string): SnapshotError =>
  new SnapshotError("newer", `the snapshot was made by a newer Atoll: ${what}`);
