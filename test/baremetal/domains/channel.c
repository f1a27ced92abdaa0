// Two members of a channel that talk: ARGUMENT 0 asks, 1 answers until it is stopped. Each finds everything by calls, with the MMU on, as a driver would.
#include "domain.h"

static u64 passed, failed;
static volatile u64 doorbell, index, rings, who;

static void check(const char *name, u64 found, u64 expected) {
  if (found == expected) {
    passed++;
    return;
  }
  failed++;
  puts("not ok ");
  puts(name);
  puts(": found ");
  put_hex(found);
  puts(" expected ");
  put_hex(expected);
  put('\n');
}

void interrupt(u32 intid) {
  if (intid != doorbell) return;
  rings++;
  who |= call_all(ATOLL_TAKE, 0, 0, 0, 0, 0, 0).x[1];
}

/** Sleeps until somebody has rung. */
static u64 rung(void) {
  for (;;) {
    asm volatile("msr daifset, #2");
    u64 bits = who;
    who = 0;
    if (bits == 0) asm volatile("wfi");
    asm volatile("msr daifclr, #2" ::: "memory");
    if (bits != 0) return bits;
  }
}

static void mmu_on(u64 base) {
  static u64 table[512] __attribute__((aligned(4096)));
  table[0] = 0x401;
  table[1] = 0x40000000ul | 0x705;
  table[base >> 30] = base | 0x705;
  set(mair_el1, 0xff00);
  // 39 bits, 36 of them physical; walks are cacheable and inner shareable.
  set(tcr_el1, 25ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | 1ul << 23 | 1ul << 32);
  set(ttbr0_el1, table);
  asm volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb" ::: "memory");
  set(sctlr_el1, get(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
}

/** Adds to a word of the channel's, with the other member at the same. */
static void add(u64 address, u32 what) {
  u32 value, status;
  asm volatile("1: ldaxr %w0, [%2]\n\tadd %w0, %w0, %w3\n\tstlxr %w1, %w0, [%2]\n\tcbnz %w1, 1b"
               : "=&r"(value), "=&r"(status)
               : "r"(address), "r"(what)
               : "memory");
}

static void put_text(u64 function, u64 a, u64 b) {
  for (u64 at = 0, length = 1; at < length; at += 24) {
    registers_t r = function == ATOLL_NAME ? call_all(function, at, 0, 0, 0, 0, 0) : call_all(function, a, b, at, 0, 0, 0);
    if (function == ATOLL_CHANNEL_NAME) r = call_all(function, a, at, 0, 0, 0, 0);
    length = r.x[0];
    if ((long)length < 0) break;
    for (u64 i = 0; i < 24 && at + i < length; i++) put(r.x[1 + i / 8] >> i % 8 * 8);
  }
}

void program(void) {
  check("UID", call(ATOLL_UID, 0, 0, 0), 0x31abf1f4);
  registers_t version = call_all(ATOLL_VERSION, 0, 0, 0, 0, 0, 0);
  check("version", version.x[0] >> 16, 1);
  check("channels are a feature", version.x[1] >> 2 & 1, 1);
  // KVM's, which Linux looks for, is still there.
  check("KVM's UID", call(0x8600ff01, 0, 0, 0), 0xb66fb428);
  registers_t memory = call_all(ATOLL_CHANNEL_MEMORY, 0, 0, 0, 0, 0, 0);
  registers_t bell = call_all(ATOLL_CHANNEL_DOORBELL, 0, 0, 0, 0, 0, 0);
  check("memory", memory.x[0], 0);
  check("doorbell", bell.x[0], 0);
  u64 base = memory.x[1], me = bell.x[3] & 0xffff, other = 1 - me, page = bell.x[2];
  check("members", bell.x[3] >> 16, 2);
  enable_interrupts(0);
  enable_shared(doorbell = bell.x[1]);
  mmu_on(base);
  put_text(ATOLL_NAME, 0, 0);
  puts(" in ");
  put_text(ATOLL_CHANNEL_NAME, 0, 0);
  puts(" with ");
  put_text(ATOLL_MEMBER_NAME, 0, other);
  put('\n');
  call_all(ATOLL_CONSOLE_WRITE, 7, 0x0a216f6c6c6568, 0, 0, 0, 0);
  if (ARGUMENT == 0) {
    check("its memory is writable", memory.x[3], 1);
    for (u64 i = 1; i <= 200; i++) {
      mem64(base + 64) = i * 0x0123456789abcdeful;
      mem64(base + 72) = 0;
      add(base, 1);
      asm volatile("dmb ish" ::: "memory");
      // By call and by register.
      if (i & 1) {
        u64 result;
        while ((result = call(ATOLL_RING, 0, other, 0)) == ABSENT) call(ATOLL_YIELD, 0, 0, 0);
        check("ring", result, 0);
      } else {
        put32(page, other);
      }
      check("who rang", rung(), 1u << other);
      check("the answer", mem64(base + 72), ~(i * 0x0123456789abcdeful));
    }
    check("both have counted", mem32(base), 400);
    mem64(base + 80) = 1;
    call(ATOLL_RING, 0, other, 0);
    registers_t times = call_all(ATOLL_TIMES, 0, 0, 0, 0, 0, 0);
    check("it ran", times.x[1] > 1000, 1);
    puts("done ");
    put_hex(passed);
    put(' ');
    put_hex(failed);
    put('\n');
  } else {
    for (;;) {
      u64 bits = rung();
      if (mem64(base + 80)) break;
      mem64(base + 72) = ~mem64(base + 64);
      add(base, 1);
      asm volatile("dmb ish" ::: "memory");
      call(ATOLL_RING, 0, bits & 1 ? 0 : EVERYBODY, 0);
    }
    puts("answered ");
    put_hex(rings);
    put(' ');
    put_hex(failed);
    put('\n');
  }
}
