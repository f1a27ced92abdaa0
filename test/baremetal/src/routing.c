// Where exceptions of EL1 and EL0 go by HCR_EL2.TGE, MDCR_EL2.TDE and HCR_EL2.TEA, what EL0 may do as a host's application, illegal returns.
#include "hyp.h"

#define RW bit(31)
#define TGE bit(27)
#define TEA bit(37)
#define E2H bit(34)
#define NOWHERE 0x0f000000ul

CODE(nops, "nop\n nop");
CODE(svc9, "svc #9");
CODE(brk6, "brk #6");
CODE(undefined, "udf #0");
CODE(load, "ldr x0, [x1]");
CODE(jump, "br x1");
CODE(fp, "fmov d0, x0");
CODE(ctr, "mrs x5, ctr_el0");
CODE(dcache, "dc cvau, x1");
CODE(daif, "mrs x5, daif");
CODE(cntpct, "mrs x5, cntpct_el0");
CODE(cntvct, "mrs x5, cntvct_el0");
CODE(cntv_ctl, "mrs x5, cntv_ctl_el0");
CODE(cntv_cval, "msr cntv_cval_el0, x5");
CODE(cntp_ctl, "mrs x5, cntp_ctl_el0");
CODE(cntp_tval, "msr cntp_tval_el0, x5");

static void at(const void *code, u64 spsr, u64 address) {
  regs[1] = address;
  run(code, spsr);
}
static void expect(const char *name, const void *code, u64 vector, u64 esr, u64 elr) {
  check2(name, "vector", seen.vector, vector);
  check2(name, "ESR", seen.esr, esr);
  check2(name, "ELR", seen.elr, elr);
}
/** Of an external abort, ISS.EA may be set. */
static void without_ea(void) {
  seen.esr &= ~bit(9);
}
#define SYSREG(op1, crn, crm, op2, rt, read)                                                                                   \
  ESR(0x18, 3ul << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))

/** The exceptions of EL0 that would be EL1's. */
static void general(const char *name, u64 hcr) {
  set(hcr_el2, hcr);
  struct {
    const char *what;
    const void *code;
    u64 address, esr, offset;
  } static const rows[] = {
    {"SVC", svc9, 0, ESR(0x15, 9), 4},
    {"BRK", brk6, 0, ESR(0x3c, 6), 0},
    {"UNDEFINED", undefined, 0, ESR_UNKNOWN, 0},
    {"external abort", load, NOWHERE, ESR(0x24, 0x10), 0},
    {"external abort of a fetch", jump, NOWHERE, ESR(0x20, 0x10), 0},
    {"PC alignment", jump, 0x40080002, ESR(0x22, 0), 0},
  };
  for (u64 i = 0; i < sizeof rows / sizeof *rows; i++) {
    at(rows[i].code, EL0, rows[i].address);
    without_ea();
    check2(name, rows[i].what, seen.esr, rows[i].esr);
    check2(rows[i].what, "vector", seen.vector, LOWER);
    check2(rows[i].what, "ELR", seen.elr, rows[i].code == jump ? rows[i].address : (u64)rows[i].code + rows[i].offset);
    if (rows[i].address) check2(rows[i].what, "FAR", seen.far, rows[i].address);
  }
  // There is no EL1 to return to.
  set(hcr_el2, hcr);
  run(nops, EL1);
  expect("TGE: a return to EL1 is illegal", nops, 0x200, ESR(0xe, 0), (u64)nops);
  check("TGE: SPSR.IL of an illegal return", seen.spsr >> 20 & 1, 1);
}

