// Each control bit of EL2 that traps: with it, the exact ESR_EL2 and ELR_EL2; without it, no exception to EL2. The table is in traps.inc.
#include "hyp.h"

asm(".arch armv8.6-a\n.include \"traps.inc\"\n.text\n");

struct row {
  const u32 *code;
  const char *name;
  u32 control, bit, levels, esr;
};
extern const struct row table[], table_end[];

enum { HCR, CPTR, MDCR, CNTHCTL, ICH_HCR, HFGRTR, HFGWTR, HFGITR, HDFGRTR, HDFGWTR, ICC_SRE, CPTR_E2H, CNTHCTL_E2H, CONTROLS };
enum { NEG = 4, ANY = 8, MAX = 16, V3 = 32 };

#define HCR_OPEN (bit(31) | (max ? bit(40) | bit(41) : 0))
#define E2H bit(34)

static int max, fgt, v3;

/** Nothing traps. */
static void open_controls(void) {
  set(hcr_el2, HCR_OPEN);
  set(cptr_el2, 0x33ff);
  // HPMN: all six counters.
  set(mdcr_el2, 6);
  set(cnthctl_el2, 3);
  set(cntkctl_el1, 0x303);
  set(cpacr_el1, 3 << 20);
  // EOS and EIS, EnIA, EnIB, EnDA, EnDB, nTWE, nTWI, UCI, UCT, DZE, EnRCTX.
  set(sctlr_el1, 0x30d00800 | bit(31) | bit(30) | bit(27) | bit(13) | bit(26) | bit(18) | bit(16) | bit(15) | bit(14) | bit(10));
  set(pmuserenr_el0, 0xf);
  set(pmselr_el0, 0);
  set(mdscr_el1, 0);
  set(pmcr_el0, 0);
  set(oslar_el1, 0);
  set(vbar_el1, el1_vectors);
  if (v3) {
    set(icc_sre_el2, 0xf);
    set(icc_sre_el1, 7);
    set(ich_hcr_el2, 0);
  }
  if (fgt) {
    set(s3_4_c1_c1_4, 0);
    set(s3_4_c1_c1_5, 0);
    set(s3_4_c1_c1_6, 0);
    set(s3_4_c3_c1_4, 0);
    set(s3_4_c3_c1_5, 0);
  }
}

/** Changes a bit of a control from what it is when nothing traps. */
static void close(u32 control, u64 mask) {
  switch (control) {
    case HCR: set(hcr_el2, HCR_OPEN ^ mask); return;
    case CPTR: set(cptr_el2, 0x33ff ^ mask); return;
    case MDCR: set(mdcr_el2, 6 ^ mask); return;
    case CNTHCTL: set(cnthctl_el2, 3 ^ mask); return;
    case ICH_HCR: set(ich_hcr_el2, mask); return;
    case HFGRTR: set(s3_4_c1_c1_4, mask); return;
    case HFGWTR: set(s3_4_c1_c1_5, mask); return;
    case HFGITR: set(s3_4_c1_c1_6, mask); return;
    case HDFGRTR: set(s3_4_c3_c1_4, mask); return;
    case HDFGWTR: set(s3_4_c3_c1_5, mask); return;
    case ICC_SRE: set(icc_sre_el2, 0xf ^ mask); return;
    case CPTR_E2H:
      set(hcr_el2, HCR_OPEN | E2H);
      set(cptr_el2, 3 << 20 ^ mask);
      return;
    case CNTHCTL_E2H:
      set(hcr_el2, HCR_OPEN | E2H);
      set(cnthctl_el2, 0xc03 ^ mask);
  }
}

/** ESR_EL2 of a trapped MSR, MRS or system instruction (the Arm ARM's ISS encoding for EC 0x18), from the instruction's fields. */
static u64 register_esr(u32 i) {
  u64 op0 = i >> 19 & 3, op1 = i >> 16 & 7, crn = i >> 12 & 15, crm = i >> 8 & 15, op2 = i >> 5 & 7, rt = i & 31, read = i >> 21 & 1;
  return ESR(0x18, op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | read);
}

static u64 scratch[64] __attribute__((aligned(512)));

static void try(const struct row *r, int el) {
  regs[0] = 0x84000000;
  regs[5] = 0;
  regs[6] = (u64)scratch;
  run(r->code, el ? EL1 : EL0);
  // The names of EL1's registers are for EL1's registers again.
  set(hcr_el2, HCR_OPEN);
}

static void one(const struct row *r, int el) {
  const char *at = el ? "at EL1" : "at EL0";
  open_controls();
  if (r->control >= CPTR_E2H) close(r->control, 0);
  if (!(r->levels & ANY)) {
    try(r, el);
    if (completed(r->code, el)) passed++;
    else check2(r->name, el ? "at EL1 is free: ESR" : "at EL0 is free: ESR", seen.esr, ESR_HVC(0));
  }
  open_controls();
  close(r->control, bit(r->bit));
  try(r, el);
  if (seen.vector == LOWER && seen.elr == (u64)r->code) {
    check2(r->name, at, seen.esr, r->esr ? r->esr : register_esr(*r->code));
  } else if (seen.esr >> 26 == 0x16 && (seen.esr & 0x100)) {
    check2(r->name, el ? "at EL1, to EL1: ESR" : "at EL0, to EL1: ESR", get(esr_el1), r->esr ? r->esr : register_esr(*r->code));
  } else {
    check2(r->name, el ? "at EL1: ELR" : "at EL0: ELR", seen.elr, (u64)r->code);
  }
}

