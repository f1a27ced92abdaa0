// Each class of synchronous exception: vector, syndrome, and what is saved.
    .include "lib.inc"

tests:
    str x30, [sp, #-16]!

    mov x2, #0x60000000
    msr nzcv, x2
    attempt 1f
here_svc:
    svc #0x123
1:  saw "SVC at EL1h", 0x200, 0x56000123
    saw_elr "SVC at EL1h", here_svc + 4
    saw_spsr "SVC at EL1h", 0x600003c5

    attempt 1f
    to_el0 2f
2:  svc #0xffff
1:  saw "SVC at EL0", 0x400, 0x5600ffff

    // At EL1 with SP_EL0: the first four vectors.
    attempt 1f
    mov x2, sp
    msr spsel, #0
    mov sp, x2
    svc #1
1:  saw "SVC at EL1t", 0x000, 0x56000001

    attempt 1f
here_brk:
    brk #0xbeef
1:  saw "BRK", 0x200, 0xf200beef
    saw_elr "BRK", here_brk

    attempt 1f
here_udf:
    .inst 0x00000000
1:  saw "UDF", 0x200, 0x02000000
    saw_elr "UDF", here_udf

    attempt 1f
    .inst 0x1e000000 | (3 << 22) | 0x3ff
1:  saw "unallocated encoding", 0x200, 0x02000000

    attempt 1f
    smc #0
1:  saw "SMC without EL3", 0x200, 0x02000000

    // FP and SIMD disabled.
    attempt 1f
    msr cpacr_el1, xzr
    isb
    fadd d0, d0, d0
1:  saw "FP disabled at EL1", 0x200, 0x1fe00000
    mov x0, #(1 << 20)
    msr cpacr_el1, x0
    isb
    attempt 1f
    to_el0 2f
2:  movi v0.2d, #0
1:  saw "SIMD disabled at EL0", 0x400, 0x1fe00000
    attempt 1f
    movi v0.2d, #0
    ldr q1, [sp]
    fmov d2, x0
    b 2f
1:
2:  saw_nothing "SIMD at EL1 with FPEN = 01"
    mov x0, #(3 << 20)
    msr cpacr_el1, x0
    isb

    // Privileged things at EL0.
    attempt 1f
    to_el0 2f
2:  mrs x5, sctlr_el1
1:  saw "MRS SCTLR_EL1 at EL0", 0x400, 0x02000000
    attempt 1f
    to_el0 2f
2:  eret
1:  saw "ERET at EL0", 0x400, 0x02000000
    attempt 1f
    to_el0 2f
2:  hvc #0
1:  saw "HVC at EL0", 0x400, 0x02000000
    attempt 1f
    to_el0 2f
2:  tlbi vmalle1
1:  saw "TLBI at EL0", 0x400, 0x02000000
    // SCTLR_EL1.UMA = 0: DAIF is trapped. (QEMU 7.2 reports op1 and op2 of MSR DAIFSet exchanged.)
    attempt 1f
    to_el0 2f
2:  mrs x7, daif
1:  saw "MRS DAIF at EL0", 0x400, 0x6232d0e5
    attempt 1f
    to_el0 2f
2:  msr daifset, #2
1:  saw "MSR DAIFSet at EL0", 0x400, 0x620cd3e4
    // SCTLR_EL1.UCT = 0: CTR_EL0.
    attempt 1f
    to_el0 2f
2:  mrs x3, ctr_el0
1:  saw "MRS CTR_EL0 at EL0", 0x400, 0x6232c061
    // CNTKCTL_EL1 = 0: the counter.
    msr cntkctl_el1, xzr
    attempt 1f
    to_el0 2f
2:  mrs x4, cntvct_el0
1:  saw "MRS CNTVCT_EL0 at EL0", 0x400, 0x6234f881
    // SCTLR_EL1.nTWI = 0: WFI.
    attempt 1f
    mrs x0, sctlr_el1
    bic x0, x0, #(1 << 16)
    bic x0, x0, #(1 << 18)
    msr sctlr_el1, x0
    isb
    to_el0 2f
2:  wfi
1:  saw "WFI at EL0", 0x400, 0x07e00000

    // Alignment of PC and SP. (QEMU 7.2 does not check SP.)
    attempt 1f
    ldr x2, =0x40080002
    br x2
1:  saw "PC alignment", 0x200, 0x8a000000
    saw_far "PC alignment", 0x40080002
    saw_elr "PC alignment", 0x40080002
    attempt 1f
    mrs x0, sctlr_el1
    orr x0, x0, #8
    msr sctlr_el1, x0
    isb
    mov x2, sp
    add sp, x2, #8
    ldr x3, [sp]
1:  mov sp, x2
    saw "SP alignment", 0x200, 0x9a000000

    // An exception level that does not exist, in SPSR.M: illegal state.
    attempt 1f
    adr x0, 2f
    msr elr_el1, x0
    mov x0, #0x3c9
    msr spsr_el1, x0
    eret
2:  nop
1:  saw "illegal exception return", 0x200, 0x3a000000
    saw_elr "illegal exception return", 2b
    ldr x9, =record
    ldr x0, [x9, #32]
    and x0, x0, #(1 << 20)
    check "illegal exception return sets SPSR.IL", x0, 0x100000

    // External abort: nothing lives at this address.
    attempt 1f
    ldr x2, =0x0f0000000000
    mov x3, #0
    ldr x3, [x2]
1:  ldr x9, =record
    ldr x0, [x9, #8]
    ldr x1, =0xfc00003f
    and x0, x0, x1
    check "access beyond the bus", x0, 0x94000010
    saw_far "access beyond the bus", 0x0f0000000000

    // DAIF on entry, PSTATE writes.
    msr daifclr, #15
    attempt 1f
    mov x2, #0x60000000
    msr nzcv, x2
    svc #0
1:  ldr x9, =record
    ldr x0, [x9, #40]
    check "DAIF is masked on entry", x0, 0x3c0
    saw_spsr "DAIF was clear before", 0x60000005
    msr daifset, #15
    mov x0, #0xf0000000
    msr nzcv, x0
    mrs x1, nzcv
    mov x19, x1
    check "MSR NZCV", x19, 0xf0000000
    mrs x19, currentel
    check "CurrentEL", x19, 4
    mrs x19, spsel
    check "SPSel", x19, 1

    // ERET to EL0 and back keeps the banked stack pointers apart.
    mov x0, #0x1230
    msr sp_el0, x0
    mov x20, sp
    attempt 1f
    to_el0 2f
2:  mov x21, sp
    add sp, sp, #16
    svc #0
1:  check "SP at EL0 is SP_EL0", x21, 0x1230
    mrs x19, sp_el0
    check "SP_EL0 after EL0 changed it", x19, 0x1240
    mov x0, sp
    sub x0, x0, x20
    check "SP_EL1 is kept", x0, 0

    ldr x30, [sp], #16
    ret
    .ltorg
