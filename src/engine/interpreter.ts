import { type Decoder, shapesOf } from "../a64/decoder.ts";
import { recordLayout, type ShapeValues } from "../a64/encoding.ts";
import type { Row } from "../a64/row.ts";
import { FP_TRAP } from "../cpu/state-layout.ts";
import { Builder, type I32, type I64, type Reg } from "../ir/builder.ts";
import { HELPERS } from "../ir/helpers.ts";
import { Code } from "../wasm/code.ts";
import { type DefinedFunction, ModuleWriter } from "../wasm/module.ts";
import { HANDLER_DECODE, HANDLERS_FIRST } from "./decoded-layout.ts";
import { declareRuntime, defineRuntime, ENGINE_IMPORT_TYPE, FETCH_MISS_TYPE, PROCEED_TYPE } from "./dispatch.ts";
import type { RuntimeName } from "./functions.ts";
import { HandlerLowering } from "./handler-lowering.ts";
import { declareImports, HANDLER_TYPE, handlerTable } from "./imports.ts";
import { MAX_REGIONS } from "./limits.ts";

/** The generated interpreter: a module, and which handler of it a handler key has. */
export interface InterpreterArtifact {
  readonly bytes: Uint8Array;
  /** For each handler in the order of table indices from HANDLERS_FIRST: its key in the decoder. */
  readonly keys: readonly number[];
}

export const EC_FP_ACCESS = 0x07;
/** ISS of a trapped FP access from AArch64: CV = 1, COND = 0b1110 (Arm ARM D24.2.40, "ISS encoding for an exception from ... FP"). */
export const ISS_FP_ACCESS = (1 << 24) | (0xe << 20);

/** Emits the IR of an instruction, with the trap that comes before it. */
export function executeRow(
  b: Builder,
  row: Row,
  operands: Readonly<Record<string, Reg & I32 & I64>>,
  shape: ShapeValues,
): void {
  if (row.fp) b.trapIf(b.getWord(FP_TRAP), EC_FP_ACCESS, ISS_FP_ACCESS);
  row.execute(b, operands, shape);
}

/** Operands of a row left open: registers by the name of their record byte, numbers as IR operands. */
function openOperands(b: Builder, row: Row): Record<string, Reg & I32 & I64> {
  const out: Record<string, unknown> = {};
  for (const { name, kind } of recordLayout(row)) {
    if (kind === "xr" || kind === "xw" || kind === "sp") out[name] = { file: "x", slot: undefined, name };
    else if (kind === "v") out[name] = { file: "v", slot: undefined, name };
    else out[name] = b.emit("operand", kind === "i64" ? "i64" : "i32", [], { operand: name });
  }
  return out as Record<string, Reg & I32 & I64>;
}

/** Generates the interpreter: one handler for every shape of every row. */
export function generateInterpreter(rows: readonly Row[], decoder: Decoder): InterpreterArtifact {
  const module = new ModuleWriter();
  const functions: { current?: (name: RuntimeName) => number } = {};
  const imports = declareImports(module, Object.keys(HELPERS), (name) =>
    (functions.current as (n: RuntimeName) => number)(name),
  );
  const decode = module.importFunction("engine", "decode", ENGINE_IMPORT_TYPE);
  const hot = module.importFunction("engine", "hot", ENGINE_IMPORT_TYPE);
  const unfit = module.importFunction("engine", "unfit", ENGINE_IMPORT_TYPE);
  const fetchMiss = module.importFunction("native", "fetchMiss", FETCH_MISS_TYPE);
  const proceed = module.importFunction("native", "proceed", PROCEED_TYPE);
  const runtime = declareRuntime(module);
  functions.current = (name) => runtime.functions[name].index;
  defineRuntime(module, runtime, { decode, hot, unfit, fetchMiss, proceed });

  const keys: number[] = [];
  const handlers: DefinedFunction[] = [];
  for (const row of rows) {
    const layout = recordLayout(row);
    const first = decoder.firstKey(row);
    for (const { index, shape } of shapesOf(row)) {
      const code = new Code(HANDLER_TYPE);
      const lowering = new HandlerLowering(code, imports, layout);
      try {
        const b = new Builder();
        executeRow(b, row, openOperands(b, row), shape);
        if (lowering.lower(b.take()) === "next") lowering.next();
        else code.unreachable();
      } catch (error) {
        throw new TypeError(`${row.id} ${JSON.stringify(shape)}: ${(error as Error).message}`, { cause: error });
      }
      const f = module.function(HANDLER_TYPE);
      f.code = code;
      handlers.push(f);
      keys.push(first + index);
    }
  }
  const size = HANDLERS_FIRST + handlers.length + MAX_REGIONS;
  module.exportTable("table", handlerTable(size), runtime.handlers[HANDLER_DECODE] as DefinedFunction);
  module.elements(HANDLER_DECODE, HANDLER_TYPE, runtime.handlers);
  module.elements(HANDLERS_FIRST, HANDLER_TYPE, handlers);
  for (const [name, f] of Object.entries(runtime.functions)) module.export(name, f);
  for (const [name, f] of Object.entries(runtime.settled)) module.export(`settled.${name}`, f);
  module.export("enter", runtime.enter);
  return { bytes: module.finish(), keys };
}
