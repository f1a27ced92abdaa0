// What a random program runs in: page tables with holes, registers with chosen values, and exception vectors that write down what
// happened and go on after the instruction.

import { addImm, andMask, b, ERET, ISB, ldpQ, ldrX, mov64, mrs, msr, SYSREG, strX, tbz, WFI } from "./assembler.ts";
import { ENTRY, poke, RAM, type Rig } from "./rig.ts";

/** First level table of a 39-bit address space, then the second and the third. */
const TABLES = RAM + 0x1000;
const VECTORS = RAM + 0x1_0000;
const CONTEXT = RAM + 0x4_0000;
/** Programs are in the first 2 MiB, which are executable and not writable. */
export const CODE = RAM + 0x10_0000;
/** Pages that can be written; those after them that can be read only; then nothing. */
export const DATA = RAM + 0x30_0000;
export const DATA_BYTES = 0x1_0000;
export const READ_ONLY_BYTES = 0x4000;
/** The same pages as at DATA, and the holes around it, 2 MiB further. */
export const ALIAS = 0x20_0000;
/** The first 2 MiB again, with these bits of the address set: to be written and not executed, and to be executed. */
export const WRITABLE_ALIAS = 0x60_0000;
export const EXECUTABLE_ALIAS = 0x80_0000;
const LOG = RAM + 0x3f_0000;
const LOG_RECORDS = 1024;
export const LOG_BYTES = 0x9000;

export interface Context {
  /** X0 to X30 and SP, low and high halves. */
  readonly x: Uint32Array;
  /** V0 to V31, four words each. */
  readonly v: Uint32Array;
  readonly nzcv: number;
  readonly fpcr: number;
  readonly fpsr: number;
}

export interface Environment {
  readonly mmu: boolean;
  /** SCTLR_EL1.A: unaligned accesses fault. */
  readonly alignmentCheck: boolean;
  /** log2 of the number of exceptions after which the machine stops. */
  readonly patience: number;
  /** The program runs at EL0. */
  readonly el0: boolean;
  /** The window at 0..1 GiB is mapped as device memory, and all of RAM. */
  readonly devices: boolean;
}

const PAGE = 0b11;
const BLOCK = 0b01;
const TABLE = 0b11;
const ACCESS_FLAG = 1 << 10;
const INNER_SHAREABLE = 3 << 8;
const READ_ONLY = 1 << 7;
const EL0_TOO = 1 << 6;
const DEVICE_ATTRIBUTES = 1 << 2;
/** In the high half: UXN and PXN. */
const EXECUTE_NEVER = (1 << 22) | (1 << 21);
const NORMAL = ACCESS_FLAG | INNER_SHAREABLE;

/** T0SZ of 25, write-back inner shareable walks of 4 KiB granules, no TTBR1, 40-bit physical addresses. */
const TCR = [25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23), 2] as const;
const MAIR = 0x00ff;
const SCTLR_RES1 = 0x30d00800;
const SCTLR_M = 1 << 0;
const SCTLR_A = 1 << 1;
const SCTLR_C = 1 << 2;
const SCTLR_SA = 1 << 3;
const SCTLR_I = 1 << 12;
/** SA0, DZE, UCT, nTWI, nTWE, UCI: EL0 may do all that it can be kept from. */
const SCTLR_EL0 = (1 << 4) | (1 << 14) | (1 << 15) | (1 << 16) | (1 << 18) | (1 << 26);
const FPEN = 3 << 20;

/** Puts everything but the program into RAM, so that a PE that starts at ENTRY comes to `start` with these registers. */
export function prepare(rig: Rig, environment: Environment, context: Context, start: number): void {
  poke(rig, TABLES, pageTables(environment));
  poke(rig, VECTORS, vectors(environment));
  poke(rig, CONTEXT, context.v);
  poke(rig, CONTEXT + 0x200, [context.nzcv, 0, context.fpcr, 0, context.fpsr, 0]);
  poke(rig, CONTEXT + 0x400, context.x);
  poke(rig, LOG, new Uint32Array(LOG_BYTES / 4));
  poke(rig, ENTRY, startUp(environment, start));
}

/** Where the exceptions are written down: ESR, FAR, ELR and SPSR of each, after their number. */
export const LOGGED = LOG;

/** Where the last level's descriptor of a page is, by the page's address. */
export const descriptorOf = (address: number): number => TABLES + 0x2000 + 8 * ((address >>> 12) & 511);

/** Attributes of a page of data, high and low half. Half of the pages are for EL0, too. */
export function dataDescriptor(address: number, readOnly: boolean, el0: boolean): readonly [number, number] {
  return [address | NORMAL | (readOnly ? READ_ONLY : 0) | (el0 ? EL0_TOO : 0) | PAGE, EXECUTE_NEVER];
}