static void tge(void) {
  general("TGE", RW | TGE);
  // What would be a trap of EL1's control of FP has no reason at EL2.
  set(cpacr_el1, 0);
  run(fp, EL0);
  expect("TGE, CPACR_EL1.FPEN", fp, LOWER, ESR_UNKNOWN, (u64)fp);
  set(cpacr_el1, 3 << 20);
  // SCTLR_EL1's controls of EL0 trap to EL2.
  set(sctlr_el1, 0x30d00800);
  run(ctr, EL0);
  expect("TGE, SCTLR_EL1.UCT", ctr, LOWER, SYSREG(3, 0, 0, 1, 5, 1), (u64)ctr);
  run(daif, EL0);
  expect("TGE, SCTLR_EL1.UMA", daif, LOWER, SYSREG(3, 4, 2, 1, 5, 1), (u64)daif);
  at(dcache, EL0, 0x40080000);
  expect("TGE, SCTLR_EL1.UCI", dcache, LOWER, ESR(0x18, 1ul << 20 | 1 << 17 | 3 << 14 | 7 << 10 | 1 << 5 | 11 << 1), (u64)dcache);
  set(hcr_el2, RW);
  run(svc9, EL0);
  check_call("without TGE, SVC is EL1's", 0x108);
  check("without TGE: ESR_EL1", get(esr_el1), ESR(0x15, 9));
}

static void debug(void) {
  set(hcr_el2, RW);
  run(brk6, EL1);
  check_call("BRK is EL1's", 0x104);
  check("BRK: ESR_EL1", get(esr_el1), ESR(0x3c, 6));
  set(mdcr_el2, get(mdcr_el2) | bit(8));
  run(brk6, EL1);
  expect("MDCR_EL2.TDE: BRK at EL1", brk6, LOWER, ESR(0x3c, 6), (u64)brk6);
  run(brk6, EL0);
  expect("MDCR_EL2.TDE: BRK at EL0", brk6, LOWER, ESR(0x3c, 6), (u64)brk6);
  set(mdcr_el2, get(mdcr_el2) & ~bit(8));
  // A breakpoint at an address of EL1: EL1's, or EL2's.
  set(dbgbvr0_el1, (u64)nops + 4);
  set(dbgbcr0_el1, 15 << 5 | 1 << 1 | 1);
  set(mdscr_el1, bit(15) | bit(13));
  set(oslar_el1, 0);
  run(nops, EL1 & ~bit(9));
  check_call("breakpoint is EL1's", 0x104);
  check("breakpoint: ESR_EL1", get(esr_el1), ESR(0x31, 0x22));
  check("breakpoint: ELR_EL1", get(elr_el1), (u64)nops + 4);
  set(mdcr_el2, get(mdcr_el2) | bit(8));
  run(nops, EL1 & ~bit(9));
  expect("MDCR_EL2.TDE: breakpoint", nops, LOWER, ESR(0x30, 0x22), (u64)nops + 4);
  // A step of EL1, as EL2 debugs it: SPSR_EL2.SS and MDSCR_EL1.SS.
  set(dbgbcr0_el1, 0);
  set(mdscr_el1, bit(0));
  run(nops, (EL1 & ~bit(9)) | bit(21));
  expect("MDCR_EL2.TDE: step", nops, LOWER, ESR(0x32, 0x22 | bit(24)), (u64)nops + 4);
  set(mdscr_el1, 0);
  set(mdcr_el2, get(mdcr_el2) & ~bit(8));
}

static void external(void) {
  set(hcr_el2, RW);
  at(load, EL1, NOWHERE);
  check_call("external abort is EL1's", 0x104);
  if (!(get(id_aa64pfr0_el1) >> 28 & 15)) return;
  // QEMU 7.2 has no TEA.
  set(hcr_el2, RW | TEA);
  at(load, EL1, NOWHERE);
  without_ea();
  expect("HCR_EL2.TEA: load", load, LOWER, ESR(0x24, 0x10), (u64)load);
  check("HCR_EL2.TEA: FAR", seen.far, NOWHERE);
  at(jump, EL0, NOWHERE);
  without_ea();
  expect("HCR_EL2.TEA: fetch", jump, LOWER, ESR(0x20, 0x10), NOWHERE);
}

