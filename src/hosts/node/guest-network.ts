// What --net and --publish make.

import type { StreamHost } from "../../bus/streams.ts";
import type { NodeNet } from "../../contract/definition.ts";
import { MAX_NETWORKS } from "../../contract/limits.ts";
import { netProblems } from "../../contract/net-problems.ts";
import { BadInput } from "../../machine/runnable.ts";
import { CapturingLink } from "../../network/capture.ts";
import type { NetworkLink } from "../../network/link.ts";
import { type Publication, UserNetwork } from "../../network/user-network.ts";
import type { VirtualPort } from "../../network/virtual-switch.ts";
import { macOf, randomMac } from "../library/mac.ts";
import { openRelay } from "../library/relay-link.ts";
import type { WantedDevices, WantedNet } from "../library/wanted-machine.ts";
import { reasonOf } from "./files.ts";
import { NodeNetwork } from "./network-host.ts";
import { OutputFile } from "./output-file.ts";
import { SwitchMember } from "./switch-member.ts";
import { TapLink } from "./tap.ts";

/** Its interfaces, in their order. */
export interface Network {
  readonly links: readonly NetworkLink[];
  close(): void;
}

/** What is between the domains of a node. */
export interface NodeNetworks {
  /** @throws BadInput when it cannot be had. */
  connect(net: NodeNet, mac: Uint8Array, wake: () => void): VirtualPort;
  /** A domain's vsock streams, to the others' and to the host's (`outside`). @throws BadInput when another has that CID. */
  join(cid: number, outside: StreamHost, wake: () => void): StreamHost & { close(): void };
}

type Plugged = Exclude<WantedNet, { readonly kind: "none" }>;
type WithFile = Exclude<Plugged, { readonly kind: "relay" }>;

// Without --net.
const USER: WantedNet = { kind: "user" };

/**
 * Whether firmware has nothing else to boot from. EDK2 then tries for minutes, on any machine, before it comes to its shell: PXE and HTTP,
 * over IPv4 and IPv6, each with the retries of DHCP (4, 8, 16 and 32 seconds), as an offer without a boot file is none to it.
 */
function bootsFromNetwork({ bios, kernel, disk }: Pick<WantedDevices, "bios" | "kernel" | "disk">): boolean {
  return bios !== undefined && kernel === undefined && disk.length === 0;
}

type WithNetwork = Pick<WantedDevices, "bios" | "kernel" | "disk" | "net">;

/** What each of a machine's interfaces is plugged into. */
export function pluggedOf(machine: WithNetwork): Plugged[] {
  const wanted = machine.net.length > 0 ? machine.net : bootsFromNetwork(machine) ? [] : [USER];
  return wanted.filter((net): net is Plugged => net.kind !== "none");
}

/** @param wake called when something has come for the guest. @throws BadInput when it cannot be had. */
export async function openNetwork(
  options: WithNetwork & Pick<WantedDevices, "publish">,
  wake: () => void,
  networks: NodeNetworks | undefined,
): Promise<Network> {
  const [problem] = netProblems(options.net);
  if (problem !== undefined) throw new BadInput(`--net: ${problem.message}`);
  if (options.net.length > MAX_NETWORKS) throw new BadInput(`--net: give at most ${MAX_NETWORKS}`);
  const plugged = pluggedOf(options);
  if (options.publish.length > 0 && !plugged.some(({ kind }) => kind === "user"))
    throw new BadInput("--publish: only with --net user");
  const opened: Network[] = [];
  const close = (): void => {
    for (const network of opened.splice(0)) network.close();
  };
  try {
    for (const net of plugged) opened.push(await openOne(net, options.publish, wake, networks));
    return { links: opened.flatMap(({ links }) => links), close };
  } catch (error) {
    close();
    throw error;
  }
}

async function openOne(
  net: Plugged,
  publications: readonly Publication[],
  wake: () => void,
  networks: NodeNetworks | undefined,
): Promise<Network> {
  if (net.kind === "relay") return openRelay(net, wake);
  if (net.capture === undefined) return plugIn(net, publications, wake, networks);
  const file = new OutputFile(net.capture, "capture", (message) => process.stderr.write(`atoll: ${message}\n`));
  try {
    const network = await plugIn(net, publications, wake, networks);
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
  net: WithFile,
  publications: readonly Publication[],
  wake: () => void,
  networks: NodeNetworks | undefined,
): Promise<Network> {
  if (net.kind === "network") {
    if (networks === undefined) throw new BadInput(`network:${net.name}: only domains of a node are on its networks`);
    const port = networks.connect(net, macOf(net) ?? randomMac(), wake);
    return { links: [port.link], close: () => port.close() };
  }
  if (net.kind === "switch") {
    try {
      const member = await SwitchMember.open(net.name, macOf(net) ?? randomMac(), wake);
      return { links: [member.link], close: () => member.close() };
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
