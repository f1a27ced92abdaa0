// Stage 1 translation for one granule: faults of every level, permissions, access flag, attributes, TLB maintenance.
// variants: 4k=12 16k=14 64k=16
    .include "lib.inc"

    .equ BITS, GRANULE - 3                  // address bits a level resolves
    .equ PAGE, 1 << GRANULE
    .if GRANULE == 12
    .equ TG, (0 << 14) | (2 << 30)
    .equ START, 0
    .equ BLOCK, 2
    .elseif GRANULE == 14
    .equ TG, (2 << 14) | (1 << 30)
    .equ START, 0
    .equ BLOCK, 2
    .else
    .equ TG, (1 << 14) | (3 << 30)
    .equ START, 1
    .equ BLOCK, 2
    .endif
    .equ BLOCK_SHIFT, GRANULE + BITS
    // Lower attributes: AF, inner shareable, MAIR index 0 (Normal); AP in bits 7:6.
    .equ NORMAL, (1 << 10) | (3 << 8)
    .equ RO, 1 << 7
    .equ USER, 1 << 6
    .equ NG, 1 << 11
    .equ UXN_HI, 1 << 54
    .equ PXN_HI, 1 << 53
    .equ TEST, 0x0000123400000000           // a virtual address with nothing around it
    .equ PA, 0x44000000

// map(x0 = va, x1 = pa, x2 = attributes, x3 = level of the leaf): makes tables as needed. Clobbers x0-x9.
map:
    ldr x4, =root
    mov x5, #START
1:  mov x6, #3
    sub x6, x6, x5
    mov x7, #BITS
    mul x6, x6, x7
    add x6, x6, #GRANULE                    // shift of this level
    lsr x7, x0, x6
    mov x8, #(1 << BITS) - 1
    .if GRANULE == 16
    mov x8, #0x1fff
    .endif
    and x7, x7, x8
    add x7, x4, x7, lsl #3
    cmp x5, x3
    b.eq 3f
    ldr x8, [x7]
    tbnz x8, #0, 2f
    ldr x9, =next_table
    ldr x8, [x9]
    add x6, x8, #PAGE
    str x6, [x9]
    orr x8, x8, #3
    str x8, [x7]
2:  and x4, x8, #0x0000fffffffff000
    add x5, x5, #1
    b 1b
3:  orr x1, x1, x2
    cmp x3, #3
    mov x8, #3
    mov x9, #1
    csel x8, x8, x9, eq
    orr x1, x1, x8
    str x1, [x7]
    mov x0, x7
    ret

// page va, pa, attributes (constants): maps one page. x0 = address of its descriptor.
    .macro page va, pa, attributes
    ldr x0, =\va
    ldr x1, =\pa
    ldr x2, =\attributes
    mov x3, #3
    bl map
    .endm
    .macro block va, pa, attributes
    ldr x0, =\va
    ldr x1, =\pa
    ldr x2, =\attributes
    mov x3, #BLOCK
    bl map
    .endm
    .macro flush
    dsb ish
    tlbi vmalle1
    dsb ish
    isb
    .endm

