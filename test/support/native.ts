// Instances of native.wasm, and of test entries that reach functions which JavaScript cannot call, for unit tests.

import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileAssemblyScript } from "../../tools/asc.ts";

const root = join(import.meta.dirname, "../..");

export type NativeFunction = (...args: (number | bigint)[]) => number | bigint;

export interface Native {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView<ArrayBufferLike>;
  /** An exported function by name; throws when there is none. */
  readonly get: (name: string) => NativeFunction;
}

function newestSource(): number {
  return readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && /(\.as|-layout)\.ts$/.test(e.name))
    .reduce((time, e) => Math.max(time, statSync(join(e.parentPath, e.name)).mtimeMs), 0);
}

const modules = new Map<string, WebAssembly.Module>();

function moduleOf(entry: string): WebAssembly.Module {
  const module = modules.get(entry) ?? new WebAssembly.Module(compiled(entry));
  modules.set(entry, module);
  return module;
}

/** The compiled `entry`: what the build left in build/ when that is up to date, else compiled on the spot. */
function compiled(entry: string): Uint8Array<ArrayBuffer> {
  const built = join(root, "build", "native.wasm");
  if (entry === "src/cpu/native.as.ts" && existsSync(built) && statSync(built).mtimeMs >= newestSource()) {
    return readFileSync(built);
  }
  const output = join(mkdtempSync(join(tmpdir(), "atoll-native-")), "native.wasm");
  compileAssemblyScript(entry, output);
  return readFileSync(output);
}

/** An instance over `pages` pages of memory of its own. Functions that it imports from a host, but for those in `host`, do nothing. */
export function loadNative(
  entry = "src/cpu/native.as.ts",
  pages = 64,
  host: Readonly<Record<string, (...args: number[]) => number>> = {},
): Native {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const module = moduleOf(entry);
  const imports: Record<string, Record<string, object>> = { env: { memory } };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function") continue;
    const functions = imports[from] ?? {};
    imports[from] = functions;
    functions[name] = host[name] ?? (() => 0);
  }
  const { exports } = new WebAssembly.Instance(
    module,
    imports as ConstructorParameters<typeof WebAssembly.Instance>[1],
  );
  const get = (name: string): NativeFunction => {
    const f = exports[name];
    if (typeof f !== "function") throw new Error(`${entry} exports no function ${name}`);
    return f as NativeFunction;
  };
  return { memory, view: new DataView(memory.buffer), get };
}
