// Arm Architecture Calls: SMC Calling Convention 1.2 (DEN0028), section 7.

import type { Service } from "./calls.ts";
import { SMCCC, SMCCC_RESULT } from "./function-ids.ts";

const VERSION_1_2 = 0x0001_0002;
/**
 * Of ARCH_FEATURES for the workarounds: "the call is not supported" where a PE would need one, "not required" where it is not affected.
 * No PE here speculates, so none is affected; and the calls themselves do nothing.
 */
const NOT_AFFECTED = 1;

/** `others`: whether the firmware has a function that is no architecture call, for those that ARCH_FEATURES is to tell of (DEN0028, 7.3). */
export function architectureCalls(others: (id: number) => boolean = () => false): Service {
  const nothing = (): readonly number[] => [];
  const service: Map<number, Service extends ReadonlyMap<number, infer F> ? F : never> = new Map([
    [SMCCC.VERSION, () => [VERSION_1_2]],
    [SMCCC.ARCH_WORKAROUND_1, nothing],
    [SMCCC.ARCH_WORKAROUND_2, nothing],
    [SMCCC.ARCH_WORKAROUND_3, nothing],
  ]);
  service.set(SMCCC.ARCH_FEATURES, (call) => {
    const [id] = call.arg(1);
    if (id === SMCCC.ARCH_WORKAROUND_1 || id === SMCCC.ARCH_WORKAROUND_2 || id === SMCCC.ARCH_WORKAROUND_3) {
      return [NOT_AFFECTED];
    }
    return [service.has(id) || others(id) ? SMCCC_RESULT.SUCCESS : SMCCC_RESULT.NOT_SUPPORTED];
  });
  return service;
}
