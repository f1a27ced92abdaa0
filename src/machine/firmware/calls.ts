// How a firmware service sees a call: SMC Calling Convention 1.2 (DEN0028), section 2.

/** Arguments of one call, in unsigned 32-bit halves. */
export interface Call {
  /** W0: the function identifier, unsigned. */
  readonly id: number;
  /** Index of the PE that calls. */
  readonly cpuIndex: number;
  /**
   * Argument 1 to 6 (X1 to X6) as [low, high]. A function of the 32-bit convention (bit 30 of its identifier clear) has arguments of 32 bits.
   */
  arg(n: number): readonly [low: number, high: number];
}

/** What X0 to X3 get: each a signed number of 32 bits, sign-extended to 64, or [low, high]. Registers that are not named keep their value. */
export type Results = readonly (number | readonly [low: number, high: number])[];

/** The functions of one service by identifier. */
export type Service = ReadonlyMap<number, (call: Call) => Results>;

/** Of a 64-bit convention's function identifier. */
export const SMC64 = 0x4000_0000;