/** FEAT_VHE: EL0 of a host. */
static void host(void) {
  u64 hcr = RW | TGE | E2H;
  general("host", hcr);
  set(hcr_el2, hcr);
  struct {
    const char *name;
    const void *code;
    u64 bits, esr;
  } static const rows[] = {
    {"CNTHCTL_EL2.EL0PCTEN", cntpct, bit(0), SYSREG(3, 14, 0, 1, 5, 1)},
    {"CNTHCTL_EL2.EL0VCTEN", cntvct, bit(1), SYSREG(3, 14, 0, 2, 5, 1)},
    {"CNTHCTL_EL2.EL0VTEN, CTL", cntv_ctl, bit(8), SYSREG(3, 14, 3, 1, 5, 1)},
    {"CNTHCTL_EL2.EL0VTEN, CVAL", cntv_cval, bit(8), SYSREG(3, 14, 3, 2, 5, 0)},
    {"CNTHCTL_EL2.EL0PTEN, CTL", cntp_ctl, bit(9), SYSREG(3, 14, 2, 1, 5, 1)},
    {"CNTHCTL_EL2.EL0PTEN, TVAL", cntp_tval, bit(9), SYSREG(3, 14, 2, 0, 5, 0)},
  };
  for (u64 i = 0; i < sizeof rows / sizeof *rows; i++) {
    set(cnthctl_el2, 0xf03);
    run(rows[i].code, EL0);
    expect(rows[i].name, rows[i].code, LOWER, ESR_UNKNOWN, (u64)rows[i].code + 4);
    set(cnthctl_el2, 0xf03 & ~rows[i].bits);
    run(rows[i].code, EL0);
    expect(rows[i].name, rows[i].code, LOWER, rows[i].esr, (u64)rows[i].code);
  }
  set(cnthctl_el2, 0xf03);
  // CPTR_EL2.FPEN: 0 and 2 for EL0 and EL2, 1 for EL0. CPACR_EL1 is this register by now.
  for (u64 fpen = 0; fpen < 4; fpen++) {
    set(cptr_el2, fpen << 20);
    run(fp, EL0);
    if (fpen == 3) expect("CPTR_EL2.FPEN 3 at EL0", fp, LOWER, ESR_UNKNOWN, (u64)fp + 4);
    else expect("CPTR_EL2.FPEN at EL0", fp, LOWER, ESR(7, 0x1e00000), (u64)fp);
    run(fp, EL2);
    if (fpen & 1) expect("CPTR_EL2.FPEN at EL2", fp, 0x200, ESR_HVC(0), (u64)fp + 8);
    else expect("CPTR_EL2.FPEN at EL2", fp, 0x200, ESR(7, 0x1e00000), (u64)fp);
  }
  set(cptr_el2, 3 << 20);
  // SCTLR_EL2 has the controls of EL0.
  set(sctlr_el2, 0x30c50830);
  run(ctr, EL0);
  expect("SCTLR_EL2.UCT clear", ctr, LOWER, SYSREG(3, 0, 0, 1, 5, 1), (u64)ctr);
  set(sctlr_el2, 0x30c50830 | bit(15));
  run(ctr, EL0);
  expect("SCTLR_EL2.UCT", ctr, LOWER, ESR_UNKNOWN, (u64)ctr + 4);
  set(sctlr_el2, 0x30c50830);
  set(hcr_el2, RW);
  set(cptr_el2, 0x33ff);
}

static void illegal(void) {
  static const struct {
    const char *name;
    u64 spsr;
  } rows[] = {
    {"a return to EL3", EL3}, {"a return to AArch32", 0x3d3}, {"a return to EL0 with its own SP_EL1", 0x3c1}, {"a return with M[1]", 0x3c6},
  };
  set(hcr_el2, RW);
  for (u64 i = 0; i < sizeof rows / sizeof *rows; i++) {
    run(nops, rows[i].spsr);
    expect(rows[i].name, nops, 0x200, ESR(0xe, 0), (u64)nops);
  }
  // SPSR.IL is of the code that is returned to.
  run(nops, EL1 | bit(20));
  check_call("SPSR_EL2.IL: EL1's exception", 0x104);
  check("SPSR_EL2.IL: ESR_EL1", get(esr_el1), ESR(0xe, 0));
}

void tests(void) {
  set(cptr_el2, 0x33ff);
  set(cpacr_el1, 3 << 20);
  set(sctlr_el1, 0x30d00800);
  set(mdcr_el2, 6);
  tge();
  debug();
  external();
  illegal();
  if (get(id_aa64mmfr1_el1) >> 8 & 15) host();
}
