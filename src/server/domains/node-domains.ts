// What of the node they have at hand who change which domains it has.

import { ActionError, type Progress } from "../../contract/action.ts";
import type { NodeMachine } from "../../contract/node.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { MachineFolder } from "../state-directory.ts";
import type { DomainKeeper, KeeperHost } from "./keeper.ts";
import type { Layers } from "./layers.ts";
import type { DomainStore, StoredDomain } from "./store.ts";

export interface NodeDomains {
  readonly hypervisor: Hypervisor;
  readonly machine: NodeMachine;
  readonly store: DomainStore;
  readonly layers: Layers;
  readonly keepers: Map<string, DomainKeeper>;
  readonly keeperHost: KeeperHost;
  folderOf(name: string): MachineFolder;
  /** Whether a machine that lasts has that name. */
  isTaken(name: string): boolean;
  /** @throws ActionError when there is none. */
  find(name: string): DomainKeeper;
  keep(stored: StoredDomain): DomainKeeper;
  /** Stops a domain, and keeps its definition alone. */
  end(name: string, progress: (progress: Progress) => void): Promise<void>;
}

/** @throws ActionError for one that comes or goes. */
export function checkIsHere({ name, status, reason }: DomainKeeper): void {
  if (status === "moved")
    throw new ActionError("wrong-state", `${name} has moved ${reason}: atoll rm ${name} forgets it here`);
  if (status === "leaving" || status === "incoming" || status === "saving")
    throw new ActionError("wrong-state", `${name} is ${status}${reason === undefined ? "" : `: ${reason}`}`);
}
