// The Linux arm64 Image (Documentation/arch/arm64/booting.rst) and its self-decompressing EFI form, zboot (drivers/firmware/efi/libstub).

import { Reader } from "./kinds.ts";
import { LoadError } from "./load-error.ts";

export interface LinuxImage {
  /** Bytes past a 2 MiB boundary. */
  readonly textOffset: number;
  /** Bytes of RAM that it uses from there, its BSS included. */
  readonly imageSize: number;
  /** KiB of a page; undefined where the header does not say. */
  readonly pageSize?: 4 | 16 | 64;
}

/** Kernels before 3.17 say no size; they are small, and their offset was always this. */
const OLD_TEXT_OFFSET = 0x8_0000;
const OLD_BSS_BYTES = 0x100_0000;
const FLAG_BIG_ENDIAN = 1;
/** Bits 2:1 of the flags. */
const PAGE_SIZES = [undefined, 4, 16, 64] as const;

/** The header of `bytes`, which have its magic number. */
export function readLinuxImage(name: string, bytes: Uint8Array): LinuxImage {
  const file = new Reader(bytes);
  if (bytes.length < 64) throw new LoadError(`${name} is cut off: it is no complete Linux kernel`);
  const imageSize = file.u64(16);
  if (imageSize === 0) return { textOffset: OLD_TEXT_OFFSET, imageSize: bytes.length + OLD_BSS_BYTES };
  const flags = file.u32(24);
  if ((flags & FLAG_BIG_ENDIAN) !== 0) {
    throw new LoadError(`${name} is a big-endian kernel; give a little-endian one`);
  }
  const textOffset = file.u64(8);
  if (textOffset >= 0x20_0000) throw new LoadError(`${name} is damaged: its text_offset is beyond 2 MiB`);
  const pageSize = PAGE_SIZES[(flags >> 1) & 3];
  return { textOffset, imageSize: Math.max(imageSize, bytes.length), ...(pageSize && { pageSize }) };
}

export interface Zboot {
  readonly compression: "gzip" | "zstd";
  readonly payload: Uint8Array;
}

/** IMAGE_FILE_MACHINE_ARM64 of the PE/COFF specification. */
const PE_ARM64 = 0xaa64;

/** The compressed kernel inside of a zboot file. */
export function readZboot(name: string, bytes: Uint8Array): Zboot {
  const file = new Reader(bytes);
  const machine = file.u16(file.u32(0x3c) + 4);
  if (machine !== PE_ARM64) throw new LoadError(`${name} is a kernel for another architecture; give an arm64 one`);
  const offset = file.u32(8);
  const size = file.u32(12);
  if (size === 0 || offset + size > bytes.length) throw new LoadError(`${name} is cut off or damaged`);
  const compression = String.fromCharCode(...bytes.subarray(24, 56)).replace(/\0.*/s, "");
  const payload = bytes.subarray(offset, offset + size);
  if (compression === "gzip") return { compression, payload };
  if (compression.startsWith("zstd")) return { compression: "zstd", payload };
  const shown = /^[\w-]{1,16}$/.test(compression) ? compression : "an unknown method";
  throw new LoadError(
    `${name} holds a kernel compressed with ${shown}; give its plain Image, or one with gzip or zstd`,
  );
}
