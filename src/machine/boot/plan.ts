// What is in RAM, and in the registers of the first PE, when a machine starts: Documentation/arch/arm64/booting.rst for kernels, and QEMU's
// conventions for where things are.

import { applyChosen, applyMemory, type Chosen } from "../device-tree.ts";
import { FDT_MAX_BYTES, type Fdt, FdtError, readFdt, writeFdt } from "../fdt.ts";
import { MAP } from "../memory-map.ts";
import type { Inflate, NamedBytes } from "../runnable.ts";
import { type KernelOptions, readKernel } from "./kernel.ts";
import { LoadError, memoryOption, sized } from "./load-error.ts";

/** Bytes to be copied to physical addresses at each start. */
export interface BootWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Zeroes that follow them. */
  readonly zeroes: number;
}

export interface BootPlan {
  readonly writes: readonly BootWrite[];
  /** What the first bank of flash holds; empty without firmware. */
  readonly flash: Uint8Array;
  /** PC of the first PE. */
  readonly entry: number;
  /** X0 to X3 of the first PE. */
  readonly x: readonly [number, number, number, number];
  /** The blob that the guest is given. */
  readonly deviceTree: Uint8Array;
}

export interface BootInput {
  /** Bytes of RAM. */
  readonly memory: number;
  readonly kernel?: NamedBytes | undefined;
  readonly initrd?: NamedBytes | undefined;
  readonly bios?: NamedBytes | undefined;
  /** A tree to use in place of `tree`. */
  readonly dtb?: NamedBytes | undefined;
  readonly loads: readonly { readonly file: NamedBytes; readonly address: number }[];
  readonly append: string;
  /** The board's own tree. */
  readonly tree: Fdt;
  readonly seeds: Pick<Chosen, "rngSeed" | "kaslrSeed" | "secure">;
  readonly granules: readonly number[];
  readonly inflate: Inflate;
}

const MiB = 0x10_0000;
const PAGE = 0x1000;
/** Room for kernels to grow in, before the initrd: 128 MiB, or half of a small RAM. */
const INITRD_OFFSET = 128 * MiB;
/** A tree must not cross a 2 MiB boundary. */
const DTB_ALIGN = FDT_MAX_BYTES;
/** A compressed kernel may be of this size in any case: whether it then fits is another question, with a better answer. */
const KERNEL_LIMIT = 1024 * MiB;
const MAX_BIOS_BYTES = MAP.flash0.size;
/** Linux's COMMAND_LINE_SIZE on arm64. */
const MAX_COMMAND_LINE = 2048;

const up = (value: number, to: number): number => Math.ceil(value / to) * to;

