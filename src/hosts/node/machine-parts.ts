// Makes the parts of a machine from its definition: reads its files, opens its disks and devices.

import type { SerialPort, TerminalSize } from "../../bus/device.ts";
import type { MachineDefinition } from "../../contract/definition.ts";
import type { Image } from "../../images/image.ts";
import type { MachineParts, NamedBytes } from "../../machine/runnable.ts";
import { entropy, monotonic, wallClock } from "./clocks.ts";
import { openDisk } from "./disk.ts";
import { load, loadPackageFile } from "./files.ts";
import { type GuestDevices, openDevices } from "./guest-devices.ts";
import { inflate } from "./inflate.ts";

export interface OpenParts {
  readonly parts: MachineParts;
  /** Closes disks and devices: what the guest wrote is then on the host's disk. May be called again. */
  close(): void;
}

/**
 * @param wake called when the guest may have something to do.
 * @throws BadInput, ImageError when something that the definition names cannot be used.
 */
export async function openParts(
  definition: MachineDefinition,
  console: SerialPort & TerminalSize,
  wake: () => void,
): Promise<OpenParts> {
  const disks: Image[] = [];
  let devices: GuestDevices | undefined;
  const close = (): void => {
    for (const disk of disks.splice(0)) disk.close();
    devices?.close();
  };
  try {
    for (const disk of definition.disk) disks.push(await openDisk(disk));
    devices = await openDevices(definition, wake);
    const { memory, cpus, cpu, machine, balloon, dtb, bios } = definition;
    const parts: MachineParts = {
      ...{ memory, cpus, cpu, ...machine, balloon, tier: "auto" },
      ...guestOf(definition, console),
      ...(dtb === undefined ? {} : { dtb: load(dtb) }),
      ...(bios === undefined ? {} : { bios: load(bios) }),
      loads: definition.load.map(({ file, address }) => ({ file: load(file), address })),
      disks: disks.map((store, i) => ({ store, serial: definition.disk[i]?.serial })),
      ...devices.parts,
      ...{ serial: console, terminalSize: console, entropy, wallClock, monotonic, inflate },
      artifacts: {
        native: loadPackageFile("build", "native.wasm"),
        interpreter: loadPackageFile("build", "interpreter.wasm"),
        handlers: new TextDecoder().decode(loadPackageFile("build", "interpreter.json")),
      },
    };
    return { parts, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The kernel, its RAM disk and its command line: the embedded Linux where the definition has neither kernel nor firmware. */
function guestOf(
  { kernel, bios, append, initrd: ramDisk }: MachineDefinition,
  terminal: TerminalSize,
): Pick<MachineParts, "kernel" | "initrd" | "append"> {
  const initrd = ramDisk === undefined ? {} : { initrd: load(ramDisk) };
  if (kernel !== undefined) return { kernel: load(kernel), ...initrd, append: append ?? "" };
  if (bios !== undefined) return { ...initrd, append: append ?? "" };
  const embedded = (name: string): NamedBytes => ({ name, bytes: loadPackageFile("guests", "embedded", name) });
  return {
    kernel: embedded("Image.gz"),
    initrd: embedded("initramfs.cpio.gz"),
    ...initrd,
    append: append ?? embeddedCommandLine(terminal),
  };
}

/** A serial console has no window size: the embedded guest reads it from its command line. */
function embeddedCommandLine(terminal: TerminalSize): string {
  const size = terminal.get();
  return `console=ttyAMA0 quiet${size ? ` atoll.rows=${size.rows} atoll.cols=${size.columns}` : ""}`;
}
