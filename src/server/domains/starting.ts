// In which order domains start: each when those that it depends on are as far as it wants them.

import type { Progress } from "../../contract/action.ts";
import type { DomainKeeper } from "./keeper.ts";

type Keepers = ReadonlyMap<string, DomainKeeper>;

/** Starts those that are to run and have what they depend on. @param mayStart false: not yet */
export function startWanted(keepers: Keepers, mayStart: (keeper: DomainKeeper) => boolean): void {
  for (const keeper of keepers.values()) {
    const { wanted, runs, busy, ended, delayed, status } = keeper;
    if (!wanted || runs || busy || ended || delayed || status === "failed" || !mayStart(keeper)) continue;
    const missing = keeper.stored.definition.dependsOn.find(({ domain, is }) => {
      const other = keepers.get(domain);
      if (other === undefined) return true;
      if (is === "ended") return !other.ended;
      return !other.runs || (is === "healthy" && (other.health ?? "healthy") !== "healthy");
    });
    if (missing !== undefined) keeper.waitFor(`for ${missing.domain} to be ${missing.is}`);
    // Why it could not be started is its `reason`.
    else keeper.start().catch(() => {});
  }
}

/** Until each domain that is to run does, or cannot. @param changed done when something has changed that may matter. */
export async function allStarted(
  keepers: Keepers,
  changed: () => Promise<void>,
  progress: (progress: Progress) => void,
): Promise<void> {
  for (;;) {
    const left = [...keepers.values()].filter(
      ({ wanted, runs, ended, status, delayed }) => wanted && !runs && !ended && status !== "failed" && !delayed,
    );
    if (left.length === 0 || left.every((keeper) => !keeper.busy && isHopeless(keepers, keeper))) return;
    progress({ step: left.map(({ name, reason }) => `${name} waits ${reason ?? "to start"}`).join(", ") });
    await changed();
  }
}

/** Whether something that a domain depends on failed, or waits for what failed. */
function isHopeless(keepers: Keepers, { stored }: DomainKeeper): boolean {
  return stored.definition.dependsOn.some(({ domain, is }) => {
    const other = keepers.get(domain);
    if (other === undefined || other.status === "failed" || (!other.wanted && !other.runs)) return true;
    if (is !== "ended" && other.ended) return true;
    return !other.runs && !other.busy && isHopeless(keepers, other);
  });
}

/** Stops those that run, or are about to: whoever is depended on goes last. */
export async function stopAll(keepers: Keepers, stop: (keeper: DomainKeeper) => Promise<unknown>): Promise<void> {
  const isOn = ({ runs, delayed }: DomainKeeper): boolean => runs || delayed;
  const left = new Set([...keepers.values()].filter(isOn));
  while (left.size > 0) {
    const next = [...left].filter(
      ({ name }) => ![...left].some(({ stored }) => stored.definition.dependsOn.some(({ domain }) => domain === name)),
    );
    await Promise.all(next.map((keeper) => (isOn(keeper) ? stop(keeper) : undefined)));
    for (const keeper of next) left.delete(keeper);
  }
}
