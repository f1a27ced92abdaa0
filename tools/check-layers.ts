// Checks the import rules of tools/layers.json over src/ (tests excepted), and that no file of the core imports a host.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const src = join(root, "src");
const { rooms, layoutFiles, packages, hostFree } = JSON.parse(
  readFileSync(join(root, "tools", "layers.json"), "utf8"),
) as {
  rooms: string[][];
  layoutFiles: string[];
  packages: Record<string, string[]>;
  hostFree: string[];
};
const level = new Map(rooms.flatMap((names, i) => names.map((n) => [n, i] as const)));

const errors: string[] = [];
for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !path.endsWith(".ts") || path.endsWith(".test.ts") || path.endsWith(".d.ts")) continue;
  const file = relative(src, path);
  const room = file.split("/")[0] as string;
  if (!file.includes("/")) continue;
  const from = level.get(room);
  if (from === undefined) {
    errors.push(`src/${file}: folder ${room} is in no room of tools/layers.json`);
    continue;
  }
  const text = readFileSync(path, "utf8");
  for (const match of text.matchAll(/^(?:import|export)\s[^"';=]*?from\s+"([^"]+)"|^import\s+"([^"]+)"/gm)) {
    const target = (match[1] ?? match[2]) as string;
    if (!target.startsWith(".")) {
      const allowed = !hostFree.includes(room) || packages[room]?.includes(target);
      if (!allowed) errors.push(`src/${file}: the core imports a package or host module: ${target}`);
      continue;
    }
    const to = normalize(join(dirname(file), target));
    if (layoutFiles.includes(to) || layoutFiles.includes(`${to}.ts`)) continue;
    const toLevel = level.get(to.split("/")[0] as string);
    if (toLevel === undefined || toLevel < from) errors.push(`src/${file}: may not import ${target} (upwards)`);
  }
}
for (const e of errors) console.error(e);
if (errors.length > 0) process.exit(1);
console.log("layers: imports point down");
