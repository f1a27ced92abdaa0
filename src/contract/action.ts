// An action is something that can be asked of a node or of a machine: described once, here, for the HTTP API, its description and its clients.

import type * as z from "zod";

export interface Action<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly summary: string;
  readonly method: "get" | "post" | "delete";
  /** With the names of fields of the input in braces. Its other fields are the body of a POST, and the query of others. */
  readonly path: `/${string}`;
  readonly input: Input;
  readonly output: Output;
}

/** How far a long action is. Steps come before the answer, a line of JSON each, to who accepts `STREAM_TYPE`. */
export interface Progress {
  /** What is going on, in a few words. */
  readonly step: string;
  /** 0 to 1, where that is known. */
  readonly done?: number | undefined;
}

/** The media type of an answer in pieces: lines of `Reply`. */
export const STREAM_TYPE = "application/x-ndjson";

/** What a line of a streamed answer is. The last one is a result or an error. */
export type Reply =
  | { readonly progress: Progress }
  | { readonly result: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** Why an action failed, and the HTTP status that says so. */
export const ERROR_CODES = {
  /** What was asked for cannot be: a bad value, a file that is missing. */
  "bad-input": 400,
  /** The token is missing or wrong. */
  "no-access": 401,
  "no-such-machine": 404,
  /** The machine is not in a state for that: running already, not running, locked by another command. */
  "wrong-state": 409,
  /** A disk image or a saved state is damaged. */
  damaged: 422,
  /** A defect of Atoll's. */
  internal: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Why an action failed: one line that says what to do. */
export class ActionError extends Error {
  override readonly name = "ActionError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
