// A kernel file, of whatever kind, as what is to be in RAM when it starts.

import type { Inflate, NamedBytes } from "../runnable.ts";
import { BadInput } from "../runnable.ts";
import { readElf } from "./elf.ts";
import { kindOf } from "./kinds.ts";
import { readLinuxImage, readZboot } from "./linux-image.ts";
import { LoadError } from "./load-error.ts";

/** A range of RAM that the kernel occupies from its start. */
export interface KernelPart {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes in memory, at least those of `bytes`. What the rest holds does not matter, unless `zeroed`. */
  readonly size: number;
  readonly zeroed: boolean;
}

export interface Kernel {
  readonly kind: "linux-image" | "elf" | "raw";
  readonly parts: readonly KernelPart[];
  readonly entry: number;
}

export interface KernelOptions {
  /** First address of RAM. */
  readonly ram: number;
  /** Bytes that a kernel may have when it is decompressed. */
  readonly limit: number;
  /** Page sizes in KiB that the machine's processors can use. */
  readonly granules: readonly number[];
  readonly inflate: Inflate;
}

/** Where QEMU puts code without a header. */
const RAW_OFFSET = 0x8_0000;
/** An Image goes to a 2 MiB boundary plus its offset; where that is nothing, the first 2 MiB of RAM stay free, as with QEMU. */
const IMAGE_ALIGN = 0x20_0000;
const NEAR_ZERO = 0x1000;

/** @throws LoadError when it cannot be booted by this machine. */
export function readKernel(file: NamedBytes, options: KernelOptions): Kernel {
  const { name } = file;
  const bytes = decompressed(file, options);
  const kind = kindOf(bytes);
  if (kind === "elf") {
    const { segments, entry } = readElf(name, bytes);
    return { kind, parts: segments.map((segment) => ({ ...segment, zeroed: true })), entry };
  }
  if (kind === "linux-image") {
    const image = readLinuxImage(name, bytes);
    if (image.pageSize !== undefined && !options.granules.includes(image.pageSize)) {
      throw new LoadError(`${name} uses pages of ${image.pageSize} KiB, which this CPU has not; try --cpu max`);
    }
    const address = options.ram + image.textOffset + (image.textOffset < NEAR_ZERO ? IMAGE_ALIGN : 0);
    return { kind, parts: [{ address, bytes, size: image.imageSize, zeroed: false }], entry: address };
  }
  if (kind === "raw") {
    const address = options.ram + RAW_OFFSET;
    return { kind, parts: [{ address, bytes, size: bytes.length, zeroed: false }], entry: address };
  }
  if (typeof kind === "string") throw new LoadError(`${name} is compressed twice; decompress it first`);
  throw new LoadError(`${name} is ${kind.what}; ${kind.advice}`);
}

function decompressed({ name, bytes }: NamedBytes, { inflate, limit }: KernelOptions): Uint8Array {
  if (bytes.length === 0) throw new LoadError(`${name} is empty; give a kernel`);
  const unpack = (format: "gzip" | "zstd", packed: Uint8Array): Uint8Array => {
    try {
      return inflate(format, packed, limit);
    } catch (error) {
      if (error instanceof BadInput) throw new LoadError(`${name} cannot be used: ${error.message}`);
      throw error;
    }
  };
  const kind = kindOf(bytes);
  if (kind === "gzip" || kind === "zstd") {
    const inner = unpack(kind, bytes);
    const innerKind = kindOf(inner);
    if (typeof innerKind === "object") throw new LoadError(`${name} holds ${innerKind.what}; ${innerKind.advice}`);
    return inner;
  }
  if (kind === "zboot") {
    const { compression, payload } = readZboot(name, bytes);
    const inner = unpack(compression, payload);
    if (kindOf(inner) !== "linux-image") throw new LoadError(`${name} is damaged: what it holds is no Linux kernel`);
    return inner;
  }
  return bytes;
}
