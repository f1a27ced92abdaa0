// Failures of all kinds as those of actions.

import type * as z from "zod";
import { ActionError } from "../contract/action.ts";
import { ImageError } from "../images/error.ts";
import { BadInput } from "../machine/runnable.ts";
import { SnapshotError } from "../snapshot/error.ts";

export function asActionError(error: unknown): ActionError {
  if (error instanceof ActionError) return error;
  if (error instanceof BadInput) return new ActionError("bad-input", error.message);
  if (error instanceof ImageError) {
    return new ActionError(error.failure === "corrupt" ? "damaged" : "bad-input", error.message);
  }
  if (error instanceof SnapshotError) {
    return new ActionError(error.failure === "damaged" ? "damaged" : "bad-input", error.message);
  }
  return new ActionError("internal", error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** What a schema found fault with, in one line: each value by its path. */
export function inWords(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
}
