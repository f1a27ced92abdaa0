import type { StreamHost } from "../../bus/streams.ts";
import type { NodeNet } from "../../contract/definition.ts";
import type { NodeNetworks } from "../../hosts/node/guest-network.ts";
import { GuestStreams } from "../../hosts/node/guest-streams.ts";
import { BadInput } from "../../machine/runnable.ts";
import { type VirtualPort, VirtualSwitch } from "../../network/virtual-switch.ts";

/** What is between the domains of a node: switches by name, each there when somebody wants to be on it, and vsock. */
export class Networks implements NodeNetworks {
  readonly #switches = new Map<string, VirtualSwitch>();

  readonly #streams = new GuestStreams();

  join(cid: number, outside: StreamHost, wake: () => void): StreamHost & { close(): void } {
    const host = this.#streams.join(cid, outside, wake);
    if (host === undefined) throw new BadInput(`vsock: another domain has the CID ${cid}`);
    return host;
  }

  connect({ name, anyMac, isolation }: NodeNet, mac: Uint8Array, wake: () => void): VirtualPort {
    const network = this.#switches.get(name) ?? new VirtualSwitch();
    this.#switches.set(name, network);
    const port = network.connect({ mac, anyMac, isolation, wake });
    if (port === undefined) throw new BadInput(`network:${name}: another domain has this mac`);
    return port;
  }
}
