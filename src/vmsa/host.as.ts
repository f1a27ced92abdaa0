// What native.wasm asks of the host (NativeHost in native.ts).

/** Reads `bytes` at the physical address in ARG0, Secure or not, into RESULT (and RESULT_HI). 1: external abort. */
// @ts-ignore: decorator
@external("host", "busRead")
export declare function busRead(cpu: usize, bytes: i32, isNonSecure: bool): i32;

/** Writes `bytes` from ARG1 (and ARG2) to the physical address in ARG0, Secure or not. 1: external abort. */
// @ts-ignore: decorator
@external("host", "busWrite")
export declare function busWrite(cpu: usize, bytes: i32, isNonSecure: bool): i32;

/** Nanoseconds since power-on. */
// @ts-ignore: decorator
@external("host", "now")
export declare function now(): f64;
