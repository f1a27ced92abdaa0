// Hypercalls, system registers and device accesses at random, for ever. What would end the program by itself is left out: its own translation and
// vectors, and calls that switch it off. ARGUMENT: the seed.
#include "domain.h"

void interrupt(u32 intid) {
  (void)intid;
}

static u32 code[4] __attribute__((aligned(64)));

/** Executes one instruction with X9. */
static void execute(u32 word, u64 operand) {
  code[0] = word;
  code[1] = 0xd65f03c0;
  asm volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(code) : "memory");
  asm volatile("mov x9, %0\n\tblr %1" ::"r"(operand), "r"(code) : "x9", "x30", "memory");
}

static u64 interesting(void) {
  static const u64 values[] = {0, 1, ~0ul, 0x40080000, 0x7fffffff, 0x80000000, 0xffffffff, 1ul << 63, 0x09000000, 0x4000000000};
  u64 r = random();
  return r & 1 ? random() : values[(r >> 1) % 10];
}

static void hypercall(void) {
  static const u32 bases[] = {0x84000000, 0xc4000000, 0x80000000, 0xc0000000, 0x86000000, 0xc6000000, 0xc5000000, 0x04000000};
  u64 r = random();
  // Atoll's own: 0x86004100 to 0x8600413f, of either convention.
  if ((r >> 32 & 3) == 0) {
    call_all(0x86004100 | (r >> 40 & 1) << 30 | (r >> 41 & 0x3f), r & 4 ? r >> 48 & 1 : interesting(), interesting(), interesting(), interesting(),
             interesting(), interesting());
    return;
  }
  u32 function = r & 1 ? bases[r >> 8 & 7] | (r >> 16 & 0x7f) : random();
  // CPU_SUSPEND, CPU_OFF, SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2.
  u32 low = function & 0x1f;
  if ((function & 0xbfffffe0) == 0x84000000 && (low == 1 || low == 2 || low == 8 || low == 9 || low == 0x12)) return;
  if (r & 2) call(function, interesting(), interesting(), interesting());
  else if (r & 4) execute(0xd4000002 | (random() & 0xffff) << 5 | 0, function);
  else execute(0xd4000003 | (random() & 0xffff) << 5, function);
}

static void system_register(void) {
  u64 r = random();
  u32 op0 = r & 3, op1 = r >> 2 & 7, n = r >> 5 & 15, m = r >> 9 & 15, op2 = r >> 13 & 7, read = r >> 16 & 1;
  if (op0 == 0) return;
  if (!read && op0 == 3) {
    // Its own translation, vectors, stack and masks.
    if (op1 == 0 && n != 14 && !(n == 12 && m >= 8)) return;
    if (op1 == 3 && n == 4) return;
    if (op1 == 5) return;
  }
  if (!read && op0 == 2 && op1 == 0 && n == 0) return;
  // DC ZVA and tag stores of anywhere would be its own memory's end.
  u64 operand = op0 == 1 && n == 7 ? 0x20000000 | (r >> 20 & 0xfffffff) : interesting();
  execute(0xd5000000 | read << 21 | op0 << 19 | op1 << 16 | n << 12 | m << 8 | op2 << 5 | 9, operand);
}

static void device(void) {
  static const u32 windows[] = {0x00000000, 0x04000000, 0x08000000, 0x08006000, 0x080a0000, 0x080b0000, 0x080c0000, 0x09000000,
                                0x09010000, 0x09020000, 0x09030000, 0x0a000000, 0x0a000400, 0x0a001000, 0x0b000000, 0x0b001000};
  u64 r = random();
  u64 address = windows[r & 15] + (r & 16 ? (r >> 16 & 0xfff) : (r >> 16 & 0xffc));
  // A channel's memory, and around it.
  if ((r >> 40 & 15) == 0) address = 0x7fffff000 + (r >> 44 & 0x7fff);
  u64 value = interesting();
  // fw_cfg's DMA may write anywhere in its own memory.
  if ((address & ~0xfful) == 0x09020000 && !(r & 32)) return;
  switch (r >> 5 & 7) {
    case 0: (void)mem8(address); break;
    case 1: (void)*(volatile u16 *)address; break;
    case 2: (void)mem32(address); break;
    case 3: (void)mem64(address); break;
    case 4: mem8(address) = value; break;
    case 5: *(volatile u16 *)address = value; break;
    case 6: mem32(address) = value; break;
    case 7: mem64(address) = value; break;
  }
}

void program(void) {
  random_state = ARGUMENT * 0x9e3779b97f4a7c15ul | 1;
  puts("fuzz\n");
  for (;;) {
    switch (random() & 3) {
      case 0: hypercall(); break;
      case 1: system_register(); break;
      default: device(); break;
    }
  }
}
