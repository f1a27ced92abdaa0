// Nested virtualization (FEAT_NV, FEAT_NV2): a hypervisor at EL1 that believes it is at EL2, and the memory that holds its registers.
    .include "el2.inc"

    .equ NV, HCR_RW | HCR_NV
    .equ NV_NV1, NV | HCR_NV1
    .equ NV2, NV | HCR_NV2
    .equ NV2_NV1, NV2 | HCR_NV1

// One instruction at EL1 that traps.
    .macro traps name, esr, instruction:vararg
    attempt 1f
    to_el1 2f
2:  \instruction
    hvc #0xbad
1:  saw "\name", 0x400, \esr
    saw_elr "\name", 2b
    .endm

// A register in memory: EL1 reads what EL2 wrote there, and the other way round.
    .macro in_memory name, register, offset
    ldr x0, =page + \offset
    ldr x1, =0x1234567800000000 + \offset
    str x1, [x0]
    attempt 1f
    to_el1 2f
2:  mrs x19, \register
    mvn x20, x19
    msr \register, x20
    hvc #0
1:  saw_hvc "\name in memory"
    check "\name: read", x19, 0x1234567800000000 + \offset
    ldr x0, =page + \offset
    ldr x19, [x0]
    check "\name: written", x19, ~(0x1234567800000000 + \offset)
    .endm

    .text
