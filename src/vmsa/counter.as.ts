// The generic timer's counters (Arm ARM D12): 62.5 MHz, one tick in 16 ns.

import { RESULT } from "../cpu/state-layout";
import { CNTVOFF_EL2, FEATURE_EL2 } from "../cpu/sysreg-layout";
import { now } from "./host.as";
import { currentEL, has, isHost, isHostUser } from "./regime.as";

const NANOSECONDS_PER_TICK: f64 = 16;

/** CNTPCT_EL0 (`kind` 0) or CNTVCT_EL0 (1). The virtual offset counts as 0 for a host at EL2 and its EL0. */
export function counter(cpu: usize, kind: i32): u64 {
  const ticks = <u64>(now() / NANOSECONDS_PER_TICK);
  if (kind == 0 || !has(cpu, FEATURE_EL2)) return ticks;
  const el = currentEL(cpu);
  if ((el == 2 && isHost(cpu)) || (el == 0 && isHostUser(cpu))) return ticks;
  return ticks - load<u64>(cpu, CNTVOFF_EL2);
}

export function readCounter(cpu: usize, kind: i32): void {
  store<u64>(cpu, counter(cpu, kind), RESULT);
}
