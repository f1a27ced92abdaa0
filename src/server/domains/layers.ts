// The images that disks of forked domains are on top of. Who is on top of which is in the images themselves.

import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { entropy } from "../../hosts/library/clocks.ts";
import { unlockedImages } from "../../hosts/node/block-file.ts";
import { backingPath } from "../../images/open.ts";
import { probe } from "../../images/probe.ts";
import { Header } from "../../images/qcow2/header.ts";

export class Layers {
  readonly #folder: string;
  /** Where domains have their folders. */
  readonly #domains: string;
  readonly root: string;

  /** @param root the state directory, which is there. */
  constructor(root: string, folder: string, domains: string) {
    this.root = realpathSync(root);
    this.#folder = folder;
    this.#domains = domains;
  }

  /** A name for one that is to be made. */
  next(): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const name = new Uint8Array(8);
    entropy.fill(name);
    return join(realpathSync(this.#folder), `${Buffer.from(name).toString("hex")}.qcow2`);
  }

  /** Removes those that no disk of a domain is on top of any more, directly or through others. Nothing when that cannot be told for sure. */
  sweep(): void {
    if (!existsSync(this.#folder)) return;
    const folder = realpathSync(this.#folder);
    const used = new Set<string>();
    try {
      const wait = imagesBelow(this.#domains).filter((path) => dirname(path) !== folder);
      for (let path = wait.pop(); path !== undefined; path = wait.pop()) {
        const under = backingOf(path);
        if (under === undefined || used.has(under) || !existsSync(under)) continue;
        used.add(realpathSync(under));
        wait.push(realpathSync(under));
      }
    } catch {
      return;
    }
    for (const name of readdirSync(folder))
      if (!used.has(join(folder, name))) rmSync(join(folder, name), { force: true });
  }
}

function imagesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".qcow2"))
    .map(({ parentPath, name }) => realpathSync(join(parentPath, name)));
}

/** @throws ImageError when the image is not understood. */
function backingOf(path: string): string | undefined {
  const storage = unlockedImages.open(path, false);
  try {
    if (probe(storage) !== "qcow2") return undefined;
    const { backingFile } = new Header(storage);
    return backingFile === undefined ? undefined : backingPath(unlockedImages, path, backingFile);
  } finally {
    storage.close();
  }
}