interface Range {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** @throws LoadError when a file cannot be used or there is too little memory. */
export function planBoot(input: BootInput): BootPlan {
  const ram = MAP.ram.base;
  const ramEnd = ram + input.memory;
  const writes: BootWrite[] = [];
  const ranges: Range[] = [];
  const place = (name: string, address: number, bytes: Uint8Array, zeroes = 0, size = bytes.length + zeroes): void => {
    const end = address + size;
    if (address < ram || end > ramEnd) throw outside(name, address, size, input.memory);
    const other = ranges.find((range) => address < range.end && range.start < end);
    if (other !== undefined) {
      throw new LoadError(`${name} at ${hex(address)} overlaps ${other.name}; move one of them`);
    }
    ranges.push({ name, start: address, end });
    writes.push({ address, bytes, zeroes });
  };

  // Firmware finds kernel and initrd by fw_cfg and loads them itself.
  const direct = input.bios === undefined ? input : { ...input, kernel: undefined, initrd: undefined };
  const kernel = direct.kernel && readKernel(direct.kernel, kernelOptions(input));
  if (kernel === undefined && input.bios === undefined) {
    throw new LoadError("there is nothing to boot; give --kernel or --bios");
  }
  if (kernel === undefined && input.bios === undefined && direct.initrd)
    throw new LoadError("an initrd needs --kernel");
  for (const part of kernel?.parts ?? []) {
    const zeroes = part.zeroed ? part.size - part.bytes.length : 0;
    place(direct.kernel?.name ?? "", part.address, part.bytes, zeroes, part.size);
  }

  const kernelEnd = Math.max(ram, ...ranges.map((range) => range.end));
  let free = Math.max(ram + Math.min(INITRD_OFFSET, up(input.memory / 2, PAGE)), up(kernelEnd, PAGE));
  let initrd: Chosen["initrd"];
  if (direct.initrd !== undefined) {
    const { name, bytes } = direct.initrd;
    if (bytes.length === 0) throw new LoadError(`${name} is empty; give an initramfs`);
    initrd = { start: free, end: free + bytes.length };
    place(name, initrd.start, bytes);
    free = up(initrd.end, PAGE);
  }

  const deviceTree = finishTree(input, initrd);
  const lowest = Math.min(...ranges.map((range) => range.start));
  // Firmware, and bare-metal programs in ELF form, look for the tree at the start of RAM.
  const atStart = kernel === undefined || (kernel.kind === "elf" && lowest >= ram + deviceTree.length);
  const dtbAddress = atStart ? ram : up(free, DTB_ALIGN);
  place("the device tree", dtbAddress, deviceTree);

  for (const { file, address } of input.loads) {
    if (file.bytes.length > 0) place(file.name, address, file.bytes);
  }
  const entry = kernel?.entry ?? MAP.flash0.base;
  return { writes, flash: firmware(input.bios), entry, x: [kernel ? dtbAddress : 0, 0, 0, 0], deviceTree };
}

function kernelOptions(input: BootInput): KernelOptions {
  const { granules, inflate } = input;
  return { ram: MAP.ram.base, limit: Math.max(KERNEL_LIMIT, input.memory), granules, inflate };
}

function firmware(bios: NamedBytes | undefined): Uint8Array {
  if (bios === undefined) return new Uint8Array(0);
  if (bios.bytes.length === 0) throw new LoadError(`${bios.name} is empty; give a firmware image`);
  if (bios.bytes.length > MAX_BIOS_BYTES) {
    throw new LoadError(`${bios.name} is larger than the flash of ${sized(MAX_BIOS_BYTES)}; give a firmware image`);
  }
  return bios.bytes;
}

function finishTree(input: BootInput, initrd: Chosen["initrd"]): Uint8Array {
  if (input.append.length >= MAX_COMMAND_LINE) {
    throw new LoadError(
      `the command line is of ${input.append.length} characters, and Linux takes ${MAX_COMMAND_LINE - 1}, shorten it`,
    );
  }
  let tree = input.tree;
  if (input.dtb !== undefined) {
    try {
      tree = readFdt(input.dtb.bytes);
    } catch (error) {
      if (!(error instanceof FdtError)) throw error;
      throw new LoadError(`${input.dtb.name} is no device tree blob (${error.message}); make one with dtc`);
    }
    applyMemory(tree, input.memory);
  }
  applyChosen(tree, { bootargs: input.append, ...(initrd && { initrd }), ...input.seeds });
  const blob = writeFdt(tree);
  if (blob.length > FDT_MAX_BYTES) {
    throw new LoadError(
      `${input.dtb?.name} makes a device tree of more than ${sized(FDT_MAX_BYTES)}; give a smaller one`,
    );
  }
  return blob;
}

function outside(name: string, address: number, size: number, memory: number): LoadError {
  const ram = MAP.ram.base;
  // What is placed by us, or above the end, fits once there is more memory; the rest never does.
  const needed = address + size - ram;
  if (address < ram || needed > MAX_MEMORY_ADVICE) {
    const where = `RAM is from ${hex(ram)} to ${hex(ram + memory - 1)}`;
    return new LoadError(`${name} does not go to ${hex(address)}: ${where}; link or place it there`);
  }
  const advice = `give --memory ${memoryOption(needed)}`;
  return new LoadError(`too little memory: ${name} needs ${sized(size)} at ${hex(address)}; ${advice}`);
}

/** No machine here has more: linear memory is 4 GiB in all. */
const MAX_MEMORY_ADVICE = 3 * 1024 * MiB;

const hex = (n: number): string => `0x${n.toString(16)}`;
