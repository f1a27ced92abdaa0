// What a definition names, opened: files are read, disks and devices are there.

import type { TerminalSize } from "../../bus/device.ts";
import type { MachineDefinition } from "../../contract/definition.ts";
import type { Image } from "../../images/image.ts";
import type { NamedBytes } from "../../machine/runnable.ts";
import type { WantedMachine } from "../library/parts.ts";
import { openDisk } from "./disk.ts";
import { load } from "./files.ts";
import { type GuestDevices, openDevices } from "./guest-devices.ts";

export interface OpenWanted {
  readonly wanted: WantedMachine;
  /** Closes disks and devices: what the guest wrote is then on the host's disk. May be called again. */
  close(): void;
}

/**
 * @param wake called when the guest may have something to do.
 * @throws BadInput, ImageError when something that the definition names cannot be used.
 */
export async function openWanted(
  definition: MachineDefinition,
  terminalSize: TerminalSize,
  wake: () => void,
): Promise<OpenWanted> {
  const disks: Image[] = [];
  let devices: GuestDevices | undefined;
  const close = (): void => {
    for (const disk of disks.splice(0)) disk.close();
    devices?.close();
  };
  try {
    for (const disk of definition.disk) disks.push(await openDisk(disk));
    devices = await openDevices(definition, wake);
    const { memory, cpus, cpu, machine, balloon, append } = definition;
    type File = "kernel" | "initrd" | "dtb" | "bios";
    const optional = (name: File): { [N in File]?: NamedBytes } =>
      definition[name] === undefined ? {} : { [name]: load(definition[name]) };
    const wanted: WantedMachine = {
      ...{ memory, cpus, cpu, ...machine, balloon, append, tier: "auto" },
      ...optional("kernel"),
      ...optional("initrd"),
      ...optional("dtb"),
      ...optional("bios"),
      loads: definition.load.map(({ file, address }) => ({ file: load(file), address })),
      disks: disks.map((store, i) => ({ store, serial: definition.disk[i]?.serial })),
      ...devices.parts,
      terminalSize,
    };
    return { wanted, close };
  } catch (error) {
    close();
    throw error;
  }
}
