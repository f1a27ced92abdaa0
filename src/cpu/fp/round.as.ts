// FPRound(): from an unbounded value to a format.

import {
  FPCR_AHP, FPCR_FZ, FPCR_FZ16, IOC, IXC, NEGINF, ODD, OFC, POSINF, TIEAWAY, TIEEVEN, UFC, fpInfinity, fpMaxNormal, fpRaise, fpZero, fpcr,
  fractionBits, infinityBits, minimumExponent, specialExponent,
} from "./format.as";
import { shiftRightJam } from "./wide.as";

const HALF: u64 = 0x8000000000000000;

/** Does a magnitude round up to the next integer? `error` is what lies below its units, in 2^-64ths; `odd` its lowest bit. */
export function roundsUp(rounding: i32, sign: u64, odd: u64, error: u64): bool {
  switch (rounding) {
    case TIEEVEN: return error > HALF || (error == HALF && odd != 0);
    case POSINF: return error != 0 && sign == 0;
    case NEGINF: return error != 0 && sign != 0;
    case TIEAWAY: return error >= HALF;
    default: return false;
  }
}

/** Does an overflow give infinity rather than the largest normal number? */
export function overflowsToInfinity(rounding: i32, sign: u64): bool {
  return rounding == TIEEVEN || (rounding == POSINF && sign == 0) || (rounding == NEGINF && sign != 0);
}

/** FPRound(): (-1)^sign * significand * 2^(exponent - 63), whose leading one is bit 63, with bit 0 standing for anything below. */
export function fpRound<T>(cpu: usize, sign: u64, exponent: i32, significand: u64, rounding: i32): u64 {
  const flush = (fpcr(cpu) & (sizeof<T>() == 2 ? FPCR_FZ16 : FPCR_FZ)) != 0;
  return fpRoundBase<T>(cpu, sign, exponent, significand, rounding, flush, false);
}

/** FPRoundCV(): for conversions between formats, where FZ16 is taken as 0 and AHP counts. */
export function fpRoundCV<T>(cpu: usize, sign: u64, exponent: i32, significand: u64, rounding: i32): u64 {
  const flush = sizeof<T>() != 2 && (fpcr(cpu) & FPCR_FZ) != 0;
  const alternativeHalf = sizeof<T>() == 2 && (fpcr(cpu) & FPCR_AHP) != 0;
  return fpRoundBase<T>(cpu, sign, exponent, significand, rounding, flush, alternativeHalf);
}

function fpRoundBase<T>(
  cpu: usize, sign: u64, exponent: i32, significand: u64, rounding: i32, flush: bool, alternativeHalf: bool,
): u64 {
  const F = fractionBits<T>();
  let biased = exponent - minimumExponent<T>() + 1;
  let flags: u32 = 0;
  if (biased < 1) {
    if (flush) {
      fpRaise(cpu, UFC);
      return fpZero<T>(sign);
    }
    significand = shiftRightJam(significand, 1 - biased);
    biased = 0;
    flags = UFC;
  }
  let mantissa = significand >> (63 - F);
  const error = significand << (F + 1);
  if (error == 0) flags = 0;
  else {
    flags |= IXC;
    if (rounding == ODD) mantissa |= 1;
    else if (roundsUp(rounding, sign, mantissa & 1, error)) mantissa++;
  }
  // A normal mantissa's leading one is bit F, so adding it completes the exponent field, and so does a carry from rounding.
  // biased stays below 2^12 whatever the operation, so this cannot wrap.
  let result = mantissa + ((<u64>(biased == 0 ? 0 : biased - 1)) << F);
  if (alternativeHalf) {
    if (result >= (<u64>(specialExponent<T>() + 1)) << F) {
      result = fpZero<T>(1) - 1;
      flags = IOC;
    }
  } else if (result >= infinityBits<T>()) {
    result = overflowsToInfinity(rounding, sign) ? fpInfinity<T>(0) : fpMaxNormal<T>(0);
    flags = OFC | IXC;
  }
  if (flags) fpRaise(cpu, flags);
  return result | fpZero<T>(sign);
}
