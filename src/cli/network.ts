// What --net and --publish make.

import { entropy } from "../hosts/library/clocks.ts";
import { reasonOf } from "../hosts/node/files.ts";
import { NodeNetwork } from "../hosts/node/network-host.ts";
import { OutputFile } from "../hosts/node/output-file.ts";
import { SwitchLink } from "../hosts/node/switch-link.ts";
import { BadInput } from "../machine/runnable.ts";
import { CapturingLink } from "../network/capture.ts";
import type { NetworkLink } from "../network/link.ts";
import { DEFAULT_MAC } from "../network/plan.ts";
import { type Publication, UserNetwork } from "../network/user-network.ts";
import type { NetOption } from "./network-values.ts";
import { say } from "./report.ts";
import type { RunOptions } from "./run-options.ts";

export interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

const NONE: Network = { links: [], close: () => {} };

// Without --net. Firmware that finds a network looks there for something to boot, for minutes, before it comes to its shell.
const USER: NetOption = { kind: "user", mac: undefined, dns: undefined, capture: undefined };
const NO_NETWORK: NetOption = { kind: "none" };

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(
  options: Pick<RunOptions, "bios" | "net" | "publish">,
  wake: () => void,
): Promise<Network> {
  const net = options.net ?? (options.bios === undefined ? USER : NO_NETWORK);
  if (options.publish.length > 0 && net.kind !== "user") throw new BadInput("--publish: only with --net user");
  if (net.kind === "none") return NONE;
  if (net.capture === undefined) return plugIn(net, options.publish, wake);
  const file = new OutputFile(net.capture, "capture", say);
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
  net: Exclude<NetOption, { kind: "none" }>,
  publications: readonly Publication[],
  wake: () => void,
): Promise<Network> {
  if (net.kind === "switch") {
    try {
      const link = await SwitchLink.open(net.name, net.mac ?? randomMac(), wake);
      return { links: [link], close: () => link.close() };
    } catch (error) {
      throw new BadInput(`--net switch:${net.name}: ${reasonOf(error)}`);
    }
  }
  const network = new UserNetwork(new NodeNetwork(wake, net.dns), net.mac);
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

/** On a switch each machine has its own: three bytes of QEMU's range, and three by chance. */
function randomMac(): Uint8Array {
  const mac = DEFAULT_MAC.slice();
  entropy.fill(mac.subarray(3));
  return mac;
}
