// The numbers of a GICv3's system registers: op0:op1:CRn:CRm:op2 as 16 bits (IHI0069 chapter 12).

const sysreg = (op0: number, op1: number, crn: number, crm: number, op2: number): number =>
  (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;

// ICV_* registers have the numbers of ICC_* ones.
export const ICC_PMR_EL1 = sysreg(3, 0, 4, 6, 0);
export const ICC_IAR0_EL1 = sysreg(3, 0, 12, 8, 0);
export const ICC_EOIR0_EL1 = sysreg(3, 0, 12, 8, 1);
export const ICC_HPPIR0_EL1 = sysreg(3, 0, 12, 8, 2);
export const ICC_BPR0_EL1 = sysreg(3, 0, 12, 8, 3);
export const ICC_AP0R0_EL1 = sysreg(3, 0, 12, 8, 4);
export const ICC_AP1R0_EL1 = sysreg(3, 0, 12, 9, 0);
export const ICC_DIR_EL1 = sysreg(3, 0, 12, 11, 1);
export const ICC_RPR_EL1 = sysreg(3, 0, 12, 11, 3);
export const ICC_SGI1R_EL1 = sysreg(3, 0, 12, 11, 5);
export const ICC_ASGI1R_EL1 = sysreg(3, 0, 12, 11, 6);
export const ICC_SGI0R_EL1 = sysreg(3, 0, 12, 11, 7);
export const ICC_IAR1_EL1 = sysreg(3, 0, 12, 12, 0);
export const ICC_EOIR1_EL1 = sysreg(3, 0, 12, 12, 1);
export const ICC_HPPIR1_EL1 = sysreg(3, 0, 12, 12, 2);
export const ICC_BPR1_EL1 = sysreg(3, 0, 12, 12, 3);
export const ICC_CTLR_EL1 = sysreg(3, 0, 12, 12, 4);
export const ICC_SRE_EL1 = sysreg(3, 0, 12, 12, 5);
export const ICC_IGRPEN0_EL1 = sysreg(3, 0, 12, 12, 6);
export const ICC_IGRPEN1_EL1 = sysreg(3, 0, 12, 12, 7);
export const ICC_SRE_EL2 = sysreg(3, 4, 12, 9, 5);
export const ICC_CTLR_EL3 = sysreg(3, 6, 12, 12, 4);
export const ICC_SRE_EL3 = sysreg(3, 6, 12, 12, 5);
export const ICC_IGRPEN1_EL3 = sysreg(3, 6, 12, 12, 7);

export const ICH_AP0R0_EL2 = sysreg(3, 4, 12, 8, 0);
export const ICH_AP1R0_EL2 = sysreg(3, 4, 12, 9, 0);
export const ICH_HCR_EL2 = sysreg(3, 4, 12, 11, 0);
export const ICH_VTR_EL2 = sysreg(3, 4, 12, 11, 1);
export const ICH_MISR_EL2 = sysreg(3, 4, 12, 11, 2);
export const ICH_EISR_EL2 = sysreg(3, 4, 12, 11, 3);
export const ICH_ELRSR_EL2 = sysreg(3, 4, 12, 11, 5);
export const ICH_VMCR_EL2 = sysreg(3, 4, 12, 11, 7);
export const ICH_LR0_EL2 = sysreg(3, 4, 12, 12, 0);
