// Everything that generated code and the host call in native.wasm.
export { fpUpdateFast } from "./fp/format.as";
export * from "./fp/arithmetic.as";
export * from "./fp/fma.as";
export * from "./fp/compare.as";
export * from "./fp/convert.as";
export * from "./fp/fixed.as";
export * from "./fp/round-int.as";
export * from "./fp/estimate.as";
export * from "./fp/vector.as";
export * from "./crypto/aes.as";
export * from "./crypto/sha.as";
export * from "./crypto/polynomial.as";
export * from "./crypto/crc32.as";
export * from "./crypto/qarma.as";
export { addPAC, authPAC, authenticateReturn, pacGeneric, stripPAC } from "./pauth.as";
export { contextChanged, keepContext, spaceChanged } from "./context.as";
export { exceptionReturn, proceed, pstateWrite, svc } from "./exceptions.as";
export { restoreContext } from "../vmsa/saved-contexts.as";
export {
  load8,
  load16,
  load32,
  load64,
  load128,
  store8,
  store16,
  store32,
  store64,
  store128,
  probeWrite,
} from "../vmsa/access.as";
export { clearExclusive, setExclusive, storeExclusive } from "../vmsa/exclusive.as";
export { isSame, zeroPages } from "../memory/compare.as";
export { zeroBlock } from "../vmsa/zero-block.as";
export { counter, readCounter } from "../vmsa/counter.as";
export { enterPage, fetchMiss, fillFetch, translateFetch } from "../vmsa/fetch.as";
export { nestedAccess } from "../vmsa/nested.as";
export { noteWalk, walkNotes } from "../vmsa/walk-notes.as";
export { flushFetch } from "../vmsa/contexts.as";
export { tlbInvalidate, tlbInvalidateAll } from "../vmsa/tlb-invalidate.as";
export { addressTranslate, cleanLine, maintain, outsideAddress } from "../vmsa/translate.as";
