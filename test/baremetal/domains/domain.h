// What the programs for domains of the hypervisor share: they run at EL1 with the MMU off, at 0x40080000. Exceptions are recorded in `seen`, and
// execution goes on behind the instruction, or, for an aborted fetch, where the call came from. Interrupts call `interrupt(intid)`.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define get(name) ({ u64 value_; asm volatile("mrs %0, " STRING(name) : "=r"(value_)::"memory"); value_; })
#define set(name, value) ({ asm volatile("msr " STRING(name) ", %0\n\tisb" ::"r"((u64)(value)) : "memory"); })
#define mem8(address) (*(volatile u8 *)(address))
#define mem32(address) (*(volatile u32 *)(address))
#define mem64(address) (*(volatile u64 *)(address))

/** A store that is one for devices: of one register, without writeback, whatever the compiler would make of a loop. */
#define put32(address, value) asm volatile("str %w1, [%0]" ::"r"((u64)(address)), "r"((u32)(value)) : "memory")

#define get32(address) ({ u32 value_; asm volatile("ldr %w0, [%1]" : "=r"(value_) : "r"((u64)(address)) : "memory"); value_; })

#define RAM 0x40000000ul
#define UART 0x09000000ul
#define GICD 0x08000000ul
#define GICR 0x080a0000ul
#define VIRTIO 0x0a000000ul
/** What the host has put there: a number for the program. */
#define ARGUMENT mem64(0x40070000ul)

volatile struct {
  u64 count, esr, far, elr;
} seen;

void interrupt(u32 intid);
void program(void);

asm(".pushsection .text.entry, \"ax\"\n"
    ".global _start\n_start:\n"
    "  ldr x1, =stack_top\n  mov sp, x1\n"
    "  ldr x0, =vectors\n  msr vbar_el1, x0\n  isb\n"
    "  bl program\n"
    "  bl power_off\n"
    ".balign 2048\nvectors:\n"
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
    ".balign 128\n"
    "  stp x0, x1, [sp, #-192]!\n  mov x0, #\\n\n  b taken\n"
    ".endr\n.balign 128\n"
    "taken:\n"
    "  stp x2, x3, [sp, #16]\n  stp x4, x5, [sp, #32]\n  stp x6, x7, [sp, #48]\n  stp x8, x9, [sp, #64]\n"
    "  stp x10, x11, [sp, #80]\n  stp x12, x13, [sp, #96]\n  stp x14, x15, [sp, #112]\n  stp x16, x17, [sp, #128]\n"
    "  stp x18, x30, [sp, #144]\n  mrs x1, elr_el1\n  mrs x2, spsr_el1\n  stp x1, x2, [sp, #160]\n"
    "  mov x1, x30\n  bl taken_in_c\n"
    "  ldp x1, x2, [sp, #160]\n  cbz x0, 1f\n  mov x1, x0\n1:  msr elr_el1, x1\n"
    // PSTATE.IL would come back.
    "  bic x2, x2, #(1 << 20)\n  msr spsr_el1, x2\n"
    "  ldp x2, x3, [sp, #16]\n  ldp x4, x5, [sp, #32]\n  ldp x6, x7, [sp, #48]\n  ldp x8, x9, [sp, #64]\n"
    "  ldp x10, x11, [sp, #80]\n  ldp x12, x13, [sp, #96]\n  ldp x14, x15, [sp, #112]\n  ldp x16, x17, [sp, #128]\n"
    "  ldp x18, x30, [sp, #144]\n  ldp x0, x1, [sp], #192\n  eret\n"
    ".popsection\n");

/** Where to go on; 0: where it was. */
u64 taken_in_c(u64 vector, u64 link) {
  if (vector & 1) {
    u64 intid = get(S3_0_C12_C12_0);
    if (intid < 1020) {
      interrupt(intid);
      set(S3_0_C12_C12_1, intid);
    }
    return 0;
  }
  seen.count++;
  seen.esr = get(esr_el1);
  seen.far = get(far_el1);
  seen.elr = get(elr_el1);
  u32 ec = seen.esr >> 26;
  if (ec == 0x20 || ec == 0x21 || ec == 0x22) return link;
  // Behind an illegal return there is nothing to skip.
  return ec == 0x0e ? seen.elr : seen.elr + 4;
}

static void put(char c) {
  put32(UART, (u8)c);
}
static void puts(const char *text) {
  while (*text) put(*text++);
}
static void put_hex(u64 value) {
  int shift = 60;
  while (shift && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

static u64 call(u64 function, u64 a, u64 b, u64 c) {
  register u64 x0 asm("x0") = function;
  register u64 x1 asm("x1") = a;
  register u64 x2 asm("x2") = b;
  register u64 x3 asm("x3") = c;
  asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
  return x0;
}

/** X0 to X6 of a call, and what comes back of X0 to X3. */
typedef struct {
  u64 x[7];
} registers_t;
static registers_t call_all(u64 function, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 x0 asm("x0") = function;
  register u64 x1 asm("x1") = a;
  register u64 x2 asm("x2") = b;
  register u64 x3 asm("x3") = c;
  register u64 x4 asm("x4") = d;
  register u64 x5 asm("x5") = e;
  register u64 x6 asm("x6") = f;
  asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6)::"memory");
  registers_t r = {{x0, x1, x2, x3, x4, x5, x6}};
  return r;
}

// Atoll's own calls: docs/hypercalls.md.
#define ATOLL_UID 0x86004100
#define ATOLL_VERSION 0x86004101
#define ATOLL_CONSOLE_WRITE 0xc6004102
#define ATOLL_NAME 0xc6004103
#define ATOLL_IDENTITY 0xc6004104
#define ATOLL_CHANNELS 0x86004110
#define ATOLL_CHANNEL_NAME 0xc6004111
#define ATOLL_CHANNEL_MEMORY 0xc6004112
#define ATOLL_CHANNEL_DOORBELL 0xc6004113
#define ATOLL_MEMBER_NAME 0xc6004114
#define ATOLL_RING 0x86004115
#define ATOLL_TAKE 0x86004116
#define ATOLL_YIELD 0x86004120
#define ATOLL_TIMES 0xc6004121
#define INVALID_PARAMETER (-3ul)
#define ABSENT (-4ul)
#define EVERYBODY 0xfffffffful

void power_off(void) {
  call(0x84000008, 0, 0, 0);
  for (;;) asm volatile("wfi");
}

/** Group 1 interrupts at any priority; private interrupt `intid` enabled. */
static void enable_interrupts(u32 intid) {
  mem32(GICD) = 0x12;
  mem32(GICR + 0x14) = 0;
  mem32(GICR + 0x10080) = ~0u;
  mem32(GICR + 0x10100) = 1u << intid;
  set(S3_0_C4_C6_0, 0xf0);
  set(S3_0_C12_C12_7, 1);
  asm volatile("msr daifclr, #2" ::: "memory");
}

/** A level-sensitive SPI, for the first CPU. */
static void enable_shared(u32 intid) {
  put32(GICD + 0x80 + intid / 32 * 4, get32(GICD + 0x80 + intid / 32 * 4) | 1u << intid % 32);
  put32(GICD + 0x100 + intid / 32 * 4, 1u << intid % 32);
}

static u64 random_state;
static u64 random(void) {
  u64 x = random_state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return random_state = x;
}
