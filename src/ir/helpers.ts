import type { Type } from "./types.ts";

/** A function that generated code can call. */
export interface Helper {
  /** Where it lives: the AssemblyScript module, or a host (TypeScript) function that takes and returns i32 only. */
  readonly from: "native" | "host";
  readonly result: Type | "";
  /** Argument types after the leading `cpu` pointer, which every helper gets. */
  readonly args: readonly Type[];
  /** It may set EXIT and a pending exception: generated code then leaves with the state before the instruction. */
  readonly mayFault?: true;
  /** It reads or writes registers of the PE in memory: values kept in locals are written back before and re-read after. */
  readonly touchesState?: true;
}

const fp = (result: Type | "", ...args: Type[]): Helper => ({ from: "native", result, args });
const pure = fp;

function perSize(name: string, make: (t: "i32" | "i64") => Helper, sizes = [16, 32, 64]): Record<string, Helper> {
  return Object.fromEntries(sizes.map((s) => [`${name}${s}`, make(s === 64 ? "i64" : "i32")]));
}
const fp2 = (t: Type) => fp(t, t, t);
const fp1 = (t: Type) => fp(t, t);

/** Bit-exact floating point (src/cpu/fp): operands and results are bit patterns, 16-bit ones in an i32. */
const FLOAT: Record<string, Helper> = {
  ...Object.assign(
    {},
    ...[
      "fpAdd",
      "fpSub",
      "fpMul",
      "fpDiv",
      "fpMulX",
      "fpMax",
      "fpMin",
      "fpMaxNum",
      "fpMinNum",
      "fpRecipStep",
      "fpRSqrtStep",
    ].map((n) => perSize(n, fp2)),
  ),
  ...Object.assign({}, ...["fpSqrt", "fpRecipEstimate", "fpRSqrtEstimate", "fpRecpX"].map((n) => perSize(n, fp1))),
  ...perSize("fpMulAdd", (t) => fp(t, t, t, t)),
  // (a, b, signalAllNaNs) -> NZCV in bits 3:0
  ...perSize("fpCompare", (t) => fp("i32", t, t, "i32")),
  // (a, b, signalAllNaNs) -> -1, 0, 1 or a NaN: what compares with 0 as a does with b. For flagsFloat.
  fpOrder32: fp("f32", "i32", "i32", "i32"),
  fpOrder64: fp("f64", "i64", "i64", "i32"),
  ...Object.assign({}, ...["fpCmpEQ", "fpCmpGE", "fpCmpGT"].map((n) => perSize(n, (t) => fp("i32", t, t)))),
  // (a, rounding, exact); rounding: 0 RN, 1 RP, 2 RM, 3 RZ, 4 ties away, 5 to odd, -1 FPCR's
  ...perSize("fpRoundInt", (t) => fp(t, t, "i32", "i32")),
  // (a, rounding, intsize)
  ...perSize("fpRoundIntN", (t) => fp(t, t, "i32", "i32"), [32, 64]),
  fpConvert16to32: fp("i32", "i32"),
  fpConvert16to64: fp("i64", "i32"),
  fpConvert32to16: fp("i32", "i32"),
  fpConvert32to64: fp("i64", "i32"),
  fpConvert64to16: fp("i32", "i64"),
  fpConvert64to32: fp("i32", "i64"),
  fpConvert64to32Odd: fp("i32", "i64"),
  // (a, fbits, unsigned, rounding)
  ...Object.fromEntries(
    ([16, 32, 64] as const).flatMap((from) =>
      ([16, 32, 64] as const).map((to) => [
        `fpToFixed${from}to${to}`,
        fp(to === 64 ? "i64" : "i32", from === 64 ? "i64" : "i32", "i32", "i32", "i32"),
      ]),
    ),
  ),
  // (value, fbits, unsigned)
  ...Object.fromEntries(
    ([16, 32, 64] as const).flatMap((from) =>
      ([16, 32, 64] as const).map((to) => [
        `fixed${from}toFp${to}`,
        fp(to === 64 ? "i64" : "i32", from === 64 ? "i64" : "i32", "i32", "i32"),
      ]),
    ),
  ),
  // result in bits 31:0, Z flag in bit 32
  fpToJS: fp("i64", "i64"),
  recipEstimateU32: pure("i32", "i32"),
  rsqrtEstimateU32: pure("i32", "i32"),
  // recompute FP_FAST after FPCR or FPSR were written
  fpUpdateFast: { from: "native", result: "", args: [] },
};

const vectors = (name: string, of: Helper, shapes = ["32x2", "32x4", "64x2"]): Record<string, Helper> =>
  Object.fromEntries(shapes.map((shape) => [`${name}${shape}`, of]));
const VECTOR_OPS_2 = [
  "fpAdd",
  "fpSub",
  "fpMul",
  "fpDiv",
  "fpMulX",
  "fpMax",
  "fpMin",
  "fpMaxNum",
  "fpMinNum",
  "fpRecipStep",
  "fpRSqrtStep",
  "fpCmpEQ",
  "fpCmpGE",
  "fpCmpGT",
];

/**
 * The same of all elements of a vector: of the low two words (32x2; what is above is ignored, and zero in the result), of four, of
 * two doublewords. Comparisons give masks.
 */
