// The code that runs instructions with a given register state and records what it left.
// Copied to 0x10000000; the state (struct state in oracle.c) is at 0x30000000; the instructions, up to 32, go to offset 0x800.
// State: x0-x30 at 0, sp 248, v0-v31 256, nzcv 768, fpcr 776, fpsr 784, host sp 792, host tpidr 800, callee-saved 808.

    .arch armv8-a
    .global slot_begin, slot_end
    .balign 4096
slot_begin:
    movz x0, #0x3000, lsl #16
    add  x1, x0, #808
    stp  x19, x20, [x1]
    stp  x21, x22, [x1, #16]
    stp  x23, x24, [x1, #32]
    stp  x25, x26, [x1, #48]
    stp  x27, x28, [x1, #64]
    stp  x29, x30, [x1, #80]
    stp  d8, d9, [x1, #96]
    stp  d10, d11, [x1, #112]
    stp  d12, d13, [x1, #128]
    stp  d14, d15, [x1, #144]
    mov  x1, sp
    str  x1, [x0, #792]
    mrs  x1, tpidr_el0
    str  x1, [x0, #800]
    add  x1, x0, #256
    ld1  {v0.16b-v3.16b}, [x1], #64
    ld1  {v4.16b-v7.16b}, [x1], #64
    ld1  {v8.16b-v11.16b}, [x1], #64
    ld1  {v12.16b-v15.16b}, [x1], #64
    ld1  {v16.16b-v19.16b}, [x1], #64
    ld1  {v20.16b-v23.16b}, [x1], #64
    ld1  {v24.16b-v27.16b}, [x1], #64
    ld1  {v28.16b-v31.16b}, [x1], #64
    ldr  x1, [x0, #776]
    msr  fpcr, x1
    ldr  x1, [x0, #784]
    msr  fpsr, x1
    ldr  x1, [x0, #768]
    msr  nzcv, x1
    ldr  x1, [x0, #248]
    mov  sp, x1
    ldp  x2, x3, [x0, #16]
    ldp  x4, x5, [x0, #32]
    ldp  x6, x7, [x0, #48]
    ldp  x8, x9, [x0, #64]
    ldp  x10, x11, [x0, #80]
    ldp  x12, x13, [x0, #96]
    ldp  x14, x15, [x0, #112]
    ldp  x16, x17, [x0, #128]
    ldp  x18, x19, [x0, #144]
    ldp  x20, x21, [x0, #160]
    ldp  x22, x23, [x0, #176]
    ldp  x24, x25, [x0, #192]
    ldp  x26, x27, [x0, #208]
    ldp  x28, x29, [x0, #224]
    ldr  x30, [x0, #240]
    ldp  x0, x1, [x0]
    b    slot
    .org 0x800
slot:
    .rept 32
    nop
    .endr
    msr  tpidr_el0, x0
    movz x0, #0x3000, lsl #16
    stp  x2, x3, [x0, #16]
    stp  x4, x5, [x0, #32]
    stp  x6, x7, [x0, #48]
    stp  x8, x9, [x0, #64]
    stp  x10, x11, [x0, #80]
    stp  x12, x13, [x0, #96]
    stp  x14, x15, [x0, #112]
    stp  x16, x17, [x0, #128]
    stp  x18, x19, [x0, #144]
    stp  x20, x21, [x0, #160]
    stp  x22, x23, [x0, #176]
    stp  x24, x25, [x0, #192]
    stp  x26, x27, [x0, #208]
    stp  x28, x29, [x0, #224]
    str  x30, [x0, #240]
    str  x1, [x0, #8]
    mrs  x1, tpidr_el0
    str  x1, [x0]
    mov  x1, sp
    str  x1, [x0, #248]
    mrs  x1, nzcv
    str  x1, [x0, #768]
    mrs  x1, fpsr
    str  x1, [x0, #784]
    mrs  x1, fpcr
    str  x1, [x0, #776]
    add  x1, x0, #256
    st1  {v0.16b-v3.16b}, [x1], #64
    st1  {v4.16b-v7.16b}, [x1], #64
    st1  {v8.16b-v11.16b}, [x1], #64
    st1  {v12.16b-v15.16b}, [x1], #64
    st1  {v16.16b-v19.16b}, [x1], #64
    st1  {v20.16b-v23.16b}, [x1], #64
    st1  {v24.16b-v27.16b}, [x1], #64
    st1  {v28.16b-v31.16b}, [x1], #64
    msr  fpcr, xzr
    msr  fpsr, xzr
    ldr  x1, [x0, #800]
    msr  tpidr_el0, x1
    ldr  x1, [x0, #792]
    mov  sp, x1
    add  x1, x0, #808
    ldp  x19, x20, [x1]
    ldp  x21, x22, [x1, #16]
    ldp  x23, x24, [x1, #32]
    ldp  x25, x26, [x1, #48]
    ldp  x27, x28, [x1, #64]
    ldp  x29, x30, [x1, #80]
    ldp  d8, d9, [x1, #96]
    ldp  d10, d11, [x1, #112]
    ldp  d12, d13, [x1, #128]
    ldp  d14, d15, [x1, #144]
    ret
slot_end:
