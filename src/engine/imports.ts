import { EXIT } from "../cpu/state-layout.ts";
import { HELPERS } from "../ir/helpers.ts";
import type { FunctionTable, ModuleWriter } from "../wasm/module.ts";
import type { FunctionType } from "../wasm/types.ts";
import type { Functions, RuntimeName, SlowPathName } from "./functions.ts";

/** Handlers and regions: (cpu, record, budget) -> (). */
export const HANDLER_TYPE: FunctionType = { params: ["i32", "i32", "i32"], results: [] };

/** Of handlers and regions, by table index. */
export const handlerTable = (size: number): FunctionTable => ({ type: HANDLER_TYPE, size });

/** The slow paths of memory accesses, exported by native.wasm: (cpu, address, how, budget) -> where in linear memory, and the budget above it. */
const SLOW_PATH: FunctionType = { params: ["i32", "i64", "i32", "i32"], results: ["i64"] };
export const SLOW_PATHS: Readonly<Record<SlowPathName, FunctionType>> = {
  loadSlow: SLOW_PATH,
  storeSlow: SLOW_PATH,
  probeSlow: SLOW_PATH,
};

/** Functions of the dispatch runtime (dispatch.ts). */
export const RUNTIME: Readonly<Record<RuntimeName, FunctionType>> = {
  leave: HANDLER_TYPE,
  leaveAt: { params: ["i32", "i64", "i32"], results: [] },
  near: HANDLER_TYPE,
  jump: { params: ["i32", "i64", "i32"], results: [] },
  indirect: { params: ["i32", "i64", "i32", "i32"], results: [] },
  raise: { params: ["i32", "i32", "i32", "i32", "i32"], results: [] },
  except: HANDLER_TYPE,
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
 * Declares the memory that generated code imports, and each function when code first calls it: the module's own functions are declared after
 * the code that calls others is complete. `runtime`: indices of functions of this same module that stand for the runtime; when absent, it is
 * imported, too.
 */
export function importsAsCalled(module: ModuleWriter, runtime?: (name: RuntimeName) => number): Functions {
  module.importMemory("env", "memory", 1);
  return {
    exitOffset: EXIT,
    fused: false,
    handlerType: module.type(HANDLER_TYPE),
    helper: onceEach((name) => module.importFunction(HELPERS[name]?.from ?? "native", name, helperType(name))),
    slow: onceEach((name) => module.importFunction("native", name, SLOW_PATHS[name])),
    runtime: runtime ?? onceEach((name: RuntimeName) => module.importFunction("engine", name, RUNTIME[name])),
  };
}

/** What generated code may call: its number is the same in all function objects. */
const CALLED: readonly (readonly [keyof CalledFunctions, string])[] = [
  ...Object.keys(HELPERS).map((name) => ["helper", name] as const),
  ...Object.keys(SLOW_PATHS).map((name) => ["slow", name] as const),
  ...Object.keys(RUNTIME).map((name) => ["runtime", name] as const),
];
type CalledFunctions = Pick<Functions, "helper" | "slow" | "runtime">;

/** For relocatable code: functions by their numbers, and the type of handlers as the first of the module, as linkedImports() has it. */
export function relocatableImports(fused: boolean): Functions {
  const number = (kind: keyof CalledFunctions) => {
    const numbers = new Map(CALLED.flatMap(([of, name], i) => (of === kind ? [[name, i]] : [])));
    return (name: string): number => numbers.get(name) as number;
  };
  return {
    ...{ exitOffset: EXIT, fused, handlerType: 0 },
    ...{ helper: number("helper"), slow: number("slow"), runtime: number("runtime") },
  };
}

/** What a module of relocatable functions imports: the table first, and functions when they are first asked for by their number. */
export function linkedImports(module: ModuleWriter, tableSize: number): (called: number) => number {
  module.importTable("env", "table", handlerTable(tableSize));
  const functions = importsAsCalled(module);
  return (called) => {
    const [kind, name] = CALLED[called] as (typeof CALLED)[number];
    return (functions[kind] as (name: string) => number)(name);
  };
}

/** importsAsCalled() with all slow paths and these helpers declared now, so that functions of the module's own may be declared at any time. */
export function declareImports(
  module: ModuleWriter,
  helpers: Iterable<string>,
  runtime?: (name: RuntimeName) => number,
): Functions {
  const imports = importsAsCalled(module, runtime);
  for (const name of Object.keys(SLOW_PATHS)) imports.slow(name as SlowPathName);
  for (const name of helpers) imports.helper(name);
  if (!runtime) for (const name of Object.keys(RUNTIME)) imports.runtime(name as RuntimeName);
  return imports;
}

function onceEach<N extends string>(make: (name: N) => number): (name: N) => number {
  const made = new Map<N, number>();
  return (name) => {
    let index = made.get(name);
    if (index === undefined) {
      index = make(name);
      made.set(name, index);
    }
    return index;
  };
}