const VECTOR_FLOAT: Record<string, Helper> = {
  ...Object.assign({}, ...VECTOR_OPS_2.map((n) => vectors(n, fp("v128", "v128", "v128")))),
  ...vectors("fpMulAdd", fp("v128", "v128", "v128", "v128")),
  ...vectors("fpSqrt", fp("v128", "v128")),
  ...vectors("fpRoundInt", fp("v128", "v128", "i32", "i32")),
  ...vectors("fpToFixed", fp("v128", "v128", "i32", "i32", "i32"), ["32x2", "32x4"]),
  ...vectors("fixedToFp", fp("v128", "v128", "i32", "i32"), ["32x2", "32x4"]),
  // of the low two elements
  fpConvert32to64x2: fp("v128", "v128"),
  fpConvert64to32x2: fp("v128", "v128"),
};

/** Cryptography, checksums, pointer authentication (src/cpu/crypto). */
const CRYPTO: Record<string, Helper> = {
  aese: pure("v128", "v128", "v128"),
  aesd: pure("v128", "v128", "v128"),
  aesmc: pure("v128", "v128"),
  aesimc: pure("v128", "v128"),
  sha1c: pure("v128", "v128", "i32", "v128"),
  sha1p: pure("v128", "v128", "i32", "v128"),
  sha1m: pure("v128", "v128", "i32", "v128"),
  sha1su0: pure("v128", "v128", "v128", "v128"),
  sha1su1: pure("v128", "v128", "v128"),
  sha256h: pure("v128", "v128", "v128", "v128"),
  sha256h2: pure("v128", "v128", "v128", "v128"),
  sha256su0: pure("v128", "v128", "v128"),
  sha256su1: pure("v128", "v128", "v128", "v128"),
  // 16 lanes of carry-less byte products, low 8 bits
  pmul8: pure("v128", "v128", "v128"),
  // 8 carry-less products of the low 8 bytes of each operand
  pmull8: pure("v128", "v128", "v128"),
  pmull64: pure("v128", "i64", "i64"),
  // (accumulator, value, bytes, castagnoli)
  crc32: pure("i32", "i32", "i64", "i32", "i32"),
  // (pointer, modifier, key: 0 IA, 1 IB, 2 DA, 3 DB, 4 GA): AddPAC, Auth (may fault with FEAT_FPAC), Strip; look at TCR_ELx and SCTLR_ELx
  addPAC: { from: "native", result: "i64", args: ["i64", "i64", "i32"], mayFault: true },
  authPAC: { from: "native", result: "i64", args: ["i64", "i64", "i32"], mayFault: true },
  // (pointer, data)
  stripPAC: { from: "native", result: "i64", args: ["i64", "i32"] },
  // PACGA (pointer, modifier)
  pacGeneric: { from: "native", result: "i64", args: ["i64", "i64"], mayFault: true },
};

/** Memory beyond plain loads and stores (src/vmsa, src/cpu). */
const MEMORY: Record<string, Helper> = {
  // Called after a load-exclusive has done its (ACC_ALIGNED) load(s): (va, bytes, low, high value) sets the local monitor.
  setExclusive: { from: "native", result: "", args: ["i64", "i32", "i64", "i64"] },
  // (va, bytes, low, high) -> status 0/1; does the store.
  storeExclusive: { from: "native", result: "i32", args: ["i64", "i32", "i64", "i64"], mayFault: true },
  clearExclusive: { from: "native", result: "", args: [] },
  // DC ZVA of the 64-byte block that holds va.
  zeroBlock: { from: "native", result: "", args: ["i64"], mayFault: true },
  // Cleaning of the data cache line that holds va: checks the address.
  cleanLine: { from: "native", result: "", args: ["i64"], mayFault: true },
  // Time: the counters as the generic timer's registers show them.
  counter: { from: "native", result: "i64", args: ["i32"] },
};

/**
 * Host functions of a processing element. i32 arguments only; 64-bit values go through ARG0.. and RESULT in the PE's block.
 * All end the block (`b.host`), so they see and may change the whole state. PC is the instruction's own address.
 */
const HOST: Record<string, Helper> = Object.fromEntries(
  (
    [
      // MSR/MRS of a register that is no plain slot: (register id op0:op1:CRn:CRm:op2 as 16 bits with op0 in 15:14, Rt number)
      ["sysregRead", 2],
      ["sysregWrite", 2],
      // SYS/SYSL (DC, IC, TLBI, AT, CFP...): (id, Rt number)
      ["systemInstruction", 2],
      // MSR (immediate): (op1 << 3 | op2, CRm)
      ["pstateWrite", 2],
      // 0: ERET, 1: ERETAA, 2: ERETAB
      ["exceptionReturn", 1],
      // 0 WFE, 1 WFI, 2 SEV, 3 SEVL, 4 YIELD
      ["waitHint", 1],
      ["svc", 1],
      ["hvc", 1],
      ["smc", 1],
      ["hlt", 1],
      // DCPS1..3, DRPS
      ["debugState", 2],
      // instruction synchronization: ISB, SB-like context changes
      ["isb", 1],
    ] as const
  ).map(([name, n]) => [
    name,
    { from: "host", result: "", args: Array(n).fill("i32"), mayFault: true, touchesState: true } satisfies Helper,
  ]),
);

export const HELPERS: Readonly<Record<string, Helper>> = { ...FLOAT, ...VECTOR_FLOAT, ...CRYPTO, ...MEMORY, ...HOST };
