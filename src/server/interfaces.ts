import type { Net, NodeNet } from "../contract/definition.ts";
import { macText, randomMac } from "../hosts/library/mac.ts";

type AnyNet = Net | NodeNet;

/**
 * Interfaces with their addresses: a station of a switch keeps its own, as a guest that goes on has it in its memory, and others know it. One that
 * gives none has that of the interface `before` which was the same one (of as many on the same network), or one by chance.
 */
export function withAddresses<N extends AnyNet>(nets: readonly N[], before: readonly AnyNet[] = []): N[] {
  const left = [...before];
  return nets.map((net) => {
    if (net.kind !== "switch" && net.kind !== "network") return net;
    const same = left.findIndex((each) => each.kind === net.kind && "name" in each && each.name === net.name);
    const [old] = same < 0 ? [] : left.splice(same, 1);
    const kept = old !== undefined && "mac" in old ? old.mac : undefined;
    return { ...net, mac: net.mac ?? kept ?? macText(randomMac()) };
  });
}
