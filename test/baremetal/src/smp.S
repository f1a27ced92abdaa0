// A second PE by PSCI, and an SGI from one to the other. Run with at least two CPUs.
// variants: gicv2=2 gicv3=3
    .include "lib.inc"
    .include "gic.inc"

tests:
    str x30, [sp, #-16]!
    bl gic_init
    // AFFINITY_INFO: off.
    ldr x0, =0xc4000004
    mov x1, #1
    mov x2, #0
    hvc #0
    mov x19, x0
    check "AFFINITY_INFO: off", x19, 1
    ldr x0, =PSCI_CPU_ON
    mov x1, #1
    ldr x2, =second
    ldr x3, =0x1234567
    hvc #0
    mov x19, x0
    check "CPU_ON", x19, 0
    ldr x20, =mailbox
1:  ldr x19, [x20]
    cbz x19, 1b
    check "the context argument arrives in x0", x19, 0x1234567
    ldr x19, [x20, #8]
    check "the second PE's MPIDR", x19, 1
    ldr x19, [x20, #16]
    check "the second PE starts at EL1", x19, 4
    ldr x0, =PSCI_CPU_ON
    mov x1, #1
    ldr x2, =second
    hvc #0
    mov x19, x0
    check "CPU_ON of a PE that is on: ALREADY_ON", x19, -4
    ldr x0, =PSCI_CPU_ON
    mov x1, #77
    ldr x2, =second
    hvc #0
    mov x19, x0
    check "CPU_ON of a PE that is not there: INVALID_PARAMETERS", x19, -2
    // Ping.
    .if GRANULE == 2
    ldr x1, =GICD
    ldr w0, =(2 << 16) | 7
    str w0, [x1, #0xf00]
    .else
    ldr x0, =(7 << 24) | 2
    msr icc_sgi1r_el1, x0
    isb
    .endif
1:  ldr x19, [x20, #24]
    cbz x19, 1b
    and x19, x19, #0x3ff
    check "the second PE acknowledges the SGI", x19, 7
    // Both count with exclusives; nothing is lost.
    mov x0, #1
    str x0, [x20, #32]
    sev
    mov x5, #20000
    bl count
1:  ldr x19, [x20, #40]
    cbz x19, 1b
    ldr x19, [x20, #64]
    check "load-exclusive, store-exclusive from two PEs", x19, 40000
    ldr x30, [sp], #16
    ret

count:
    ldr x6, =mailbox + 64
1:  ldxr x7, [x6]
    add x7, x7, #1
    stxr w8, x7, [x6]
    cbnz w8, 1b
    subs x5, x5, #1
    b.ne 1b
    ret

second:
    mov x10, x0
    ldr x1, =second_stack
    mov sp, x1
    ldr x20, =mailbox
    mrs x11, mpidr_el1
    and x11, x11, #0xff
    str x11, [x20, #8]
    mrs x11, currentel
    str x11, [x20, #16]
    .if GRANULE == 2
    ldr x1, =GICC
    mov w0, #0xf0
    str w0, [x1, #4]
    mov w0, #1
    str w0, [x1]
    ldr x1, =GICD
    mov w0, #0x80
    str w0, [x1, #0x100]
    .else
    ldr x1, =GICR + 0x20000
    ldr w0, [x1, #0x14]
    bic w0, w0, #2
    str w0, [x1, #0x14]
1:  ldr w0, [x1, #0x14]
    tbnz w0, #2, 1b
    ldr x1, =GICR_SGI + 0x20000
    mov w0, #-1
    str w0, [x1, #0x80]
    mov w0, #0x80
    str w0, [x1, #0x100]
    mrs x0, icc_sre_el1
    orr x0, x0, #1
    msr icc_sre_el1, x0
    isb
    mov x0, #0xf0
    msr icc_pmr_el1, x0
    mov x0, #1
    msr icc_igrpen1_el1, x0
    isb
    .endif
    dmb sy
    str x10, [x20]
    wfi
    bl gic_acknowledge
    mov x11, x0
    bl gic_end
    orr x11, x11, #(1 << 20)
    str x11, [x20, #24]
1:  ldr x0, [x20, #32]
    cbnz x0, 2f
    wfe
    b 1b
2:  mov x5, #20000
    bl count
    dmb sy
    mov x0, #1
    str x0, [x20, #40]
    ldr x0, =0x84000002                     // CPU_OFF
    hvc #0
    b .
    .ltorg
    .data
    .balign 16
mailbox: .space 128
    .space 4096
second_stack: .quad 0
