// List registers: the states of a virtual interrupt, EOI modes, priorities, the link to a physical interrupt, maintenance, the virtual timer.
// QEMU 7.2 differs: its GICv2 has no aliased registers of group 1, and its GICv3 counts in EOIcount what a priority drop alone ended.
// variants: gicv2=2 gicv3=3
#include "hyp.h"

#define GICD 0x08000000ul
#define GICC 0x08010000ul
#define GICH 0x08030000ul
#define GICV 0x08040000ul
#define GICR 0x080a0000ul
#define SGI_FRAME 0x080b0000ul
#define PRIVATE (GRANULE == 2 ? GICD : SGI_FRAME)

enum { INVALID, PENDING, ACTIVE, BOTH };
enum { EN = 1, UIE = 2, LRENPIE = 4, NPIE = 8, GRP0EIE = 16, GRP0DIE = 32, GRP1EIE = 64, GRP1DIE = 128 };
enum { M_EOI = 1, M_U = 2, M_LRENP = 4, M_NP = 8, M_GRP0E = 16, M_GRP0D = 32, M_GRP1E = 64, M_GRP1D = 128 };
#define HCR (bit(31) | bit(4) | bit(3))
#define SPURIOUS 1023

// The guest's view: ICV_* registers at EL1, or GICV_*, which EL2 uses in its place.
#if GRANULE == 3
#define READ(name, register)                                                                                                   \
  CODE(name##_code, "mrs x0, " #register);                                                                                     \
  static u64 name(void) {                                                                                                      \
    run(name##_code, EL1);                                                                                                     \
    return regs[0];                                                                                                            \
  }
#define WRITE(name, register)                                                                                                  \
  CODE(name##_code, "msr " #register ", x0\n isb");                                                                            \
  static void name(u64 value) {                                                                                                \
    regs[0] = value;                                                                                                           \
    run(name##_code, EL1);                                                                                                     \
  }
READ(iar0, icc_iar0_el1)
READ(iar1, icc_iar1_el1)
READ(hppir0, icc_hppir0_el1)
READ(hppir1, icc_hppir1_el1)
READ(running, icc_rpr_el1)
WRITE(eoir0, icc_eoir0_el1)
WRITE(eoir1, icc_eoir1_el1)
WRITE(dir, icc_dir_el1)
WRITE(pmr, icc_pmr_el1)
WRITE(bpr0, icc_bpr0_el1)
WRITE(igrpen0, icc_igrpen0_el1)
WRITE(igrpen1, icc_igrpen1_el1)
WRITE(ctlr, icc_ctlr_el1)
static void groups(u64 both) {
  igrpen0(both & 1);
  igrpen1(both >> 1 & 1);
}
static void eoi_mode(u64 mode) {
  ctlr(mode << 1);
}
static void set_hcr(u64 value) {
  set(ich_hcr_el2, value);
}
static u64 get_hcr(void) {
  return get(ich_hcr_el2);
}
static u64 misr(void) {
  return get(ich_misr_el2);
}
static u64 eisr(void) {
  return get(ich_eisr_el2);
}
static u64 elrsr(void) {
  return get(ich_elrsr_el2);
}
static u64 vmcr(void) {
  return get(ich_vmcr_el2);
}
static void clear_active(void) {
  set(ich_ap0r0_el2, 0);
  set(ich_ap1r0_el2, 0);
}
static u64 active_priorities(void) {
  return get(ich_ap0r0_el2) | get(ich_ap1r0_el2);
}
static u64 get_lr(int n) {
  return n == 0 ? get(ich_lr0_el2) : n == 1 ? get(ich_lr1_el2) : n == 2 ? get(ich_lr2_el2) : get(ich_lr3_el2);
}
static void set_lr(int n, u64 value) {
  if (n == 0) set(ich_lr0_el2, value);
  else if (n == 1) set(ich_lr1_el2, value);
  else if (n == 2) set(ich_lr2_el2, value);
  else set(ich_lr3_el2, value);
}
static u64 state(int n) {
  return get_lr(n) >> 62;
}
/** physical: the INTID of a list register with HW, or 0. */
static void list(int n, u64 intid, u64 to, u64 priority, u64 group, u64 physical, u64 eoi) {
  set_lr(n, to << 62 | (physical ? 1ul << 61 | physical << 32 : eoi << 41) | group << 60 | priority << 48 | intid);
}
static u64 acknowledge_physical(void) {
  return get(icc_iar1_el1);
}
static void drop_physical(u64 intid) {
  set(icc_eoir1_el1, intid);
}
static void init(void) {
  mem32(GICD) = 0x12;
  mem32(GICR + 0x14) &= ~2u;
  while (mem32(GICR + 0x14) & 4) continue;
  mem32(SGI_FRAME + 0x80) = -1;
  set(icc_sre_el2, 0xf);
  set(icc_sre_el1, 7);
  set(icc_pmr_el1, 0xf0);
  set(icc_ctlr_el1, 2);
  set(icc_igrpen1_el1, 1);
}
#else
#define gicv(offset) mem32(GICV + (offset))
#define gich(offset) mem32(GICH + (offset))
static u64 iar0(void) {
  return gicv(0xc) & 0x3ff;
}
static u64 iar1(void) {
  return gicv(0x20) & 0x3ff;
}
static u64 hppir0(void) {
  return gicv(0x18) & 0x3ff;
}
static u64 hppir1(void) {
  return gicv(0x28) & 0x3ff;
}
static u64 running(void) {
  return gicv(0x14);
}
static void eoir0(u64 intid) {
  gicv(0x10) = intid;
}
static void eoir1(u64 intid) {
  gicv(0x24) = intid;
}
static void dir(u64 intid) {
  gicv(0x1000) = intid;
}
static void pmr(u64 value) {
  gicv(4) = value;
}
static void bpr0(u64 value) {
  gicv(8) = value;
}
/** FIQEn: group 0 as FIQ. */
static void groups(u64 both) {
  gicv(0) = (gicv(0) & 0x200) | both | 8;
}
static void eoi_mode(u64 mode) {
  gicv(0) = (gicv(0) & ~0x200u) | mode << 9;
}
static void set_hcr(u64 value) {
  gich(0) = value;
}
static u64 get_hcr(void) {
  return gich(0);
}
static u64 misr(void) {
  return gich(0x10);
}
static u64 eisr(void) {
  return gich(0x20);
}
static u64 elrsr(void) {
  return gich(0x30);
}
static u64 vmcr(void) {
  return gich(8);
}
static void clear_active(void) {
  gich(0xf0) = 0;
}
static u64 active_priorities(void) {
  return gich(0xf0);
}
static void set_lr(int n, u64 value) {
  gich(0x100 + 4 * n) = value;
}
static u64 state(int n) {
  return gich(0x100 + 4 * n) >> 28 & 3;
}
static void list(int n, u64 intid, u64 to, u64 priority, u64 group, u64 physical, u64 eoi) {
  set_lr(n, (physical ? 1ul << 31 | physical << 10 : eoi << 19) | group << 30 | to << 28 | (priority >> 3) << 23 | intid);
}
static u64 acknowledge_physical(void) {
  return mem32(GICC + 0xc) & 0x3ff;
}
static void drop_physical(u64 intid) {
  mem32(GICC + 0x10) = intid;
}
static void init(void) {
  mem32(GICD) = 1;
  mem32(GICC + 4) = 0xf0;
  mem32(GICC) = 0x201;
}
#endif

static void enable(u64 intid) {
  mem32(PRIVATE + 0x100) = 1u << intid;
  *(volatile u8 *)(PRIVATE + 0x400 + intid) = 0x80;
  asm volatile("dsb sy");
}
static u64 physical_active(u64 intid) {
  return mem32(PRIVATE + 0x300) >> intid & 1;
}
static u64 physical_pending(u64 intid) {
  return mem32(PRIVATE + 0x200) >> intid & 1;
}

CODE(isr, "mrs x0, isr_el1");
CODE(nops, "nop\n nop");
/** What EL1 sees pending: bit 7 IRQ, bit 6 FIQ. */
static u64 lines(void) {
  run(isr, EL1);
  return regs[0];
}

static void reset(void) {
  set(hcr_el2, HCR);
  for (int n = 0; n < 4; n++) set_lr(n, 0);
  clear_active();
  set_hcr(EN);
  pmr(0xf8);
  bpr0(0);
  groups(3);
  eoi_mode(0);
}

static void states(int group) {
  u64 (*iar)(void) = group ? iar1 : iar0;
  void (*eoir)(u64) = group ? eoir1 : eoir0;
  const char *g = group ? "group 1" : "group 0";
  reset();
  check2(g, "nothing: IAR", iar(), SPURIOUS);
  check2(g, "nothing: lines", lines(), 0);
  check2(g, "nothing: RPR", running(), 0xff);
  list(0, 40, PENDING, 0x80, group, 0, 0);
  check2(g, "pending: line", lines(), group ? 0x80 : 0x40);
  check2(g, "pending: HPPIR", group ? hppir1() : hppir0(), 40);
  check2(g, "pending: IAR", iar(), 40);
  check2(g, "acknowledged: active", state(0), ACTIVE);
  check2(g, "acknowledged: RPR", running(), 0x80);
  check2(g, "acknowledged: a priority is active", active_priorities() != 0, 1);
  check2(g, "acknowledged: line", lines(), 0);
  // Pending again while active.
  list(0, 40, BOTH, 0x80, group, 0, 0);
  check2(g, "pending and active: line", lines(), 0);
  check2(g, "pending and active: IAR", iar(), SPURIOUS);
  eoir(40);
  check2(g, "pending and active, ended: pending", state(0), PENDING);
  check2(g, "ended: RPR", running(), 0xff);
  check2(g, "ended: no priority is active", active_priorities(), 0);
  check2(g, "pending again: IAR", iar(), 40);
  eoir(40);
  check2(g, "ended: invalid", state(0), INVALID);
  check2(g, "ended: ELRSR", elrsr() & 1, 1);
  // EOImode: priority drop, then deactivation.
  eoi_mode(1);
  list(0, 41, PENDING, 0x80, group, 0, 0);
  check2(g, "EOImode 1: IAR", iar(), 41);
  eoir(41);
  check2(g, "EOImode 1, dropped: active", state(0), ACTIVE);
  check2(g, "EOImode 1, dropped: RPR", running(), 0xff);
  list(1, 42, PENDING, 0x80, group, 0, 0);
  check2(g, "EOImode 1: one of the same priority is next: IAR", iar(), 42);
  dir(41);
  check2(g, "EOImode 1, deactivated: invalid", state(0), INVALID);
  check2(g, "EOImode 1, deactivated: RPR", running(), 0x80);
  eoir(42);
  dir(42);
  check2(g, "EOImode 1, deactivated: the second, too", state(1), INVALID);
  check2(g, "EOIcount", get_hcr() >> 27, 0);
  eoi_mode(0);
}

static void priorities(void) {
  reset();
  // In any list register, the highest priority is first.
  list(0, 50, PENDING, 0x90, 0, 0, 0);
  list(1, 51, PENDING, 0x50, 0, 0, 0);
  list(3, 52, PENDING, 0x70, 0, 0, 0);
  check("priorities: the first", iar0(), 51);
  check("priorities: the second has to wait", iar0(), SPURIOUS);
  check("priorities: no line while it waits", lines(), 0);
  eoir0(51);
  check("priorities: the second", iar0(), 52);
  // Preemption.
  list(1, 53, PENDING, 0x20, 0, 0, 0);
  check("preemption: line", lines(), 0x40);
  check("preemption: IAR", iar0(), 53);
  check("preemption: RPR", running(), 0x20);
  eoir0(53);
  check("preemption, ended: RPR", running(), 0x70);
  eoir0(52);
  check("priorities: the last", iar0(), 50);
  eoir0(50);
  // The priority mask.
  list(0, 50, PENDING, 0x90, 0, 0, 0);
  pmr(0x90);
  check("priority mask: line", lines(), 0);
  check("priority mask: IAR", iar0(), SPURIOUS);
  pmr(0x98);
  check("priority mask, below it: line", lines(), 0x40);
  check("priority mask, below it: IAR", iar0(), 50);
  eoir0(50);
  pmr(0xf8);
  // The binary point: with 5, priorities are of the same group by bits 7 and 6.
  bpr0(5);
  list(0, 50, PENDING, 0x78, 0, 0, 0);
  iar0();
  list(1, 51, PENDING, 0x40, 0, 0, 0);
  check("binary point, same group: IAR", iar0(), SPURIOUS);
  list(2, 52, PENDING, 0x38, 0, 0, 0);
  check("binary point, higher group: IAR", iar0(), 52);
  eoir0(52);
  eoir0(50);
  check("binary point, after: IAR", iar0(), 51);
  eoir0(51);
  // Groups.
  reset();
  list(0, 50, PENDING, 0x80, 1, 0, 0);
  list(1, 51, PENDING, 0x40, 0, 0, 0);
  check("both groups: lines", lines(), 0x40);
  check("group 0 is first: IAR1", iar1(), SPURIOUS);
  check("group 0 is first: IAR0", iar0(), 51);
  eoir0(51);
  check("group 1 is next: line", lines(), 0x80);
  check("group 1 is next: IAR0", iar0(), GRANULE == 2 ? 1022 : SPURIOUS);
  groups(1);
  check("group 1 disabled: line", lines(), 0);
  groups(3);
  check("group 1 is next: IAR1", iar1(), 50);
  eoir1(50);
  // With CBPR, group 1 has the binary point of group 0, whose bits of a priority's group do not tell these two apart.
  reset();
  for (int cbpr = 0; cbpr < 2; cbpr++) {
    bpr0(5);
#if GRANULE == 3
    ctlr(cbpr);
#else
    gicv(0x1c) = 3;
    gicv(0) = (gicv(0) & ~0x10u) | (u32)cbpr << 4;
#endif
    list(0, 50, PENDING, 0x78, 1, 0, 0);
    iar1();
    list(1, 51, PENDING, 0x40, 1, 0, 0);
    check(cbpr ? "CBPR: IAR1" : "without CBPR: IAR1", iar1(), cbpr ? SPURIOUS : 51);
    if (!cbpr) eoir1(51);
    eoir1(50);
    set_lr(1, 0);
  }
  reset();
#if GRANULE == 2
  gicv(0) &= ~0x10u;
  // The list register of an SGI has the PE that it came from.
  set_lr(0, 1u << 28 | 16u << 23 | 5u << 10 | 3);
  check("SGI: GICV_HPPIR", gicv(0x18), 5 << 10 | 3);
  check("SGI: GICV_IAR", gicv(0xc), 5 << 10 | 3);
  eoir0(5 << 10 | 3);
  check("SGI: ended", state(0), INVALID);
#else
  ctlr(0);
#endif
  // The interface as a whole.
  list(0, 50, PENDING, 0x80, 1, 0, 0);
  set_hcr(0);
  check("ICH_HCR_EL2.En clear: line", lines(), 0);
  set_hcr(EN);
  check("ICH_HCR_EL2.En set: line", lines(), 0x80);
  set(hcr_el2, HCR);
  run(nops, 0x345);
  check_call("a virtual IRQ is taken to EL1", 0x105);
  check("a virtual IRQ: ELR_EL1", get(elr_el1), (u64)nops);
  set_lr(0, 0);
  list(0, 50, PENDING, 0x80, 0, 0, 0);
  run(nops, 0x385);
  check_call("a virtual FIQ is taken to EL1", 0x106);
}

static void maintenance(const char *what, u64 enables, u64 expected) {
  set_hcr(EN | enables);
  check2(what, "MISR", misr() & expected, expected);
  check2(what, "interrupt", physical_pending(25), 1);
  set_hcr(EN);
  check2(what, "not enabled: MISR", misr() & expected, 0);
}
static void no_maintenance(const char *what, u64 enables) {
  set_hcr(EN | enables);
  check2(what, "MISR", misr(), 0);
  check2(what, "interrupt", physical_pending(25), 0);
  set_hcr(EN);
}

static void maintenances(void) {
  reset();
  enable(25);
  maintenance("underflow: none valid", UIE, M_U);
  list(0, 40, PENDING, 0x80, 1, 0, 0);
  maintenance("underflow: one valid", UIE, M_U);
  list(2, 41, ACTIVE, 0x80, 1, 0, 0);
  no_maintenance("no underflow: two valid", UIE);
  no_maintenance("one pending", NPIE);
  list(0, 40, ACTIVE, 0x80, 1, 0, 0);
  maintenance("none pending", NPIE, M_NP);
  list(0, 40, BOTH, 0x80, 1, 0, 0);
  maintenance("none pending: one pending and active", NPIE, M_NP);
  maintenance("group 0 enabled", GRP0EIE, M_GRP0E);
  maintenance("group 1 enabled", GRP1EIE, M_GRP1E);
  no_maintenance("groups enabled, not disabled", GRP0DIE | GRP1DIE);
  groups(0);
  maintenance("group 0 disabled", GRP0DIE, M_GRP0D);
  maintenance("group 1 disabled", GRP1DIE, M_GRP1D);
  no_maintenance("groups disabled, not enabled", GRP0EIE | GRP1EIE);
  // EOI.
  reset();
  list(1, 40, PENDING, 0x80, 1, 0, 1);
  check("EOI: pending: EISR", eisr(), 0);
  iar1();
  check("EOI: active: MISR", misr(), 0);
  eoir1(40);
  check("EOI: ended: EISR", eisr(), 2);
  check("EOI: ended: MISR", misr() & M_EOI, M_EOI);
  check("EOI: ended: interrupt", physical_pending(25), 1);
  check("EOI: ended: ELRSR", elrsr() & 2, 0);
  set_lr(1, 0);
  check("EOI: cleared: MISR", misr(), 0);
  check("EOI: cleared: ELRSR", elrsr() & 15, 15);
  check("EOI: cleared: interrupt", physical_pending(25), 0);
  // An interrupt that is not in the list registers any more is counted when it ends.
  list(0, 40, PENDING, 0x80, 1, 0, 0);
  iar1();
  set_lr(0, 0);
  no_maintenance("EOIcount of 0", LRENPIE);
  eoir1(40);
  check("not present: EOIcount", get_hcr() >> 27, 1);
  check("not present: priority dropped", running(), 0xff);
  set_hcr(get_hcr() | LRENPIE);
  check("not present: MISR", misr() & M_LRENP, M_LRENP);
  check("not present: interrupt", physical_pending(25), 1);
  set_hcr(EN);
  eoi_mode(1);
  list(0, 40, PENDING, 0x80, 1, 0, 0);
  iar1();
  set_lr(0, 0);
  eoir1(40);
  check("not present, EOImode 1: EOIcount after the drop", get_hcr() >> 27, 0);
  dir(40);
  check("not present, EOImode 1: EOIcount after DIR", get_hcr() >> 27, 1);
  set_hcr(EN);
  mem32(PRIVATE + 0x180) = 1u << 25;
}

/** A list register of a physical interrupt, here SGI-like PPI 27 made active by the distributor. */
static void linked(void) {
  for (int mode = 0; mode < 2; mode++) {
    const char *name = mode ? "HW, EOImode 1" : "HW, EOImode 0";
    reset();
    eoi_mode(mode);
    mem32(PRIVATE + 0x300) = 1u << 27;
    check2(name, "physical active", physical_active(27), 1);
    list(0, 60, PENDING, 0x80, 1, 27, 0);
    check2(name, "IAR", iar1(), 60);
    eoir1(60);
    check2(name, "physical after EOIR", physical_active(27), mode);
    if (mode) dir(60);
    check2(name, "physical, ended", physical_active(27), 0);
    check2(name, "ended", state(0), INVALID);
  }
}

CODE(start_timer, "msr cntv_cval_el0, xzr\n mov x0, #1\n msr cntv_ctl_el0, x0\n isb\n nop\n nop\n mov x5, #0\n1: add x5, x5, #1\n tbz x5, #24, 1b");
CODE(stop_timer, "msr cntv_ctl_el0, xzr\n isb");

static void virtual_timer(void) {
  reset();
  set(cnthctl_el2, 3);
  set(cntvoff_el2, 0);
  enable(27);
  run(start_timer, EL1);
  check("virtual timer: IRQ to EL2, though EL1 masks it", seen.vector, 0x480);
  check("virtual timer: IAR", acknowledge_physical(), 27);
  drop_physical(27);
  check("virtual timer: physical active", physical_active(27), 1);
  list(0, 27, PENDING, 0x80, 1, 27, 0);
  run(nops, 0x345);
  check_call("virtual timer: virtual IRQ to EL1", 0x105);
  check("virtual timer: EL1's IAR", iar1(), 27);
  run(stop_timer, EL1);
  check("virtual timer: still active", physical_active(27), 1);
  eoir1(27);
  check("virtual timer: EL1's EOI deactivates the physical one", physical_active(27), 0);
  check("virtual timer: not pending", physical_pending(27), 0);
  run(nops, 0x305);
  check_call("virtual timer: nothing more", 0);
  // Not stopped, the level makes it pending again.
  run(start_timer, EL1);
  acknowledge_physical();
  drop_physical(27);
  list(0, 27, PENDING, 0x80, 1, 27, 0);
  iar1();
  // GICv3's guest runs for that, so its next exit may be the interrupt.
  check("virtual timer, not stopped: held off while active", (lines(), seen.vector), 0x400);
  eoir1(27);
  run(nops, EL1);
  check("virtual timer, not stopped: IRQ to EL2 again", seen.vector, 0x480);
  set(cntv_ctl_el0, 0);
  acknowledge_physical();
}

CODE(read_pmr, "mrs x0, icc_pmr_el1\n mrs x1, icc_igrpen1_el1\n mrs x2, icc_igrpen0_el1\n mrs x3, icc_ctlr_el1");

static void control(void) {
  reset();
#if GRANULE == 3
  pmr(0x88);
  bpr0(4);
  eoi_mode(1);
  groups(1);
  check("ICH_VMCR_EL2: VPMR", vmcr() >> 24, 0x88);
  check("ICH_VMCR_EL2: VBPR0", vmcr() >> 21 & 7, 4);
  check("ICH_VMCR_EL2: VEOIM", vmcr() >> 9 & 1, 1);
  check("ICH_VMCR_EL2: VENG", vmcr() & 3, 1);
  set(ich_vmcr_el2, 0x50ul << 24 | 2);
  run(isr, EL1);
  regs[0] = 0;
  run(read_pmr, EL1);
  check("ICV_PMR_EL1 from ICH_VMCR_EL2", regs[0], 0x50);
  check("ICV_IGRPEN1_EL1 from ICH_VMCR_EL2", regs[1], 1);
  check("ICV_IGRPEN0_EL1 from ICH_VMCR_EL2", regs[2], 0);
  check("ICV_CTLR_EL1.EOImode from ICH_VMCR_EL2", regs[3] & 2, 0);
#else
  pmr(0x88);
  bpr0(4);
  eoi_mode(1);
  groups(1);
  check("GICH_VMCR: VMPriMask", vmcr() >> 27, 0x88 >> 3);
  check("GICH_VMCR: VMBP", vmcr() >> 21 & 7, 4);
  check("GICH_VMCR: VEM", vmcr() >> 9 & 1, 1);
  check("GICH_VMCR: VMGrpEn", vmcr() & 3, 1);
  gich(8) = 0x50u >> 3 << 27 | 2;
  check("GICV_PMR from GICH_VMCR", gicv(4), 0x50);
  check("GICV_CTLR from GICH_VMCR", gicv(0) & 0x203, 2);
#endif
}

void tests(void) {
  init();
  states(0);
  states(1);
  priorities();
  maintenances();
  linked();
  virtual_timer();
  control();
}
