// How the options of `atoll image` are read: as qemu-img's.

import { FORMATS, type Format } from "../images/image.ts";
import type { Qcow2CreateOptions } from "../images/qcow2/create.ts";
import { BadInput } from "../machine/runnable.ts";
import { word } from "./option-values.ts";

const UNITS = "KMGTPE";

/** Bytes: a number, also with a fraction, and K, M, G, T, P or E. */
export function bytes(text: string): number {
  const [, digits, unit] = /^(\d{1,16}(?:\.\d{1,9})?)([KMGTPE]?)i?B?$/i.exec(text) ?? [];
  const value = Number(digits) * (unit ? 1024 ** (UNITS.indexOf(unit.toUpperCase()) + 1) : 1);
  if (!Number.isSafeInteger(Math.ceil(value)) || value > 2 ** 52) throw new BadInput("give a size such as 512M or 10G");
  return Math.ceil(value);
}

/** The size of a disk, in whole sectors. */
export function diskBytes(text: string): number {
  return Math.ceil(bytes(text) / 512) * 512;
}

/** A size, or how much there should be more (+) or less (-) of it. */
export function newBytes(text: string, now: number): number {
  const sign = /^[+-]/.exec(text)?.[0];
  const amount = diskBytes(sign === undefined ? text : text.slice(1));
  const size = sign === undefined ? amount : sign === "+" ? now + amount : now - amount;
  if (size < 0) throw new BadInput("the disk is smaller than that");
  return size;
}

export const format: (text: string) => Format = word(...FORMATS);
export const writableFormat = word("raw", "qcow2");

function onOff(text: string): boolean {
  return word("on", "off")(text) === "on";
}

const COMPAT: Readonly<Record<string, 2 | 3>> = { "0.10": 2, v2: 2, "1.1": 3, v3: 3 };

/** `NAME=VALUE,...` as after qemu-img's -o, for qcow2. */
export function createOptions(
  texts: readonly string[],
): Qcow2CreateOptions & { backingFile?: string; backingFormat?: Format } {
  const options: Record<string, unknown> = {};
  for (const property of texts.flatMap((text) => text.split(","))) {
    const equals = property.indexOf("=");
    const name = property.slice(0, equals);
    const value = property.slice(equals + 1);
    const read = equals < 1 ? undefined : READERS[name];
    if (read === undefined)
      throw new BadInput(`-o ${property}: give ${Object.keys(READERS).join(", ")}, as in cluster_size=64K`);
    try {
      Object.assign(options, read(value));
    } catch (error) {
      if (error instanceof BadInput) throw new BadInput(`-o ${property}: ${error.message}`);
      throw error;
    }
  }
  return options;
}

const READERS: Readonly<Record<string, (value: string) => object>> = {
  compat: (value) => {
    const version = COMPAT[value];
    if (version === undefined) throw new BadInput("give 0.10 or 1.1");
    return { version };
  },
  cluster_size: (value) => ({ clusterBytes: bytes(value) }),
  refcount_bits: (value) => ({ refcountBits: bytes(value) }),
  lazy_refcounts: (value) => ({ lazyRefcounts: onOff(value) }),
  extended_l2: (value) => ({ extendedL2: onOff(value) }),
  compression_type: (value) => ({ compression: word("zlib", "zstd")(value) }),
  backing_file: (value) => ({ backingFile: value }),
  backing_fmt: (value) => ({ backingFormat: format(value) }),
};
