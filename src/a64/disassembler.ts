import { FEATURES } from "../arch/features.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import { fieldsOf } from "./encoding.ts";
import { ALL_ROWS } from "./index.ts";

let everything: Decoder | undefined;

/** GNU-style assembly of an instruction word at address `pc` (for targets; below 2^53), mnemonic and operands a tab apart. */
export function disassemble(word: number, pc: number): string {
  everything ??= createDecoder(ALL_ROWS, new Set(FEATURES));
  const decoded = everything.decode(word);
  if (!decoded) return `.inst\t0x${(word >>> 0).toString(16).padStart(8, "0")}`;
  const mnemonic = decoded.row.id.replace(/_.*/, "").toLowerCase();
  const text = decoded.row.text?.(fieldsOf(decoded.row, word), pc) ?? "";
  return (text.includes("\t") ? text : `${mnemonic}\t${text}`).trimEnd();
}
