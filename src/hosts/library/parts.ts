// What every host makes a machine of beside what its user gives: the one place where the package's own files, the host's clocks and the
// embedded guest come together. The command line, the library and the page all use it.

import type { EntropySource, SerialPort, WallClock } from "../../bus/device.ts";
import type { StartRegionThread } from "../../engine/region-thread.ts";
import type { Artifacts, Inflate, MachineParts, NamedBytes } from "../../machine/runnable.ts";
import type { ReleasePages } from "../../memory/page-release.ts";
import type { BootedGuest } from "./booted-guest.ts";

/** What a host gives to every machine. */
export interface HostBindings {
  readonly entropy: EntropySource;
  readonly wallClock: WallClock;
  /** Nanoseconds of a clock that never goes back, from any start. */
  readonly monotonic: () => number;
  readonly inflate: Inflate;
  /** Whether WebAssembly memory can be shared between threads. */
  readonly sharedMemory: boolean;
  /** Asks the host to back a memory by large pages, on hosts that can. */
  readonly largePages?: ((memory: WebAssembly.Memory) => void) | undefined;
  /** How parts of a memory are given back, on hosts that can; asked for only where that is wanted. */
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
  | "guests/embedded/initramfs.cpio.gz"
  | BootedGuest;

/** A machine as its user wants it: what the files hold, where they are read already. */
export type WantedMachine = Omit<
  MachineParts,
  keyof HostBindings | "releasePages" | "artifacts" | "append" | "serial"
> & {
  readonly append?: string | undefined;
};

/** Reads a file of the package. */
export type ReadPackageFile = (name: PackageFile) => Uint8Array | Promise<Uint8Array>;

/** By whether memory is shared. All machines of a program have the same. */
const artifacts = new Map<boolean, Promise<Artifacts>>();

/** What all machines are made of. Where this is asked for early, it is read and compiled beside what else there is to do until then. */
export function artifactsOf(
  { sharedMemory }: Pick<HostBindings, "sharedMemory">,
  file: ReadPackageFile,
): Promise<Artifacts> {
  const known = artifacts.get(sharedMemory);
  if (known !== undefined) return known;
  const made = makeArtifacts(sharedMemory, file);
  artifacts.set(sharedMemory, made);
  made.catch(() => artifacts.delete(sharedMemory));
  return made;
}

async function makeArtifacts(sharedMemory: boolean, file: ReadPackageFile): Promise<Artifacts> {
  const compiled = async (name: PackageFile): Promise<Uint8Array | WebAssembly.Module> => {
    const bytes = await file(name);
    return sharedMemory ? WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>) : bytes;
  };
  const [native, interpreter, handlers] = await Promise.all([
    compiled("build/native.wasm"),
    compiled("build/interpreter.wasm"),
    file("build/interpreter.json"),
  ]);
  return { native, interpreter, handlers: new TextDecoder().decode(handlers) };
}

/**
 * Where there is neither kernel nor firmware, the embedded Linux is what is booted.
 * @param boots false: from a snapshot, and what is booted is not read until the machine is reset.
 */
export async function machineParts(
  wanted: WantedMachine,
  serial: SerialPort,
  host: HostBindings,
  file: ReadPackageFile,
  boots = true,
): Promise<MachineParts> {
  const { pageRelease, ...bindings } = host;
  const releasePages = wanted.balloon ? pageRelease?.() : undefined;
  const artifacts = await artifactsOf(host, file);
  const parts = { ...wanted, ...bindings, releasePages, serial, append: wanted.append ?? "", artifacts };
  if (wanted.kernel !== undefined || wanted.bios !== undefined) return parts;
  const kernel = new EmbeddedFile("Image.gz", file);
  const own = wanted.initrd === undefined ? new EmbeddedFile("initramfs.cpio.gz", file) : undefined;
  const readToBoot = async (): Promise<void> => void (await Promise.all([kernel.read(), own?.read()]));
  if (boots) await readToBoot();
  const { initrd = own as NamedBytes, append = embeddedCommandLine(wanted) } = wanted;
  return { ...parts, kernel, initrd, append, readToBoot };
}

/** A file of the embedded guest's. */
class EmbeddedFile implements NamedBytes {
  readonly name: "Image.gz" | "initramfs.cpio.gz";
  readonly #file: ReadPackageFile;
  #bytes: Uint8Array | undefined;

  constructor(name: EmbeddedFile["name"], file: ReadPackageFile) {
    this.name = name;
    this.#file = file;
  }

  async read(): Promise<void> {
    this.#bytes ??= await this.#file(`guests/embedded/${this.name}`);
  }

  get bytes(): Uint8Array {
    if (this.#bytes === undefined) throw new Error(`${this.name} has not been read yet`);
    return this.#bytes;
  }
}

/** A serial console has no window size: the embedded guest reads it from its command line. */
function embeddedCommandLine({ terminalSize, display }: WantedMachine): string {
  const size = terminalSize.get();
  // The last console is the one that the first process has.
  return `${display ? "console=tty0 " : ""}console=ttyAMA0 quiet${size ? ` atoll.rows=${size.rows} atoll.cols=${size.columns}` : ""}`;
}
