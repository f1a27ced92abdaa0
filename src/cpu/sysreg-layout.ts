// System register storage of a PE: one 64-bit slot each, as byte offsets in the PE's block (state-layout.ts).
// Read by TypeScript and AssemblyScript alike: integer constants only, no imports. The slot number says nothing else; encodings,
// access rules and reset values are rows of cpu/sysregs/.

// VMSA, EL1.
export const SCTLR_EL1 = 0x1000;
export const TTBR0_EL1 = 0x1008;
export const TTBR1_EL1 = 0x1010;
export const TCR_EL1 = 0x1018;
export const MAIR_EL1 = 0x1020;
export const AMAIR_EL1 = 0x1028;
export const CONTEXTIDR_EL1 = 0x1030;
export const CPACR_EL1 = 0x1038;
export const ACTLR_EL1 = 0x1040;
export const ESR_EL1 = 0x1048;
export const FAR_EL1 = 0x1050;
export const AFSR0_EL1 = 0x1058;
export const AFSR1_EL1 = 0x1060;
export const ELR_EL1 = 0x1068;
export const SPSR_EL1 = 0x1070;
export const VBAR_EL1 = 0x1078;
export const PAR_EL1 = 0x1080;
export const CSSELR_EL1 = 0x1088;
export const SP_EL0 = 0x1090;
export const SP_EL1 = 0x1098;
export const TPIDR_EL0 = 0x10a0;
export const TPIDRRO_EL0 = 0x10a8;
export const TPIDR_EL1 = 0x10b0;
export const CNTKCTL_EL1 = 0x10b8;
export const MDSCR_EL1 = 0x10c0;
export const OSLSR_EL1 = 0x10c8;
export const OSDLR_EL1 = 0x10d0;
export const OSECCR_EL1 = 0x10d8;
export const MDCCINT_EL1 = 0x10e0;
export const OSDTRRX_EL1 = 0x10e8;
export const OSDTRTX_EL1 = 0x10f0;
export const DBGCLAIM_EL1 = 0x10f8;
export const DBGPRCR_EL1 = 0x1100;
export const DISR_EL1 = 0x1108;
export const GCR_EL1 = 0x1110;
export const RGSR_EL1 = 0x1118;
export const LORC_EL1 = 0x1120;
export const SCXTNUM_EL0 = 0x1128;
export const SCXTNUM_EL1 = 0x1130;
export const ERRSELR_EL1 = 0x1138;
export const IMP_DEF_EL1 = 0x1140;

// EL2.
export const SCTLR_EL2 = 0x1148;
export const TTBR0_EL2 = 0x1150;
export const TTBR1_EL2 = 0x1158;
export const TCR_EL2 = 0x1160;
export const MAIR_EL2 = 0x1168;
export const AMAIR_EL2 = 0x1170;
export const CONTEXTIDR_EL2 = 0x1178;
export const CPTR_EL2 = 0x1180;
export const ACTLR_EL2 = 0x1188;
export const ESR_EL2 = 0x1190;
export const FAR_EL2 = 0x1198;
export const HPFAR_EL2 = 0x11a0;
export const AFSR0_EL2 = 0x11a8;
export const AFSR1_EL2 = 0x11b0;
export const ELR_EL2 = 0x11b8;
export const SPSR_EL2 = 0x11c0;
export const VBAR_EL2 = 0x11c8;
export const SP_EL2 = 0x11d0;
export const TPIDR_EL2 = 0x11d8;
export const CNTHCTL_EL2 = 0x11e0;
export const CNTVOFF_EL2 = 0x11e8;
export const CNTPOFF_EL2 = 0x11f0;
export const HCR_EL2 = 0x11f8;
export const HCRX_EL2 = 0x1200;
export const HSTR_EL2 = 0x1208;
export const HACR_EL2 = 0x1210;
export const MDCR_EL2 = 0x1218;
export const VTTBR_EL2 = 0x1220;
export const VTCR_EL2 = 0x1228;
export const VPIDR_EL2 = 0x1230;
export const VMPIDR_EL2 = 0x1238;
export const VNCR_EL2 = 0x1240;
export const SPSR_ABT = 0x1248;
export const SPSR_UND = 0x1250;
export const SPSR_IRQ = 0x1258;
export const SPSR_FIQ = 0x1260;
export const DACR32_EL2 = 0x1268;
export const IFSR32_EL2 = 0x1270;
export const FPEXC32_EL2 = 0x1278;
export const DBGVCR32_EL2 = 0x1280;
export const VSESR_EL2 = 0x1288;
export const VDISR_EL2 = 0x1290;
export const RMR_EL2 = 0x1298;

