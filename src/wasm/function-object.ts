// Relocatable functions: what they call, and addresses that they have as constants, become known when they are put into a module. The same idea as
// the relocations R_WASM_FUNCTION_INDEX_LEB and R_WASM_MEMORY_ADDR_SLEB of WebAssembly's object files (tool-conventions, Linking).

import type { ByteWriter } from "./bytes.ts";
import type { FunctionCode } from "./code.ts";

/** A function that may be put into any module. */
export interface FunctionObject {
  /** Locals, instructions and end, with five bytes for each integer that is not known. */
  readonly body: Uint8Array;
  /** In pairs: the place of an `if` or `br_if` in the body, and whether its condition mostly holds. */
  readonly hints: Int32Array;
  /** In pairs: a place in the body, and the number of the function that is called. */
  readonly calls: Int32Array;
  /** By three: a place in the body, a symbol, and what is added to its address. */
  readonly addresses: Int32Array;
}

/** What the numbers of a function object are in a module. */
export interface Linkage {
  /** The module's index of a function. */
  functionIndex(called: number): number;
  /** The address of a symbol. */
  address(symbol: number): number;
}

/** The function as a module has it. */
export function link(object: FunctionObject, { functionIndex, address }: Linkage): FunctionCode {
  const { hints, calls, addresses } = object;
  const body = object.body.slice();
  for (let i = 0; i < calls.length; i += 2) {
    patch(body, calls[i] as number, functionIndex(calls[i + 1] as number));
  }
  for (let i = 0; i < addresses.length; i += 3) {
    patch(body, addresses[i] as number, address(addresses[i + 1] as number) + (addresses[i + 2] as number));
  }
  return {
    encode(out: ByteWriter): void {
      out.u32(body.length);
      out.raw(body);
    },
    encodeHints(out: ByteWriter): void {
      out.u32(hints.length / 2);
      for (let i = 0; i < hints.length; i += 2) {
        out.u32(hints[i] as number);
        out.byte(1);
        out.byte(hints[i + 1] as number);
      }
    },
    hasHints: hints.length > 0,
  };
}

/** Writes an integer as five bytes of LEB128: signed and unsigned are the same for one that is not negative as an i32. */
function patch(body: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) body[at + i] = ((value >>> (7 * i)) & 0x7f) | 0x80;
  // The four bits that are left, and what is above them: their sign, where the integer is signed.
  body[at + 4] = (value >> 28) & 0x7f;
}
