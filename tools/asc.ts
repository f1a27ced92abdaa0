// How AssemblyScript sources are compiled: the one place that knows asc's options.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Compiles `entry` (relative to the repository's root) into the WebAssembly file `output`. Throws with asc's messages on failure. */
export function compileAssemblyScript(entry: string, output: string): void {
  const asc = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
  const options = [
    ...["-O3", "--runtime", "stub", "--importMemory", "--sharedMemory"],
    ...["--maximumMemory", "65536", "--initialMemory", "1", "--memoryBase", "1024"],
    ...["--enable", "threads,simd,tail-calls", "--use", "abort=", "--disableWarning", "112,235"],
  ];
  const { status, stderr, error } = spawnSync(process.execPath, [asc, entry, "-o", output, ...options], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`asc ${entry} failed: ${error?.message ?? stderr}`);
}