CODE(hvc5, "hvc #5");
CODE(smc5, "smc #5");
CODE(ctr_el0_code, "mrs x5, ctr_el0");
CODE(pmcr_n, "mrs x0, pmcr_el0");
CODE(counter3, "mrs x5, pmevcntr3_el0");
CODE(selected, "mrs x5, pmxevcntr_el0");
CODE(counter1, "mrs x5, pmevcntr1_el0");
CODE(sctlr, "msr sctlr_el1, x5");
CODE(wfe_twice, "wfe\n wfe");
CODE(xpac, "xpaci x7\n xpacd x7");

/** Controls that are not a trap of one instruction each. */
static void others(void) {
  // HCR_EL2.HCD: HVC is UNDEFINED, at EL2 too.
  open_controls();
  run(hvc5, EL2);
  check("HVC at EL2: ESR", seen.esr, ESR_HVC(5));
  check("HVC at EL2: vector", seen.vector, 0x200);
  set(hcr_el2, HCR_OPEN | bit(29));
  run(hvc5, EL2);
  check("HCR_EL2.HCD: HVC at EL2: ESR", seen.esr, ESR_UNKNOWN);
  check("HCR_EL2.HCD: HVC at EL2: ELR", seen.elr, (u64)hvc5);
  // ESR_EL2 of SMC has its immediate value, and ELR_EL2 its address.
  set(hcr_el2, HCR_OPEN | bit(19));
  run(smc5, EL1);
  check("HCR_EL2.TSC: SMC #5: ESR", seen.esr, ESR_SMC(5));
  check("HCR_EL2.TSC: SMC #5: ELR", seen.elr, (u64)smc5);
  // An exception return sets the Event Register, so the first WFE does not wait, and does not trap. QEMU's WFE never waits.
  open_controls();
  set(hcr_el2, HCR_OPEN | bit(14));
  for (int el = 0; el < 2; el++) {
    run(wfe_twice, el ? EL1 : EL0);
    check("HCR_EL2.TWE: WFE: ESR", seen.esr, ESR(1, 0x1e00001));
    check("HCR_EL2.TWE: WFE: ELR", seen.elr, (u64)wfe_twice + 4);
  }
  // MDCR_EL2.HPMN: EL1 has the counters below it. Those above trap with FEAT_FGT, and are UNDEFINED without.
  open_controls();
  set(mdcr_el2, 2);
  run(pmcr_n, EL1);
  check("MDCR_EL2.HPMN: PMCR_EL0.N at EL1", regs[0] >> 11 & 31, 2);
  check("MDCR_EL2.HPMN: PMCR_EL0.N at EL2", get(pmcr_el0) >> 11 & 31, 6);
  run(counter1, EL1);
  check_call("MDCR_EL2.HPMN: a counter of EL1", 0);
  for (int i = 0; i < 2; i++) {
    const u32 *code = (const u32 *)(i ? selected : counter3);
    if (i) set(pmselr_el0, 3);
    run(code, EL1);
    if (fgt) check2("MDCR_EL2.HPMN: a counter of EL2", "ESR", seen.esr, register_esr(*code));
    else check_call("MDCR_EL2.HPMN: a counter of EL2", 0x104);
  }
  // What is UNDEFINED at EL0 is EL1's, whatever EL2 traps.
  open_controls();
  set(hcr_el2, HCR_OPEN | bit(26));
  run(sctlr, EL0);
  check_call("HCR_EL2.TVM: MSR SCTLR_EL1 at EL0", 0x108);
  check("HCR_EL2.TVM: MSR SCTLR_EL1 at EL0: ESR_EL1", get(esr_el1), ESR_UNKNOWN);
  check("HCR_EL2.TVM: MSR SCTLR_EL1 at EL0: ELR_EL1", get(elr_el1), (u64)sctlr);
  // A trap of EL1 for EL0 comes before EL2's.
  set(sctlr_el1, 0x30d00800);
  set(hcr_el2, HCR_OPEN | bit(17));
  run(ctr_el0_code, EL0);
  check_call("SCTLR_EL1.UCT and HCR_EL2.TID2: MRS CTR_EL0 at EL0", 0x108);
  check("SCTLR_EL1.UCT and HCR_EL2.TID2: ESR_EL1", get(esr_el1), register_esr(*(const u32 *)ctr_el0_code));
  // HSTR_EL2 is for AArch32.
  open_controls();
  set(hstr_el2, 0xffff);
  run(hvc5, EL1);
  check("HVC with HSTR_EL2: ESR", seen.esr, ESR_HVC(5));
  check("HVC with HSTR_EL2: ELR", seen.elr, (u64)hvc5 + 4);
  set(hstr_el2, 0);
  if (max) {
    set(hcr_el2, bit(31));
    run(xpac, EL1);
    check_call("XPACI and XPACD without HCR_EL2.API", 0);
  }
}

void tests(void) {
  max = get(id_aa64mmfr1_el1) >> 8 & 15;
  fgt = get(id_aa64mmfr0_el1) >> 56 & 15;
  v3 = get(id_aa64pfr0_el1) >> 24 & 15;
  for (const struct row *r = table; r != table_end; r++) {
    if ((r->levels & MAX && !max) || (r->control >= HFGRTR && r->control <= HDFGWTR && !fgt) || (r->levels & V3 && !v3)) continue;
    for (int el = 0; el < 2; el++)
      if (r->levels & 1 << el) one(r, el);
  }
  others();
}
