import type { NodeNet } from "../../contract/definition.ts";
import type { NodeNetworks } from "../../hosts/node/guest-network.ts";
import { BadInput } from "../../machine/runnable.ts";
import { type VirtualPort, VirtualSwitch } from "../../network/virtual-switch.ts";

/** The switches inside of a node, by name; each is there when somebody wants to be on it. */
export class Networks implements NodeNetworks {
  readonly #switches = new Map<string, VirtualSwitch>();

  connect({ name, anyMac, isolation }: NodeNet, mac: Uint8Array, wake: () => void): VirtualPort {
    const network = this.#switches.get(name) ?? new VirtualSwitch();
    this.#switches.set(name, network);
    const port = network.connect({ mac, anyMac, isolation, wake });
    if (port === undefined) throw new BadInput(`network:${name}: another domain has this mac`);
    return port;
  }
}
