// A host at EL2 (FEAT_VHE): register redirection, the _EL12 and _EL02 names, EL0 as its application, EL2's timers.
// variants: gicv3=3
    .include "el2.inc"
    .include "gic.inc"

    .equ ESR_UNDEFINED, 0x02000000

// Writes by each of a register's names, and who sees it.
    .macro redirected own, host, alias, first=0x1000, second=0x2000
    ldr x0, =\first
    msr \own, x0
    isb
    mrs x19, \host
    mrs x20, \own
    ldr x0, =\second
    msr \alias, x0
    isb
    mrs x21, \own
    mrs x22, \alias
    check "\own: written, read as \host", x19, \first
    check "\own: read", x20, \first
    check "\own: not changed by \alias", x21, \first
    check "\alias: read", x22, \second
    hcr HCR_RW
    mrs x19, \own
    mrs x20, \host
    hcr HCR_RW | HCR_E2H
    check "\own: without E2H EL1's", x19, \second
    check "\host: without E2H", x20, \first
    ldr x0, =\second
    msr \host, x0
    isb
    mrs x19, \own
    check "\host: written, read as \own", x19, \second
    .endm

    .macro undefined name, instruction:vararg
    attempt 1f
    \instruction
1:  saw "\name", 0x200, ESR_UNDEFINED
    .endm

    .macro to_application where
    adr x0, \where
    msr elr_el2, x0
    mov x0, #0x3c0
    msr spsr_el2, x0
    eret
    .endm

    .text
