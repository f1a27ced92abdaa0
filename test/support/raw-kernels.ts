// Kernels of a few instructions, for machines that are started by a command.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Says "!" on the PL011, then echoes what arrives there. */
export const ECHO: readonly number[] = [
  0xd2a12000, // movz x0, #0x0900, lsl #16
  0x52800421, // movz w1, #'!'
  0xb9000001, // 1: str w1, [x0] (UARTDR)
  0xb9401802, // 2: ldr w2, [x0, #0x18] (UARTFR)
  0x3727ffe2, // tbnz w2, #4, 2b (RXFE)
  0xb9400001, // ldr w1, [x0]
  0x17fffffc, // b 1b
];

/** Writes a raw kernel of these instructions to a file in a folder. @returns its path. */
export function rawKernel(folder: string, name: string, words: readonly number[]): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(Uint32Array.from(words).buffer));
  return path;
}
