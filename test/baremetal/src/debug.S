// Self-hosted debug at EL1: breakpoints, watchpoints, software step (Arm ARM D2).
    .include "lib.inc"

    .macro debug_on
    mov x0, #0
    msr oslar_el1, x0
    msr osdlr_el1, x0
    mrs x0, mdscr_el1
    orr x0, x0, #(1 << 15)                  // MDE
    orr x0, x0, #(1 << 13)                  // KDE
    msr mdscr_el1, x0
    isb
    msr daifclr, #8
    .endm

tests:
    str x30, [sp, #-16]!
    debug_on

    // A breakpoint on an instruction at EL1.
    attempt 1f
    adr x0, here_break
    msr dbgbvr0_el1, x0
    ldr x0, =(0xf << 5) | (1 << 1) | 1      // BAS 0xf, PMC EL1, E
    msr dbgbcr0_el1, x0
    isb
    mov x19, #0
here_break:
    mov x19, #1
    nop
1:  msr dbgbcr0_el1, xzr
    isb
    saw "breakpoint at EL1", 0x200, 0xc6000022
    saw_elr "breakpoint at EL1", here_break
    check "breakpoint is taken before the instruction", x19, 0

    // Masked by PSTATE.D.
    attempt 1f
    msr daifset, #8
    adr x0, here_masked
    msr dbgbvr0_el1, x0
    ldr x0, =(0xf << 5) | (1 << 1) | 1
    msr dbgbcr0_el1, x0
    isb
here_masked:
    nop
    b 2f
1:
2:  msr dbgbcr0_el1, xzr
    isb
    saw_nothing "breakpoint with PSTATE.D set"

    // At EL0.
    attempt 1f
    adr x0, here_el0
    msr dbgbvr1_el1, x0
    ldr x0, =(0xf << 5) | (2 << 1) | 1      // PMC EL0
    msr dbgbcr1_el1, x0
    isb
    to_el0 here_el0
here_el0:
    svc #1
1:  msr dbgbcr1_el1, xzr
    isb
    saw "breakpoint at EL0", 0x400, 0xc2000022
    saw_elr "breakpoint at EL0", here_el0

    // Watchpoints.
    msr daifclr, #8
    ldr x0, =watched
    msr dbgwvr0_el1, x0
    ldr x0, =(0xff << 5) | (2 << 3) | (1 << 1) | 1  // BAS 8 bytes, LSC store, PAC EL1, E
    msr dbgwcr0_el1, x0
    isb
    attempt 1f
    msr daifclr, #8
    ldr x2, =watched
    ldr x3, [x2]
    b 2f
1:
2:  saw_nothing "load with a store watchpoint"
    attempt 1f
    msr daifclr, #8
    ldr x2, =watched
    mov x3, #5
here_store:
    str x3, [x2]
1:  saw "store to a watched address", 0x200, 0xd6000062
    saw_far "store to a watched address", watched
    saw_elr "store to a watched address", here_store
    msr dbgwcr0_el1, xzr
    isb
    ldr x2, =watched
    ldr x19, [x2]
    check "the watched store did not happen", x19, 0
    // Byte address select: the byte at offset 5 only.
    ldr x0, =(0x20 << 5) | (3 << 3) | (1 << 1) | 1
    msr dbgwcr0_el1, x0
    isb
    attempt 1f
    msr daifclr, #8
    ldr x2, =watched
    ldrb w3, [x2, #4]
    ldrb w3, [x2, #6]
    b 2f
1:
2:  saw_nothing "neighbours of a watched byte"
    attempt 1f
    msr daifclr, #8
    ldr x2, =watched
    ldrb w3, [x2, #5]
1:  saw "load of a watched byte", 0x200, 0xd6000022
    attempt 1f
    msr daifclr, #8
    ldr x2, =watched
    ldr w3, [x2, #4]
1:  saw "word that holds a watched byte", 0x200, 0xd6000022
    msr dbgwcr0_el1, xzr
    isb

    // Software step of one instruction at EL0: SPSR.SS lets it run, then the exception comes.
    attempt 1f
    mrs x0, mdscr_el1
    orr x0, x0, #1                          // SS
    msr mdscr_el1, x0
    isb
    mov x19, #0
    adr x0, here_step
    msr elr_el1, x0
    mov x0, #0x3c0
    orr x0, x0, #(1 << 21)
    msr spsr_el1, x0
    eret
here_step:
    add x19, x19, #1
here_after:
    add x19, x19, #1
    add x19, x19, #1
1:  mrs x0, mdscr_el1
    bic x0, x0, #1
    msr mdscr_el1, x0
    isb
    saw "software step at EL0", 0x400, 0xcb000022
    saw_elr "software step at EL0", here_after
    check "one instruction ran", x19, 1
    saw_spsr "software step clears SPSR.SS", 0x3c0

    // The same of a load: ISV, and EX for an exclusive one.
    attempt 1f
    mrs x0, mdscr_el1
    orr x0, x0, #1
    msr mdscr_el1, x0
    isb
    adr x0, here_exclusive
    msr elr_el1, x0
    ldr x2, =watched
    mov x0, #0x3c0
    orr x0, x0, #(1 << 21)
    msr spsr_el1, x0
    eret
here_exclusive:
    ldxr x3, [x2]
    nop
1:  mrs x0, mdscr_el1
    bic x0, x0, #1
    msr mdscr_el1, x0
    isb
    saw "step of a load-exclusive", 0x400, 0xcb000062

    ldr x30, [sp], #16
    ret
    .ltorg
    .data
    .balign 16
watched: .quad 0, 0