function pageTables({ devices, el0 }: Environment): Uint32Array {
  const tables = new Uint32Array(3 * 1024);
  const set = (table: number, index: number, low: number, high = 0): void => {
    tables[(table * 512 + index) * 2] = low;
    tables[(table * 512 + index) * 2 + 1] = high;
  };
  if (devices) set(0, 0, ACCESS_FLAG | DEVICE_ATTRIBUTES | BLOCK, EXECUTE_NEVER);
  set(0, 1, (TABLES + 0x1000) | TABLE);
  const code = RAM | NORMAL | READ_ONLY | (el0 ? EL0_TOO : 0) | BLOCK;
  set(1, 0, code);
  set(1, 1, (TABLES + 0x2000) | TABLE);
  set(1, 2, (TABLES + 0x2000) | TABLE);
  set(1, 3, RAM | NORMAL | (el0 ? EL0_TOO : 0) | BLOCK, EXECUTE_NEVER);
  set(1, 4, code);
  const page = (address: number, readOnly: boolean, forEL0: boolean): void =>
    set(2, (address >>> 12) & 511, ...dataDescriptor(address, readOnly, forEL0));
  // Where there are devices there is all of the second half of RAM, and what comes after it.
  for (let at = RAM + ALIAS; devices && at < RAM + 2 * ALIAS; at += 0x1000) page(at, false, true);
  for (let at = 0; at < DATA_BYTES; at += 0x1000) page(DATA + at, false, el0 || at < DATA_BYTES / 2);
  for (let at = 0; at < READ_ONLY_BYTES; at += 0x1000) page(DATA + DATA_BYTES + at, true, el0);
  for (let at = 0; at < LOG_BYTES; at += 0x1000) page(LOG + at, false, false);
  return tables;
}

function startUp({ mmu, alignmentCheck, el0 }: Environment, start: number): number[] {
  const sctlr =
    SCTLR_RES1 | SCTLR_EL0 | SCTLR_SA | (mmu ? SCTLR_M | SCTLR_C | SCTLR_I : 0) | (mmu && alignmentCheck ? SCTLR_A : 0);
  const code = [
    ...[...mov64(0, TABLES), msr(SYSREG.TTBR0_EL1, 0)],
    ...[...mov64(0, ...TCR), msr(SYSREG.TCR_EL1, 0)],
    ...[...mov64(0, MAIR), msr(SYSREG.MAIR_EL1, 0)],
    ...[...mov64(0, VECTORS), msr(SYSREG.VBAR_EL1, 0)],
    ...[...mov64(0, FPEN), msr(SYSREG.CPACR_EL1, 0)],
    ...[...mov64(0, sctlr), msr(SYSREG.SCTLR_EL1, 0), ISB],
    ...mov64(0, CONTEXT),
    ...Array.from({ length: 16 }, (_, i) => ldpQ(2 * i, 2 * i + 1, 0, 32 * i)),
    ...[SYSREG.NZCV, SYSREG.FPCR, SYSREG.FPSR].flatMap((name, i) => [ldrX(1, 0, 0x200 + 8 * i), msr(name, 1)]),
    ...[addImm(0, 0, 0x400), ldrX(1, 0, 31 * 8), addImm(31, 1, 0), msr(SYSREG.SP_EL0, 1)],
    ...(el0 ? [...mov64(1, start), msr(SYSREG.ELR_EL1, 1), ...mov64(1, 0), msr(SYSREG.SPSR_EL1, 1)] : []),
    ...(el0 ? [SYSREG.NZCV].flatMap((name) => [mrs(2, name), orr(1, 1, 2), msr(SYSREG.SPSR_EL1, 1)]) : []),
    ...Array.from({ length: 30 }, (_, i) => ldrX(i + 1, 0, 8 * (i + 1))),
    ldrX(0, 0, 0),
  ];
  return [...code, el0 ? ERET : b((start - ENTRY) / 4 - code.length)];
}

const orr = (rd: number, rn: number, rm: number): number => (0xaa000000 | (rm << 16) | (rn << 5) | rd) >>> 0;
/** ADD Xd, Xn, Xm, LSL #shift. */
const addShifted = (rd: number, rn: number, rm: number, shift: number): number =>
  (0x8b000000 | (rm << 16) | (shift << 10) | (rn << 5) | rd) >>> 0;

function vectors({ patience }: Environment): Uint32Array {
  const words = new Uint32Array(0x800 / 4 + 64);
  for (let i = 0; i < 16; i++) words[i * 32] = b(0x800 / 4 - i * 32);
  const record = 64;
  words.set(
    [
      msr(SYSREG.TPIDR_EL1, 0),
      msr(SYSREG.TPIDR_EL0, 1),
      ...mov64(0, LOG),
      ldrX(1, 0, 0),
      addImm(1, 1, 1),
      strX(1, 0, 0),
      tbz(1, patience, 3),
      ...[WFI, b(-1)],
      andMask(1, 1, Math.log2(LOG_RECORDS)),
      addShifted(1, 0, 1, 5),
      ...[mrs(0, SYSREG.ESR_EL1), strX(0, 1, record)],
      ...[mrs(0, SYSREG.FAR_EL1), strX(0, 1, record + 8)],
      ...[mrs(0, SYSREG.SPSR_EL1), strX(0, 1, record + 24)],
      ...[mrs(0, SYSREG.ELR_EL1), strX(0, 1, record + 16)],
      ...[addImm(0, 0, 4), msr(SYSREG.ELR_EL1, 0)],
      ...[mrs(1, SYSREG.TPIDR_EL0), mrs(0, SYSREG.TPIDR_EL1), ERET],
    ],
    0x800 / 4,
  );
  return words;
}
