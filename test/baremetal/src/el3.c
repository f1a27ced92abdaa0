// EL3 and Secure state: what SCR_EL3, CPTR_EL3 and MDCR_EL3 route and trap, secure memory, secure interrupt groups, Secure EL2 and its stage 2.
// The image is firmware (--bios), at EL3 from reset, of a machine with secure=on,virtualization=on.
// QEMU 7.2 differs: no external abort goes to EL3, HVC at EL3 goes to EL2, WFE never waits; it has neither FEAT_FGT nor FEAT_ECV.
// level: 3
#include "hyp.h"

#define NS bit(0)
#define IRQ bit(1)
#define FIQ bit(2)
#define EA bit(3)
#define SMD bit(7)
#define HCE bit(8)
#define SIF bit(9)
#define RW bit(10)
#define ST bit(11)
#define TWI bit(12)
#define TWE bit(13)
#define TLOR bit(14)
#define TERR bit(15)
#define APK bit(16)
#define API bit(17)
#define EEL2 bit(18)
#define FGTEN bit(27)
#define ECVEN bit(28)
#define HCR_RW bit(31)

#define NOWHERE 0x0f000000ul
#define SECURE_RAM 0x0e000000ul
#define SECURE_UART 0x09040000ul

static int max;
static u64 base;

CODE(nops, "nop\n nop");
CODE(load, "ldr x0, [x1]");
CODE(load_w, "ldr w0, [x1]");
CODE(store, "str x0, [x1]");
CODE(jump, "br x1");
CODE(smc7, "smc #7");
CODE(hvc5, "hvc #5");
CODE(wait_wfi, "wfi");
CODE(wait_wfe, "wfe\n wfe");
CODE(pac, "pacga x7, x8, x9");
CODE(fp, "fmov d0, x0");

// EL1's and EL2's exceptions while there is no SMC: an external abort, with its address in x28, is EL3's by SCR_EL3.EA.
asm(".pushsection .text\n.balign 2048\nabort_vectors:\n.rept 16\n.balign 128\n  ldr xzr, [x28]\n.endr\n.balign 128\n.popsection");
extern char abort_vectors[];

static void scr(u64 value) {
  set(scr_el3, value);
}
static void go(const void *code, u64 spsr, u64 address) {
  regs[1] = address;
  regs[28] = NOWHERE;
  run(code, spsr);
}

static void calls(void) {
  // QEMU 7.2 takes no external abort to EL3.
  scr(base | EA);
  go(load, EL1, NOWHERE);
  int routed = seen.esr >> 26 == 0x24;
  static const u64 levels[] = {EL1, EL2};
  for (int i = 0; i < 2; i++) {
    scr(base);
    run(smc7, levels[i]);
    check("SMC: ESR", seen.esr, ESR_SMC(7));
    check("SMC: vector", seen.vector, LOWER);
    check("SMC: ELR", seen.elr, (u64)smc7 + 4);
    check("SMC: SPSR.M", seen.spsr & 15, levels[i] & 15);
    if (!routed) continue;
    scr(base | SMD | EA);
    set(vbar_el1, abort_vectors);
    set(vbar_el2, abort_vectors);
    go(smc7, levels[i], 0);
    check("SCR_EL3.SMD: SMC is UNDEFINED", i ? get(esr_el2) : get(esr_el1), ESR_UNKNOWN);
    check("SCR_EL3.SMD: ELR", i ? get(elr_el2) : get(elr_el1), (u64)smc7);
    check("SCR_EL3.SMD: class of the exit", seen.esr >> 26, 0x24);
    set(vbar_el1, el1_vectors);
    set(vbar_el2, el2_vectors);
  }
  scr(base | SMD);
  run(smc7, EL3);
  check("SCR_EL3.SMD: SMC at EL3", seen.esr, ESR_UNKNOWN);
  scr(base);
  run(smc7, EL3);
  check("SMC at EL3: ESR", seen.esr, ESR_SMC(7));
  check("SMC at EL3: vector", seen.vector, 0x200);
  // HCR_EL2.TSC takes it to EL2 first.
  set(hcr_el2, HCR_RW | bit(19));
  run(smc7, EL1);
  check_call("HCR_EL2.TSC", 0x208);
  check("HCR_EL2.TSC: ESR_EL2", get(esr_el2), ESR_SMC(7));
  set(hcr_el2, HCR_RW);

  run(hvc5, EL1);
  check_call("HVC at EL1 goes to EL2", 0x208);
  check("HVC at EL1: ESR_EL2", get(esr_el2), ESR_HVC(5));
  run(hvc5, EL2);
  check_call("HVC at EL2 goes to EL2", 0x204);
  scr(base & ~HCE);
  run(hvc5, EL1);
  check_call("SCR_EL3.HCE clear: HVC at EL1", 0x104);
  check("SCR_EL3.HCE clear: ESR_EL1", get(esr_el1), ESR_UNKNOWN);
  run(hvc5, EL2);
  check_call("SCR_EL3.HCE clear: HVC at EL2", 0x204);
  check("SCR_EL3.HCE clear: ESR_EL2", get(esr_el2), ESR_UNKNOWN);
  run(hvc5, EL3);
  check("SCR_EL3.HCE clear: HVC at EL3", seen.esr, ESR_UNKNOWN);
  scr(base);
  run(hvc5, EL3);
  check("HVC at EL3: ESR", seen.esr, ESR_HVC(5));
  scr(base & ~NS);
  run(hvc5, EL1);
  check_call("HVC at Secure EL1", 0x104);
  check("HVC at Secure EL1: ESR_EL1", get(esr_el1), ESR_UNKNOWN);
  scr(base);
}

