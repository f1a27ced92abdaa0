import { monotonic, wallClock } from "../library/clocks.ts";
import type { HostBindings, PackageFile } from "../library/parts.ts";
import { entropy } from "./entropy.ts";
import { loadPackageFile } from "./files.ts";
import { inflate } from "./inflate.ts";
import { largePages, pageRelease } from "./memory-advice.ts";
import { startRegionThread } from "./region-thread.ts";

/** What Node gives to every machine. */
export const nodeBindings: HostBindings = {
  entropy,
  wallClock,
  monotonic,
  inflate,
  sharedMemory: true,
  largePages,
  pageRelease,
  regionThread: startRegionThread,
};

/** @throws BadInput when the package is incomplete. */
export const nodePackageFile = (name: PackageFile): Uint8Array => loadPackageFile(...name.split("/"));
