// reseed: gives the kernel's random number generator 512 bytes of the host's, and has it start anew from them. For machines that start from one
// snapshot. More than one request's worth: what the driver of the entropy device fetched ahead (virtio-rng and hw_random keep some cache lines of
// it) is the same in all of them. Exit status 1 when something fails. Writing to /dev/urandom would only be mixed in, for some later reseeding.

#define OPENAT 56
#define READ 63
#define IOCTL 29
#define EXIT 93
#define AT_FDCWD -100
#define O_RDONLY 0
#define RNDADDENTROPY 0x40085203
#define RNDRESEEDCRNG 0x5207
#define BYTES 512

        .macro  call number
        mov     x8, #\number
        svc     #0
        tbnz    x0, #63, failed
        .endm

        .text
        .global _start
_start:
        mov     x0, #AT_FDCWD
        adr     x1, hwrng
        mov     x2, #O_RDONLY
        call    OPENAT
        mov     x19, x0
        adrp    x20, pool                       // struct rand_pool_info: bits, bytes, the bytes
        add     x20, x20, :lo12:pool
        mov     x21, #0
1:      mov     x0, x19
        add     x1, x20, #8
        add     x1, x1, x21
        mov     x2, #BYTES
        sub     x2, x2, x21
        call    READ
        cbz     x0, failed
        add     x21, x21, x0
        cmp     x21, #BYTES
        b.lo    1b
        mov     x0, #AT_FDCWD
        adr     x1, urandom
        mov     x2, #O_RDONLY
        call    OPENAT
        mov     x19, x0
        ldr     w1, =RNDADDENTROPY
        mov     x2, x20
        call    IOCTL
        mov     x0, x19
        mov     x1, #RNDRESEEDCRNG
        mov     x2, #0
        call    IOCTL
        mov     x0, #0
        b       2f
failed: mov     x0, #1
2:      mov     x8, #EXIT
        svc     #0

        .ltorg
hwrng:  .asciz  "/dev/hwrng"
urandom: .asciz "/dev/urandom"

        .data
        .balign 8
pool:   .word   256, BYTES
        .zero   BYTES
