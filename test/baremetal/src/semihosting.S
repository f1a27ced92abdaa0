// Semihosting (Semihosting for AArch32 and AArch64, 3.0). Run with --semihosting dir=DIRECTORY; with --append exit it ends by SYS_EXIT.
    .include "lib.inc"

    .macro semihost operation
    mov w0, #\operation
    hlt #0xf000
    .endm

// A parameter block of up to four values.
    .macro block a, b=0, c=0, d=0
    ldr x1, =parameters
    ldr x2, =\a
    str x2, [x1]
    ldr x2, =\b
    str x2, [x1, #8]
    ldr x2, =\c
    str x2, [x1, #16]
    ldr x2, =\d
    str x2, [x1, #24]
    .endm

// open name, length, mode: the handle is in x19, and in the parameter block's first field.
    .macro open name, length, mode
    block \name, \mode, \length
    semihost 0x01
    mov x19, x0
    ldr x1, =parameters
    str x19, [x1]
    .endm

    .macro errno name, value
    semihost 0x13
    mov x20, x0
    check "\name", x20, \value
    .endm

tests:
    str x30, [sp, #-16]!
    // The command line ends in "exit", or so: so does the program.
    block buffer, 256
    semihost 0x15
    mov x19, x0
    check "SYS_GET_CMDLINE", x19, 0
    ldr x1, =parameters
    ldr x2, [x1, #8]
    ldr x3, =buffer
    add x3, x3, x2
    ldrb w19, [x3, #-1]
    cmp w19, #'t'
    b.ne 1f
    block 0x20026, 42
    semihost 0x20
    b .
1:
    ldr x1, =letter
    semihost 0x03
    ldr x1, =hello
    semihost 0x04
    // Features.
    open features, 21, 0
    ldr x2, =buffer
    str x2, [x1, #8]
    mov x2, #5
    str x2, [x1, #16]
    semihost 0x06
    mov x20, x0
    check "SYS_READ of the features", x20, 0
    ldr x1, =buffer
    ldr w20, [x1]
    check "their magic number", x20, 0x42464853
    ldr x1, =buffer
    ldrb w20, [x1, #4]
    check "both extensions", x20, 3
    // The console.
    open console, 3, 4
    semihost 0x09
    mov x20, x0
    check "SYS_ISTTY of :tt", x20, 1
    ldr x1, =parameters
    ldr x2, =hello
    str x2, [x1, #8]
    mov x2, #6
    str x2, [x1, #16]
    semihost 0x05
    mov x20, x0
    check "SYS_WRITE to :tt", x20, 0
    ldr x1, =parameters
    semihost 0x02
    mov x20, x0
    check "SYS_CLOSE", x20, 0
    ldr x1, =parameters
    semihost 0x02
    mov x20, x0
    check "SYS_CLOSE of a handle that is closed", x20, -1
    errno "its errno is EBADF", 9
    // A file: written, measured, read from a place, renamed, removed.
    open file, 8, 6
    ldr x2, =hello
    str x2, [x1, #8]
    mov x2, #6
    str x2, [x1, #16]
    semihost 0x05
    mov x20, x0
    check "SYS_WRITE to a file", x20, 0
    ldr x1, =parameters
    semihost 0x0c
    mov x20, x0
    check "SYS_FLEN", x20, 6
    ldr x1, =parameters
    mov x2, #2
    str x2, [x1, #8]
    semihost 0x0a
    mov x20, x0
    check "SYS_SEEK", x20, 0
    ldr x1, =parameters
    ldr x2, =buffer
    str x2, [x1, #8]
    mov x2, #10
    str x2, [x1, #16]
    semihost 0x06
    mov x20, x0
    check "SYS_READ gives what was not read", x20, 6
    ldr x1, =buffer
    ldr w20, [x1]
    check "what was read", x20, 0x0a6f6c6c
    ldr x1, =parameters
    semihost 0x09
    mov x20, x0
    check "SYS_ISTTY of a file", x20, 0
    ldr x1, =parameters
    semihost 0x02
    block file, 8, other, 5
    semihost 0x0f
    mov x20, x0
    check "SYS_RENAME", x20, 0
    open file, 8, 0
    check "SYS_OPEN of a file that is gone", x19, -1
    errno "its errno is ENOENT", 2
    block other, 5
    semihost 0x0e
    mov x20, x0
    check "SYS_REMOVE", x20, 0
    // Out of the directory: not by name.
    open outside, 13, 0
    check "SYS_OPEN outside of the directory", x19, -1
    errno "its errno is EACCES", 13
    open link, 4, 0
    check "SYS_OPEN by a link that leads outside", x19, -1
    errno "of a link: EACCES", 13
    // What there is not.
    block hello, 5
    semihost 0x12
    mov x20, x0
    check "SYS_SYSTEM", x20, -1
    errno "its errno is EPERM", 1
    semihost 0x99
    mov x20, x0
    check "an operation that there is not", x20, -1
    ldr x1, =0x123400000000
    semihost 0x05
    mov x20, x0
    check "a parameter block that is nowhere", x20, -1
    errno "its errno is EFAULT", 14
    saw_nothing "and no exception"
    // Time, memory.
    semihost 0x31
    mov x20, x0
    check "SYS_TICKFREQ", x20, 1000000000
    ldr x1, =parameters
    semihost 0x30
    ldr x1, =parameters
    ldr x21, [x1]
    ldr x1, =parameters
    semihost 0x30
    ldr x1, =parameters
    ldr x22, [x1]
    cmp x22, x21
    cset x20, hi
    check "SYS_ELAPSED goes on", x20, 1
    block -1
    semihost 0x08
    mov x20, x0
    check "SYS_ISERROR", x20, 1
    block buffer
    semihost 0x16
    ldr x1, =buffer
    ldp x2, x3, [x1]
    cmp x3, x2
    cset x20, hi
    check "SYS_HEAPINFO: there is a heap", x20, 1
    // From EL0, too.
    attempt 1f
    to_el0 0f
0:  mov w0, #0x31
    hlt #0xf000
    mov x20, x0
    svc #0
1:  check "from EL0", x20, 1000000000
    attempt 1f
    hlt #0xf001
1:  saw "HLT with another immediate", 0x200, 0x02000000
    // A key.
    semihost 0x07
    mov x20, x0
    check "SYS_READC", x20, 0x6b
    ldr x30, [sp], #16
    ret
    .ltorg

    .data
    .balign 16
parameters: .quad 0, 0, 0, 0
buffer: .space 256
letter: .byte '!'
hello: .asciz "hello\n"
features: .asciz ":semihosting-features"
console: .asciz ":tt"
file: .asciz "file.txt"
other: .asciz "other"
outside: .asciz "../etc/passwd"
link: .asciz "link"
    .text
