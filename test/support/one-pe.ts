// One PE whose instructions are functions of the test's. Guest addresses are addresses in a page of memory behind the PEs' blocks; an instruction is
// at its address.

import { hostFunctions } from "../../src/cpu/host-functions.ts";
import { Pe } from "../../src/cpu/pe.ts";
import type { PeOptions } from "../../src/cpu/pe-options.ts";
import { PeState } from "../../src/cpu/pe-state.ts";
import {
  BUDGET,
  CPU_STRIDE,
  EXC_FAR,
  EXIT,
  EXIT_BUDGET,
  EXIT_EXCEPTION,
  EXIT_STEP,
  PC,
  RESULT,
} from "../../src/cpu/state-layout.ts";
import { raise } from "../../src/cpu/syndrome.ts";
import * as r from "../../src/cpu/sysreg-layout.ts";
import { CPU_BASE } from "../../src/memory/linear-layout.ts";
import type { Native } from "../../src/vmsa/native.ts";

export const CODE = CPU_BASE + 2 * CPU_STRIDE;
export const VBAR = 0x800;
export type Host = ReturnType<typeof hostFunctions>;
/** Executes one instruction: 0 = completed. */
export type Instruction = (host: Host, s: PeState) => number;

export interface Machine {
  readonly pe: Pe;
  readonly s: PeState;
  readonly others: readonly PeState[];
  readonly host: Host;
  readonly log: string[];
  readonly words: Int32Array;
  guarded: number;
  /** The PC of each instruction that was started. */
  readonly trace: number[];
}

export function machine(code: Record<number, Instruction>, options: Partial<PeOptions> = {}, features = 0): Machine {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const states = [0, 1].map((i) => new PeState(memory.buffer, CPU_BASE + i * CPU_STRIDE));
  const s = states[0] as PeState;
  const log: string[] = [];
  const trace: number[] = [];
  const pes: Pe[] = [];
  const host = hostFunctions(pes);
  const nop: Instruction = () => 0;
  const one = (): boolean => {
    const pc = s.number(PC);
    trace.push(pc);
    if ((code[pc] ?? nop)(host, s)) return false;
    s.setNumber(PC, s.number(PC) + 4);
    return true;
  };
  const native: Native = {
    contextChanged: () => log.push("context"),
    enterPage: () => 0,
    translateFetch: () => {
      if (s.number(PC) >= 0x1000) {
        s.copy64(EXC_FAR, PC);
        raise(s, 0x20, 7);
        return 0;
      }
      s.set64(RESULT, m.guarded, 0);
      return CODE;
    },
    fillFetch: () => log.push("fill"),
    flushFetch: () => log.push("flush"),
    tlbInvalidateAll: () => {},
    tlbInvalidate: () => {},
    addressTranslate: () => {},
    maintain: () => 0,
    readCounter: () => {},
    clearExclusive: () => log.push("clrex"),
    fpUpdateFast: () => {},
    nestedAccess: () => 0,
  };
  const pe = new Pe({
    memory,
    state: s,
    index: 0,
    native,
    engine: {
      run(_, budget) {
        s.setWord(EXIT, 0);
        let left = budget;
        while (left > 0) {
          s.setWord(BUDGET, left - 1);
          if (!one()) {
            if (s.word(EXIT) === EXIT_EXCEPTION) s.setWord(BUDGET, left);
            return;
          }
          left--;
        }
        s.setWord(EXIT, EXIT_BUDGET);
      },
      step() {
        s.setWord(EXIT, 0);
        log.push("step");
        if (one()) s.setWord(EXIT, EXIT_STEP);
      },
      decodedPage: () => 77,
      invalidateCode: () => {},
      invalidateAllCode: () => true,
    },
    sysregs: (hooks) => ({
      reset() {
        s.setWord(r.PE_FEATURES, features);
        s.setNumber(r.VBAR_EL1, VBAR);
        s.setNumber(r.VBAR_EL2, VBAR);
        s.setNumber(r.SCTLR_EL1, 1 << 23);
        s.set64(r.ID_AA64DFR0_EL1, 0x10305106, 0);
      },
      read: () => true,
      write(id) {
        if (id === 1) hooks.contextChanged();
        if (id === 2) hooks.debugChanged();
        if (id === 3) raise(s, 0, 0);
        return id !== 3;
      },
      system: () => true,
    }),
    everyone: states,
    ...options,
  });
  pes.push(pe);
  pe.reset(0x100);
  log.length = 0;
  const m: Machine = {
    pe,
    s,
    others: states.slice(1),
    host,
    log,
    words: new Int32Array(memory.buffer),
    guarded: 0,
    trace,
  };
  return m;
}

export const hang: Instruction = (_, s) => raise(s, 0x3c, 0);
