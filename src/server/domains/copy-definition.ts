// What a copy of a domain is defined as: what the original is, but for what two cannot have.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Disk, Net, NodeNet, Publication } from "../../contract/definition.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import { mapPaths } from "../../contract/paths.ts";
import { macText, randomMac } from "../../hosts/library/mac.ts";
import type { MachineFolder } from "../state-directory.ts";

/** Without any. */
const USER: Net = { kind: "user" };

export interface CopyDefinition {
  readonly definition: DomainDefinition;
  /** What its user has to know. */
  readonly notes: readonly string[];
}

/** @param name of the copy. */
export function definitionOfCopy(
  original: DomainDefinition,
  from: MachineFolder,
  {
    name,
    folder,
    publish,
  }: { readonly name: string; readonly folder: MachineFolder; readonly publish: readonly Publication[] },
): CopyDefinition {
  const notes: string[] = [];
  const resolved = mapPaths(original, (path) => from.resolve(path));
  if (original.publish.length > 0 && publish.length === 0)
    notes.push("the original's published ports are not the copy's: give it others with --publish");
  const { health } = original;
  const reachable = health?.tcp === undefined || publish.some(({ guestPort }) => guestPort === health.tcp);
  if (!reachable) notes.push(`its health is not looked at: port ${health.tcp} is not published`);
  if (original.schedule.reservation > 0) notes.push("the CPUs that are reserved for the original are not the copy's");
  const own = (path: string): string => join(folder.path, basename(path));
  return {
    definition: {
      ...resolved,
      disk: resolved.disk.map((disk, index) =>
        disk.readOnly || disk.snapshot ? disk : copyOfDisk(disk, index, folder),
      ),
      net: (resolved.net.length === 0 ? [USER] : resolved.net).map((net) => copyOfNet(net, name, own, notes)),
      publish: [...publish],
      // Two of one CID do not reach the other domains.
      vsock: resolved.vsock && { ...resolved.vsock, domains: false, path: own(resolved.vsock.path) },
      serialPort: resolved.serialPort.map((port) => ({ ...port, path: own(port.path) })),
      display: copyOfDisplay(resolved.display, notes),
      health: reachable ? health : undefined,
      // What it waited for was there, and may be gone when it boots again.
      dependsOn: [],
      schedule: { ...original.schedule, reservation: 0 },
      autostart: true,
    },
    notes,
  };
}

/** An address is the original's. */
function copyOfDisplay(display: DomainDefinition["display"], notes: string[]): DomainDefinition["display"] {
  if (display?.vnc === undefined || display.vnc.port === 0) return display;
  notes.push("its display is at another port: atoll info says at which");
  return { ...display, vnc: { ...display.vnc, port: 0 } };
}

/** Names of files that there are belong to an earlier domain of that name. */
function copyOfDisk({ serial }: Disk, index: number, folder: MachineFolder): Disk {
  let file = `disk${index}.qcow2`;
  for (let n = 1; existsSync(folder.resolve(file)); n++) file = `disk${index}-${n}.qcow2`;
  return { file, format: "qcow2", readOnly: false, snapshot: false, serial };
}

/** Two with the same addresses must not meet: the guest knows nothing of being a copy until it looks. */
function copyOfNet<N extends Net | NodeNet>(net: N, name: string, own: (path: string) => string, notes: string[]): N {
  if (net.kind === "none") return net;
  const mac = macText(randomMac());
  const copy = { ...net, mac, ...(net.capture === undefined ? {} : { capture: own(net.capture) }) };
  if (net.kind === "network" && !net.anyMac) {
    notes.push(
      `it sends nothing to the network ${net.name} before its driver was started anew, and took the address ${mac}`,
    );
    return copy;
  }
  if (net.kind === "user") return copy;
  const alone = name.slice(0, 32);
  const place = net.kind === "tap" ? "the original's TAP device" : net.name;
  notes.push(
    `instead of on ${place} it is alone on ${alone}: it has the original's addresses until it is started anew`,
  );
  if (net.kind === "tap") return { kind: "switch", name: alone, mac, capture: copy.capture } as Net as N;
  return { ...copy, name: alone };
}