#define EXTERNAL 0x10
static void aborts(void) {
  scr(base);
  go(load, EL1, NOWHERE);
  check_call("external abort, to EL1", 0x104);
  check("external abort: ESR_EL1", get(esr_el1) & ~0x1fful, ESR(0x25, 0));
  check("external abort: DFSC", get(esr_el1) & 0x3f, EXTERNAL);
  check("external abort: FAR_EL1", get(far_el1), NOWHERE);
  go(load, EL2, NOWHERE);
  check_call("external abort of EL2, to EL2", 0x204);
  go(jump, EL1, NOWHERE);
  check_call("external abort of a fetch, to EL1", 0x104);
  check("external abort of a fetch: ESR_EL1", get(esr_el1) & ~0x200ul, ESR(0x21, EXTERNAL));
  scr(base | EA);
  static const u64 levels[] = {EL0, EL1, EL2};
  for (int i = 0; i < 3; i++) {
    go(load, levels[i], NOWHERE);
    check("SCR_EL3.EA: vector", seen.vector, LOWER);
    check("SCR_EL3.EA: class", seen.esr >> 26, 0x24);
    check("SCR_EL3.EA: DFSC", seen.esr & 0x3f, EXTERNAL);
    check("SCR_EL3.EA: FAR", seen.far, NOWHERE);
    check("SCR_EL3.EA: ELR", seen.elr, (u64)load);
  }
  go(jump, EL1, NOWHERE);
  check("SCR_EL3.EA, fetch: ESR", seen.esr & ~0x200ul, ESR(0x20, EXTERNAL));
  // HCR_EL2.TEA, of FEAT_RAS: to EL2, unless SCR_EL3.EA.
  if (get(id_aa64pfr0_el1) >> 28 & 15) {
    set(hcr_el2, HCR_RW | bit(37));
    go(load, EL1, NOWHERE);
    check("SCR_EL3.EA and HCR_EL2.TEA: class", seen.esr >> 26, 0x24);
    scr(base);
    go(load, EL1, NOWHERE);
    check_call("HCR_EL2.TEA", 0x208);
    check("HCR_EL2.TEA: class", get(esr_el2) >> 26, 0x24);
  }
  scr(base);
  // Other faults are not EL3's: an alignment fault.
  scr(base | EA);
  set(hcr_el2, HCR_RW);
  set(sctlr_el1, get(sctlr_el1) | 2);
  go(load, EL1, 0x40000001);
  check_call("SCR_EL3.EA, an alignment fault", 0x104);
  set(sctlr_el1, get(sctlr_el1) & ~2ul);
  scr(base);
}

// Stage 2: 4K, 40 bits, from level 1; the tables are in Secure or Non-secure RAM.
#define TABLES 0x46000000ul
#define DATA 0x46100000ul
#define TABLE(n) (TABLES + (n) * 0x2000ul)
#define S2_RWX (bit(10) | 3 << 8 | 3 << 6 | 15 << 2)
#define VTCR (bit(31) | 2ul << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 24)

static void clear(u64 at) {
  for (u64 i = 0; i < 0x2000; i += 8) mem64(at + i) = 0;
}
static void flush(void) {
  asm volatile("dsb sy\n\ttlbi alle1\n\tdsb sy\n\tisb" ::: "memory");
}
/** Tables n, n + 1 and n + 2: the image at 0x40000000 to itself, and a page for 0x50000000. */
static u64 stage2(int n, u64 page) {
  for (int i = 0; i < 3; i++) clear(TABLE(n + i));
  mem64(TABLE(n) + 8) = TABLE(n + 1) | 3;
  mem64(TABLE(n + 1)) = 0x40000000 | S2_RWX | 1;
  mem64(TABLE(n + 1) + 8 * 128) = TABLE(n + 2) | 3;
  mem64(TABLE(n + 2)) = page;
  return TABLE(n);
}