tests:
    str x30, [sp, #-16]!
    // The program itself: pages readable and executable at EL0 too (so not writable), data after it, the UART as a device.
    ldr x19, =_start
    and x19, x19, #~(PAGE - 1)
    ldr x20, =code_end
1:  mov x0, x19
    mov x1, x19
    ldr x2, =NORMAL | RO | USER
    mov x3, #3
    bl map
    add x19, x19, #PAGE
    cmp x19, x20
    b.lo 1b
    ldr x19, =data_begin
    ldr x20, =next_table
    ldr x20, [x20]
    add x20, x20, #(64 * PAGE & 0xfff000)
    ldr x20, =tables_end
2:  mov x0, x19
    mov x1, x19
    ldr x2, =NORMAL | UXN_HI
    mov x3, #3
    bl map
    add x19, x19, #PAGE
    cmp x19, x20
    b.lo 2b
    page 0x09000000, 0x09000000, NORMAL | UXN_HI | PXN_HI | 4

    // MAIR: 0 Normal write-back, 1 Device-nGnRnE.
    mov x0, #0xff
    msr mair_el1, x0
    // T0SZ = T1SZ = 16, EPD1 (nothing in the upper half), 48-bit output where there is one.
    ldr x0, =16 | (16 << 16) | (1 << 23) | TG | (1 << 8) | (1 << 10) | (3 << 12)
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #7
    cmp x1, #5
    mov x2, #5
    csel x1, x1, x2, lo
    orr x0, x0, x1, lsl #32
    msr tcr_el1, x0
    ldr x0, =root
    msr ttbr0_el1, x0
    isb
    flush
    mrs x0, sctlr_el1
    orr x0, x0, #1
    bic x0, x0, #2
    orr x0, x0, #0x1000
    orr x0, x0, #0x4
    msr sctlr_el1, x0
    isb
    mrs x19, sctlr_el1
    and x19, x19, #1
    check "the MMU is on", x19, 1

    // Translation faults, from the start level down. Data abort, same EL: EC 0x25; a write sets WnR.
    .if START == 0
    attempt 1f
    ldr x2, =0x0000f23400000000
    ldr x3, [x2]
1:  saw "translation fault, level 0, read", 0x200, 0x96000004
    saw_far "translation fault, level 0, read", 0x0000f23400000000
    .else
    attempt 1f
    ldr x2, =TEST
    ldr x3, [x2]
1:  saw "translation fault, level 1, read", 0x200, 0x96000005
    .endif
    page TEST + 8 * PAGE, PA, NORMAL
    attempt 1f
    ldr x2, =TEST
    str x3, [x2]
1:  saw "translation fault, level 3, write", 0x200, 0x96000047
    saw_far "translation fault, level 3, write", TEST
    attempt 1f
    ldr x2, =TEST + (1 << BLOCK_SHIFT) + 24
    ldrb w3, [x2]
1:  saw "translation fault, level 2", 0x200, 0x96000006
    saw_far "translation fault, level 2", TEST + (1 << BLOCK_SHIFT) + 24
    .if START == 0
    attempt 1f
    ldr x2, =TEST ^ (1 << (GRANULE + 2 * BITS))
    ldrb w3, [x2]
1:  saw "translation fault, level 1", 0x200, 0x96000005
    .endif
    attempt 1f
    ldr x2, =0xffff000000000000
    ldrb w3, [x2]
1:  ldr x9, =record
    ldr x0, [x9, #8]
    check "EPD1: translation fault, level 0", x0, 0x96000004
    attempt 1f
    ldr x2, =0x0001000000000000
    ldrb w3, [x2]
1:  saw "address outside both halves", 0x200, 0x96000004

    // A page that is there.
    attempt 1f
    ldr x2, =TEST + 8 * PAGE
    ldr x3, =0x1122334455667788
    str x3, [x2]
    ldr x4, [x2]
    b 2f
1:
2:  check "a mapped page holds what was written", x4, 0x1122334455667788
    saw_nothing "a mapped page"

    // An access across into a page that is not there faults on the second page, and changes nothing.
    page TEST + 10 * PAGE, PA + PAGE, NORMAL
    ldr x2, =TEST + 10 * PAGE + PAGE - 8
    ldr x3, =0x5555555555555555
    str x3, [x2]
    attempt 1f
    ldr x2, =TEST + 10 * PAGE + PAGE - 4
    mov x3, #-1
    str x3, [x2]
1:  saw "store across a page", 0x200, 0x96000047
    saw_far "store across a page", TEST + 11 * PAGE
    ldr x2, =TEST + 10 * PAGE + PAGE - 8
    ldr x4, [x2]
    check "store across a page wrote nothing", x4, 0x5555555555555555

    // A load pair with write-back that faults on its second half leaves its registers.
    attempt 1f
    ldr x2, =TEST + 10 * PAGE + PAGE - 8
    mov x3, #7
    ldp x3, x4, [x2], #16
1:  mov x19, x2
    mov x20, x3
    check "LDP that faults: base kept", x19, TEST + 10 * PAGE + PAGE - 8
    check "LDP that faults: target kept", x20, 7

    // Permissions.
    page TEST + 16 * PAGE, PA, NORMAL | RO
    attempt 1f
    ldr x2, =TEST + 16 * PAGE
    str x3, [x2]
1:  saw "write to a read-only page", 0x200, 0x9600004f
    page TEST + 17 * PAGE, PA, NORMAL
    attempt 1f
    to_el0 2f
2:  ldr x2, =TEST + 17 * PAGE
    ldr x3, [x2]
1:  saw "EL0 reads an EL1 page", 0x400, 0x9200000f
    attempt 1f
    to_el0 2f
2:  ldr x2, =TEST + 17 * PAGE + 8
    strb w3, [x2]
1:  saw "EL0 writes an EL1 page", 0x400, 0x9200004f
    saw_far "EL0 writes an EL1 page", TEST + 17 * PAGE + 8
    attempt 1f
    ldr x2, =TEST + 17 * PAGE
    ldtr x3, [x2]
1:  saw "LDTR of an EL1 page", 0x200, 0x9600000f
    page TEST + 18 * PAGE, PA, NORMAL | USER
    attempt 1f
    to_el0 2f
2:  ldr x2, =TEST + 18 * PAGE
    str x3, [x2]
    svc #5
1:  saw "EL0 writes its page", 0x400, 0x56000005

    // Execution.
    ldr x2, =PA + 4 * PAGE
    page TEST + 24 * PAGE, PA, NORMAL
    ldr x2, =TEST + 24 * PAGE
    ldr x3, =0xd65f03c0d2800540             // mov x0, #42; ret
    str x3, [x2]
    dc cvau, x2
    dsb ish
    ic ivau, x2
    dsb ish
    isb
    blr x2
    check "code that was just written runs", x0, 42
    page TEST + 25 * PAGE, PA, NORMAL | PXN_HI
    attempt 1f
    ldr x2, =TEST + 25 * PAGE
    br x2
1:  saw "execute-never at EL1", 0x200, 0x8600000f
    saw_far "execute-never at EL1", TEST + 25 * PAGE
    saw_elr "execute-never at EL1", TEST + 25 * PAGE
    page TEST + 26 * PAGE, PA, NORMAL | USER | RO | UXN_HI
    attempt 1f
    ldr x0, =TEST + 26 * PAGE
    msr elr_el1, x0
    mov x0, #0x3c0
    msr spsr_el1, x0
    eret
1:  saw "execute-never at EL0", 0x400, 0x8200000f
    page TEST + 27 * PAGE, PA, NORMAL | USER
    attempt 1f
    ldr x2, =TEST + 27 * PAGE
    br x2
1:  saw "a page that EL0 may write is never executed at EL1", 0x200, 0x8600000f
    attempt 1f
    ldr x2, =TEST + 28 * PAGE
    br x2
1:  saw "execution of an unmapped page", 0x200, 0x86000007

    // The access flag.
    page TEST + 32 * PAGE, PA, NORMAL ^ (1 << 10)
    attempt 1f
    ldr x2, =TEST + 32 * PAGE
    ldr x3, [x2]
1:  saw "access flag fault, level 3", 0x200, 0x9600000b
    ldr x0, =TEST + (4 << BLOCK_SHIFT)
    block TEST + (4 << BLOCK_SHIFT), PA & ~((1 << BLOCK_SHIFT) - 1), NORMAL ^ (1 << 10)
    attempt 1f
    ldr x2, =TEST + (4 << BLOCK_SHIFT) + 0x1000
    ldr x3, [x2]
1:  saw "access flag fault, level 2", 0x200, 0x9600000a

    // Blocks, and permission faults at their level.
    block TEST + (5 << BLOCK_SHIFT), 0x40000000 + 0 * PAGE, NORMAL | RO
    ldr x2, =TEST + (5 << BLOCK_SHIFT) + (_start - 0x40000000)
    ldr x3, [x2]
    ldr x4, =_start
    ldr x4, [x4]
    sub x3, x3, x4
    check "a block maps what is behind it", x3, 0
    attempt 1f
    ldr x2, =TEST + (5 << BLOCK_SHIFT) + 0x1238
    str x3, [x2]
1:  saw "write to a read-only block", 0x200, 0x9600004e
    saw_far "write to a read-only block", TEST + (5 << BLOCK_SHIFT) + 0x1238

    // TLB maintenance: a changed mapping is seen after TLBI by address.
    page TEST + 40 * PAGE, PA, NORMAL
    ldr x2, =TEST + 40 * PAGE
    mov x3, #111
    str x3, [x2]
    page TEST + 41 * PAGE, PA + 2 * PAGE, NORMAL
    ldr x2, =TEST + 41 * PAGE
    mov x3, #222
    str x3, [x2]
    ldr x2, =TEST + 40 * PAGE
    ldr x3, [x2]
    page TEST + 40 * PAGE, PA + 2 * PAGE, NORMAL
    dsb ish
    ldr x2, =(TEST + 40 * PAGE) >> 12
    tlbi vae1, x2
    dsb ish
    isb
    ldr x2, =TEST + 40 * PAGE
    ldr x3, [x2]
    check "TLBI VAE1 makes a new mapping seen", x3, 222

    // ASIDs: the same address, non-global, in two address spaces.
    page TEST + 44 * PAGE, PA, NORMAL | NG
    mov x19, x0                             // its descriptor
    ldr x0, =root
    orr x0, x0, #(1 << 48)
    msr ttbr0_el1, x0
    isb
    ldr x2, =TEST + 44 * PAGE
    ldr x20, [x2]
    ldr x0, [x19]
    add x0, x0, #(2 * PAGE)
    str x0, [x19]
    dsb ish
    ldr x0, =root
    orr x0, x0, #(2 << 48)
    msr ttbr0_el1, x0
    isb
    ldr x21, [x2]
    check "ASID 1", x20, 111
    check "ASID 2 does not see ASID 1's entry", x21, 222
    ldr x0, =root
    msr ttbr0_el1, x0
    isb

    // AT and PAR_EL1.
    ldr x2, =TEST + 40 * PAGE + 0x18
    at s1e1r, x2
    isb
    mrs x3, par_el1
    and x4, x3, #1
    check "AT S1E1R: no fault", x4, 0
    and x3, x3, #0x0000fffffffff000
    check "AT S1E1R: address", x3, PA + 2 * PAGE
    ldr x2, =TEST + 40 * PAGE + 0x18
    at s1e0r, x2
    isb
    mrs x3, par_el1
    and x3, x3, #0x7f
    check "AT S1E0R: permission fault, level 3", x3, (0x0f << 1) | 1
    ldr x2, =TEST + 16 * PAGE
    at s1e1w, x2
    isb
    mrs x3, par_el1
    and x3, x3, #0x7f
    check "AT S1E1W: permission fault, level 3", x3, (0x0f << 1) | 1

    // Alignment: checked for exclusives always, for others when SCTLR_EL1.A is set or the memory is Device.
    attempt 1f
    // Across 16 bytes, so that FEAT_LSE2 does not allow it.
    ldr x2, =TEST + 40 * PAGE + 9
    ldxr x3, [x2]
1:  saw "LDXR unaligned", 0x200, 0x96000021
    saw_far "LDXR unaligned", TEST + 40 * PAGE + 9
    attempt 1f
    ldr x2, =TEST + 40 * PAGE + 3
    ldr x3, [x2]
    b 2f
1:
2:  saw_nothing "LDR unaligned in Normal memory"
    mrs x0, sctlr_el1
    orr x0, x0, #2
    msr sctlr_el1, x0
    isb
    attempt 1f
    ldr x2, =TEST + 40 * PAGE + 3
    str w3, [x2]
1:  saw "STR unaligned with SCTLR_EL1.A", 0x200, 0x96000061
    mrs x0, sctlr_el1
    bic x0, x0, #2
    msr sctlr_el1, x0
    isb

    // An output address beyond what TCR_EL1.IPS allows.
    ldr x0, =TEST + 48 * PAGE
    ldr x1, =0x0000200000000000
    ldr x2, =NORMAL
    mov x3, #3
    bl map
    mrs x0, tcr_el1
    bic x1, x0, #(7 << 32)
    msr tcr_el1, x1
    isb
    flush
    attempt 1f
    ldr x2, =TEST + 48 * PAGE
    ldr x3, [x2]
1:  saw "address size fault, level 3", 0x200, 0x96000003

    ldr x30, [sp], #16
    ret
    .ltorg
    .balign 65536
code_end:

    .data
    .balign 65536
data_begin_marker:
next_table: .quad tables
    .bss
    .balign 65536
root:  .space 65536
tables: .space 65536 * 24
tables_end:
    .equ data_begin, code_end
