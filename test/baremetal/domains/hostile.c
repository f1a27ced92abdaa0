// Tries to reach what is not its own: memory, interrupts, timers, devices and registers of others and of the hypervisor. Each attempt must end in an
// exception of its own, or in nothing. ARGUMENT: bytes of its RAM.
#include "domain.h"

static u64 passed, failed;

static void check(const char *name, u64 found, u64 expected) {
  puts(found == expected ? "ok " : "not ok ");
  puts(name);
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

#define EC(esr) ((esr) >> 26)
#define FSC(esr) ((esr) & 0x3f)
#define DATA_ABORT 0x25
#define FETCH_ABORT 0x21
#define EXTERNAL 0x10

/** One exception of class `ec`, with fault status `fsc` for aborts. */
#define ATTEMPT(name, ec, fsc, body)                                                                                           \
  do {                                                                                                                         \
    u64 before_ = seen.count;                                                                                                  \
    seen.esr = 0;                                                                                                              \
    body;                                                                                                                      \
    check(name ": one exception", seen.count - before_, 1);                                                                    \
    check(name ": its class", EC(seen.esr), ec);                                                                               \
    if (fsc >= 0) check(name ": its status", FSC(seen.esr), fsc);                                                              \
  } while (0)
#define NOTHING(name, body)                                                                                                    \
  do {                                                                                                                         \
    u64 before_ = seen.count;                                                                                                  \
    body;                                                                                                                      \
    check(name ": no exception", seen.count - before_, 0);                                                                     \
  } while (0)
#define UNDEFINED(name, code) ATTEMPT(name, 0, -1, asm volatile(code ::"r"(0x4000000000ul) : "x9", "memory"))

static u32 interrupts;
void interrupt(u32 intid) {
  interrupts++;
  (void)intid;
}

static void memory(u64 end) {
  const struct {
    const char *name;
    u64 address;
  } places[] = {
      {"read before RAM", 0x3ffffff8},      {"read behind RAM", end},          {"read another's RAM", end + 0x1000000},
      {"read far away", 0x7ffffffff8},      {"read a hole", 0x20000000},       {"read behind the UART", UART + 0x1000},
      {"read where a GICv2 would be", 0x08010000}, {"read where GICH would be", 0x08030000},
  };
  for (u32 i = 0; i < sizeof places / sizeof *places; i++) {
    u64 before = seen.count;
    seen.esr = 0;
    asm volatile("ldr w9, [%0]" ::"r"(places[i].address) : "x9");
    check(places[i].name, (seen.count - before) << 16 | EC(seen.esr) << 8 | FSC(seen.esr), 1 << 16 | DATA_ABORT << 8 | EXTERNAL);
    check("its address", seen.far, places[i].address);
  }
  ATTEMPT("write behind RAM", DATA_ABORT, EXTERNAL, mem64(end) = 1);
  ATTEMPT("write far behind RAM", DATA_ABORT, EXTERNAL, mem64(end + 0x10000000) = 1);
  ATTEMPT("STP behind RAM", DATA_ABORT, EXTERNAL, asm volatile("stp xzr, xzr, [%0]" ::"r"(end) : "memory"));
  ATTEMPT("LDP of a device", DATA_ABORT, EXTERNAL, asm volatile("ldp w9, w10, [%0]" ::"r"(UART) : "x9", "x10"));
  ATTEMPT("writeback to a device", DATA_ABORT, EXTERNAL, asm volatile("mov x9, %0\n\tstr wzr, [x9], #4" ::"r"(UART) : "x9"));
  ATTEMPT("LDXR of a device", DATA_ABORT, -1, asm volatile("ldxr w9, [%0]" ::"r"(UART) : "x9"));
  if (get(id_aa64isar0_el1) >> 20 & 15)
    ATTEMPT("LDADD of a device", DATA_ABORT, -1, asm volatile("ldadd w9, w9, [%0]" ::"r"(UART) : "x9"));
  ATTEMPT("DC ZVA of a device", DATA_ABORT, -1, asm volatile("dc zva, %0" ::"r"(UART)));
  ATTEMPT("a fetch behind RAM", FETCH_ABORT, EXTERNAL, ((void (*)(void))end)());
  ATTEMPT("a fetch from a device", FETCH_ABORT, EXTERNAL, ((void (*)(void))GICD)());
  NOTHING("the last byte of RAM", (void)mem8(end - 1));
}

/** Stage 1 tables where the domain has no memory. */
static void tables(u64 end) {
  static u64 table[512] __attribute__((aligned(4096)));
  // 1 GiB blocks of Normal memory where it is; one entry leads to a table that is not its own.
  table[0] = 0x00000000ul | 0x401;
  table[1] = 0x40000000ul | 0x705;
  table[2] = end | 3;
  table[3] = (end + 0x100000000ul) | 3;
  set(mair_el1, 0xff00);
  set(tcr_el1, 25ul | 1ul << 23 | 2ul << 32);
  set(ttbr0_el1, table);
  asm volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb" ::: "memory");
  set(sctlr_el1, get(sctlr_el1) | 1);
  // On the walk, level 2 or any: 0x14 to 0x17.
  u64 before = seen.count;
  (void)mem32(0x80000000ul);
  check("a table behind RAM", (seen.count - before) << 16 | EC(seen.esr) << 8 | (FSC(seen.esr) & 0x3c), 1 << 16 | DATA_ABORT << 8 | 0x14);
  before = seen.count;
  (void)mem32(0xc0000000ul);
  check("a table far behind RAM", (seen.count - before) << 16 | EC(seen.esr) << 8 | (FSC(seen.esr) & 0x3c), 1 << 16 | DATA_ABORT << 8 | 0x14);
  set(sctlr_el1, get(sctlr_el1) & ~1ul);
}

static void registers(void) {
  UNDEFINED("read HCR_EL2", "mrs x9, hcr_el2");
  UNDEFINED("write HCR_EL2", "msr hcr_el2, xzr");
  UNDEFINED("write VTTBR_EL2", "msr vttbr_el2, %0");
  UNDEFINED("write VTCR_EL2", "msr vtcr_el2, %0");
  UNDEFINED("write ELR_EL2", "msr elr_el2, %0");
  UNDEFINED("write VBAR_EL2", "msr vbar_el2, %0");
  UNDEFINED("write CNTVOFF_EL2", "msr cntvoff_el2, %0");
  UNDEFINED("write CNTHCTL_EL2", "msr cnthctl_el2, %0");
  UNDEFINED("write CNTHP_CTL_EL2", "msr cnthp_ctl_el2, %0");
  UNDEFINED("write ICH_LR0_EL2", "msr s3_4_c12_c12_0, %0");
  UNDEFINED("write ICH_HCR_EL2", "msr s3_4_c12_c11_0, %0");
  UNDEFINED("write ICC_SRE_EL2", "msr s3_4_c12_c9_5, %0");
  UNDEFINED("write SCR_EL3", "msr scr_el3, %0");
  UNDEFINED("write VMPIDR_EL2", "msr vmpidr_el2, %0");
  UNDEFINED("write MDCR_EL2", "msr mdcr_el2, %0");
  UNDEFINED("TLBI ALLE1", "tlbi alle1");
  UNDEFINED("TLBI ALLE2", "tlbi alle2");
  UNDEFINED("TLBI VMALLS12E1IS", "tlbi vmalls12e1is");
  UNDEFINED("TLBI IPAS2E1", "tlbi ipas2e1, %0");
  UNDEFINED("AT S12E1R", "at s12e1r, %0");
  UNDEFINED("AT S1E2R", "at s1e2r, %0");
  UNDEFINED("an implementation-defined register", "msr s3_1_c15_c2_0, %0");
  UNDEFINED("an unallocated register", "mrs x9, s3_7_c15_c15_7");
  NOTHING("TLBI VMALLE1IS", asm volatile("tlbi vmalle1is\n\tdsb sy" ::: "memory"));
  NOTHING("TLBI VAE1OS and the like by range", asm volatile("tlbi vaae1is, %0" ::"r"(0ul) : "memory"));
  NOTHING("DC CISW", asm volatile("dc cisw, %0" ::"r"(0ul) : "memory"));
  check("there is no EL2", get(id_aa64pfr0_el1) >> 8 & 0xff, 0);
  check("there are no performance monitors", get(id_aa64dfr0_el1) >> 8 & 15, 0);
  check("its own number", get(mpidr_el1) & 0xffffff, 0);
}

/** A return to EL2 is illegal: PSTATE.IL. */
static void illegal_return(void) {
  ATTEMPT("ERET to EL2", 0x0e, -1,
          asm volatile("mov x9, #0x3c9\n\tmsr spsr_el1, x9\n\tadr x9, 1f\n\tmsr elr_el1, x9\n\teret\n1:\tnop" ::: "x9", "memory"));
  check("still at EL1", get(CurrentEL), 4);
}

static void calls(u64 end) {
  const u64 none = ~0ul;
  check("an unknown function", call(0xdeadbeef, 1, 2, 3), none);
  check("an unknown service", call(0xc6000042, 1, 2, 3), none);
  register u64 x0 asm("x0") = 0x84000000;
  asm volatile("hvc #0x1234" : "+r"(x0)::"memory");
  check("HVC of another number", x0, none);
  x0 = 0x84000008;
  asm volatile("smc #0" : "+r"(x0)::"memory");
  check("SMC SYSTEM_OFF", x0, none);
  check("CPU_ON of another's PE", call(0xc4000003, 0x80000001, RAM, 0), -2ul);
  check("CPU_ON of none", call(0xc4000003, 17, RAM, 0), -2ul);
  check("CPU_ON of itself", call(0xc4000003, 0, RAM, 0), -4ul);
  check("CPU_ON behind RAM", call(0xc4000003, 1, end, 0), -9ul);
}

static void interrupts_of_others(void) {
  enable_interrupts(0);
  // The hypervisor's: maintenance 25, its timer 26. They are enabled, set pending and active here, in the domain's own controller.
  mem32(GICR + 0x10100) = ~0u;
  interrupts = 0;
  NOTHING("all private interrupts pending", mem32(GICR + 0x10200) = 0xffff0000);
  NOTHING("and inactive", mem32(GICR + 0x10380) = ~0u);
  check("they are its own", interrupts != 0, 1);
  for (u32 offset = 0x80; offset < 0xe00; offset += 4) put32(GICD + offset, random());
  for (u32 offset = 0x6100; offset < 0x8000; offset += 4) put32(GICD + offset, random());
  // SGIs to all, and to PEs that it has not.
  interrupts = 0;
  set(S3_0_C12_C11_5, 1ul << 40);
  set(S3_0_C12_C11_5, 0xfffful | 0xfful << 16 | 0xfful << 32 | 0xfful << 48);
  set(S3_0_C12_C11_6, 1ul << 40);
  set(S3_0_C12_C11_7, 0xffff);
  asm volatile("isb");
  for (u32 offset = 0x80; offset < 0x400; offset += 4) put32(GICD + offset, 0);
  asm volatile("msr daifset, #2" ::: "memory");
  check("it lives", 1, 1);
}

/** Lets the entropy device read its queue, or write its bytes, where the domain has no memory. The device fails, and nothing is written. */
static u32 device_dma(u64 queue, u64 buffer) {
  u64 device = 0;
  for (u32 slot = 0; slot < 32 && !device; slot++)
    if (get32(VIRTIO + slot * 0x200 + 8) == 4) device = VIRTIO + slot * 0x200;
  static volatile u8 rings[0x3000] __attribute__((aligned(4096)));
  put32(device + 0x70, 0);
  put32(device + 0x70, 3);
  put32(device + 0x24, 1);
  put32(device + 0x20, 1);
  put32(device + 0x70, 11);
  put32(device + 0x30, 0);
  put32(device + 0x38, 4);
  u64 at = queue ? queue : (u64)rings;
  mem64(rings) = buffer;
  mem32(rings + 8) = 64;
  mem32(rings + 12) = 2;
  mem32(rings + 0x1000) = 1 << 16;
  put32(device + 0x80, at);
  put32(device + 0x84, at >> 32);
  put32(device + 0x90, (u64)rings + 0x1000);
  put32(device + 0x94, 0);
  put32(device + 0xa0, (u64)rings + 0x2000);
  put32(device + 0xa4, 0);
  put32(device + 0x44, 1);
  put32(device + 0x70, 15);
  put32(device + 0x50, 0);
  u32 status = get32(device + 0x70);
  put32(device + 0x70, 0);
  return status & 0x40;
}

/** What it shares with another who does not run: its memory may be read, and nothing else. */
static void channel(void) {
  const u64 invalid = INVALID_PARAMETER;
  check("it is a member of one channel", call(ATOLL_CHANNELS, 0, 0, 0), 1);
  registers_t memory = call_all(ATOLL_CHANNEL_MEMORY, 0, 0, 0, 0, 0, 0);
  registers_t bell = call_all(ATOLL_CHANNEL_DOORBELL, 0, 0, 0, 0, 0, 0);
  check("it may not be written", memory.x[0] << 4 | memory.x[3], 0);
  u64 base = memory.x[1], end = base + memory.x[2], page = bell.x[2];
  NOTHING("read of its memory", (void)mem64(base));
  NOTHING("and of its end", (void)mem8(end - 1));
  ATTEMPT("write of its memory", DATA_ABORT, EXTERNAL, put32(base, 1));
  ATTEMPT("write of its end", DATA_ABORT, EXTERNAL, put32(end - 4, 1));
  ATTEMPT("an atomic of its memory", DATA_ABORT, -1, asm volatile("1: ldxr w9, [%0]\n\tstxr w10, w9, [%0]" ::"r"(base) : "x9", "x10", "memory"));
  ATTEMPT("a fetch of its memory", FETCH_ABORT, EXTERNAL, ((void (*)(void))base)());
  ATTEMPT("read before its memory", DATA_ABORT, EXTERNAL, (void)get32(base - 4));
  ATTEMPT("read behind its memory", DATA_ABORT, EXTERNAL, (void)get32(end));
  ATTEMPT("read of where another channel would be", DATA_ABORT, EXTERNAL, (void)get32(base + 0x200000));
  ATTEMPT("another doorbell", DATA_ABORT, EXTERNAL, (void)get32(page + 0x1000));
  u64 strange = 0;
  for (u32 offset = 0x10; offset < 0x1000; offset += 4) {
    put32(page + offset, ~0u);
    strange |= get32(page + offset);
  }
  check("nothing else is in the doorbell's page", strange, 0);
  NOTHING("odd accesses to the doorbell", mem8(page) = 1; (void)*(volatile u16 *)(page + 6); (void)mem64(page); (void)mem8(page + 4));
  check("its own number", get32(page + 8), 1);
  check("how many there are", get32(page + 12), 2);
  check("ring one who does not run", call(ATOLL_RING, 0, 0, 0), ABSENT);
  check("ring itself", call(ATOLL_RING, 0, 1, 0), invalid);
  check("ring a member that there is not", call(ATOLL_RING, 0, 2, 0), invalid);
  check("ring a member far away", call(ATOLL_RING, 0, 0x80000000, 0), invalid);
  check("ring all", call(ATOLL_RING, 0, EVERYBODY, 0), 0);
  const u64 others[] = {1, 32, 0x7fffffff, 0xffffffff, 1ul << 32, ~0ul};
  for (u32 i = 0; i < sizeof others / sizeof *others; i++) {
    const u32 wide = others[i] >> 32;
    check("the memory of another channel", call(ATOLL_CHANNEL_MEMORY, others[i], 0, 0), invalid);
    check("the doorbell of another channel", call(ATOLL_CHANNEL_DOORBELL, others[i], 0, 0), invalid);
    check("the name of another channel", call(ATOLL_CHANNEL_NAME, others[i], 0, 0), invalid);
    check("the name of a member of another channel", call(ATOLL_MEMBER_NAME, others[i], 0, 0), invalid);
    check("the name of another member", call(ATOLL_MEMBER_NAME, 0, others[i] | 2, 0), invalid);
    check("a name far behind its end", call(ATOLL_NAME, others[i] | 64, 0, 0), invalid);
    if (wide) continue;
    check("ring in another channel", call(ATOLL_RING, others[i], 0, 0), invalid);
    check("take in another channel", call(ATOLL_TAKE, others[i], 0, 0), invalid);
  }
  const u64 lengths[] = {0, 41, 0xffffffff, 1ul << 32, ~0ul};
  for (u32 i = 0; i < sizeof lengths / sizeof *lengths; i++)
    check("write too much or nothing to the console", call(ATOLL_CONSOLE_WRITE, lengths[i], 0x4141414141414141, 0), invalid);
  check("nobody has rung", call_all(ATOLL_TAKE, 0, 0, 0, 0, 0, 0).x[1], 0);
  check("DMA to the channel's memory fails", device_dma(0, base), 0x40);
  check("a queue in the channel's memory fails", device_dma(base, base), 0x40);
}

void program(void) {
  u64 end = RAM + ARGUMENT;
  random_state = 88172645463325252ul;
  memory(end);
  registers();
  illegal_return();
  calls(end);
  static u64 own[8];
  check("DMA to its own memory", device_dma(0, (u64)own), 0);
  check("DMA behind RAM fails", device_dma(0, end), 0x40);
  check("DMA across the end of RAM fails", device_dma(0, end - 32), 0x40);
  check("DMA far away fails", device_dma(0, 1ul << 40), 0x40);
  check("DMA to a device fails", device_dma(0, UART), 0x40);
  check("a queue behind RAM fails", device_dma(end, (u64)own), 0x40);
  channel();
  interrupts_of_others();
  tables(end);
  puts("done ");
  put_hex(passed);
  put(' ');
  put_hex(failed);
  put('\n');
}