static void stage2_aborts(void) {
  // The table of level 2 is where there is nothing: an external abort on a walk of stage 2.
  scr(base);
  u64 vttbr = stage2(0, DATA | S2_RWX | 3);
  mem64(TABLE(0) + 16) = NOWHERE | 3;
  set(vtcr_el2, VTCR);
  set(vttbr_el2, vttbr);
  set(hcr_el2, HCR_RW | 1);
  flush();
  go(load, EL1, 0x80000000);
  check_call("external abort of a walk of stage 2, to EL2", 0x208);
  check("external abort of a walk of stage 2: ESR_EL2", get(esr_el2) & 0xfc00003f, (u64)0x24 << 26 | 0x16);
  scr(base | EA);
  go(load, EL1, 0x80000000);
  check("external abort of a walk of stage 2, SCR_EL3.EA: class", seen.esr >> 26, 0x24);
  check("external abort of a walk of stage 2, SCR_EL3.EA: DFSC", seen.esr & 0x3f, 0x16);
  check("external abort of a walk of stage 2, SCR_EL3.EA: FAR", seen.far, 0x80000000);
  // A fault of stage 2 itself is EL2's.
  mem64(TABLE(0) + 16) = 0;
  flush();
  go(load, EL1, 0x80000000);
  check_call("translation fault of stage 2, SCR_EL3.EA", 0x208);
  set(hcr_el2, HCR_RW);
  scr(base);
}

