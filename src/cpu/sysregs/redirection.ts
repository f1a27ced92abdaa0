import { el2Enabled, HCR_HIGH_E2H, hostApplications, securityBelowEL3 } from "../levels.ts";
import { HCR_EL2 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";

// FEAT_VHE: with HCR_EL2.E2H, a host at EL2 reaches its own registers under the names of EL1's, and EL1's under names of their own
// (Arm ARM D8, "Virtualization Host Extensions": System and Special-purpose register redirection, aliasing).

/** What a name of EL1 or EL0 stands for in a host. */
export interface HostRegister {
  readonly host: string;
  /** In its place in Secure state. */
  readonly secure?: string;
}

/** Registers of EL1 whose counterpart at EL2 has the same name but for the level. */
const SAME = [
  ...["SCTLR", "TTBR0", "TTBR1", "TCR", "AFSR0", "AFSR1", "ESR", "FAR", "MAIR", "AMAIR", "VBAR", "CONTEXTIDR"],
  ...["SPSR", "ELR"],
];
/** Stems with EL1 and EL2. */
const STEMS: readonly (readonly [string, string])[] = [
  ...SAME.map((stem) => [stem, stem] as const),
  ["CPACR", "CPTR"],
  ["CNTKCTL", "CNTHCTL"],
];

const TIMER_REGISTERS = ["TVAL", "CTL", "CVAL"];
/** Timers of EL0's names: what they are at EL2, and at Secure EL2. */
const TIMERS = [
  ["CNTP", "CNTHP", "CNTHPS"],
  ["CNTV", "CNTHV", "CNTHVS"],
] as const;

/** By name: what a host at EL2 reaches, and, under the names of EL0, its applications. */
export const HOST_REGISTERS: ReadonlyMap<string, HostRegister> = new Map<string, HostRegister>([
  ...STEMS.map(([own, host]) => [`${own}_EL1`, { host: `${host}_EL2` }] as const),
  ...TIMERS.flatMap(([own, host, secure]) =>
    TIMER_REGISTERS.map(
      (name) => [`${own}_${name}_EL0`, { host: `${host}_${name}_EL2`, secure: `${secure}_${name}_EL2` }] as const,
    ),
  ),
]);

/** The names that EL1's and EL0's registers have for a host, and for EL3, with HCR_EL2.E2H. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ...STEMS.map(([own]) => [`${own}_EL12`, `${own}_EL1`] as const),
  ...TIMERS.flatMap(([own]) => TIMER_REGISTERS.map((name) => [`${own}_${name}_EL02`, `${own}_${name}_EL0`] as const)),
]);

/** Whether an access is redirected: to 1 the host's register, to 2 that of Secure state; 0: it is not. */
export function redirection(a: Access): 0 | 1 | 2 {
  const { state } = a;
  const host = a.el === 2 ? state.high(HCR_EL2) & HCR_HIGH_E2H : a.el === 0 && hostApplications(state);
  if (!host) return 0;
  return securityBelowEL3(state) ? 2 : 1;
}

/** Whether the aliases exist for an access. */
export function hasAliases(a: Access): boolean {
  return a.el >= 2 && el2Enabled(a.state) && (a.state.high(HCR_EL2) & HCR_HIGH_E2H) !== 0;
}
