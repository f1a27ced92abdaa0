import type { NewDomain } from "../../contract/domain.ts";
import type { NodeChannels, NodeMachine } from "../../contract/node.ts";

/** Bytes of RAM for the hypervisor's tables and each domain's registers, where nobody says how much there is to be. */
const OWN = 32 * 2 ** 20;
const STEP = 2 ** 20;

/** RAM of a node, in bytes: what its file says, or enough for all of its domains and channels. */
export function memoryOf(
  { memory }: NodeMachine,
  domains: readonly Pick<NewDomain, "memory">[],
  channels: NodeChannels,
): number {
  if (memory !== undefined) return memory;
  const theirs = domains.reduce((sum, each) => sum + each.memory, 0);
  return Math.ceil((theirs * (1 + 1 / 16) + channelBytes(channels) + OWN) / STEP) * STEP;
}

export function channelBytes(channels: NodeChannels): number {
  return Object.values(channels).reduce((sum, { size }) => sum + size, 0);
}
