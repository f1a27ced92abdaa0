import { PURE_OPS } from "../ir/pure-ops.ts";
import { Code } from "../wasm/code.ts";
import { ModuleWriter } from "../wasm/module.ts";
import type { FunctionType } from "../wasm/types.ts";
import { FUSED } from "./in-line.ts";

const TYPE: FunctionType = { params: ["f64", "f64", "f64"], results: ["f64"] };
const LANE = 0xfd0021;

let found: boolean | undefined;

/**
 * Does relaxed_madd round once? WebAssembly leaves that to the host, but a host's answer is always the same (WebAssembly 3.0, "relaxed
 * vector instructions": their choice is fixed in an environment).
 */
export function hasFusedMultiplyAdd(): boolean {
  found ??= probe();
  return found;
}

function probe(): boolean {
  const module = new ModuleWriter();
  for (const [name, w] of [
    ["single", 32],
    ["double", 64],
  ] as const) {
    const code = new Code(TYPE);
    for (const param of [0, 1, 2]) {
      code.get(param);
      if (w === 32) code.op(PURE_OPS["f32.demote_f64"][0]);
      code.op(PURE_OPS[w === 32 ? "f32x4.splat" : "f64x2.splat"][0]);
    }
    code.op(FUSED[w]);
    if (w === 32) code.op(PURE_OPS["f64x2.promote_low_f32x4"][0]);
    code.lane(LANE, 0);
    const f = module.function(TYPE);
    f.code = code;
    module.export(name, f);
  }
  const bytes = module.finish() as Uint8Array<ArrayBuffer>;
  if (!WebAssembly.validate(bytes)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  // (1 + e)(1 - e) = 1 - e^2, of which a rounded product keeps nothing.
  return [
    ["single", 2 ** -20],
    ["double", 2 ** -40],
  ].every(([name, e]) => {
    const f = (exports as Record<string, unknown>)[name as string] as (a: number, b: number, c: number) => number;
    return f(1 + (e as number), 1 - (e as number), -1) === -((e as number) ** 2);
  });
}
