// What --net and --publish make.

import type { Net } from "../../contract/definition.ts";
import { BadInput } from "../../machine/runnable.ts";
import type { NetworkLink } from "../../network/link.ts";
import { UserNetwork } from "../../network/user-network.ts";
import type { CheckedConfiguration } from "../library/config.ts";
import { macOf, randomMac } from "../library/mac.ts";
import { openRelay } from "../library/relay-link.ts";
import { reasonOf } from "./files.ts";
import { NodeNetwork } from "./network-host.ts";
import { SwitchLink } from "./switch-link.ts";

export interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

const NONE: Network = { links: [], close: () => {} };

// Without --net. Firmware that finds a network looks there for something to boot, for minutes, before it comes to its shell.
const USER: Net = { kind: "user", mac: undefined, dns: undefined };
const NO_NETWORK: Net = { kind: "none" };

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(
  options: Pick<CheckedConfiguration, "bios" | "net" | "publish">,
  wake: () => void,
): Promise<Network> {
  const net = options.net ?? (options.bios === undefined ? USER : NO_NETWORK);
  if (options.publish.length > 0 && net.kind !== "user") throw new BadInput("--publish: only with --net user");
  if (net.kind === "none") return NONE;
  if (net.kind === "relay") return openRelay(net, wake);
  if (net.kind === "switch") {
    try {
      const link = await SwitchLink.open(net.name, macOf(net) ?? randomMac(), wake);
      return { links: [link], close: () => link.close() };
    } catch (error) {
      throw new BadInput(`--net switch:${net.name}: ${reasonOf(error)}`);
    }
  }
  const network = new UserNetwork(new NodeNetwork(wake, net.dns), macOf(net));
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
