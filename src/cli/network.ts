// What --net and --publish make.

import { reasonOf } from "../hosts/node/files.ts";
import { NodeNetwork } from "../hosts/node/network-host.ts";
import { BadInput } from "../machine/runnable.ts";
import type { NetworkLink } from "../network/link.ts";
import { UserNetwork } from "../network/user-network.ts";
import type { RunOptions } from "./run-options.ts";

export interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

const NONE: Network = { links: [], close: () => {} };

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(options: RunOptions, wake: () => void): Promise<Network> {
  const { net } = options;
  if (options.publish.length > 0 && net.kind !== "user") throw new BadInput("--publish: only with --net user");
  if (net.kind === "none") return NONE;
  if (net.kind === "switch") throw new BadInput("--net switch: not yet");
  const network = new UserNetwork(new NodeNetwork(wake, net.dns), net.mac);
  for (const publication of options.publish) {
    try {
      await network.publish(publication);
    } catch (error) {
      network.close();
      const { address, port, protocol } = publication;
      throw new BadInput(`--publish: cannot listen at port ${port} of ${address} (${protocol}): ${reasonOf(error)}`);
    }
  }
  return { links: [network], close: () => network.close() };
}
