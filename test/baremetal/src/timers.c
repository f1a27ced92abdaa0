// QEMU 7.2 does not connect CNTHV to the interrupt controller.
// EL2's timers and the virtual offset, as a guest and its hypervisor see them. host.S has what FEAT_VHE adds, lists.c the way to a guest.
#include "hyp.h"

#define GICD 0x08000000ul
#define GICR 0x080a0000ul
#define SGI_FRAME 0x080b0000ul
#define RW bit(31)
#define IMO bit(4)

CODE(counters, "isb\n mrs x0, cntpct_el0\n isb\n mrs x1, cntvct_el0\n isb\n mrs x2, cntpct_el0");
CODE(spin, "1: b 1b");
CODE(virtual_timer, "mrs x0, cntvct_el0\n sub x0, x0, #1\n msr cntv_cval_el0, x0\n mov x1, #1\n msr cntv_ctl_el0, x1\n isb\n"
                    "mrs x2, cntv_ctl_el0\n mrs x3, cntv_tval_el0\n msr cntv_ctl_el0, xzr\n mov x4, #1000\n msr cntv_tval_el0, x4\n isb\n"
                    "mrs x5, cntv_cval_el0\n mrs x6, cntvct_el0");
CODE(physical_timer, "mrs x0, cntpct_el0\n sub x0, x0, #1\n msr cntp_cval_el0, x0\n mov x1, #1\n msr cntp_ctl_el0, x1\n isb\n"
                     "mrs x2, cntp_ctl_el0\n msr cntp_ctl_el0, xzr\n isb");

static u64 pending(u64 intid) {
  asm volatile("dsb sy");
  return mem32(SGI_FRAME + 0x200) >> intid & 1;
}

static void init(void) {
  mem32(GICD) = 0x12;
  mem32(GICR + 0x14) &= ~2u;
  while (mem32(GICR + 0x14) & 4) continue;
  mem32(SGI_FRAME + 0x80) = -1;
  set(icc_sre_el2, 0xf);
  set(icc_sre_el1, 7);
  set(icc_pmr_el1, 0xf0);
  set(icc_igrpen1_el1, 1);
}

static void offset(u64 value) {
  set(cntvoff_el2, value);
  run(counters, EL1);
  check("CNTVCT_EL0 is CNTPCT_EL0 less CNTVOFF_EL2", regs[1] >= regs[0] - value && regs[1] <= regs[2] - value, 1);
  u64 before = get(cntpct_el0), at = get(cntvct_el0), after = get(cntpct_el0);
  check("CNTVCT_EL0 at EL2, too", at >= before - value && at <= after - value, 1);
  run(virtual_timer, EL1);
  check("CNTV_CVAL_EL0 of the past: CNTV_CTL_EL0", regs[2], 5);
  check("CNTV_TVAL_EL0 of the past is negative", regs[3] >> 31 & 1, 1);
  check("CNTV_TVAL_EL0 written is relative to CNTVCT_EL0", regs[6] - regs[5] + 1000 < 1ul << 32 && regs[5] - regs[0] < 1ul << 32, 1);
}

#define TIMER(name, prefix, intid)                                                                                             \
  static void name(void) {                                                                                                     \
    u64 now = get(cntpct_el0);                                                                                                 \
    set(prefix##_cval_el2, now + bit(40));                                                                                     \
    set(prefix##_ctl_el2, 1);                                                                                                  \
    check(#name ": not yet: CTL", get(prefix##_ctl_el2), 1);                                                                 \
    check(#name ": not yet", pending(intid), 0);                                                                             \
    set(prefix##_cval_el2, now);                                                                                               \
    check(#name ": CTL", get(prefix##_ctl_el2), 5);                                                                          \
    check(#name ": pending", pending(intid), 1);                                                                             \
    set(prefix##_ctl_el2, 3);                                                                                                  \
    check(#name ": masked: CTL", get(prefix##_ctl_el2), 7);                                                                  \
    check(#name ": masked", pending(intid), 0);                                                                              \
    set(prefix##_ctl_el2, 0);                                                                                                  \
    check(#name ": disabled", pending(intid), 0);                                                                            \
    /* It ends a loop of EL1 that masks interrupts. */                                                                         \
    mem32(SGI_FRAME + 0x100) = 1u << intid;                                                                                    \
    set(prefix##_tval_el2, get(cntfrq_el0) >> 8);                                                                              \
    set(prefix##_ctl_el2, 1);                                                                                                  \
    set(hcr_el2, RW | IMO);                                                                                                    \
    run(spin, EL1);                                                                                                            \
    check(#name ": IRQ from EL1", seen.vector, 0x480);                                                                       \
    check(#name ": IRQ from EL1: ELR", seen.elr, (u64)spin);                                                                 \
    check(#name ": INTID", get(icc_iar1_el1), intid);                                                                        \
    set(prefix##_ctl_el2, 0);                                                                                                  \
    set(icc_eoir1_el1, intid);                                                                                                 \
    check(#name ": TVAL", get(prefix##_tval_el2) >> 31 & 1, 1);                                                              \
    mem32(SGI_FRAME + 0x180) = 1u << intid;                                                                                    \
    set(hcr_el2, RW);                                                                                                          \
  }
TIMER(cnthp, cnthp, 26)
#define cnthv_cval_el2 s3_4_c14_c3_2
#define cnthv_ctl_el2 s3_4_c14_c3_1
#define cnthv_tval_el2 s3_4_c14_c3_0
TIMER(cnthv, cnthv, 28)

static void event_stream(void) {
  // Events at each change of bit 4 of the counter from 0 to 1; without them, the second WFE would wait for ever.
  set(cnthctl_el2, 3 | 1 << 2 | 4 << 4);
  for (int i = 0; i < 4; i++) asm volatile("wfe");
  set(cnthctl_el2, 3);
  check("CNTHCTL_EL2.EVNTEN ends WFE", 1, 1);
}

static void physical_offset(void) {
  u64 value = bit(42);
  set(s3_4_c14_c0_6, value);
  set(cntvoff_el2, 0);
  run(counters, EL1);
  check("CNTPOFF_EL2 without CNTHCTL_EL2.ECV", regs[0] >> 42, 0);
  set(cnthctl_el2, 3 | bit(12));
  run(counters, EL1);
  check("CNTPOFF_EL2 with CNTHCTL_EL2.ECV", regs[0] >> 42, 0x3fffff);
  check("CNTPOFF_EL2: not for CNTVCT_EL0", regs[1] >> 42, 0);
  run(physical_timer, EL1);
  check("CNTPOFF_EL2: the EL1 physical timer", regs[2], 5);
  check("CNTPOFF_EL2: not for EL2", get(cntpct_el0) >> 42, 0);
  set(cnthctl_el2, 3);
}

void tests(void) {
  init();
  set(hcr_el2, RW);
  set(cnthctl_el2, 3);
  offset(0);
  offset(0x123456789abc);
  offset(-5);
  set(cntvoff_el2, 0);
  cnthp();
  if (get(id_aa64mmfr1_el1) >> 8 & 15) cnthv();
  event_stream();
  if ((get(id_aa64mmfr0_el1) >> 60 & 15) > 1) physical_offset();
}
