// Everything that generated code and the host call in native.wasm.
export { fpUpdateFast } from "./fp/format.as";
export * from "./fp/arithmetic.as";
export * from "./fp/fma.as";
export * from "./fp/compare.as";
export * from "./fp/convert.as";
export * from "./fp/fixed.as";
export * from "./fp/round-int.as";
export * from "./fp/estimate.as";
export * from "./crypto/aes.as";
export * from "./crypto/sha.as";
export * from "./crypto/polynomial.as";
export * from "./crypto/crc32.as";
export * from "./crypto/qarma.as";
