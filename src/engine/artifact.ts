import { createDecoder } from "../a64/decoder.ts";
import { ALL_ROWS } from "../a64/index.ts";
import { generateInterpreter } from "./interpreter.ts";

/** The interpreter as build/ keeps it: the module, and its handler keys as JSON. Keys do not depend on features. */
export function buildInterpreterArtifact(): { bytes: Uint8Array; handlers: string } {
  const { bytes, keys } = generateInterpreter(ALL_ROWS, createDecoder(ALL_ROWS, new Set()));
  return { bytes, handlers: JSON.stringify(keys) };
}
