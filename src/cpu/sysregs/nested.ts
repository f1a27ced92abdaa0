import { NV, NV1, NV2, nesting } from "../levels.ts";
import { ARG0, ARG1, RESULT } from "../state-layout.ts";
import { CNTHCTL_EL2, VNCR_EL2 } from "../sysreg-layout.ts";
import type { Access } from "./access.ts";
import { ALIASES } from "./redirection.ts";
import { type Trap, trap } from "./row.ts";

// FEAT_NV and FEAT_NV2 (Arm ARM D8.11): EL1 is a hypervisor's that believes it is at EL2. What it does to EL2's registers traps to EL2, or,
// with HCR_EL2.NV2, is an access to memory at VNCR_EL2.BADDR, which EL2 reads when it has to.

/** EL2's registers, and SP_EL1, that EL1 finds in memory with NV2: offsets in bytes from VNCR_EL2.BADDR (rule R_CSRPQ's table). */
const HYPERVISOR_OFFSETS: readonly (readonly [string, number])[] = [
  ["VTTBR_EL2", 0x020],
  ["VSTTBR_EL2", 0x030],
  ["VTCR_EL2", 0x040],
  ["VSTCR_EL2", 0x048],
  ["VMPIDR_EL2", 0x050],
  ["CNTVOFF_EL2", 0x060],
  ["HCR_EL2", 0x078],
  ["HSTR_EL2", 0x080],
  ["VPIDR_EL2", 0x088],
  ["TPIDR_EL2", 0x090],
  ["HCRX_EL2", 0x0a0],
  ["VNCR_EL2", 0x0b0],
  ["CNTPOFF_EL2", 0x1a8],
  ["HFGRTR_EL2", 0x1b8],
  ["HFGWTR_EL2", 0x1c0],
  ["HFGITR_EL2", 0x1c8],
  ["HDFGRTR_EL2", 0x1d0],
  ["HDFGWTR_EL2", 0x1d8],
  ["SP_EL1", 0x240],
  ...Array.from({ length: 16 }, (_, n) => [`ICH_LR${n}_EL2`, 0x400 + 8 * n] as const),
  ...Array.from({ length: 4 }, (_, n) => [`ICH_AP0R${n}_EL2`, 0x480 + 8 * n] as const),
  ...Array.from({ length: 4 }, (_, n) => [`ICH_AP1R${n}_EL2`, 0x4a0 + 8 * n] as const),
  ["ICH_HCR_EL2", 0x4c0],
  ["ICH_VMCR_EL2", 0x4c8],
  ["VDISR_EL2", 0x500],
  ["VSESR_EL2", 0x508],
];

/** Registers of EL1 and EL0 that EL1 finds in memory with NV1 and NV2; with NV2 alone, under their names as aliases. */
const KERNEL_OFFSETS: readonly (readonly [string, number])[] = [
  ["CPACR_EL1", 0x100],
  ["CONTEXTIDR_EL1", 0x108],
  ["SCTLR_EL1", 0x110],
  ["ACTLR_EL1", 0x118],
  ["TCR_EL1", 0x120],
  ["AFSR0_EL1", 0x128],
  ["AFSR1_EL1", 0x130],
  ["ESR_EL1", 0x138],
  ["MAIR_EL1", 0x140],
  ["AMAIR_EL1", 0x148],
  ["MDSCR_EL1", 0x158],
  ["SPSR_EL1", 0x160],
  ["CNTV_CVAL_EL0", 0x168],
  ["CNTV_CTL_EL0", 0x170],
  ["CNTP_CVAL_EL0", 0x178],
  ["CNTP_CTL_EL0", 0x180],
  ["SCXTNUM_EL1", 0x188],
  ["TTBR0_EL1", 0x200],
  ["TTBR1_EL1", 0x210],
  ["FAR_EL1", 0x220],
  ["ELR_EL1", 0x230],
  ["VBAR_EL1", 0x250],
];

/** Registers of EL1 that EL1 reaches under the names of EL2 with NV2. */
const SHARED: ReadonlyMap<string, string> = new Map(
  ["SPSR", "ELR", "ESR", "FAR"].map((stem) => [`${stem}_EL2`, `${stem}_EL1`]),
);

/** What FEAT_NV2 makes of one name. */
export interface NestedName {
  /** Offset in bytes from VNCR_EL2.BADDR. */
  readonly offset?: number;
  /** HCR_EL2.<NV2,NV1,NV> with which it is in memory, of those in `mask`. */
  readonly mask: number;
  readonly value: number;
  /** The register of EL1 that it stands for with NV2. */
  readonly shared?: string;
  /** The bit of CNTHCTL_EL2 that makes it trap all the same (FEAT_ECV). */
  readonly control?: number;
}

const ALL = NV2 | NV1 | NV;
/** CNTHCTL_EL2.{EL1NVPCT,EL1NVVCT}. */
const EL1NVPCT = 15;
const EL1NVVCT = 16;

function aliasNames(): [string, NestedName][] {
  const offsets = new Map(KERNEL_OFFSETS);
  return [...ALIASES].flatMap(([alias, name]) => {
    const offset = offsets.get(name);
    if (offset === undefined) return [];
    const control = alias.startsWith("CNTP_") ? EL1NVPCT : alias.startsWith("CNTV_") ? EL1NVVCT : undefined;
    return [[alias, { offset, mask: ALL, value: NV2 | NV, ...(control && { control }) }]];
  });
}

/** By name; names that are not here are as FEAT_NV alone has them. */
export const NESTED_NAMES: ReadonlyMap<string, NestedName> = new Map<string, NestedName>([
  ...HYPERVISOR_OFFSETS.map(([name, offset]) => [name, { offset, mask: NV2 | NV, value: NV2 | NV }] as const),
  ...KERNEL_OFFSETS.map(([name, offset]) => [name, { offset, mask: ALL, value: ALL }] as const),
  ...aliasNames(),
  ...[...SHARED].map(([name, shared]) => [name, { shared, mask: NV2 | NV, value: NV2 | NV }] as const),
]);

/** Whether FEAT_NV2 has something to do with an access from EL1 to a name: memory, or EL1's register. */
export function isElsewhere(a: Access, name: NestedName): boolean {
  if ((nesting(a.state) & name.mask) !== name.value) return false;
  return name.control === undefined || !a.bit(CNTHCTL_EL2, name.control);
}

/** Reads (to `a`) or writes (from it) a register in memory. False: the data abort is pending. */
export function accessMemory(a: Access, offset: number): boolean {
  const { state, host } = a;
  // BADDR is bits 52:12, and its uppermost bit those above.
  state.set64(ARG0, (state.word(VNCR_EL2) & ~0xfff) | offset, (state.high(VNCR_EL2) << 11) >> 11);
  if (a.write) state.set64(ARG1, a.low, a.high);
  if (host.native.nestedAccess(state.cpu, a.write ? 1 : 0)) return false;
  if (!a.write) a.giveSlot(RESULT);
  return true;
}

/** SPSR_EL1, ELR_EL1, VBAR_EL1: with NV1 and without NV2 EL1's accesses trap to EL2. */
export const nestedTrap: Trap = trap("HCR_EL2.NV1", (a) => (a.el === 1 && nesting(a.state) === (NV | NV1) ? 2 : 0));
