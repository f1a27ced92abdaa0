// What the tests written in C share: they run at EL2 (LEVEL 2), or at EL3 (LEVEL 3), with the MMU off, and enter code of lower exception levels
// as a hypervisor enters a guest: `run` returns when an exception comes back to this level, and `seen` has what it was.
//
// A test defines `void tests(void)`. It prints "ok NAME" or "not ok NAME: found F expected E" for each check, then "done PASSED FAILED", as
// lib.inc's. Exceptions to EL1 come back by HVC #(0x100 | vector >> 7), at LEVEL 3 by SMC, and those to EL2 by SMC #(0x200 | vector >> 7).

#ifndef LEVEL
#define LEVEL 2
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#if LEVEL == 3
#define OWN(register) STRING(register) "_el3"
#define BACK "smc"
#else
#define OWN(register) STRING(register) "_el2"
#define BACK "hvc"
#endif

/** MRS and MSR, by the assembler's name of the register. */
#define get(name) ({ u64 value_; asm volatile("mrs %0, " STRING(name) : "=r"(value_)::"memory"); value_; })
#define set(name, value) ({ asm volatile("msr " STRING(name) ", %0\n\tisb" ::"r"((u64)(value)) : "memory"); })
#define bit(n) (1ul << (n))
#define mem32(address) (*(volatile u32 *)(address))
#define mem64(address) (*(volatile u64 *)(address))

// Exception classes, in their place, with IL.
#define ESR(ec, iss) ((u64)(ec) << 26 | 1ul << 25 | (iss))
#define ESR_UNKNOWN ESR(0, 0)
#define ESR_HVC(imm) ESR(0x16, imm)
#define ESR_SMC(imm) ESR(0x17, imm)
#define EL0 0x3c0ul
#define EL1 0x3c5ul
#define EL2 0x3c9ul
#define EL3 0x3cdul
/** The vector offset of an exception from a lower level. */
#define LOWER 0x400ul

/** General registers to start with, and as they were at the exception. */
u64 regs[31];
struct {
  u64 vector, esr, far, hpfar, elr, spsr;
} seen;

