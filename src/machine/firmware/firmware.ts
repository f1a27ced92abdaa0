import type { EntropySource } from "../../bus/device.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import type { Firmware } from "../../cpu/ports.ts";
import { X } from "../../cpu/state-layout.ts";
import { type Call, type Results, type Service, SMC64 } from "./calls.ts";
import { type PowerPort, psci } from "./psci.ts";
import { architectureCalls } from "./smccc.ts";
import { trng } from "./trng.ts";

export interface FirmwareOptions {
  /** The instruction that calls the firmware; another one is not for it. Undefined: none is. */
  readonly conduit: "hvc" | "smc" | undefined;
  /** The PEs have EL3, which is the firmware's: no SMC goes anywhere else. */
  readonly ownsEL3: boolean;
  readonly power: PowerPort;
  readonly entropy: EntropySource;
  /** Whether a PE can start at that physical address. */
  readonly isEntry: (low: number, high: number) => boolean;
  /** What else it answers, and ARCH_FEATURES finds. */
  readonly services?: readonly Service[];
  /** The PE whose block is at `cpu`, and its index. */
  readonly pe: (cpu: number) => { readonly state: PeState; readonly index: number };
}

const UNKNOWN_FUNCTION: Results = [-1];
const FAST_CALL = 0x8000_0000;

/** Firmware that owns the exception level above the guest's: PSCI, the architecture calls of SMCCC, and random numbers. */
export class SystemFirmware implements Firmware {
  readonly #options: FirmwareOptions;
  readonly #functions: Service;

  constructor(options: FirmwareOptions) {
    this.#options = options;
    this.#functions = new Map([
      ...psci(options.power, options.isEntry),
      ...architectureCalls((id) => options.services?.some((service) => service.has(id)) === true),
      ...trng(options.entropy),
      ...(options.services ?? []).flatMap((service) => [...service]),
    ]);
  }

  call(cpu: number, conduit: "hvc" | "smc", immediate: number): boolean {
    if (conduit !== this.#options.conduit) return false;
    // SMCCC, section 2.9: a nonzero immediate is no call of the convention.
    if (immediate !== 0 && !this.#options.ownsEL3) return false;
    const { state, index } = this.#options.pe(cpu);
    const id = state.word(X) >>> 0;
    const run = immediate !== 0 || (id & FAST_CALL) === 0 ? undefined : this.#functions.get(id);
    const results = run === undefined ? UNKNOWN_FUNCTION : run(callOf(state, index, id));
    for (const [n, result] of results.entries()) {
      if (typeof result === "number") state.set64(X + n * 8, result, result >> 31);
      else state.set64(X + n * 8, result[0], result[1]);
    }
    return true;
  }
}

function callOf(state: PeState, cpuIndex: number, id: number): Call {
  const wide = (id & SMC64) !== 0;
  return {
    id,
    cpuIndex,
    arg: (n) => [state.word(X + n * 8) >>> 0, wide ? state.high(X + n * 8) >>> 0 : 0],
  };
}
