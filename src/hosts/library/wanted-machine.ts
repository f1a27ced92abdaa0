// What a definition names, opened: files are read, disks and devices are there.

import type { BlockStore, TerminalSize } from "../../bus/device.ts";
import type { MachineDefinition, NodeNet, Vsock } from "../../contract/definition.ts";
import type { MachineParts, NamedBytes } from "../../machine/runnable.ts";
import type { CheckedConfiguration, DiskConfiguration, Source } from "./config.ts";
import type { WantedMachine } from "./parts.ts";

export interface Closable {
  /** Where it is a promise: done when what the guest wrote is where it belongs. */
  close(): void | Promise<void>;
}

/** The devices of a machine that reach outside. */
export interface GuestDevices extends Closable {
  readonly parts: Pick<MachineParts, "networks" | "shares" | "vsock" | "serialPorts">;
}

type DeviceFields = "bios" | "kernel" | "disk" | "publish" | "share" | "vsock";

/** What an interface may be plugged into, of a machine or of a domain; not every host has each. */
export type WantedNet = CheckedConfiguration["net"][number] | NodeNet;
type WithNets = { readonly net: readonly WantedNet[] };
/** Serial ports and sockets that lead to this computer. */
type WithPorts = Pick<MachineDefinition, "serialPort" | "vsock">;

/** What says which devices a machine has that reach outside. */
export type WantedDevices = Omit<Pick<CheckedConfiguration, DeviceFields>, "vsock"> &
  WithNets &
  WithPorts & {
    /** `domains`: of a node, which reach each other. */
    readonly vsock?: (Vsock & { readonly domains?: boolean }) | undefined;
  };

/** How a host opens what definitions name. `wake` is called when the guest may have something to do. */
export interface Opener {
  load(source: Source): NamedBytes | Promise<NamedBytes>;
  openDisk(disk: DiskConfiguration): Promise<BlockStore & Closable>;
  openDevices(wanted: WantedDevices, wake: () => void): Promise<GuestDevices>;
}

export interface OpenWanted extends Closable {
  readonly wanted: WantedMachine;
  /** Closes disks and devices: what the guest wrote is then on the host's disk. May be called again. */
  close(): Promise<void>;
}

/** @throws BadInput, ImageError, AtollError when something that the definition names cannot be used. */
export async function openWanted(
  definition: Omit<MachineDefinition | CheckedConfiguration, "net" | "serialPort" | "vsock"> & WithNets & WithPorts,
  opener: Opener,
  terminalSize: TerminalSize,
  wake: () => void,
): Promise<OpenWanted> {
  const opened: Closable[] = [];
  const keep = <T extends Closable>(each: T): T => {
    opened.push(each);
    return each;
  };
  const close = (): Promise<void> => Promise.all(opened.splice(0).map((each) => each.close())).then(() => {});
  try {
    const disks: WantedMachine["disks"][number][] = [];
    for (const disk of definition.disk) disks.push({ store: keep(await opener.openDisk(disk)), serial: disk.serial });
    const devices = keep(await opener.openDevices(definition, wake));
    const { memory, cpus, cpu, machine, balloon, append } = definition;
    const watchdog = definition.watchdog !== undefined;
    const display = definition.display !== undefined;
    type File = "kernel" | "initrd" | "dtb" | "bios";
    const optional = async (name: File): Promise<{ [N in File]?: NamedBytes }> =>
      definition[name] === undefined ? {} : { [name]: await opener.load(definition[name]) };
    const files = await Promise.all([optional("kernel"), optional("initrd"), optional("dtb"), optional("bios")]);
    const wanted: WantedMachine = {
      ...{ memory, cpus, cpu, ...machine, balloon, watchdog, display, append, tier: "auto" },
      ...Object.assign({}, ...files),
      loads: await Promise.all(
        definition.load.map(async ({ file, address }) => ({ file: await opener.load(file), address })),
      ),
      disks,
      ...devices.parts,
      terminalSize,
    };
    return { wanted, close };
  } catch (error) {
    await close();
    throw error;
  }
}
