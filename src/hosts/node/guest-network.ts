// What --net and --publish make.

import type { Net } from "../../contract/definition.ts";
import { BadInput } from "../../machine/runnable.ts";
import { CapturingLink } from "../../network/capture.ts";
import type { NetworkLink } from "../../network/link.ts";
import { type Publication, UserNetwork } from "../../network/user-network.ts";
import type { CheckedConfiguration } from "../library/config.ts";
import { macOf, randomMac } from "../library/mac.ts";
import { openRelay } from "../library/relay-link.ts";
import { reasonOf } from "./files.ts";
import { NodeNetwork } from "./network-host.ts";
import { OutputFile } from "./output-file.ts";
import { SwitchLink } from "./switch-link.ts";
import { TapLink } from "./tap.ts";

export interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

const NONE: Network = { links: [], close: () => {} };

// Without --net.
const USER: Net = { kind: "user", mac: undefined, dns: undefined };
const NO_NETWORK: Net = { kind: "none" };

/**
 * Whether firmware has nothing else to boot from. EDK2 then tries for minutes, on any machine, before it comes to its shell: PXE and HTTP,
 * over IPv4 and IPv6, each with the retries of DHCP (4, 8, 16 and 32 seconds), as an offer without a boot file is none to it.
 */
function bootsFromNetwork({ bios, kernel, disk }: Pick<CheckedConfiguration, "bios" | "kernel" | "disk">): boolean {
  return bios !== undefined && kernel === undefined && disk.length === 0;
}

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(
  options: Pick<CheckedConfiguration, "bios" | "kernel" | "disk" | "net" | "publish">,
  wake: () => void,
): Promise<Network> {
  const net = options.net ?? (bootsFromNetwork(options) ? NO_NETWORK : USER);
  if (options.publish.length > 0 && net.kind !== "user") throw new BadInput("--publish: only with --net user");
  if (net.kind === "none") return NONE;
  if (net.kind === "relay") return openRelay(net, wake);
  if (net.capture === undefined) return plugIn(net, options.publish, wake);
  const file = new OutputFile(net.capture, "capture", (message) => process.stderr.write(`atoll: ${message}\n`));
  try {
    const network = await plugIn(net, options.publish, wake);
    const links = network.links.map((link) => new CapturingLink(link, file.write, Math.floor(Date.now() / 1000)));
    const close = (): void => {
      network.close();
      file.close();
    };
    return { links, close };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function plugIn(
  net: Exclude<Net, { kind: "none" }>,
  publications: readonly Publication[],
  wake: () => void,
): Promise<Network> {
  if (net.kind === "switch") {
    try {
      const link = await SwitchLink.open(net.name, macOf(net) ?? randomMac(), wake);
      return { links: [link], close: () => link.close() };
    } catch (error) {
      throw new BadInput(`--net switch:${net.name}: ${reasonOf(error)}`);
    }
  }
  if (net.kind === "tap") {
    const link = new TapLink(net, wake, (message) => process.stderr.write(`atoll: ${message}\n`));
    return { links: [link], close: () => link.close() };
  }
  const network = new UserNetwork(new NodeNetwork(wake, net.dns), macOf(net));
  for (const publication of publications) {
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
