// Which values of a definition are names of files.

import type { MachineDefinition, Net, NewMachine, NodeNet } from "./definition.ts";

/** The fields of a definition that have paths. */
type WithPaths = Omit<Pick<MachineDefinition, Field>, "disk"> &
  Pick<MachineDefinition | NewMachine, "disk"> & { readonly net: readonly (Net | NodeNet)[] };
type Field = "kernel" | "initrd" | "dtb" | "bios" | "load" | "disk" | "share" | "serialPort" | "vsock" | "display";

/** The definition with each path replaced by what `change` makes of it. */
export function mapPaths<D extends WithPaths>(definition: D, change: (path: string) => string): D {
  const one = <K extends string, T extends Readonly<Record<K, string>>>(key: K, value: T): T => ({
    ...value,
    [key]: change(value[key]),
  });
  const optional = (key: "kernel" | "initrd" | "dtb" | "bios"): object => {
    const path = definition[key];
    return path === undefined ? {} : { [key]: change(path) };
  };
  return {
    ...definition,
    ...optional("kernel"),
    ...optional("initrd"),
    ...optional("dtb"),
    ...optional("bios"),
    load: definition.load.map((load) => one("file", load)),
    disk: definition.disk.map((disk) => ("file" in disk ? one("file", disk) : disk)),
    share: definition.share.map((share) => one("folder", share)),
    serialPort: definition.serialPort.map((port) => one("path", port)),
    net: definition.net.map((net) =>
      net.kind === "none" || net.capture === undefined ? net : { ...net, capture: change(net.capture) },
    ),
    ...(definition.display?.passwordFile === undefined
      ? {}
      : { display: { ...definition.display, passwordFile: change(definition.display.passwordFile) } }),
    ...(definition.vsock === undefined ? {} : { vsock: one("path", definition.vsock) }),
  };
}