tests:
    stp x29, x30, [sp, #-16]!
    bl el2_init
    bl gic_init

    // The aliases are UNDEFINED without E2H.
    undefined "SCTLR_EL12 without E2H", mrs x0, sctlr_el12
    undefined "ELR_EL12 without E2H", msr elr_el12, x0
    undefined "CNTV_CTL_EL02 without E2H", mrs x0, cntv_ctl_el02

    hcr HCR_RW | HCR_E2H
    redirected ttbr0_el1, ttbr0_el2, ttbr0_el12
    redirected ttbr1_el1, ttbr1_el2, ttbr1_el12
    redirected tcr_el1, tcr_el2, tcr_el12, 0x100180018, 0x2b5193519
    redirected mair_el1, mair_el2, mair_el12
    redirected contextidr_el1, contextidr_el2, contextidr_el12
    redirected far_el1, far_el2, far_el12
    redirected esr_el1, esr_el2, esr_el12
    redirected elr_el1, elr_el2, elr_el12
    redirected spsr_el1, spsr_el2, spsr_el12, 0x3c5, 0x3c9
    redirected cpacr_el1, cptr_el2, cpacr_el12, 0x300000, 0x100000
    redirected cntkctl_el1, cnthctl_el2, cntkctl_el12, 0x302, 0x103
    redirected cntp_cval_el0, cnthp_cval_el2, cntp_cval_el02
    redirected cntv_cval_el0, cnthv_cval_el2, cntv_cval_el02
    redirected cntp_ctl_el0, cnthp_ctl_el2, cntp_ctl_el02, 2, 0
    redirected cntv_ctl_el0, cnthv_ctl_el2, cntv_ctl_el02, 2, 0
    mrs x19, vbar_el1
    check "VBAR_EL1 is VBAR_EL2", x19, vectors_el2
    mrs x19, vbar_el12
    check "VBAR_EL12 is EL1's", x19, vectors
    mov x0, #0x300000
    msr cpacr_el1, x0
    isb
    // Each exception of EL2 is seen by the names of EL1.
    attempt 1f
    brk #5
2:
1:  mrs x19, esr_el1
    check "ESR_EL1 of an exception to EL2", x19, 0xf2000005
    mrs x19, elr_el1
    check "ELR_EL1 of it was moved on by the handler's MSR ELR_EL2", x19, 2b

    // Lines of EL2's timers.
    .macro line name, timer, intid
    mov x0, #1
    msr \timer\()_cval_el2, x0
    msr \timer\()_ctl_el2, x0
    isb
    mov x0, #\intid
    bl gic_pending
    mov x19, x0
    check "\name: pending", x19, 1
    mrs x19, \timer\()_ctl_el2
    check "\name: ISTATUS", x19, 5
    msr \timer\()_ctl_el2, xzr
    isb
    mov x0, #\intid
    bl gic_pending
    mov x19, x0
    check "\name: not pending", x19, 0
    .endm
    line "CNTHP", cnthp, 26
    line "CNTHV", cnthv, 28

    // The virtual offset does not count for a host, nor for its EL0; it does for EL1's timer.
    ldr x0, =(1 << 40)
    msr cntvoff_el2, x0
    isb
    mrs x19, cntvct_el0
    lsr x19, x19, #40
    check "CNTVCT_EL0 at EL2 of a host", x19, 0
    hcr HCR_RW
    mrs x19, cntvct_el0
    lsr x19, x19, #40
    check "CNTVCT_EL0 at EL2 of no host", x19, 0xffffff
    mov x0, #1
    msr cntv_cval_el0, x0
    msr cntv_ctl_el0, x0
    isb
    mrs x19, cntv_ctl_el0
    check "CNTV: counts from below 0", x19, 5
    msr cntv_ctl_el0, xzr
    // CNTPOFF_EL2, with CNTHCTL_EL2.ECV: at EL1.
    ldr x0, =(1 << 40)
    msr S3_4_C14_C0_6, x0
    mov x0, #0x1003
    msr cnthctl_el2, x0
    isb
    mrs x19, cntpct_el0
    lsr x19, x19, #40
    check "CNTPCT_EL0 at EL2", x19, 0
    attempt 1f
    to_el1 2f
2:  mrs x20, cntpct_el0
    mrs x21, S3_3_C14_C0_5
    hvc #1
1:  saw_hvc "CNTPCT_EL0 at EL1", 1
    lsr x20, x20, #40
    lsr x21, x21, #40
    check "CNTPCT_EL0 at EL1", x20, 0xffffff
    check "CNTPCTSS_EL0 at EL1", x21, 0xffffff
    // EL1TVT, EL1TVCT.
    ldr x0, =(3 | 3 << 13)
    msr cnthctl_el2, x0
    attempt 1f
    to_el1 2f
2:  mrs x20, cntvct_el0
1:  saw "CNTVCT_EL0 with EL1TVCT", 0x400, 0x6234fa81
    attempt 1f
    to_el1 2f
2:  msr cntv_ctl_el0, xzr
1:  saw "CNTV_CTL_EL0 with EL1TVT", 0x400, 0x6232fbe6
    mov x0, #3
    msr cnthctl_el2, x0

    // An application: HCR_EL2.{E2H,TGE}.
    hcr HCR_RW | HCR_E2H | HCR_TGE
    mov x0, #0x303
    msr cnthctl_el2, x0
    msr cnthp_ctl_el2, xzr
    msr cnthv_ctl_el2, xzr
    mov x0, #2
    msr cntp_ctl_el02, x0
    msr cntv_ctl_el02, x0
    isb
    attempt 1f
    to_application 2f
2:  mrs x20, cntvct_el0
    mrs x21, cntp_ctl_el0
    mrs x22, cntv_ctl_el0
    svc #3
1:  saw "SVC of an application", 0x400, 0x56000003
    lsr x20, x20, #40
    check "CNTVCT_EL0 of an application", x20, 0
    check "CNTP_CTL_EL0 of an application is CNTHP", x21, 0
    check "CNTV_CTL_EL0 of an application is CNTHV", x22, 0
    msr cnthctl_el2, xzr
    isb
    attempt 1f
    to_application 2f
2:  mrs x20, cntvct_el0
1:  saw "CNTVCT_EL0 of an application with EL0VCTEN clear", 0x400, 0x6234fa81
    attempt 1f
    to_application 2f
2:  mrs x20, sctlr_el1
1:  saw "SCTLR_EL1 of an application", 0x400, ESR_UNDEFINED
    hcr HCR_RW
    ldp x29, x30, [sp], #16
    ret
