// What migrations need of the node that they are of.

import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { DomainKeeper } from "../domains/keeper.ts";
import type { DomainStore, StoredDomain } from "../domains/store.ts";
import type { MachineFolder } from "../state-directory.ts";
import type { Certificates } from "./transport.ts";

export interface MigrationHost {
  readonly hypervisor: Hypervisor;
  readonly store: DomainStore;
  readonly cpu: string;
  readonly certificates: Certificates | undefined;
  folderOf(name: string): MachineFolder;
  /** Whether a machine that lasts has that name. */
  isTaken(name: string): boolean;
  /** By which others are let in, and this node where others have the same one. */
  token(): Buffer;
  find(name: string): DomainKeeper | undefined;
  /** A keeper for a domain, in place of one that was there. */
  keep(stored: StoredDomain): DomainKeeper;
  /** Its keeper is gone. */
  drop(name: string): void;
  /** Something changed that others may wait for. */
  changed(): void;
}
