// The generic timer at EL1, and its interrupts through the interrupt controller.
// variants: gicv2=2 gicv3=3
    .include "lib.inc"
    .include "gic.inc"

    .macro timer_common t, count, intid
    msr \t\()_ctl_el0, xzr
    mrs x19, \t\()_ctl_el0
    check "\t: disabled", x19, 0
    mov x0, #1
    msr \t\()_cval_el0, x0
    mov x0, #3
    msr \t\()_ctl_el0, x0
    isb
    mrs x19, \t\()_ctl_el0
    check "\t: condition met, masked", x19, 7
    mov x0, #\intid
    bl gic_pending
    mov x19, x0
    check "\t: no interrupt while masked", x19, 0
    mov x0, #1
    msr \t\()_ctl_el0, x0
    isb
    mov x0, #\intid
    bl gic_pending
    mov x19, x0
    check "\t: interrupt pending", x19, 1
    mov x0, #\intid
    bl gic_enable
    attempt 1f
    msr daifclr, #2
2:  b 2b
1:  ldr x9, =record
    ldr x0, [x9]
    check "\t: IRQ taken at EL1h", x0, 0x280
    bl gic_acknowledge
    mov x19, x0
    check "\t: acknowledged INTID", x19, \intid
    msr \t\()_ctl_el0, xzr
    isb
    mov x0, x19
    bl gic_end
    mov x0, #\intid
    bl gic_pending
    mov x19, x0
    check "\t: not pending once disabled", x19, 0

    // TVAL: CVAL = count + TVAL, and counts down; a negative TVAL is in the past.
    ldr x0, =0x7fffffff
    msr \t\()_tval_el0, x0
    mov x0, #1
    msr \t\()_ctl_el0, x0
    isb
    mrs x19, \t\()_ctl_el0
    check "\t: not yet", x19, 1
    mrs x20, \t\()_cval_el0
    mrs x21, \count
    sub x20, x20, x21
    lsr x20, x20, #28
    check "\t: CVAL is about the count + TVAL", x20, 7
    mrs x19, \t\()_tval_el0
    lsr x19, x19, #28
    check "\t: TVAL counts down", x19, 7
    mov x0, #-5
    msr \t\()_tval_el0, x0
    isb
    mrs x19, \t\()_ctl_el0
    check "\t: negative TVAL", x19, 5
    msr \t\()_ctl_el0, xzr
    isb

    // A short wait with WFI: about a millisecond.
    mrs x0, cntfrq_el0
    mov x1, #1000
    udiv x0, x0, x1
    mrs x22, \count
    add x22, x22, x0
    msr \t\()_cval_el0, x22
    mov x0, #1
    msr \t\()_ctl_el0, x0
    isb
    wfi
    mrs x1, \count
    cmp x1, x22
    cset x19, hs
    check "\t: WFI woke no sooner than CVAL", x19, 1
    attempt 1f
    msr daifclr, #2
2:  b 2b
1:  bl gic_acknowledge
    mov x19, x0
    check "\t: acknowledged after WFI", x19, \intid
    msr \t\()_ctl_el0, xzr
    isb
    mov x0, x19
    bl gic_end
    .endm

tests:
    str x30, [sp, #-16]!
    bl gic_init
    mrs x19, cntfrq_el0
    cmp x19, #0
    cset x19, ne
    check "CNTFRQ_EL0 is set", x19, 1
    timer_common cntv, cntvct_el0, 27
    timer_common cntp, cntpct_el0, 30

    // The counter goes forward.
    mrs x19, cntvct_el0
    mov x0, #10000
1:  subs x0, x0, #1
    b.ne 1b
    isb
    mrs x20, cntvct_el0
    cmp x20, x19
    cset x19, hi
    check "the counter counts", x19, 1

    // EL0: CNTKCTL_EL1.EL0VCTEN lets it read the virtual counter, and nothing else.
    mov x0, #2
    msr cntkctl_el1, x0
    isb
    attempt 1f
    to_el0 2f
2:  mrs x0, cntvct_el0
    svc #3
1:  saw "CNTVCT_EL0 at EL0 when allowed", 0x400, 0x56000003
    attempt 1f
    to_el0 2f
2:  mrs x5, cntpct_el0
1:  saw "CNTPCT_EL0 at EL0", 0x400, 0x6232f8a1
    attempt 1f
    to_el0 2f
2:  msr cntv_tval_el0, x6
1:  saw "CNTV_TVAL_EL0 at EL0", 0x400, 0x6230f8c6

    ldr x30, [sp], #16
    ret
    .ltorg
