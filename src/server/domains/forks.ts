// Copies of domains that run.

import { rmSync } from "node:fs";
import { ActionError, type Progress } from "../../contract/action.ts";
import { domainDefinition } from "../../contract/domain.ts";
import type { DomainInput, DomainOutput } from "../../contract/domains.ts";
import { definitionOfCopy } from "./copy-definition.ts";
import { DomainKeeper } from "./keeper.ts";
import type { NodeDomains } from "./node-domains.ts";

type Report = (progress: Progress) => void;

export class Forks {
  readonly #node: NodeDomains;
  #last = Promise.resolve();

  constructor(node: NodeDomains) {
    this.#node = node;
  }

  /** One after the other: a disk is cut in two once at a time. */
  fork(input: DomainInput<"fork">, progress: Report): Promise<DomainOutput<"fork">> {
    const fork = this.#last.then(() => this.#fork(input, progress));
    this.#last = fork.then(
      () => {},
      () => {},
    );
    return fork;
  }

  async #fork({ name, newName, publish }: DomainInput<"fork">, progress: Report): Promise<DomainOutput<"fork">> {
    const { keepers, keeperHost, folderOf, isTaken, store, layers } = this.#node;
    const original = this.#node.find(name);
    if (!original.runs)
      throw new ActionError("wrong-state", `${name} is ${original.status}: only one that runs is forked`);
    const copyName = newName ?? this.#freeName(name);
    if (keepers.has(copyName)) throw new ActionError("wrong-state", `there is a domain ${copyName} already`);
    if (isTaken(copyName)) throw new ActionError("wrong-state", `a machine has the name ${copyName}`);
    progress({ step: `forking ${name}` });
    const folder = folderOf(copyName);
    const { definition, notes } = definitionOfCopy(original.stored.definition, folderOf(name), {
      ...{ name: copyName, folder, publish },
    });
    const stored = { name: copyName, given: "", definition, wanted: true, forkedFrom: name };
    const keeper = new DomainKeeper(stored, folder, keeperHost);
    // Nobody else takes the name meanwhile. It is busy: nobody starts it.
    keepers.set(copyName, keeper);
    try {
      const milliseconds = await keeper.startAs(original, layers);
      store.putFork(copyName, domainDefinition.parse(definition), name);
      return { name: copyName, pause: milliseconds / 1000, notes: [...notes] };
    } catch (error) {
      keeper.wanted = false;
      if (keeper.runs) await keeper.stop({ force: true }, progress);
      keeper.close();
      keepers.delete(copyName);
      for (const { file, readOnly, snapshot } of definition.disk)
        if (!readOnly && !snapshot) rmSync(folder.resolve(file), { force: true });
      throw error;
    }
  }

  /** `web-1` and so on. */
  #freeName(name: string): string {
    const { keepers, isTaken } = this.#node;
    for (let n = 1; ; n++) {
      const next = `${name.slice(0, 63 - String(n).length - 1)}-${n}`;
      if (!keepers.has(next) && !isTaken(next)) return next;
    }
  }
}
