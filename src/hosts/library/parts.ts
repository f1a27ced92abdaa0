// What every host makes a machine of beside what its user gives: the one place where the package's own files, the host's clocks and the
// embedded guest come together. The command line, the library and the page all use it.

import type { EntropySource, SerialPort, WallClock } from "../../bus/device.ts";
import type { StartRegionThread } from "../../engine/region-thread.ts";
import type { Inflate, MachineParts, NamedBytes } from "../../machine/runnable.ts";
import type { ReleasePages } from "../../memory/page-release.ts";

/** What a host gives to every machine. */
export interface HostBindings {
  readonly entropy: EntropySource;
  readonly wallClock: WallClock;
  /** Nanoseconds of a clock that never goes back, from any start. */
  readonly monotonic: () => number;
  readonly inflate: Inflate;
  /** Whether WebAssembly memory can be shared between threads. */
  readonly sharedMemory: boolean;
  /** How parts of an unshared memory are given back, on hosts that can; asked for only where that is wanted. */
  readonly pageRelease?: (() => ReleasePages | undefined) | undefined;
  /** Starts a thread that translates a machine's code, where that is worth one. */
  readonly regionThread?: StartRegionThread | undefined;
}

/** The files of the package that a machine needs, and the guest that comes with it. */
export type PackageFile =
  | "build/native.wasm"
  | "build/interpreter.wasm"
  | "build/interpreter.json"
  | "guests/embedded/Image.gz"
  | "guests/embedded/initramfs.cpio.gz";

/** A machine as its user wants it: what the files hold, where they are read already. */
export type WantedMachine = Omit<
  MachineParts,
  keyof HostBindings | "releasePages" | "artifacts" | "append" | "serial"
> & {
  readonly append?: string | undefined;
};

/** @param file reads a file of the package. Where there is neither kernel nor firmware, the embedded Linux is what is booted. */
export async function machineParts(
  wanted: WantedMachine,
  serial: SerialPort,
  host: HostBindings,
  file: (name: PackageFile) => Uint8Array | Promise<Uint8Array>,
): Promise<MachineParts> {
  const [native, interpreter, handlers] = await Promise.all([
    file("build/native.wasm"),
    file("build/interpreter.wasm"),
    file("build/interpreter.json"),
  ]);
  const { pageRelease, ...bindings } = host;
  const releasePages = wanted.balloon ? pageRelease?.() : undefined;
  const parts = {
    ...wanted,
    ...bindings,
    ...(releasePages && { releasePages, sharedMemory: false }),
    serial,
    append: wanted.append ?? "",
    artifacts: { native, interpreter, handlers: new TextDecoder().decode(handlers) },
  };
  if (wanted.kernel !== undefined || wanted.bios !== undefined) return parts;
  const embedded = async (name: string, path: PackageFile): Promise<NamedBytes> => ({ name, bytes: await file(path) });
  const [kernel, initrd] = await Promise.all([
    embedded("Image.gz", "guests/embedded/Image.gz"),
    wanted.initrd ?? embedded("initramfs.cpio.gz", "guests/embedded/initramfs.cpio.gz"),
  ]);
  return { ...parts, kernel, initrd, append: wanted.append ?? embeddedCommandLine(wanted) };
}

/** A serial console has no window size: the embedded guest reads it from its command line. */
function embeddedCommandLine({ terminalSize, display }: WantedMachine): string {
  const size = terminalSize.get();
  // The last console is the one that the first process has.
  return `${display ? "console=tty0 " : ""}console=ttyAMA0 quiet${size ? ` atoll.rows=${size.rows} atoll.cols=${size.columns}` : ""}`;
}