struct trap {
  const char *name;
  const void *code;
  u64 scr, esr, levels;
};
#define REGISTER_ESR(op0, op1, crn, crm, op2, rt, read)                                                                        \
  ESR(0x18, (u64)(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (rt) << 5 | (crm) << 1 | (read))
CODE(lor, "mrs x5, lorc_el1");
CODE(err, "mrs x5, erridr_el1");
CODE(key, "mrs x5, apiakeylo_el1");
CODE(fgt, "mrs x5, s3_4_c1_c1_4");
CODE(ecv, "mrs x5, s3_4_c14_c0_6");
CODE(cpacr, "mrs x5, cpacr_el1");
CODE(cptr2, "mrs x5, cptr_el2");
CODE(pmu, "mrs x5, pmccntr_el0");
CODE(pmu_el1, "mrs x5, pmintenset_el1");
CODE(dbg, "mrs x5, dbgbcr0_el1");
CODE(osl, "mrs x5, oslsr_el1");
CODE(cntps, "mrs x5, cntps_ctl_el1");
CODE(igrpen1, "mrs x5, icc_igrpen1_el1");
CODE(igrpen0, "mrs x5, icc_igrpen0_el1");
CODE(pmr, "mrs x5, icc_pmr_el1");

/** To EL3 with this syndrome; and free without the control. */
static void trapped(const char *name, const void *code, u64 spsr, u64 esr) {
  run(code, spsr);
  check2(name, "vector", seen.vector, LOWER);
  check2(name, "ESR", seen.esr, esr);
}
static void is_free(const char *name, const void *code, u64 spsr) {
  run(code, spsr);
  check2(name, "is free otherwise", seen.esr, ESR_SMC(0));
}
static void traps_of(const char *name, const void *code, u64 on, u64 esr, int from_el1, int from_el2) {
  for (int i = 0; i < 2; i++) {
    if (!(i ? from_el2 : from_el1)) continue;
    u64 spsr = i ? EL2 : EL1;
    scr(base);
    is_free(name, code, spsr);
    scr(base ^ on);
    trapped(name, code, spsr, esr);
  }
  scr(base);
}

static void traps(void) {
  scr(base | TWI | TWE);
  static const u64 levels[] = {EL0, EL1, EL2};
  set(sctlr_el1, get(sctlr_el1) | bit(16) | bit(18));
  for (int i = 0; i < 3; i++) {
    trapped("SCR_EL3.TWI", wait_wfi, levels[i], ESR(1, 0x1e00000));
    trapped("SCR_EL3.TWE", wait_wfe, levels[i], ESR(1, 0x1e00001));
    check("SCR_EL3.TWE: ELR", seen.elr, (u64)wait_wfe + 4);
  }
  scr(base);
  if (max) {
    traps_of("SCR_EL3.TLOR", lor, TLOR, REGISTER_ESR(3, 0, 10, 4, 3, 5, 1), 1, 1);
    traps_of("SCR_EL3.TERR", err, TERR, REGISTER_ESR(3, 0, 5, 3, 0, 5, 1), 1, 1);
    traps_of("SCR_EL3.APK", key, APK, REGISTER_ESR(3, 0, 2, 1, 0, 5, 1), 1, 1);
    traps_of("SCR_EL3.API", pac, API, ESR(9, 0), 1, 1);
    if (get(id_aa64mmfr0_el1) >> 56 & 15) traps_of("SCR_EL3.FGTEn", fgt, FGTEN, REGISTER_ESR(3, 4, 1, 1, 4, 5, 1), 0, 1);
    if ((get(id_aa64mmfr0_el1) >> 60 & 15) > 1) traps_of("SCR_EL3.ECVEn", ecv, ECVEN, REGISTER_ESR(3, 4, 14, 0, 6, 5, 1), 0, 1);
  }
  set(cptr_el3, bit(10));
  trapped("CPTR_EL3.TFP at EL1", fp, EL1, ESR(7, 0x1e00000));
  trapped("CPTR_EL3.TFP at EL2", fp, EL2, ESR(7, 0x1e00000));
  run(fp, EL3);
  check("CPTR_EL3.TFP at EL3", seen.esr, ESR(7, 0x1e00000));
  set(cptr_el3, 0);
  is_free("CPTR_EL3.TFP", fp, EL1);
  is_free("CPTR_EL3.TCPAC", cpacr, EL1);
  is_free("CPTR_EL3.TCPAC", cptr2, EL2);
  set(cptr_el3, bit(31));
  trapped("CPTR_EL3.TCPAC: CPACR_EL1", cpacr, EL1, REGISTER_ESR(3, 0, 1, 0, 2, 5, 1));
  trapped("CPTR_EL3.TCPAC: CPTR_EL2", cptr2, EL2, REGISTER_ESR(3, 4, 1, 1, 2, 5, 1));
  set(cptr_el3, 0);
  struct {
    const char *name;
    const void *code;
    u64 bit, esr;
  } static const rows[] = {
    {"MDCR_EL3.TPM: PMCCNTR_EL0", pmu, bit(6), REGISTER_ESR(3, 3, 9, 13, 0, 5, 1)},
    {"MDCR_EL3.TPM: PMINTENSET_EL1", pmu_el1, bit(6), REGISTER_ESR(3, 0, 9, 14, 1, 5, 1)},
    {"MDCR_EL3.TDA: DBGBCR0_EL1", dbg, bit(9), REGISTER_ESR(2, 0, 0, 0, 5, 5, 1)},
    {"MDCR_EL3.TDOSA: OSLSR_EL1", osl, bit(10), REGISTER_ESR(2, 0, 1, 1, 4, 5, 1)},
  };
  for (u64 i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (int el = 0; el < 2; el++) {
      set(mdcr_el3, 0);
      is_free(rows[i].name, rows[i].code, el ? EL2 : EL1);
      set(mdcr_el3, rows[i].bit);
      trapped(rows[i].name, rows[i].code, el ? EL2 : EL1, rows[i].esr);
    }
  }
  set(mdcr_el3, 0);
  // The secure physical timer: EL3's, Secure EL1's with SCR_EL3.ST, nobody's in Non-secure state.
  scr(base & ~NS);
  trapped("SCR_EL3.ST clear: CNTPS_CTL_EL1 at Secure EL1", cntps, EL1, REGISTER_ESR(3, 7, 14, 2, 1, 5, 1));
  scr((base & ~NS) | ST);
  is_free("SCR_EL3.ST: CNTPS_CTL_EL1 at Secure EL1", cntps, EL1);
  scr(base | ST);
  run(cntps, EL1);
  check_call("CNTPS_CTL_EL1 at Non-secure EL1 is UNDEFINED", 0x104);
  // The interrupt controller's registers of a group whose interrupts EL3 takes.
  scr(base | IRQ);
  trapped("SCR_EL3.IRQ: ICC_IGRPEN1_EL1", igrpen1, EL1, REGISTER_ESR(3, 0, 12, 12, 7, 5, 1));
  is_free("SCR_EL3.IRQ: ICC_IGRPEN0_EL1", igrpen0, EL1);
  is_free("SCR_EL3.IRQ: ICC_PMR_EL1", pmr, EL1);
  scr(base | FIQ);
  trapped("SCR_EL3.FIQ: ICC_IGRPEN0_EL1", igrpen0, EL1, REGISTER_ESR(3, 0, 12, 12, 6, 5, 1));
  is_free("SCR_EL3.FIQ: ICC_IGRPEN1_EL1", igrpen1, EL1);
  is_free("SCR_EL3.FIQ: ICC_PMR_EL1", pmr, EL1);
  scr(base | FIQ | IRQ);
  trapped("SCR_EL3.IRQ and FIQ: ICC_PMR_EL1", pmr, EL2, REGISTER_ESR(3, 0, 4, 6, 0, 5, 1));
  scr(base);
}

#define GICD 0x08000000ul
#define GICR 0x080a0000ul
#define SGI_FRAME 0x080b0000ul

enum { GROUP0, GROUP1S, GROUP1NS };
static void init_gic(void) {
  // Both security states, affinity routing, all groups.
  mem32(GICD) = 0x30;
  mem32(GICD) = 0x37;
  mem32(GICR + 0x14) &= ~2u;
  while (mem32(GICR + 0x14) & 4) continue;
  set(icc_sre_el3, 0xf);
  set(icc_sre_el2, 0xf);
  set(icc_sre_el1, 7);
  set(icc_pmr_el1, 0xff);
  set(icc_igrpen0_el1, 1);
  set(icc_igrpen1_el3, 3);
  // SGI 1 to 3 are of groups 0, Secure 1, Non-secure 1.
  mem32(SGI_FRAME + 0x80) = 1 << 3;
  mem32(SGI_FRAME + 0xd00) = 1 << 2;
  *(volatile u8 *)(SGI_FRAME + 0x401) = 0x20;
  *(volatile u8 *)(SGI_FRAME + 0x402) = 0x20;
  *(volatile u8 *)(SGI_FRAME + 0x403) = 0xa0;
  mem32(SGI_FRAME + 0x100) = 0xe;
}
static void pend(int group) {
  mem32(SGI_FRAME + 0x280) = 0xe;
  if (group >= 0) mem32(SGI_FRAME + 0x200) = 2u << group;
  asm volatile("dsb sy");
}

static void interrupts(void) {
  static const char *const names[] = {"group 0", "Secure group 1", "Non-secure group 1"};
  for (int group = 0; group < 3; group++) {
    pend(group);
    for (int ns = 0; ns < 2; ns++) {
      int fiq = group == GROUP0 || (group == GROUP1S) == ns;
      const char *what = ns ? "in Non-secure state" : "in Secure state";
      u64 state = ns ? base : base & ~NS;
      // Routed to EL3: taken from below whatever PSTATE masks.
      scr(state | (fiq ? FIQ : IRQ));
      run(nops, EL1);
      check2(names[group], what, seen.vector, fiq ? 0x500 : 0x480);
      check2(names[group], "ELR", seen.elr, (u64)nops);
      // With only the other one routed to EL3 it is EL1's, as PSTATE says.
      scr(state | (fiq ? IRQ : FIQ));
      run(nops, EL1);
      check2(names[group], "masked at EL1", seen.esr, ESR_SMC(0));
      run(nops, 0x305);
      check2(names[group], "to EL1", seen.esr, ESR_SMC(fiq ? 0x106 : 0x105));
      scr(state);
      run(nops, 0x305);
      check2(names[group], "to EL1 with neither", seen.esr, ESR_SMC(fiq ? 0x106 : 0x105));
      if (!ns) continue;
      set(hcr_el2, HCR_RW | bit(3) | bit(4));
      run(nops, EL1);
      check2(names[group], "to EL2 by HCR_EL2", seen.esr, ESR_SMC(fiq ? 0x20a : 0x209));
      scr(state | FIQ | IRQ);
      run(nops, EL1);
      check2(names[group], "to EL3 before HCR_EL2", seen.vector, fiq ? 0x500 : 0x480);
      set(hcr_el2, HCR_RW);
    }
    // At EL3, with the routing bit and not masked: Secure group 1 and Non-secure group 1 are FIQs.
    scr(base | FIQ | IRQ);
    run(nops, 0x30d);
    check2(names[group], "at EL3", seen.vector, 0x300);
    scr(base);
    run(nops, 0x30d);
    check2(names[group], "at EL3, not routed to it", seen.esr, ESR_SMC(0));
    u64 hppir1, hppir0 = get(icc_hppir0_el1);
    hppir1 = get(icc_hppir1_el1);
    check2(names[group], "ICC_HPPIR0_EL1 at EL3", hppir0, group == GROUP0 ? 1 : group == GROUP1S ? 1020 : 1021);
    check2(names[group], "ICC_HPPIR1_EL1 at EL3", hppir1, group == GROUP0 ? 1023 : 1 + group);
  }
  pend(-1);
  // Non-secure state neither sees nor changes interrupts of the Secure groups.
  scr(base);
  mem32(SGI_FRAME + 0x200) = 0xe;
  go(load_w, EL1, SGI_FRAME + 0x200);
  check("Non-secure GICR_ISPENDR0", regs[0], 8);
  go(load_w, EL1, SGI_FRAME + 0x80);
  check("Non-secure GICR_IGROUPR0", regs[0], 0);
  scr(base & ~NS);
  go(load_w, EL1, SGI_FRAME + 0x200);
  check("Secure GICR_ISPENDR0", regs[0], 14);
  pend(-1);
  scr(base);
}

static void secure_memory(void) {
  mem64(SECURE_RAM + 0x100) = 0x123456789;
  for (int i = 0; i < 2; i++) {
    u64 at = i ? SECURE_UART + 0x18 : SECURE_RAM + 0x100;
    const char *name = i ? "secure UART" : "secure RAM";
    scr(base & ~NS);
    go(load_w, EL1, at);
    check2(name, "Secure EL1", seen.esr, ESR_SMC(0));
    if (!i) check2(name, "loaded", regs[0], 0x23456789);
    scr(base | EA);
    static const u64 levels[] = {EL0, EL1, EL2};
    for (int l = 0; l < 3; l++) {
      go(load_w, levels[l], at);
      check2(name, "Non-secure: class", seen.esr >> 26, 0x24);
      check2(name, "Non-secure: DFSC", seen.esr & 0x3f, EXTERNAL);
      check2(name, "Non-secure: FAR", seen.far, at);
    }
    go(store, EL1, SECURE_RAM + 0x100);
    go(jump, EL1, SECURE_RAM + 0x100);
    check2(name, "Non-secure fetch: class", seen.esr >> 26, 0x20);
  }
  check("secure RAM, not changed", mem64(SECURE_RAM + 0x100), 0x123456789);
  scr(base);
}

// Stage 1 of EL1: the image, and a page at 0x60000000 with the descriptor that is asked for.
#define S1 0x46200000ul
static void stage1(u64 page) {
  clear(S1);
  clear(S1 + 0x2000);
  clear(S1 + 0x4000);
  mem64(S1 + 8) = (S1 + 0x2000) | 3;
  mem64(S1 + 0x2000) = 0x40000000 | bit(10) | 3 << 8 | 1;
  mem64(S1 + 0x2000 + 8 * 256) = (S1 + 0x4000) | 3;
  mem64(S1 + 0x4000) = page;
  set(ttbr0_el1, S1);
  set(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | bit(23) | 2ul << 32);
  set(mair_el1, 0xff);
  flush();
}

static void secure_fetch(void) {
  // SCR_EL3.SIF: Secure state does not fetch from Non-secure memory.
  mem32(DATA) = 0xd4000023;  // smc #1
  asm volatile("dsb sy\n\tic iallu\n\tdsb sy\n\tisb");
  u64 sctlr = get(sctlr_el1);
  scr(base & ~NS);
  stage1(DATA | bit(10) | bit(5) | 3 << 8 | 3);
  set(sctlr_el1, sctlr | 1);
  go(jump, EL1, 0x60000000);
  check_call("SCR_EL3.SIF clear: a fetch of Non-secure memory", 1);
  scr((base & ~NS) | SIF);
  flush();
  go(jump, EL1, 0x60000000);
  check_call("SCR_EL3.SIF: a fetch of Non-secure memory", 0x104);
  check("SCR_EL3.SIF: ESR_EL1", get(esr_el1), ESR(0x21, 0xf));
  set(sctlr_el1, sctlr);
  scr(base);
}

#define ISS_LOAD (bit(24) | 3ul << 22 | bit(15))

/** FEAT_SEL2. */
static void secure_el2(void) {
  scr(base & ~NS);
  run(nops, EL2);
  check("EL2 in Secure state without SCR_EL3.EEL2: illegal return", seen.esr, ESR(0xe, 0));
  check("EL2 in Secure state without SCR_EL3.EEL2: vector", seen.vector, 0x200);
  if (!(get(id_aa64pfr0_el1) >> 36 & 15)) return;
  u64 secure = (base & ~NS) | EEL2;
  scr(secure);
  is_free("Secure EL2", nops, EL2);
  run(hvc5, EL1);
  check_call("HVC at Secure EL1 goes to Secure EL2", 0x208);
  // Stage 2 of Secure state, by VSTTBR_EL2.
  set(s3_4_c2_c6_2, VTCR & ~(7ul << 16));
  set(vtcr_el2, VTCR);
  set(s3_4_c2_c6_0, stage2(0, DATA | S2_RWX | 3));
  set(vttbr_el2, stage2(4, (DATA + 0x1000) | S2_RWX | 3));
  set(hcr_el2, HCR_RW | 1);
  mem64(DATA) = 1;
  mem64(DATA + 0x1000) = 2;
  flush();
  go(load, EL1, 0x50000000);
  check_call("stage 2 of Secure state", 0);
  check("stage 2 of Secure state: loaded", regs[0], 1);
  go(load, EL1, 0x50001008);
  check_call("Secure stage 2 fault", 0x208);
  check("Secure stage 2 fault: ESR_EL2", get(esr_el2), ESR(0x24, ISS_LOAD | 7));
  check("Secure stage 2 fault: FAR_EL2", get(far_el2), 0x50001008);
  check("Secure stage 2 fault: HPFAR_EL2", get(hpfar_el2), 0x500010);
  // A Non-secure intermediate physical address, of stage 1, is translated by VTTBR_EL2; HPFAR_EL2.NS tells.
  u64 sctlr = get(sctlr_el1);
  mem64(TABLE(1) + 8 * 49) = 0x46200000 | S2_RWX | 1;
  stage1(0x50000000 | bit(10) | bit(5) | 3 << 8 | 3);
  set(sctlr_el1, sctlr | 1);
  go(load, EL1, 0x60000000);
  check_call("stage 2 of a Non-secure address of Secure state", 0);
  check("stage 2 of a Non-secure address of Secure state: loaded", regs[0], 2);
  stage1(0x50001000 | bit(10) | bit(5) | 3 << 8 | 3);
  go(load, EL1, 0x60000010);
  check_call("stage 2 fault of a Non-secure address", 0x208);
  check("stage 2 fault of a Non-secure address: ESR_EL2", get(esr_el2), ESR(0x24, ISS_LOAD | 7));
  check("stage 2 fault of a Non-secure address: FAR_EL2", get(far_el2), 0x60000010);
  check("stage 2 fault of a Non-secure address: HPFAR_EL2", get(hpfar_el2), bit(63) | 0x500010);
  stage1(0x50001000 | bit(10) | 3 << 8 | 3);
  go(load, EL1, 0x60000010);
  check("stage 2 fault of a Secure address: HPFAR_EL2", get(hpfar_el2), 0x500010);
  set(sctlr_el1, sctlr);
  // Secure memory is behind Secure addresses, by VSTCR_EL2.SA; with it, their output is Non-secure.
  mem64(TABLE(2)) = SECURE_RAM | S2_RWX | 3;
  flush();
  go(load, EL1, 0x50000100);
  check_call("secure RAM by Secure stage 2", 0);
  check("secure RAM by Secure stage 2: loaded", regs[0], 0x123456789);
  struct {
    const char *name;
    u64 vstcr, vtcr, non_secure;
    int reached;
  } static const spaces[] = {
    {"a Secure address", 0, 0, 0, 1},
    {"a Secure address, VSTCR_EL2.SA", bit(30), 0, 0, 0},
    {"a Secure address, VSTCR_EL2.SW, which makes SA count as 1", bit(29), 0, 0, 0},
    {"a Non-secure address", 0, 0, bit(5), 1},
    {"a Non-secure address, VTCR_EL2.NSA", 0, bit(30), bit(5), 0},
    {"a Non-secure address, VTCR_EL2.NSW, which makes NSA count as 1", 0, bit(29), bit(5), 0},
    {"a Non-secure address, VSTCR_EL2.SA, which makes NSA count as 1", bit(30), 0, bit(5), 0},
  };
  mem64(TABLE(6)) = SECURE_RAM | S2_RWX | 3;
  set(sctlr_el1, sctlr | 1);
  scr(secure | EA);
  for (u64 i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    set(s3_4_c2_c6_2, (VTCR & ~(7ul << 16)) | spaces[i].vstcr);
    set(vtcr_el2, VTCR | spaces[i].vtcr);
    stage1(0x50000000 | bit(10) | spaces[i].non_secure | 3 << 8 | 3);
    go(load, EL1, 0x60000100);
    if (spaces[i].reached) {
      check_call(spaces[i].name, 0);
      check2(spaces[i].name, "loaded from secure RAM", regs[0], 0x123456789);
    } else {
      check2(spaces[i].name, "is not Secure memory: class", seen.esr >> 26, 0x24);
      check2(spaces[i].name, "is not Secure memory: DFSC", seen.esr & 0x3f, EXTERNAL);
    }
  }
  set(s3_4_c2_c6_2, VTCR & ~(7ul << 16));
  set(vtcr_el2, VTCR);
  mem64(TABLE(6)) = (DATA + 0x1000) | S2_RWX | 3;
  set(sctlr_el1, sctlr);
  // Secure EL2 has Secure EL1's interrupts and SMCs by HCR_EL2.
  scr(secure);
  set(hcr_el2, HCR_RW | bit(3) | bit(4) | bit(19));
  pend(GROUP1S);
  run(nops, EL1);
  check_call("Secure group 1 to Secure EL2", 0x209);
  pend(GROUP1NS);
  run(nops, EL1);
  check_call("Non-secure group 1 to Secure EL2", 0x20a);
  pend(-1);
  run(smc7, EL1);
  check_call("HCR_EL2.TSC of Secure EL2", 0x208);
  check("HCR_EL2.TSC of Secure EL2: ESR_EL2", get(esr_el2), ESR_SMC(7));
  scr(base & ~NS);
  run(smc7, EL1);
  check_call("HCR_EL2.TSC without SCR_EL3.EEL2", 7);
  set(hcr_el2, HCR_RW | 1);
  // Non-secure state has its own stage 2, the same VTTBR_EL2, and not VSTTBR_EL2.
  scr(base | EA);
  flush();
  go(load, EL1, 0x50000000);
  check_call("Non-secure stage 2", 0);
  check("Non-secure stage 2: loaded", regs[0], 2);
  mem64(TABLE(6)) = SECURE_RAM | S2_RWX | 3;
  flush();
  go(load, EL1, 0x50000100);
  check("secure RAM by Non-secure stage 2: class", seen.esr >> 26, 0x24);
  check("secure RAM by Non-secure stage 2: DFSC", seen.esr & 0x3f, EXTERNAL);
  check("secure RAM by Non-secure stage 2: vector", seen.vector, LOWER);
  set(hcr_el2, HCR_RW);
  scr(base);
}

static void secure_timer(void) {
  set(cntps_cval_el1, 0);
  set(cntps_ctl_el1, 1);
  check("CNTPS_CTL_EL1", get(cntps_ctl_el1), 5);
  asm volatile("dsb sy");
  check("CNTPS: pending", mem32(SGI_FRAME + 0x200) >> 29 & 1, 1);
  // It is of Secure group 1, and priority 0x20.
  mem32(SGI_FRAME + 0xd00) |= 1u << 29;
  *(volatile u8 *)(SGI_FRAME + 0x400 + 29) = 0x20;
  mem32(SGI_FRAME + 0x100) = 1u << 29;
  scr(base & ~NS);
  run(nops, 0x345);
  check_call("CNTPS: IRQ of Secure EL1", 0x105);
  scr(base | FIQ);
  run(nops, EL1);
  check("CNTPS: FIQ to EL3 from Non-secure EL1", seen.vector, 0x500);
  check("CNTPS: ICC_IAR1_EL1 at EL3", get(icc_iar1_el1), 29);
  set(cntps_ctl_el1, 0);
  set(icc_eoir1_el1, 29);
  run(nops, EL1);
  check_call("CNTPS: disabled", 0);
  scr(base);
}

CODE(vsttbr, "mrs x5, s3_4_c2_c6_0");
static void secure_registers(void) {
  if (!(get(id_aa64pfr0_el1) >> 36 & 15)) return;
  scr(base);
  run(vsttbr, EL2);
  check_call("VSTTBR_EL2 at Non-secure EL2", 0x204);
  check("VSTTBR_EL2 at Non-secure EL2: ESR_EL2", get(esr_el2), ESR_UNKNOWN);
  scr((base & ~NS) | EEL2);
  is_free("VSTTBR_EL2 at Secure EL2", vsttbr, EL2);
  scr(base);
}

void tests(void) {
  max = get(id_aa64mmfr1_el1) >> 8 & 15;
  base = bit(4) | bit(5) | RW | HCE | NS | (max ? APK | API : 0);
  if (get(id_aa64mmfr0_el1) >> 56 & 15) base |= FGTEN;
  if ((get(id_aa64mmfr0_el1) >> 60 & 15) > 1) base |= ECVEN;
  scr(base);
  set(cptr_el3, 0);
  set(cptr_el2, 0x33ff);
  set(mdcr_el3, 0);
  set(mdcr_el2, 6);
  set(cpacr_el1, 3 << 20);
  set(hcr_el2, HCR_RW | (max ? bit(40) | bit(41) : 0));
  set(sctlr_el1, 0x30d00800);
  set(sctlr_el2, 0x30c50830);
  init_gic();
  calls();
  aborts();
  stage2_aborts();
  set(hcr_el2, HCR_RW | (max ? bit(40) | bit(41) : 0));
  traps();
  set(hcr_el2, HCR_RW);
  interrupts();
  secure_memory();
  secure_fetch();
  secure_el2();
  secure_registers();
  secure_timer();
}
