// ELF64 executables for AArch64: System V ABI (gABI 4.1), ELF for the Arm 64-bit Architecture.

import { Reader } from "./kinds.ts";
import { LoadError } from "./load-error.ts";

export interface Segment {
  /** Physical address. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes in memory; those past the file's are zero. */
  readonly size: number;
}

export interface Elf {
  readonly segments: readonly Segment[];
  /** Physical address. */
  readonly entry: number;
}

const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PHDR_BYTES = 56;
const MACHINES: Readonly<Record<number, string>> = {
  3: "32-bit x86",
  8: "MIPS",
  20: "PowerPC",
  21: "64-bit PowerPC",
  22: "S/390",
  40: "32-bit Arm",
  62: "x86-64",
  243: "RISC-V",
  258: "LoongArch",
};

/** The loadable segments of `bytes`, which have ELF's magic number. */
export function readElf(name: string, bytes: Uint8Array): Elf {
  const file = new Reader(bytes);
  const machine = file.u16(18);
  if (bytes[5] !== LITTLE_ENDIAN)
    throw new LoadError(`${name} is a big-endian ELF file; give a little-endian one for AArch64`);
  if (machine !== EM_AARCH64 || bytes[4] !== CLASS_64) {
    const what = MACHINES[machine] ?? (machine === EM_AARCH64 ? "AArch64 with 32-bit pointers" : `machine ${machine}`);
    throw new LoadError(`${name} is an ELF file for ${what}; this machine needs one for AArch64`);
  }
  const type = file.u16(16);
  if (type !== ET_EXEC && type !== ET_DYN)
    throw new LoadError(`${name} is an ELF file that is not linked; link it first`);
  const headers = file.u64(32);
  const count = file.u16(56);
  if (count > 0 && file.u16(54) !== PHDR_BYTES) throw new LoadError(`${name} is a damaged ELF file`);

  const segments: Segment[] = [];
  let entry = file.u64(24);
  const virtualEntry = entry;
  for (let i = 0; i < count; i++) {
    const at = headers + i * PHDR_BYTES;
    if (at + PHDR_BYTES > bytes.length) throw new LoadError(`${name} is cut off or damaged`);
    const size = file.u64(at + 40);
    if (file.u32(at) !== PT_LOAD || size === 0) continue;
    const offset = file.u64(at + 8);
    const virtual = file.u64(at + 16);
    const address = file.u64(at + 24);
    const fileSize = file.u64(at + 32);
    if (fileSize > size || offset + fileSize > bytes.length) throw new LoadError(`${name} is cut off or damaged`);
    segments.push({ address, bytes: bytes.subarray(offset, offset + fileSize), size });
    // The entry point is a virtual address; it is reached where its segment is loaded.
    if (virtualEntry >= virtual && virtualEntry < virtual + size) entry = virtualEntry - virtual + address;
  }
  if (segments.length === 0) throw new LoadError(`${name} is an ELF file with nothing to load`);
  return { segments, entry };
}
