// The interrupt controller: enabling, pending, priorities, masking, pre-emption, EOI modes, SPIs.
// variants: gicv2=2 gicv3=3
    .include "lib.inc"
    .include "gic.inc"

    .macro call name, argument
    mov x0, #\argument
    bl \name
    mov x19, x0
    .endm

tests:
    str x30, [sp, #-16]!
    call gic_acknowledge, 0
    bl gic_init
    call gic_acknowledge, 0
    check "nothing pending: spurious INTID", x19, 1023

    // A disabled SGI is pending but not delivered. (GICv2 may have SGIs that cannot be disabled, IHI0048B 4.3.5.)
    call gic_disable, 3
    call gic_sgi_self, 3
    .if GRANULE == 3
    call gic_pending, 3
    check "disabled SGI is pending", x19, 1
    call gic_acknowledge, 0
    check "disabled SGI is not acknowledged", x19, 1023
    .endif
    call gic_enable, 3
    call gic_acknowledge, 0
    check "enabled SGI is acknowledged", x19, 3
    call gic_active, 3
    check "acknowledged SGI is active", x19, 1
    call gic_pending, 3
    check "acknowledged SGI is no longer pending", x19, 0
    call gic_running, 0
    check "running priority", x19, 0x80
    call gic_end, 3
    call gic_active, 3
    check "EOI deactivates", x19, 0
    call gic_running, 0
    check "idle priority", x19, 0xff

    // Taken as an IRQ exception.
    attempt 1f
    call gic_sgi_self, 3
    msr daifclr, #2
2:  b 2b
1:  ldr x9, =record
    ldr x0, [x9]
    check "SGI is taken as IRQ", x0, 0x280
    call gic_acknowledge, 0
    call gic_end, 3

    // The priority mask.
    call gic_mask, 0x80
    call gic_sgi_self, 3
    call gic_acknowledge, 0
    check "masked by the priority mask", x19, 1023
    call gic_mask, 0xf0
    call gic_acknowledge, 0
    check "unmasked", x19, 3

    // Pre-emption: a higher priority (lower number) is acknowledged while another is active, an equal one is not.
    call gic_enable, 4
    call gic_sgi_self, 4
    call gic_acknowledge, 0
    check "equal priority does not pre-empt", x19, 1023
    mov x1, #0x40
    mov x0, #4
    bl gic_priority
    call gic_acknowledge, 0
    check "higher priority pre-empts", x19, 4
    call gic_running, 0
    check "running priority after pre-emption", x19, 0x40
    call gic_end, 4
    call gic_running, 0
    check "running priority drops back", x19, 0x80
    call gic_end, 3

    // Two pending: the higher priority first; at equal priority the lower INTID.
    mov x1, #0x80
    mov x0, #4
    bl gic_priority
    call gic_enable, 5
    call gic_sgi_self, 5
    call gic_sgi_self, 4
    call gic_acknowledge, 0
    check "equal priorities: lowest INTID first", x19, 4
    call gic_end, 4
    call gic_acknowledge, 0
    check "then the other", x19, 5
    call gic_end, 5
    mov x1, #0x20
    mov x0, #5
    bl gic_priority
    call gic_sgi_self, 4
    call gic_sgi_self, 5
    call gic_acknowledge, 0
    check "higher priority first", x19, 5
    call gic_end, 5
    call gic_acknowledge, 0
    check "then the lower one", x19, 4
    call gic_end, 4

    // EOI mode 1: priority drop and deactivation apart.
    call gic_mode, 1
    call gic_sgi_self, 3
    call gic_acknowledge, 0
    call gic_end, 3
    call gic_running, 0
    check "EOImode 1: priority dropped", x19, 0xff
    call gic_active, 3
    check "EOImode 1: still active", x19, 1
    call gic_sgi_self, 3
    call gic_acknowledge, 0
    check "EOImode 1: an active interrupt is not given again", x19, 1023
    call gic_deactivate, 3
    call gic_active, 3
    check "EOImode 1: deactivated", x19, 0
    call gic_acknowledge, 0
    check "EOImode 1: now it is given", x19, 3
    call gic_end, 3
    call gic_deactivate, 3
    call gic_mode, 0

    // A shared peripheral interrupt made pending by software.
    ldr x9, =GICD
    mov w0, #(1 << 8)
    .if GRANULE == 2
    mov w1, #1
    strb w1, [x9, #0x828]                   // GICD_ITARGETSR of INTID 40: this PE
    .else
    ldr x10, =GICD + 0x6000 + 8 * 40
    str xzr, [x10]                          // GICD_IROUTER40: affinity 0.0.0.0
    ldr w1, [x9, #0x84]
    orr w1, w1, w0
    str w1, [x9, #0x84]                     // GICD_IGROUPR1
    .endif
    mov w1, #0x80
    strb w1, [x9, #0x428]
    str w0, [x9, #0x104]
    str w0, [x9, #0x204]
    dsb sy
    ldr w19, [x9, #0x204]
    and w19, w19, w0
    check "SPI set pending", x19, 0x100
    call gic_acknowledge, 0
    check "SPI acknowledged", x19, 40
    ldr x9, =GICD
    ldr w19, [x9, #0x304]
    check "SPI active", x19, 0x100
    call gic_end, 40
    ldr x9, =GICD
    mov w0, #(1 << 8)
    str w0, [x9, #0x204]
    str w0, [x9, #0x284]
    call gic_acknowledge, 0
    check "SPI cleared before it was acknowledged", x19, 1023

    // Identification.
    .if GRANULE == 2
    ldr x9, =GICD + 0xfe8
    .else
    ldr x9, =GICD + 0xffe8
    .endif
    ldr w19, [x9]
    and w19, w19, #0xf0
    check "GICD_PIDR2.ArchRev", x19, GRANULE << 4
    ldr x9, =GICD
    ldr w0, [x9, #4]
    and w0, w0, #31
    cmp w0, #7
    cset x19, hs
    check "GICD_TYPER.ITLinesNumber covers the board's SPIs", x19, 1

    ldr x30, [sp], #16
    ret
    .ltorg
