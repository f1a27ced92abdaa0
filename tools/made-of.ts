// Whether something that was built is of the sources as they are: beside it is a note, a hash of all that it was made of. Times say less: a
// folder that was copied, or unpacked from a cache, is newer than everything.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The files of some folders that `keep` wants; names from `root` on. */
export function filesIn(root: string, folders: readonly string[], keep: (name: string) => boolean): string[] {
  return folders.flatMap((folder) =>
    (readdirSync(join(root, folder), { recursive: true }) as string[])
      .map((name) => join(folder, name))
      .filter((name) => /\.(ts|json)$/.test(name) && keep(name)),
  );
}

/** Hashes files, by their names from `root` on. */
export function hashOf(root: string, names: readonly string[]): string {
  const hash = createHash("sha256");
  for (const name of [...names].sort())
    hash
      .update(name)
      .update("\0")
      .update(readFileSync(join(root, name)));
  return hash.digest("hex");
}

/** Makes something where it is not there or not of `hash`. @param target what is made. @param note where its hash is kept. */
export async function makeOf(
  hash: string,
  { target, note }: { readonly target: string; readonly note: string },
  make: () => void | Promise<void>,
): Promise<void> {
  if (existsSync(target) && existsSync(note) && readFileSync(note, "utf8") === hash) return;
  // What is not made to its end is made again.
  rmSync(note, { force: true });
  await make();
  writeFileSync(note, hash);
}
