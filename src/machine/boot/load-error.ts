import { BadInput } from "../runnable.ts";

/** A file cannot be booted or placed. The message is one line: the file, what is wrong with it, what to do. */
export class LoadError extends BadInput {}

const MiB = 0x100000;

/** Bytes for people: "1.5 GiB", "20 MiB", "12 KiB". */
export function sized(bytes: number): string {
  for (const [unit, name] of [
    [1024 * MiB, "GiB"],
    [MiB, "MiB"],
    [1024, "KiB"],
  ] as const) {
    if (bytes >= unit) return `${Math.ceil((bytes / unit) * 10) / 10} ${name}`;
  }
  return `${bytes} bytes`;
}

/** The value to give to --memory for at least so many bytes. */
export const memoryOption = (bytes: number): string => `${2 ** Math.ceil(Math.log2(Math.max(bytes, MiB) / MiB))}M`;
