// Power State Coordination Interface 1.1 (DEN0022 D).

import type { Call, Results, Service } from "./calls.ts";
import { PSCI, PSCI_RESULT, SMCCC } from "./function-ids.ts";

/** Power of PEs and of the machine, as the firmware asks for it. */
export interface PowerPort {
  /** Affinity fields of the PE, as MPIDR_EL1 has them. */
  mpidr(cpuIndex: number): { readonly low: number; readonly aff3: number };
  readonly cpus: number;
  powerState(cpuIndex: number): "on" | "off" | "on-pending";
  /** Starts a PE that is off, at an entry address with a context identifier in X0; halves are unsigned. */
  powerOn(cpuIndex: number, entryLow: number, entryHigh: number, contextLow: number, contextHigh: number): void;
  /** Stops the PE that calls. */
  powerOff(cpuIndex: number): void;
  /** The PE that calls waits as for WFI, its state kept; the call then returns SUCCESS. */
  suspend(cpuIndex: number): void;
  systemOff(): void;
  systemReset(): void;
}

const VERSION_1_1 = 0x0001_0001;
/** Section 5.9: no migration is needed, there is no trusted OS. */
const NO_TRUSTED_OS = 2;
const AFFINITY_STATE = { on: 0, off: 1, "on-pending": 2 } as const;
/** Affinity fields: Aff2, Aff1, Aff0 in the low word, Aff3 in the low byte of the high one; what else is set must be zero. */
const AFFINITY_MASK = 0x00ff_ffff;
/** Section 5.4: power_state in its original format. Bit 16: StateType, power down. Bits 31:26 and 23:17 are zero. */
const POWER_STATE_RESERVED = 0xfcfe_0000;
const POWER_DOWN = 0x1_0000;
/** Section 5.16: SYSTEM_RESET2 with bit 31 is for the vendor; SYSTEM_WARM_RESET is 0. */
const SYSTEM_WARM_RESET = 0;

const { SUCCESS, NOT_SUPPORTED, INVALID_PARAMETERS, ALREADY_ON, ON_PENDING, INVALID_ADDRESS } = PSCI_RESULT;

/** `isEntry`: whether a PE can start at that physical address. */
export function psci(power: PowerPort, isEntry: (low: number, high: number) => boolean): Service {
  const find = (affinity: readonly [number, number], mask = AFFINITY_MASK): number => {
    const [low, high] = affinity;
    for (let index = 0; index < power.cpus; index++) {
      const mpidr = power.mpidr(index);
      if (((mpidr.low ^ low) & mask) === 0 && mpidr.aff3 === high) return index;
    }
    return -1;
  };
  const isAffinity = ([low, high]: readonly [number, number]): boolean =>
    (low & ~AFFINITY_MASK) === 0 && high >>> 8 === 0;

  const cpuOn = (call: Call): Results => {
    const target = call.arg(1);
    const index = isAffinity(target) ? find(target) : -1;
    if (index < 0) return [INVALID_PARAMETERS];
    const state = power.powerState(index);
    if (state === "on") return [ALREADY_ON];
    if (state === "on-pending") return [ON_PENDING];
    const [entryLow, entryHigh] = call.arg(2);
    if (!isEntry(entryLow, entryHigh)) return [INVALID_ADDRESS];
    const [contextLow, contextHigh] = call.arg(3);
    power.powerOn(index, entryLow, entryHigh, contextLow, contextHigh);
    return [SUCCESS];
  };

  const affinityInfo = (call: Call): Results => {
    const target = call.arg(1);
    const [level, levelHigh] = call.arg(2);
    if (levelHigh !== 0 || level > 3 || !isAffinity(target)) return [INVALID_PARAMETERS];
    // Since PSCI 1.0, levels above 0 need not be supported.
    if (level !== 0) return [INVALID_PARAMETERS];
    const index = find(target);
    return [index < 0 ? INVALID_PARAMETERS : AFFINITY_STATE[power.powerState(index)]];
  };

  const cpuSuspend = (call: Call): Results => {
    const [state] = call.arg(1);
    if ((state & POWER_STATE_RESERVED) !== 0) return [INVALID_PARAMETERS];
    if ((state & POWER_DOWN) !== 0) {
      const [low, high] = call.arg(2);
      if (!isEntry(low, high)) return [INVALID_ADDRESS];
    }
    // Section 5.4.2: a power down request may be downgraded to a standby state, from which the call returns.
    power.suspend(call.cpuIndex);
    return [SUCCESS];
  };

  const reset2 = (call: Call): Results => {
    const [type] = call.arg(1);
    if (type >>> 31 === 1) return [INVALID_PARAMETERS];
    if (type !== SYSTEM_WARM_RESET) return [INVALID_PARAMETERS];
    power.systemReset();
    return [];
  };

  const functions: [number, (call: Call) => Results][] = [
    [PSCI.PSCI_VERSION, () => [VERSION_1_1]],
    [PSCI.CPU_SUSPEND_32, cpuSuspend],
    [PSCI.CPU_SUSPEND_64, cpuSuspend],
    [
      PSCI.CPU_OFF,
      (call) => {
        power.powerOff(call.cpuIndex);
        return [];
      },
    ],
    [PSCI.CPU_ON_32, cpuOn],
    [PSCI.CPU_ON_64, cpuOn],
    [PSCI.AFFINITY_INFO_32, affinityInfo],
    [PSCI.AFFINITY_INFO_64, affinityInfo],
    [PSCI.MIGRATE_INFO_TYPE, () => [NO_TRUSTED_OS]],
    [
      PSCI.SYSTEM_OFF,
      () => {
        power.systemOff();
        return [];
      },
    ],
    [
      PSCI.SYSTEM_RESET,
      () => {
        power.systemReset();
        return [];
      },
    ],
    [PSCI.SYSTEM_RESET2_32, reset2],
    [PSCI.SYSTEM_RESET2_64, reset2],
  ];
  const service = new Map(functions);
  // Section 5.15: for a function that exists, its feature flags. CPU_SUSPEND's say original format, no OS-initiated mode: 0, as all others.
  service.set(PSCI.PSCI_FEATURES, (call) => {
    const [id] = call.arg(1);
    return [service.has(id) || id === SMCCC.VERSION ? SUCCESS : NOT_SUPPORTED];
  });
  return service;
}
