import type { KeepRegions } from "../../engine/engine.ts";
import { KeptEntries } from "../../engine/kept-entries.ts";
import type { KeptForRunning } from "../../engine/region-placer.ts";
import { KeptRegionsFile, type KeptRegionsFiles, keptRegionsFiles, readKept } from "./kept-regions-file.ts";
import { KeptWordsFile } from "./kept-words-file.ts";

/** What the thread that runs code has of earlier runs. */
export function keptForRunning(files: KeptRegionsFiles): KeptForRunning {
  const words = new KeptWordsFile(files.words);
  return {
    kept: new KeptEntries(readKept(files.entries)),
    words: words.table,
    keepWords: (table, misses) => words.keep(table, misses),
  };
}

/** What is kept of earlier runs, for a machine that translates in its own thread. */
export const keepRegions: KeepRegions = (setup) => {
  const files = keptRegionsFiles(setup);
  if (files === undefined) return undefined;
  const file = new KeptRegionsFile(files);
  return { regions: file.regions, add: (kept) => file.add(kept), ...keptForRunning(files) };
};
