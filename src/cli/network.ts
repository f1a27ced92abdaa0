// What --net and --publish make.

import { type Network, openNetwork as openChoice } from "../hosts/node/networks.ts";
import { BadInput } from "../machine/runnable.ts";
import type { NetOption } from "./network-values.ts";
import type { RunOptions } from "./run-options.ts";

export type { Network };

// Without --net. Firmware that finds a network looks there for something to boot, for minutes, before it comes to its shell.
const USER: NetOption = { kind: "user", mac: undefined, dns: undefined };
const NO_NETWORK: NetOption = { kind: "none" };

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(
  options: Pick<RunOptions, "bios" | "net" | "publish">,
  wake: () => void,
): Promise<Network> {
  const net = options.net ?? (options.bios === undefined ? USER : NO_NETWORK);
  if (options.publish.length > 0 && net.kind !== "user") throw new BadInput("--publish: only with --net user");
  try {
    return await openChoice(net, options.publish, wake);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    throw new BadInput(`${net.kind === "switch" ? "--net" : "--publish"}: ${error.message}`);
  }
}
