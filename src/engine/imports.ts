import { EXIT } from "../cpu/state-layout.ts";
import { HELPERS } from "../ir/helpers.ts";
import type { ModuleWriter } from "../wasm/module.ts";
import type { FunctionType, ValueType } from "../wasm/types.ts";
import type { Functions, RuntimeName } from "./functions.ts";

/** Handlers and regions: (cpu, record, budget) -> (). */
export const HANDLER_TYPE: FunctionType = { params: ["i32", "i32", "i32"], results: [] };

const sizes = [8, 16, 32, 64, 128];
const data = (bits: number): ValueType => (bits === 128 ? "v128" : "i64");

/** The slow paths of memory accesses, exported by native.wasm. */
export const SLOW_PATHS: Readonly<Record<string, FunctionType>> = {
  ...Object.fromEntries(
    sizes.map((n) => [`load${n}`, { params: ["i32", "i64", "i32", "i32"], results: [data(n)] } satisfies FunctionType]),
  ),
  ...Object.fromEntries(
    sizes.map((n) => [
      `store${n}`,
      { params: ["i32", "i64", data(n), "i32", "i32"], results: [] } satisfies FunctionType,
    ]),
  ),
  probeWrite: { params: ["i32", "i64", "i32", "i32", "i32"], results: [] },
};

/** Functions of the dispatch runtime (dispatch.ts). */
export const RUNTIME: Readonly<Record<RuntimeName, FunctionType>> = {
  leave: HANDLER_TYPE,
  near: HANDLER_TYPE,
  jump: { params: ["i32", "i64", "i32"], results: [] },
  indirect: { params: ["i32", "i64", "i32", "i32"], results: [] },
  raise: { params: ["i32", "i32", "i32", "i32", "i32"], results: [] },
  except: HANDLER_TYPE,
  attend: { params: ["i32", "i32"], results: ["i32"] },
  pcOf: { params: ["i32", "i32"], results: ["i64"] },
  unfit: HANDLER_TYPE,
  settle: { params: ["i32"], results: [] },
};

/** The type of a helper: the PE's block first; a host function says whether running ends. */
export function helperType(name: string): FunctionType {
  const helper = HELPERS[name];
  if (!helper) throw new TypeError(`no helper ${name}`);
  const result = helper.from === "host" ? "i32" : helper.result;
  return { params: ["i32", ...helper.args], results: result === "" ? [] : [result] };
}

/**
 * Declares the memory, the table and the functions that generated code imports. `runtime`: indices of functions of this same module that
 * stand for the runtime; when absent, it is imported, too.
 */
export function declareImports(
  module: ModuleWriter,
  helpers: Iterable<string>,
  runtime?: (name: RuntimeName) => number,
  fused = false,
): Functions {
  module.importMemory("env", "memory", 1);
  module.importTable("env", "table");
  const slow = new Map<string, number>();
  for (const [name, type] of Object.entries(SLOW_PATHS)) slow.set(name, module.importFunction("native", name, type));
  const imported = new Map<string, number>();
  for (const name of helpers) {
    const from = HELPERS[name]?.from ?? "native";
    imported.set(name, module.importFunction(from, name, helperType(name)));
  }
  const dispatch = new Map<string, number>();
  if (!runtime) {
    for (const [name, type] of Object.entries(RUNTIME)) {
      dispatch.set(name, module.importFunction("engine", name, type));
    }
  }
  const find = (map: ReadonlyMap<string, number>, name: string): number => {
    const index = map.get(name);
    if (index === undefined) throw new TypeError(`${name} is not imported`);
    return index;
  };
  return {
    exitOffset: EXIT,
    fused,
    handlerType: module.type(HANDLER_TYPE),
    helper: (name) => find(imported, name),
    slow: (name) => find(slow, name),
    runtime: runtime ?? ((name) => find(dispatch, name)),
  };
}
