/** Indices, in the module that is being made, of the functions that generated code calls. */
export interface Functions {
  /** Offset of EXIT in the PE's block. */
  readonly exitOffset: number;
  /** Index of the type (cpu, record, budget) -> () of handlers and regions. */
  readonly handlerType: number;
  /** Does the host have fused multiply-add as relaxed SIMD operations (fused.ts)? */
  readonly fused: boolean;
  /** A helper of ir/helpers.ts. */
  helper(name: string): number;
  /** A slow path of vmsa. */
  slow(name: SlowPathName): number;
  /** A function of the dispatch runtime (dispatch.ts). */
  runtime(name: RuntimeName): number;
}

export type SlowPathName = "loadSlow" | "storeSlow" | "probeSlow";

export type RuntimeName =
  | "leave"
  | "leaveAt"
  | "near"
  | "jump"
  | "raise"
  | "except"
  | "indirect"
  | "pcOf"
  | "settle"
  | "unfit";
