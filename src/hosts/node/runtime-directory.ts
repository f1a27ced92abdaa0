import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder for sockets that machines of this user's find each other by: $XDG_RUNTIME_DIR/atoll, or one among the temporary files. Nobody
 * else has a way into it. @throws Error when it belongs to somebody else.
 */
export function runtimeDirectory(): string {
  const user = process.getuid?.() ?? 0;
  const base = process.env.XDG_RUNTIME_DIR;
  const path = base ? join(base, "atoll") : join(tmpdir(), `atoll-${user}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stats = lstatSync(path);
  if (!stats.isDirectory() || (process.getuid !== undefined && (stats.uid !== user || (stats.mode & 0o077) !== 0))) {
    throw new Error(`${path} is not a folder of yours alone`);
  }
  return path;
}
