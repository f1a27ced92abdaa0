import type { TerminalSize } from "../../bus/device.ts";
import type { MachineDefinition } from "../../contract/definition.ts";
import { type OpenWanted, openWanted as open, type WantedNet } from "../library/wanted-machine.ts";
import { openDevices } from "./guest-devices.ts";
import type { NodeNetworks } from "./guest-network.ts";
import { nodePlatform } from "./platform.ts";

export type { OpenWanted };

/**
 * What a definition names, opened on this computer. `networks`: of the node that it is a domain of.
 * @throws BadInput, ImageError when something of it cannot be used.
 */
export function openWanted(
  definition: Omit<MachineDefinition, "net"> & { readonly net: readonly WantedNet[] },
  terminalSize: TerminalSize,
  wake: () => void,
  networks?: NodeNetworks,
): Promise<OpenWanted> {
  const opener = { ...nodePlatform, openDevices: openDevices.bind(undefined, networks) };
  return open(definition, opener, terminalSize, wake);
}
