// Translated regions from one run of the command to the next, in the user's cache: two files for each kind of machine. Whoever may write them may
// write the user's other files, too; so they are checked for damage, not for malice.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { type KeptRegion, KeptRegions, keptFor } from "../../engine/kept-regions.ts";
import type { MakerSetup } from "../../engine/region-maker.ts";
import type { RegionKeeping } from "../../engine/region-placer.ts";
import { crc32 as checksum } from "../../snapshot/crc32.ts";
import { inBaseDirectory } from "./base-directory.ts";

/** Names the translator in the bundle of the command. Where it runs from its sources, which may change, nothing is kept. */
declare const ATOLL_ENGINE: string | undefined;

/** Files that are larger are begun anew: some 4000 regions. */
const MAX_BYTES = 32 << 20;
/** Days after which files that no machine used are removed, as those of an older version are. */
const UNUSED_DAYS = 30;
/** Milliseconds for which regions are gathered before they are written. */
const GATHER = 500;

/**
 * The files: all of a region, which the thread reads that translates; what the machine's thread has to know of it; and words that were decoded
 * (kept-words-file.ts).
 */
export interface KeptRegionsFiles {
  readonly regions: string;
  readonly entries: string;
  readonly words: string;
}

/** $ATOLL_CACHE, or `atoll` in the user's cache directory. Undefined: nothing is to be kept. */
function cacheFolder(environment: NodeJS.ProcessEnv): string | undefined {
  return (environment.ATOLL_CACHE ?? inBaseDirectory("XDG_CACHE_HOME", environment)) || undefined;
}

/** Where regions are kept for a machine. Undefined: nowhere. */
export function keptRegionsFiles(
  setup: MakerSetup,
  engine = typeof ATOLL_ENGINE === "undefined" ? undefined : ATOLL_ENGINE,
  environment = process.env,
): KeptRegionsFiles | undefined {
  const folder = cacheFolder(environment);
  if (folder === undefined || engine === undefined) return undefined;
  const name = nameOf(keptFor(engine, setup));
  return {
    regions: join(folder, `${name}.regions`),
    entries: join(folder, `${name}.entries`),
    words: join(folder, `${name}.words`),
  };
}

/**
 * Two checksums of 32 bits: that two machines of one user had the same is less likely than damage. Node's own, and its hashes, are modules more to
 * load, 4 ms of a start.
 */
function nameOf(machine: string): string {
  const backwards = [...machine].reverse().join("");
  return [machine, backwards]
    .map((text) => checksum(new TextEncoder().encode(text), 0).toString(16).padStart(8, "0"))
    .join("");
}

/** A file's content; empty when it cannot be read. */
export function readKept(path: string): Uint8Array {
  try {
    const { buffer, byteOffset, length } = readFileSync(path);
    return new Uint8Array(buffer, byteOffset, length);
  } catch {
    return new Uint8Array();
  }
}

/** What is kept for a machine, in the thread that translates. */
export class KeptRegionsFile implements RegionKeeping {
  readonly regions: KeptRegions;
  readonly #files: KeptRegionsFiles;
  /** Not written yet. */
  readonly #gathered: KeptRegion[] = [];

  constructor(files: KeptRegionsFiles) {
    this.#files = files;
    const kept = readKept(files.regions);
    const regions = new KeptRegions(kept, crc32);
    const goesOn = regions.wholeBytes === kept.length && kept.length <= MAX_BYTES;
    if (!goesOn) for (const path of [files.regions, files.entries]) rmSync(path, { force: true });
    this.regions = goesOn ? regions : new KeptRegions(new Uint8Array(), crc32);
    this.#tidy();
  }

  /** Marks the files as used, and removes those that have not been for long. */
  #tidy(): void {
    try {
      const folder = dirname(this.#files.regions);
      const now = new Date();
      for (const name of readdirSync(folder)) {
        if (!/^[0-9a-f]{16}\.(regions|entries|words)$/.test(name)) continue;
        const path = join(folder, name);
        if (Object.values(this.#files).includes(path)) utimesSync(path, now, now);
        else if (now.getTime() - statSync(path).mtimeMs > UNUSED_DAYS * 86_400_000) rmSync(path, { force: true });
      }
    } catch {}
  }

  add(object: KeptRegion): void {
    if (this.#gathered.push(object) === 1) setTimeout(() => this.flush(), GATHER).unref();
  }

  /** Adds what was gathered to the files, in one piece each, whatever other processes add. A cache that cannot be written is none. */
  flush(): void {
    const gathered = this.#gathered.splice(0);
    try {
      mkdirSync(dirname(this.#files.regions), { recursive: true, mode: 0o700 });
      const append = (path: string, parts: readonly Uint8Array[]): void =>
        appendFileSync(path, Buffer.concat(parts), { mode: 0o600 });
      append(
        this.#files.regions,
        gathered.map(({ region }) => region),
      );
      append(
        this.#files.entries,
        gathered.map(({ entry }) => entry),
      );
    } catch {}
  }
}