/** The end of a piece of code: back to LEVEL, as a call with this immediate value. */
#define CODE(name, body)                                                                                                       \
  extern char name[];                                                                                                          \
  asm(".pushsection .text\n.balign 16\n.global " #name "\n" #name ":\n" body "\n" BACK " #0\n.popsection")

u64 saved_sp;
void enter(u64 pc, u64 spsr);
asm(".pushsection .text\n"
    "enter:\n"
    "  stp x19, x20, [sp, #-96]!\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "  msr " OWN(elr) ", x0\n  msr " OWN(spsr) ", x1\n"
    "  ldr x2, =saved_sp\n  mov x3, sp\n  str x3, [x2]\n"
    "  ldr x30, =regs\n"
    "  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n"
    "  ldr x\\n, [x30, #8 * \\n]\n  .endr\n"
    "  ldr x30, [x30, #240]\n  eret\n"
    ".balign 2048\n"
    "own_vectors:\n"
    ".irp n, 0x000, 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x480, 0x500, 0x580, 0x600, 0x680, 0x700, 0x780\n"
    ".balign 128\n"
    "  msr " OWN(tpidr) ", x30\n  ldr x30, =regs\n  str x0, [x30]\n  mov x0, #\\n\n  b taken\n"
    ".endr\n.balign 128\n"
    "taken:\n"
    "  .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n"
    "  str x\\n, [x30, #8 * \\n]\n  .endr\n"
    "  mrs x1, " OWN(tpidr) "\n  str x1, [x30, #240]\n"
    "  ldr x2, =seen\n  str x0, [x2]\n"
    "  mrs x1, " OWN(esr) "\n  str x1, [x2, #8]\n  mrs x1, " OWN(far) "\n  str x1, [x2, #16]\n"
    "  mrs x1, hpfar_el2\n  str x1, [x2, #24]\n  mrs x1, " OWN(elr) "\n  str x1, [x2, #32]\n"
    "  mrs x1, " OWN(spsr) "\n  str x1, [x2, #40]\n"
    "  ldr x2, =saved_sp\n  ldr x3, [x2]\n  cbz x3, unexpected\n  mov sp, x3\n  str xzr, [x2]\n"
    "  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n  ldp x25, x26, [sp, #48]\n"
    "  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n  ldp x19, x20, [sp], #96\n  ret\n"
    ".ltorg\n"
    ".macro back_vectors name, level\n"
    ".balign 2048\n\\name:\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n.balign 128\n  " BACK " #(\\level | \\n)\n.endr\n.balign 128\n"
    ".endm\n"
    "back_vectors el1_vectors, 0x100\n"
    "back_vectors el2_vectors, 0x200\n"
    ".popsection\n");
extern char own_vectors[], el1_vectors[], el2_vectors[];

#define UART 0x09000000ul

static void put(char c) {
  mem32(UART) = (u8)c;
}
static void puts(const char *text) {
  while (*text) put(*text++);
}
static void put_hex(u64 value) {
  int shift = 60;
  while (shift && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}
static void put_decimal(u64 value) {
  if (value >= 10) put_decimal(value / 10);
  put('0' + value % 10);
}

static u64 passed, failed;

/** A check of one value; `what`, if not 0, is added to the name. */
static void check2(const char *name, const char *what, u64 found, u64 expected) {
  puts(found == expected ? "ok " : "not ok ");
  puts(name);
  if (what) {
    puts(": ");
    puts(what);
  }
  if (found != expected) {
    puts(": found ");
    put_hex(found);
    puts(" expected ");
    put_hex(expected);
    failed++;
  } else {
    passed++;
  }
  put('\n');
}
static void check(const char *name, u64 found, u64 expected) {
  check2(name, 0, found, expected);
}

static __attribute__((noreturn)) void power_off(void) {
#if LEVEL == 3
  // No firmware below: semihosting's SYS_EXIT.
  static u64 block[2];
  block[0] = 0x20026;
  block[1] = failed != 0;
  asm volatile("mov x0, #0x18\n\tmov x1, %0\n\thlt #0xf000" ::"r"(block) : "x0", "x1", "memory");
#else
  asm volatile("ldr x0, =0x84000008\n\tsmc #0" ::: "x0", "memory");
#endif
  for (;;) asm volatile("wfi");
}

__attribute__((used, noreturn)) void unexpected(void) {
  puts("not ok unexpected exception: vector ");
  put_hex(seen.vector);
  puts(" ESR ");
  put_hex(seen.esr);
  puts(" FAR ");
  put_hex(seen.far);
  puts(" ELR ");
  put_hex(seen.elr);
  put('\n');
  power_off();
}

/** Runs code at an exception level (EL0 to EL3, or another SPSR) until an exception comes to this one. */
static void run(const void *code, u64 spsr) {
  enter((u64)code, spsr);
}

/** The last exception was a call from below with this immediate value. */
static void check_call(const char *name, u64 imm) {
  check2(name, "ESR", seen.esr, LEVEL == 3 ? ESR_SMC(imm) : ESR_HVC(imm));
}

/** Whether code of one instruction ended after it: at EL0 the call there is UNDEFINED, and taken to EL1. */
static int completed(const void *code, int el) {
  if (el) return seen.esr == (LEVEL == 3 ? ESR_SMC(0) : ESR_HVC(0));
  return seen.esr == (LEVEL == 3 ? ESR_SMC(0x108) : ESR_HVC(0x108)) && get(elr_el1) == (u64)code + 4;
}

void tests(void);

__attribute__((used)) void start(void) {
  asm volatile("msr " OWN(vbar) ", %0\n\tisb" ::"r"(own_vectors));
  set(vbar_el1, el1_vectors);
#if LEVEL == 3
  set(vbar_el2, el2_vectors);
#endif
  tests();
  puts("done ");
  put_hex(passed);
  put(' ');
  put_hex(failed);
  put('\n');
  power_off();
}

// An image for flash copies itself to where it is linked for.
asm(".pushsection .text.entry, \"ax\"\n.global _start\n_start:\n"
    "  adr x0, _start\n  ldr x1, =_start\n  cmp x0, x1\n  b.eq 2f\n  ldr x2, =image_end\n"
    "1: ldp x3, x4, [x0], #16\n  stp x3, x4, [x1], #16\n  cmp x1, x2\n  b.lo 1b\n  ic iallu\n  dsb sy\n  isb\n  ldr x0, =2f\n  br x0\n"
    "2: ldr x0, =stack_top\n  mov sp, x0\n  bl start\n  .ltorg\n.popsection\n");
