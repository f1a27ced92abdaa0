// Virtual exceptions that a hypervisor makes pending by HCR_EL2.{VI,VF,VSE}, and the error synchronization barrier (FEAT_RAS).
#include "hyp.h"

CODE(nops, "nop\n nop");
CODE(isr, "mrs x0, isr_el1");
CODE(wait, "wfi");
CODE(barrier, "esb\n mrs x0, disr_el1\n msr disr_el1, xzr\n mrs x1, disr_el1");
CODE(synchronize, "esb\n nop");

#define HCR_VF bit(6)
#define HCR_VI bit(7)
#define HCR_VSE bit(8)
#define FMO bit(3)
#define IMO bit(4)
#define AMO bit(5)
#define TGE bit(27)
#define RW bit(31)
#define F bit(6)
#define I bit(7)
#define A bit(8)

static int ras;

struct kind {
  const char *name;
  u64 pending, routing, mask, vector;
};
static const struct kind kinds[] = {
  {"VI", HCR_VI, IMO, I, 5},
  {"VF", HCR_VF, FMO, F, 6},
  {"VSE", HCR_VSE, AMO, A, 7},
};

static void pending_of(const struct kind *k) {
  u64 hcr = RW | k->routing | k->pending;
  set(hcr_el2, hcr);
  check2(k->name, "not taken at EL2", get(hcr_el2), hcr);
  run(isr, EL1);
  check2(k->name, "ISR_EL1 at EL1", regs[0], k->mask);
  check2(k->name, "ISR_EL1 at EL2", get(isr_el1), 0);
  run(nops, EL1);
  check2(k->name, "masked", seen.esr, ESR_HVC(0));
  run(wait, EL1);
  check2(k->name, "ends WFI, though masked", seen.esr, ESR_HVC(0));
  // Masked exceptions of the other two kinds do not matter.
  run(nops, EL1 & ~k->mask);
  check2(k->name, "taken to EL1 from EL1", seen.esr, ESR_HVC(0x100 | k->vector));
  check2(k->name, "ELR_EL1", get(elr_el1), (u64)nops);
  check2(k->name, "SPSR_EL1", get(spsr_el1) & 0x3df, EL1 & ~k->mask);
  check2(k->name, "is still pending, but for an SError", get(hcr_el2) & k->pending, k->pending == HCR_VSE ? 0 : k->pending);
  set(hcr_el2, hcr);
  run(nops, EL0 & ~k->mask);
  check2(k->name, "taken to EL1 from EL0", seen.esr, ESR_HVC(0x104 + k->vector));
  check2(k->name, "ELR_EL1 from EL0", get(elr_el1), (u64)nops);
  // Without the routing of the physical exception, there is no virtual one.
  set(hcr_el2, RW | k->pending);
  run(nops, EL1 & ~k->mask);
  check2(k->name, "without the routing bit", seen.esr, ESR_HVC(0));
  run(isr, EL1);
  check2(k->name, "without the routing bit: ISR_EL1", regs[0], 0);
  set(hcr_el2, RW | k->pending | (k->routing ^ (FMO | IMO | AMO)));
  run(nops, EL1 & ~k->mask);
  check2(k->name, "with the others' routing bits", seen.esr, ESR_HVC(0));
  // Nor in a host's applications: EL0 under TGE.
  set(hcr_el2, hcr | TGE);
  run(nops, EL0 & ~k->mask);
  check2(k->name, "with TGE", seen.esr, ESR_UNKNOWN);
  check2(k->name, "with TGE: ELR", seen.elr, (u64)nops + 8);
}

static void serror(void) {
  set(hcr_el2, RW | AMO | HCR_VSE);
  // A syndrome that is IMPLEMENTATION DEFINED (IDS).
  if (ras) set(s3_4_c5_c2_3, 0x1000042);
  run(nops, EL1 & ~A);
  check_call("virtual SError", 0x107);
  if (ras) check("virtual SError: ESR_EL1", get(esr_el1), ESR(0x2f, 0x1000042));
  check("virtual SError: class", get(esr_el1) >> 26, 0x2f);
  check("virtual SError: VSE is clear", get(hcr_el2), RW | AMO);
  if (!ras) return;
  // ESB with SError masked: deferred to VDISR_EL2, which is DISR_EL1 at EL1.
  set(hcr_el2, RW | AMO | HCR_VSE);
  set(s3_4_c5_c2_3, 0x42);
  set(s3_4_c12_c1_1, 0);
  run(barrier, EL1);
  check_call("ESB, masked", 0);
  check("ESB: DISR_EL1 at EL1", regs[0], bit(31) | 0x42);
  check("ESB: DISR_EL1 after a write of 0", regs[1], 0);
  check("ESB: VDISR_EL2", get(s3_4_c12_c1_1), 0);
  check("ESB: VSE is clear", get(hcr_el2), RW | AMO);
  // Not masked: taken at the barrier.
  set(hcr_el2, RW | AMO | HCR_VSE);
  run(synchronize, EL1 & ~A);
  check_call("ESB, not masked", 0x107);
  // Nothing is pending.
  set(s3_4_c12_c1_1, 0);
  run(barrier, EL1);
  check("ESB, nothing pending: DISR_EL1", regs[0], 0);
  // At EL2, DISR_EL1 is EL2's own.
  set(disr_el1, 0);
  set(hcr_el2, RW | AMO | HCR_VSE);
  asm volatile("hint #16");
  check("ESB at EL2: DISR_EL1", get(disr_el1), 0);
  check("ESB at EL2: VSE", get(hcr_el2), RW | AMO | HCR_VSE);
}

void tests(void) {
  ras = get(id_aa64pfr0_el1) >> 28 & 15;
  for (int i = 0; i < 3; i++) pending_of(&kinds[i]);
  serror();
  set(hcr_el2, RW);
}
