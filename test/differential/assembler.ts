// The few instructions that the tests' start-up code needs.

export const NOP = 0xd503201f;
export const WFI = 0xd503207f;
export const ISB = 0xd5033fdf;
export const ERET = 0xd69f03e0;
export const BRK = 0xd4200000;

/** Sets a register to a 64-bit number, given by its halves: four instructions. */
export function mov64(rd: number, low: number, high = 0): number[] {
  const halves = [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16];
  return halves.map((imm16, hw) => ((hw === 0 ? 0xd2800000 : 0xf2800000) | (hw << 21) | (imm16 << 5) | rd) >>> 0);
}

/** op0, op1, CRn, CRm, op2. */
export type SysregName = readonly [number, number, number, number, number];
export const SYSREG = {
  SCTLR_EL1: [3, 0, 1, 0, 0],
  CPACR_EL1: [3, 0, 1, 0, 2],
  TTBR0_EL1: [3, 0, 2, 0, 0],
  TCR_EL1: [3, 0, 2, 0, 2],
  SP_EL0: [3, 0, 4, 1, 0],
  SPSR_EL1: [3, 0, 4, 0, 0],
  ELR_EL1: [3, 0, 4, 0, 1],
  ESR_EL1: [3, 0, 5, 2, 0],
  FAR_EL1: [3, 0, 6, 0, 0],
  MAIR_EL1: [3, 0, 10, 2, 0],
  VBAR_EL1: [3, 0, 12, 0, 0],
  TPIDR_EL1: [3, 0, 13, 0, 4],
  TPIDR_EL0: [3, 3, 13, 0, 2],
  NZCV: [3, 3, 4, 2, 0],
  FPCR: [3, 3, 4, 4, 0],
  FPSR: [3, 3, 4, 4, 1],
} as const satisfies Record<string, SysregName>;

const sysreg = ([op0, op1, crn, crm, op2]: SysregName): number =>
  (op0 << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5);
export const msr = (name: SysregName, rt: number): number => (0xd5000000 | sysreg(name) | rt) >>> 0;
export const mrs = (rt: number, name: SysregName): number => (0xd5200000 | sysreg(name) | rt) >>> 0;

const imm19 = (words: number): number => (words & 0x7ffff) << 5;
// Offsets of branches are in words.
export const b = (words: number): number => (0x14000000 | (words & 0x3ffffff)) >>> 0;
export const bl = (words: number): number => (0x94000000 | (words & 0x3ffffff)) >>> 0;
export const bCond = (cond: number, words: number): number => (0x54000000 | imm19(words) | cond) >>> 0;
/** CBZ, or CBNZ if `nonzero`, of a 64-bit register. */
export const cbz = (rt: number, words: number, nonzero = false): number =>
  (0xb4000000 | (nonzero ? 1 << 24 : 0) | imm19(words) | rt) >>> 0;
export const tbz = (rt: number, bit: number, words: number, nonzero = false): number =>
  (0x36000000 | (nonzero ? 1 << 24 : 0) | ((bit >> 5) << 31) | ((bit & 31) << 19) | ((words & 0x3fff) << 5) | rt) >>> 0;
export const br = (rn: number): number => (0xd61f0000 | (rn << 5)) >>> 0;
export const blr = (rn: number): number => (0xd63f0000 | (rn << 5)) >>> 0;
/** ADR of a word near. */
export const adr = (rd: number, words: number): number => (0x10000000 | imm19(words) | rd) >>> 0;
/** ADD Xd, Xn, #imm, of SP as 31. */
export const addImm = (rd: number, rn: number, imm: number): number =>
  (0x91000000 | (imm << 10) | (rn << 5) | rd) >>> 0;
export const subImm = (rd: number, rn: number, imm: number): number =>
  (0xd1000000 | (imm << 10) | (rn << 5) | rd) >>> 0;
/** AND Xd, Xn, #(2^bits - 1). */
export const andMask = (rd: number, rn: number, bits: number): number =>
  (0x92400000 | ((bits - 1) << 10) | (rn << 5) | rd) >>> 0;
/** LDP and STP of X and Q registers at a multiple of the register size. */
export const ldpX = (rt: number, rt2: number, rn: number, offset: number): number =>
  (0xa9400000 | (((offset / 8) & 0x7f) << 15) | (rt2 << 10) | (rn << 5) | rt) >>> 0;
export const stpX = (rt: number, rt2: number, rn: number, offset: number): number =>
  (0xa9000000 | (((offset / 8) & 0x7f) << 15) | (rt2 << 10) | (rn << 5) | rt) >>> 0;
export const ldpQ = (rt: number, rt2: number, rn: number, offset: number): number =>
  (0xad400000 | (((offset / 16) & 0x7f) << 15) | (rt2 << 10) | (rn << 5) | rt) >>> 0;
export const ldrX = (rt: number, rn: number, offset: number): number =>
  (0xf9400000 | ((offset / 8) << 10) | (rn << 5) | rt) >>> 0;
export const strX = (rt: number, rn: number, offset: number): number =>
  (0xf9000000 | ((offset / 8) << 10) | (rn << 5) | rt) >>> 0;
export const strW = (rt: number, rn: number): number => (0xb9000000 | (rn << 5) | rt) >>> 0;
/** A bit of Xd is set to that of Xn, `how`: 0 and cleared, 1 and set, 2 and changed. `ones` bits from bit `at` on. */
export function bits(how: 0 | 1 | 2, rd: number, rn: number, at: number, ones: number): number {
  const [opcode, immr, imms] = [
    [0x92400000, (64 - at - ones) & 63, 63 - ones] as const,
    [0xb2400000, (64 - at) & 63, ones - 1] as const,
    [0xd2400000, (64 - at) & 63, ones - 1] as const,
  ][how] as readonly [number, number, number];
  return (opcode | (immr << 16) | (imms << 10) | (rn << 5) | rd) >>> 0;
}
export const DSB = 0xd5033b9f;
export const dcCvau = (rt: number): number => (0xd50b7b20 | rt) >>> 0;
export const icIvau = (rt: number): number => (0xd50b7520 | rt) >>> 0;
export const tlbiVae1 = (rt: number): number => (0xd5088720 | rt) >>> 0;
export const TLBI_VMALLE1 = 0xd508871f;
