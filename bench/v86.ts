// `node bench/v86.ts PACKAGE KERNEL INITRD APPEND`: boots an i386 guest on v86, its serial console on the standard output.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MEMORY_MIB } from "./systems.ts";

/** The little of v86's interface that is used here. */
interface Emulator {
  add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
}
type Buffers = Readonly<Record<"bios" | "vga_bios" | "bzimage" | "initrd", { buffer: ArrayBuffer }>>;
type Options = Buffers & { wasm_path: string; memory_size: number; cmdline: string; autostart: boolean };

const [packageFolder, kernel, initrd, cmdline] = process.argv.slice(2) as [string, string, string, string];
const { V86 } = (await import(join(packageFolder, "build", "libv86.mjs"))) as {
  V86: new (options: Options) => Emulator;
};

function contents(path: string): { buffer: ArrayBuffer } {
  return { buffer: new Uint8Array(readFileSync(path)).buffer };
}

const emulator = new V86({
  wasm_path: join(packageFolder, "build", "v86.wasm"),
  memory_size: MEMORY_MIB * 2 ** 20,
  bios: contents(join(dirname(kernel), "bios.bin")),
  vga_bios: contents(join(dirname(kernel), "vgabios-stdvga.bin")),
  bzimage: contents(kernel),
  initrd: contents(initrd),
  cmdline,
  autostart: true,
});
emulator.add_listener("serial0-output-byte", (byte) => process.stdout.write(Uint8Array.of(byte)));
