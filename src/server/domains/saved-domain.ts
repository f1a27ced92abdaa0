// A domain's saved state, in its folder: it is there when the domain stopped by saving it, and from when its guest goes on it is not.

import type { Progress } from "../../contract/action.ts";
import type { DomainDefinition } from "../../contract/domain.ts";
import type { NewSnapshotFile } from "../../hosts/node/snapshot-file.ts";
import type { Domain, DomainConfig } from "../../hypervisor/domain.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { restoreDomain, saveDomain } from "../../hypervisor/migration/saved-domain.ts";
import { goOn } from "../../hypervisor/migration/state.ts";
import { BadInput } from "../../machine/runnable.ts";
import { SavedState } from "../saved-state.ts";
import type { MachineFolder } from "../state-directory.ts";

export class SavedDomain {
  readonly #name: string;
  readonly #state: SavedState;
  readonly #definition: DomainDefinition;

  /** @param definition with whole paths. */
  constructor(name: string, folder: MachineFolder, definition: DomainDefinition) {
    this.#name = name;
    this.#definition = definition;
    this.#state = new SavedState(name, folder, definition);
  }

  get exists(): boolean {
    return this.#state.exists;
  }

  /** @throws BadInput when its state is not all that it goes on with. */
  checkCanBeSaved(domain: Domain): void {
    if (domain.channels.length > 0)
      throw new BadInput(`${this.#name} shares channels with others, whose content is not saved`);
    if (this.#definition.disk.some(({ snapshot }) => snapshot))
      throw new BadInput(`${this.#name} has a disk whose changes are in a temporary file (,snapshot)`);
  }

  /** Saves a domain that stands still. It is the saved state once its disks are closed, by `finish`. @throws BadInput when the host has no room. */
  save(domain: Domain, paused: boolean, progress: (progress: Progress) => void): Promise<NewSnapshotFile> {
    return this.#state.write(progress, (options) =>
      saveDomain(domain, { ...options, files: [], disks: false, host: { paused } }),
    );
  }

  finish(file: NewSnapshotFile): void {
    this.#state.finish(file);
  }

  discard(): void {
    this.#state.discard();
  }

  /** Has the hypervisor go on with it. @throws as `restore` */
  async goOn(hypervisor: Hypervisor, config: DomainConfig): Promise<"paused" | "running"> {
    let received = false;
    try {
      const paused = await this.restore(() => {
        const domain = hypervisor.receive(config);
        received = true;
        return domain;
      });
      if (!paused) hypervisor.resume(config.name);
      return paused ? "paused" : "running";
    } catch (error) {
      if (received) hypervisor.abandon(config.name);
      throw error;
    }
  }

  /**
   * Fills a domain that `receive` makes with the state, which is gone then: the domain is to go on.
   * @returns whether it is to stay paused. @throws ActionError when the state cannot be used, or a disk is not what it was.
   */
  async restore(receive: () => Domain): Promise<boolean> {
    this.#state.check();
    return this.#state.read(async (options) => {
      let paused = false;
      const domain = await restoreDomain({
        ...options,
        progress: () => {},
        open: async ({ host }) => {
          paused = (host as { paused?: unknown } | undefined)?.paused === true;
          return receive();
        },
      });
      this.#state.discard();
      goOn(domain, "same");
      return paused;
    });
  }
}