// EL3.
export const SCTLR_EL3 = 0x12a0;
export const TTBR0_EL3 = 0x12a8;
export const TCR_EL3 = 0x12b0;
export const MAIR_EL3 = 0x12b8;
export const AMAIR_EL3 = 0x12c0;
export const CPTR_EL3 = 0x12c8;
export const ACTLR_EL3 = 0x12d0;
export const ESR_EL3 = 0x12d8;
export const FAR_EL3 = 0x12e0;
export const AFSR0_EL3 = 0x12e8;
export const AFSR1_EL3 = 0x12f0;
export const ELR_EL3 = 0x12f8;
export const SPSR_EL3 = 0x1300;
export const VBAR_EL3 = 0x1308;
export const SP_EL3 = 0x1310;
export const TPIDR_EL3 = 0x1318;
export const SCR_EL3 = 0x1320;
export const MDCR_EL3 = 0x1328;
export const SDER32_EL3 = 0x1330;
export const RMR_EL3 = 0x1338;

// Generic timer.
export const CNTFRQ_EL0 = 0x1340;
export const CNTV_CTL_EL0 = 0x1348;
export const CNTV_CVAL_EL0 = 0x1350;
export const CNTP_CTL_EL0 = 0x1358;
export const CNTP_CVAL_EL0 = 0x1360;
export const CNTHP_CTL_EL2 = 0x1368;
export const CNTHP_CVAL_EL2 = 0x1370;
export const CNTHV_CTL_EL2 = 0x1378;
export const CNTHV_CVAL_EL2 = 0x1380;
export const CNTPS_CTL_EL1 = 0x1388;
export const CNTPS_CVAL_EL1 = 0x1390;

// Performance monitors.
export const PMCR_EL0 = 0x1398;
export const PMCNTENSET_EL0 = 0x13a0;
export const PMINTENSET_EL1 = 0x13a8;
export const PMOVSSET_EL0 = 0x13b0;
export const PMSELR_EL0 = 0x13b8;
export const PMUSERENR_EL0 = 0x13c0;
export const PMCCFILTR_EL0 = 0x13c8;
export const PMCCNTR_EL0 = 0x13d0;
export const PMEVCNTR0_EL0 = 0x13d8;
export const PMEVCNTR1_EL0 = 0x13e0;
export const PMEVCNTR2_EL0 = 0x13e8;
export const PMEVCNTR3_EL0 = 0x13f0;
export const PMEVCNTR4_EL0 = 0x13f8;
export const PMEVCNTR5_EL0 = 0x1400;
export const PMEVTYPER0_EL0 = 0x1408;
export const PMEVTYPER1_EL0 = 0x1410;
export const PMEVTYPER2_EL0 = 0x1418;
export const PMEVTYPER3_EL0 = 0x1420;
export const PMEVTYPER4_EL0 = 0x1428;
export const PMEVTYPER5_EL0 = 0x1430;

// Pointer authentication keys, low half then high half.
export const APIAKEYLO_EL1 = 0x1438;
export const APIAKEYHI_EL1 = 0x1440;
export const APIBKEYLO_EL1 = 0x1448;
export const APIBKEYHI_EL1 = 0x1450;
export const APDAKEYLO_EL1 = 0x1458;
export const APDAKEYHI_EL1 = 0x1460;
export const APDBKEYLO_EL1 = 0x1468;
export const APDBKEYHI_EL1 = 0x1470;
export const APGAKEYLO_EL1 = 0x1478;
export const APGAKEYHI_EL1 = 0x1480;

