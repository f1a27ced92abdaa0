import { CPU_BASE } from "../memory/linear-layout.ts";
import type { Pe } from "./pe.ts";
import { CPU_STRIDE } from "./state-layout.ts";

/** HOST of ir/helpers.ts. */
type HostFunction =
  | "sysregRead"
  | "sysregWrite"
  | "systemInstruction"
  | "pstateWrite"
  | "exceptionReturn"
  | "waitHint"
  | "svc"
  | "hvc"
  | "smc"
  | "hlt"
  | "debugState"
  | "isb";

/** What native.wasm has of them itself: what it does not do, it leaves to the PE (EXIT_HOST). */
const NATIVE_FUNCTIONS = ["svc", "exceptionReturn", "pstateWrite"] as const;

type Functions = Record<HostFunction, (cpu: number, a: number, b: number) => number>;

/**
 * The host functions that generated code imports, for all PEs of a machine: `pes` by index. The list may still grow. `native`: the exports of
 * native.wasm, for those that running code can call there.
 */
export function hostFunctions(pes: readonly Pe[], native?: Readonly<Record<string, unknown>>): Functions {
  const pe = (cpu: number): Pe => pes[((cpu - CPU_BASE) / CPU_STRIDE) | 0] as Pe;
  const functions: Functions = {
    sysregRead: (cpu, id, rt) => pe(cpu).sysregRead(id, rt),
    sysregWrite: (cpu, id, rt) => pe(cpu).sysregWrite(id, rt),
    systemInstruction: (cpu, id, rt) => pe(cpu).systemInstruction(id, rt),
    pstateWrite: (cpu, field, value) => pe(cpu).pstateWrite(field, value),
    exceptionReturn: (cpu, kind) => pe(cpu).exceptionReturn(kind),
    waitHint: (cpu, hint) => pe(cpu).waitHint(hint),
    svc: (cpu, immediate) => pe(cpu).svc(immediate),
    hvc: (cpu, immediate) => pe(cpu).hvc(immediate),
    smc: (cpu, immediate) => pe(cpu).smc(immediate),
    hlt: (cpu, immediate) => pe(cpu).hlt(immediate),
    debugState: (cpu) => pe(cpu).debugState(),
    isb: (cpu) => pe(cpu).isb(),
  };
  for (const name of NATIVE_FUNCTIONS) if (native?.[name]) functions[name] = native[name] as Functions[HostFunction];
  return functions;
}
