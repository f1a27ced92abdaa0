import type { KeepRegions } from "../../engine/engine.ts";
import { KeptEntries } from "../../engine/kept-entries.ts";
import { KeptRegionsFile, keptRegionsFiles, readKept } from "./kept-regions-file.ts";
import { KeptWordsFile } from "./kept-words-file.ts";

/** What is kept of earlier runs, for a machine that translates in its own thread. */
export const keepRegions: KeepRegions = (setup) => {
  const files = keptRegionsFiles(setup);
  if (files === undefined) return undefined;
  const file = new KeptRegionsFile(files);
  const words = new KeptWordsFile(files.words);
  return {
    regions: file.regions,
    add: (kept) => file.add(kept),
    kept: new KeptEntries(readKept(files.entries)),
    words: words.table,
    keepWords: (table, misses) => words.keep(table, misses),
  };
};