// Breakpoints and watchpoints: value n, then control n.
export const DBGBVR0_EL1 = 0x1488;
export const DBGBVR1_EL1 = 0x1490;
export const DBGBVR2_EL1 = 0x1498;
export const DBGBVR3_EL1 = 0x14a0;
export const DBGBVR4_EL1 = 0x14a8;
export const DBGBVR5_EL1 = 0x14b0;
export const DBGBVR6_EL1 = 0x14b8;
export const DBGBVR7_EL1 = 0x14c0;
export const DBGBVR8_EL1 = 0x14c8;
export const DBGBVR9_EL1 = 0x14d0;
export const DBGBVR10_EL1 = 0x14d8;
export const DBGBVR11_EL1 = 0x14e0;
export const DBGBVR12_EL1 = 0x14e8;
export const DBGBVR13_EL1 = 0x14f0;
export const DBGBVR14_EL1 = 0x14f8;
export const DBGBVR15_EL1 = 0x1500;
export const DBGBCR0_EL1 = 0x1508;
export const DBGBCR1_EL1 = 0x1510;
export const DBGBCR2_EL1 = 0x1518;
export const DBGBCR3_EL1 = 0x1520;
export const DBGBCR4_EL1 = 0x1528;
export const DBGBCR5_EL1 = 0x1530;
export const DBGBCR6_EL1 = 0x1538;
export const DBGBCR7_EL1 = 0x1540;
export const DBGBCR8_EL1 = 0x1548;
export const DBGBCR9_EL1 = 0x1550;
export const DBGBCR10_EL1 = 0x1558;
export const DBGBCR11_EL1 = 0x1560;
export const DBGBCR12_EL1 = 0x1568;
export const DBGBCR13_EL1 = 0x1570;
export const DBGBCR14_EL1 = 0x1578;
export const DBGBCR15_EL1 = 0x1580;
export const DBGWVR0_EL1 = 0x1588;
export const DBGWVR1_EL1 = 0x1590;
export const DBGWVR2_EL1 = 0x1598;
export const DBGWVR3_EL1 = 0x15a0;
export const DBGWVR4_EL1 = 0x15a8;
export const DBGWVR5_EL1 = 0x15b0;
export const DBGWVR6_EL1 = 0x15b8;
export const DBGWVR7_EL1 = 0x15c0;
export const DBGWVR8_EL1 = 0x15c8;
export const DBGWVR9_EL1 = 0x15d0;
export const DBGWVR10_EL1 = 0x15d8;
export const DBGWVR11_EL1 = 0x15e0;
export const DBGWVR12_EL1 = 0x15e8;
export const DBGWVR13_EL1 = 0x15f0;
export const DBGWVR14_EL1 = 0x15f8;
export const DBGWVR15_EL1 = 0x1600;
export const DBGWCR0_EL1 = 0x1608;
export const DBGWCR1_EL1 = 0x1610;
export const DBGWCR2_EL1 = 0x1618;
export const DBGWCR3_EL1 = 0x1620;
export const DBGWCR4_EL1 = 0x1628;
export const DBGWCR5_EL1 = 0x1630;
export const DBGWCR6_EL1 = 0x1638;
export const DBGWCR7_EL1 = 0x1640;
export const DBGWCR8_EL1 = 0x1648;
export const DBGWCR9_EL1 = 0x1650;
export const DBGWCR10_EL1 = 0x1658;
export const DBGWCR11_EL1 = 0x1660;
export const DBGWCR12_EL1 = 0x1668;
export const DBGWCR13_EL1 = 0x1670;
export const DBGWCR14_EL1 = 0x1678;
export const DBGWCR15_EL1 = 0x1680;