tests:
    stp x29, x30, [sp, #-16]!
    bl el2_init
    ldr x0, =page
    msr S3_4_C2_C2_0, x0
    mov x0, #0xc03
    msr cnthctl_el2, x0

    // FEAT_NV: what is for EL2 traps.
    hcr NV
    attempt 1f
    to_el1 2f
2:  mrs x19, CurrentEL
    hvc #2
1:  saw_hvc "CurrentEL", 2
    check "CurrentEL of a nested hypervisor", x19, 8
    traps "MRS HCR_EL2", 0x62310463, mrs x3, hcr_el2
    traps "MSR VBAR_EL2", 0x62313080, msr vbar_el2, x4
    traps "MRS SPSR_EL2", 0x623110a1, mrs x5, spsr_el2
    traps "MSR ELR_EL2", 0x623310c0, msr elr_el2, x6
    traps "MRS SP_EL1", 0x623110e3, mrs x7, sp_el1
    traps "MRS SCTLR_EL12", 0x62314501, mrs x8, sctlr_el12
    traps "MSR CNTV_CTL_EL02", 0x62337926, msr cntv_ctl_el02, x9
    traps "MRS ICH_VTR_EL2", 0x62333157, mrs x10, ich_vtr_el2
    traps "TLBI ALLE2", 0x621123ee, tlbi alle2
    traps "AT S1E2R", 0x62111d70, at s1e2r, x11
    traps "ERET", 0x6a000000, eret
    traps "ERETAA", 0x6a000002, eretaa
    traps "ERETAB", 0x6a000003, eretab
    // An exception from EL1 to EL1 is one from EL2, as SPSR_EL1 says.
    .macro own_exception name, value
    ldr x0, =own_vectors
    msr vbar_el1, x0
    attempt 1f
    to_el1 2f
2:  svc #1
1:  saw_hvc "\name: SVC", 3
    mrs x19, spsr_el1
    and x19, x19, #15
    check "\name: SPSR_EL1.M", x19, \value
    .endm
    own_exception "NV", 9

    hcr NV_NV1
    traps "MRS VBAR_EL1 with NV1", 0x62303061, mrs x3, vbar_el1
    traps "MSR ELR_EL1 with NV1", 0x62321080, msr elr_el1, x4
    traps "MRS SPSR_EL1 with NV1", 0x623010a1, mrs x5, spsr_el1
    own_exception "NV, NV1", 5

    hcr HCR_RW | HCR_AT
    traps "AT S1E1R with HCR_EL2.AT", 0x62101d70, at s1e1r, x11

    // FEAT_NV2: EL2's registers, and by their aliases EL1's, are in memory.
    hcr NV2
    in_memory "VTTBR_EL2", vttbr_el2, 0x20
    in_memory "VTCR_EL2", vtcr_el2, 0x40
    in_memory "VMPIDR_EL2", vmpidr_el2, 0x50
    in_memory "CNTVOFF_EL2", cntvoff_el2, 0x60
    in_memory "HCR_EL2", hcr_el2, 0x78
    in_memory "HSTR_EL2", hstr_el2, 0x80
    in_memory "VPIDR_EL2", vpidr_el2, 0x88
    in_memory "TPIDR_EL2", tpidr_el2, 0x90
    in_memory "VNCR_EL2", S3_4_C2_C2_0, 0xb0
    in_memory "CNTPOFF_EL2", S3_4_C14_C0_6, 0x1a8
    in_memory "HFGRTR_EL2", S3_4_C1_C1_4, 0x1b8
    in_memory "HFGWTR_EL2", S3_4_C1_C1_5, 0x1c0
    in_memory "HFGITR_EL2", S3_4_C1_C1_6, 0x1c8
    in_memory "HDFGRTR_EL2", S3_4_C3_C1_4, 0x1d0
    in_memory "HDFGWTR_EL2", S3_4_C3_C1_5, 0x1d8
    in_memory "SP_EL1", sp_el1, 0x240
    in_memory "ICH_LR0_EL2", ich_lr0_el2, 0x400
    in_memory "ICH_LR15_EL2", ich_lr15_el2, 0x478
    in_memory "ICH_AP0R0_EL2", ich_ap0r0_el2, 0x480
    in_memory "ICH_AP1R3_EL2", ich_ap1r3_el2, 0x4b8
    in_memory "ICH_HCR_EL2", ich_hcr_el2, 0x4c0
    in_memory "ICH_VMCR_EL2", ich_vmcr_el2, 0x4c8
    in_memory "VDISR_EL2", S3_4_C12_C1_1, 0x500
    in_memory "VSESR_EL2", S3_4_C5_C2_3, 0x508
    in_memory "CPACR_EL12", cpacr_el12, 0x100
    in_memory "CONTEXTIDR_EL12", contextidr_el12, 0x108
    in_memory "SCTLR_EL12", sctlr_el12, 0x110
    in_memory "TCR_EL12", tcr_el12, 0x120
    in_memory "AFSR0_EL12", afsr0_el12, 0x128
    in_memory "AFSR1_EL12", afsr1_el12, 0x130
    in_memory "ESR_EL12", esr_el12, 0x138
    in_memory "MAIR_EL12", mair_el12, 0x140
    in_memory "AMAIR_EL12", amair_el12, 0x148
    in_memory "SPSR_EL12", spsr_el12, 0x160
    in_memory "TTBR0_EL12", ttbr0_el12, 0x200
    in_memory "TTBR1_EL12", ttbr1_el12, 0x210
    in_memory "FAR_EL12", far_el12, 0x220
    in_memory "ELR_EL12", elr_el12, 0x230
    in_memory "VBAR_EL12", vbar_el12, 0x250
    in_memory "CNTV_CVAL_EL02", cntv_cval_el02, 0x168
    in_memory "CNTV_CTL_EL02", cntv_ctl_el02, 0x170
    in_memory "CNTP_CVAL_EL02", cntp_cval_el02, 0x178
    in_memory "CNTP_CTL_EL02", cntp_ctl_el02, 0x180
    own_exception "NV2", 9
    traps "MRS ICH_VTR_EL2 with NV2", 0x62333157, mrs x10, ich_vtr_el2
    traps "MRS SCTLR_EL2 with NV2", 0x62310461, mrs x3, sctlr_el2
    // EL1's own are where they were, also by EL2's names.
    attempt 1f
    to_el1 2f
2:  ldr x0, =0x1230
    msr elr_el2, x0
    mrs x19, elr_el1
    msr far_el1, x0
    mrs x20, far_el2
    mov x0, #0x3c4
    msr spsr_el1, x0
    mrs x21, spsr_el2
    mrs x22, esr_el1
    mrs x23, esr_el2
    hvc #4
1:  saw_hvc "NV2, shared registers", 4
    check "ELR_EL2 is ELR_EL1", x19, 0x1230
    check "FAR_EL2 is FAR_EL1", x20, 0x1230
    check "SPSR_EL2 is SPSR_EL1", x21, 0x3c4
    sub x22, x22, x23
    check "ESR_EL2 is ESR_EL1", x22, 0

    // With NV1, EL1's names are in memory.
    hcr NV2_NV1
    traps "MRS SCTLR_EL12 with NV2 and NV1", 0x62314461, mrs x3, sctlr_el12
    in_memory "CPACR_EL1", cpacr_el1, 0x100
    in_memory "CONTEXTIDR_EL1", contextidr_el1, 0x108
    in_memory "SCTLR_EL1", sctlr_el1, 0x110
    in_memory "TCR_EL1", tcr_el1, 0x120
    in_memory "AFSR0_EL1", afsr0_el1, 0x128
    in_memory "AFSR1_EL1", afsr1_el1, 0x130
    in_memory "ESR_EL1", esr_el1, 0x138
    in_memory "MAIR_EL1", mair_el1, 0x140
    in_memory "AMAIR_EL1", amair_el1, 0x148
    in_memory "SPSR_EL1", spsr_el1, 0x160
    in_memory "TTBR0_EL1", ttbr0_el1, 0x200
    in_memory "TTBR1_EL1", ttbr1_el1, 0x210
    in_memory "FAR_EL1", far_el1, 0x220
    in_memory "ELR_EL1", elr_el1, 0x230
    in_memory "VBAR_EL1", vbar_el1, 0x250
    in_memory "ACTLR_EL1", actlr_el1, 0x118
    in_memory "MDSCR_EL1", mdscr_el1, 0x158
    in_memory "CNTV_CVAL_EL0", cntv_cval_el0, 0x168
    in_memory "CNTV_CTL_EL0", cntv_ctl_el0, 0x170
    in_memory "CNTP_CVAL_EL0", cntp_cval_el0, 0x178
    in_memory "CNTP_CTL_EL0", cntp_ctl_el0, 0x180
    hcr NV2
    // Faults of the accesses are EL2's: ISS.VNCR, and EC 0x25. There is nothing at this address.
    ldr x0, =0x0f000000
    msr S3_4_C2_C2_0, x0
    traps "MRS HCR_EL2, VNCR_EL2 outside of memory", 0x96002010, mrs x3, hcr_el2
    saw_far "MRS HCR_EL2, VNCR_EL2 outside of memory", 0x0f000078
    traps "MSR VTTBR_EL2, VNCR_EL2 outside of memory", 0x96002050, msr vttbr_el2, x3
    saw_far "MSR VTTBR_EL2, VNCR_EL2 outside of memory", 0x0f000020

    // Without NV, EL1 is EL1.
    hcr HCR_RW | HCR_NV1 | HCR_NV2
    .macro undefined name, instruction:vararg
    ldr x0, =own_vectors
    msr vbar_el1, x0
    attempt 1f
    to_el1 2f
2:  \instruction
1:  saw_hvc "\name", 3
    mrs x19, esr_el1
    check "\name: UNDEFINED", x19, 0x02000000
    .endm
    undefined "HCR_EL2 without NV", mrs x0, hcr_el2
    undefined "SCTLR_EL12 without NV", mrs x0, sctlr_el12
    undefined "TLBI ALLE2 without NV", tlbi alle2
    hcr HCR_RW
    ldp x29, x30, [sp], #16
    ret

// EL1's: any exception goes to EL2 with HVC #3.
    .balign 2048
own_vectors:
    .rept 16
    .balign 128
    hvc #3
    .endr
    .balign 128

    .data
    .balign 4096
page:
    .space 4096
