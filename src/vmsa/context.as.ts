// What running code sees of the translation regime and the trap controls of its exception level.

import { ALIGN_CHECK, BRANCH_TBI, FP_TRAP, SP_CHECK } from "../cpu/state-layout";
import { CPACR_EL1, CPTR_EL2, CPTR_EL3, FEATURE_EL3 } from "../cpu/sysreg-layout";
import {
  SCTLR_A,
  SCTLR_SA,
  SCTLR_SA0,
  currentEL,
  has,
  ignoresTopByte,
  isEL2Enabled,
  isHost,
  isHostUser,
  isTranslating,
  regimeOf,
  sctlr,
} from "./regime.as";
import { renewContexts } from "./contexts.as";
import { watchChanged } from "./watch.as";

/** CPTR_ELx.TFP. */
const TFP: u64 = 1 << 10;

/**
 * FPEN of CPACR_EL1, and of CPTR_EL2 for a host: 0bx0 traps EL0 and the level that owns the register, 0b01 traps EL0.
 */
@inline
function isTrappedByFPEN(register: u64, el: i32): bool {
  const fpen = <u32>(register >> 20) & 3;
  return (fpen & 1) == 0 || (fpen == 1 && el == 0);
}

/** AArch64.CheckFPAdvSIMDEnabled(): the exception level that FP instructions trap to, 0 if they do not. */
function fpTrap(cpu: usize, el: i32): i32 {
  const host = isHost(cpu);
  if (el <= 1 && !isHostUser(cpu) && isTrappedByFPEN(load<u64>(cpu, CPACR_EL1), el)) return 1;
  if (el <= 2 && isEL2Enabled(cpu)) {
    const cptr = load<u64>(cpu, CPTR_EL2);
    if (host) {
      const fpen = <u32>(cptr >> 20) & 3;
      if ((fpen & 1) == 0 || (fpen == 1 && el == 0 && isHostUser(cpu))) return 2;
    } else if ((cptr & TFP) != 0) {
      return 2;
    }
  }
  return has(cpu, FEATURE_EL3) && (load<u64>(cpu, CPTR_EL3) & TFP) != 0 ? 3 : 0;
}

/** Part of Native.contextChanged(). */
export function translationChanged(cpu: usize): void {
  const el = currentEL(cpu);
  const regime = regimeOf(cpu, el);
  const control = sctlr(cpu, regime);
  // With translation off all data accesses are to Device memory, which has no unaligned ones.
  store<i32>(cpu, <i32>((control & SCTLR_A) != 0 || !isTranslating(cpu, regime)), ALIGN_CHECK);
  store<i32>(cpu, <i32>((control & (el == 0 ? SCTLR_SA0 : SCTLR_SA)) != 0), SP_CHECK);
  const tbi0 = ignoresTopByte(cpu, regime, 0, true);
  const tbi1 = ignoresTopByte(cpu, regime, (<u64>1) << 55, true);
  store<i32>(cpu, <i32>tbi0 | (<i32>tbi1 << 1), BRANCH_TBI);
  store<i32>(cpu, fpTrap(cpu, el), FP_TRAP);
  renewContexts(cpu);
  watchChanged(cpu);
}