// Identification, as the PE's model has it.
export const MIDR_EL1 = 0x1688;
export const MPIDR_EL1 = 0x1690;
export const REVIDR_EL1 = 0x1698;
export const ID_AA64PFR0_EL1 = 0x16a0;
export const ID_AA64PFR1_EL1 = 0x16a8;
export const ID_AA64DFR0_EL1 = 0x16b0;
export const ID_AA64DFR1_EL1 = 0x16b8;
export const ID_AA64ISAR0_EL1 = 0x16c0;
export const ID_AA64ISAR1_EL1 = 0x16c8;
export const ID_AA64ISAR2_EL1 = 0x16d0;
export const ID_AA64MMFR0_EL1 = 0x16d8;
export const ID_AA64MMFR1_EL1 = 0x16e0;
export const ID_AA64MMFR2_EL1 = 0x16e8;
export const ID_AA64ZFR0_EL1 = 0x16f0;
export const ID_AA64SMFR0_EL1 = 0x16f8;
export const CTR_EL0 = 0x1700;
export const DCZID_EL0 = 0x1708;
export const CLIDR_EL1 = 0x1710;
export const RVBAR = 0x1718;

// What the running code's view is derived from, kept by vmsa's contextChanged.
/** Bit set of FEATURE_* below: what the walker and the slow path need to know of the PE's model. */
export const PE_FEATURES = 0x1720;
/** Counts the TLB invalidations of this PE. */
export const TRANSLATION_EPOCH = 0x1728;

// Timers of Secure EL2.
export const CNTHPS_CTL_EL2 = 0x1730;
export const CNTHPS_CVAL_EL2 = 0x1738;
export const CNTHVS_CTL_EL2 = 0x1740;
export const CNTHVS_CVAL_EL2 = 0x1748;

// Stage 2 of Secure EL1&0.
export const VSTTBR_EL2 = 0x1750;
export const VSTCR_EL2 = 0x1758;

// Fine-grained traps.
export const HFGRTR_EL2 = 0x1760;
export const HFGWTR_EL2 = 0x1768;
export const HFGITR_EL2 = 0x1770;
export const HDFGRTR_EL2 = 0x1778;
export const HDFGWTR_EL2 = 0x1780;

/**
 * i32: which of the system registers that are plain slots (arch/sysreg-plain.ts) may not be accessed as such at the current exception
 * level, because the access is UNDEFINED, trapped or redirected: GUARD_* bits. Kept by the processing element (cpu/sysreg-guard.ts).
 */
export const SYSREG_GUARD = 0x1788;

/** First byte after the last slot. */
export const SYSREG_SLOTS_END = 0x1790;

// Bits of SYSREG_GUARD: registers that EL0, EL1 or EL2 is the lowest exception level to access, in the order of the levels; the keys of
// pointer authentication; DC ZVA and DCZID_EL0; the cleaning of data cache lines by VA.
export const GUARD_EL0 = 1;
export const GUARD_EL1 = 2;
export const GUARD_EL2 = 4;
export const GUARD_KEYS = 8;
export const GUARD_ZVA = 16;
export const GUARD_CLEAN = 32;

// Bits of PE_FEATURES.
export const FEATURE_PAN = 1;
/** Hardware update of the access flag and of the dirty state (FEAT_HAFDBS). */
export const FEATURE_HAFDBS = 2;
export const FEATURE_PAUTH = 4;
/** PAuth by QARMA5; otherwise by the implementation-defined algorithm. */
export const FEATURE_PAUTH_QARMA5 = 8;
/** Authentication failures fault (FEAT_FPAC). */
export const FEATURE_FPAC = 16;
export const FEATURE_BTI = 32;
export const FEATURE_EL2 = 64;
export const FEATURE_EL3 = 128;
/** Unaligned accesses inside 16 bytes are single-copy atomic (FEAT_LSE2): they do not take the alignment fault. */
export const FEATURE_LSE2 = 256;
/** Hierarchical permission disables (FEAT_HPDS). */
export const FEATURE_HPDS = 512;
export const FEATURE_E0PD = 1024;
export const FEATURE_VHE = 2048;
export const FEATURE_UAO = 4096;
export const FEATURE_VMID16 = 8192;
/** TCR_ELx.TnSZ down to 48 bits with 64K pages etc. is base; 16-bit ASIDs (ID_AA64MMFR0_EL1.ASIDBits). */
export const FEATURE_ASID16 = 16384;
/** Physical address bits are PA_BITS of ID_AA64MMFR0_EL1.PARange (44 for cortex-a72, 48 for max). */
export const FEATURE_TTCNP = 32768;
