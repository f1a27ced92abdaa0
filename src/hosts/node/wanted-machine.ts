import type { TerminalSize } from "../../bus/device.ts";
import type { MachineDefinition } from "../../contract/definition.ts";
import { type OpenWanted, openWanted as open } from "../library/wanted-machine.ts";
import { nodePlatform } from "./platform.ts";

export type { OpenWanted };

/** What a definition names, opened on this computer. @throws BadInput, ImageError when something of it cannot be used. */
export function openWanted(
  definition: MachineDefinition,
  terminalSize: TerminalSize,
  wake: () => void,
): Promise<OpenWanted> {
  return open(definition, nodePlatform, terminalSize, wake);
}
