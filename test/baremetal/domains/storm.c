// Attacks by using too much of one thing, for ever. ARGUMENT: 0 the PE, 1 SGIs to itself, 2 TLB maintenance, 3 stage 2 faults, 4 hypercalls,
// 5 device registers, 6 WFE and YIELD, 7 new memory, 8 doorbells of the others in its first channel.
#include "domain.h"

void interrupt(u32 intid) {
  (void)intid;
}

void program(void) {
  u64 kind = ARGUMENT;
  u64 end = 0;
  enable_interrupts(3);
  puts("storm\n");
  for (;;) {
    switch (kind) {
      case 0:
        for (u32 i = 0; i < 1000; i++) asm volatile("");
        break;
      case 1:
        set(S3_0_C12_C11_5, 3ul << 24 | 1);
        break;
      case 2:
        asm volatile("tlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
        break;
      case 3:
        (void)mem32(0x20000000);
        break;
      case 4:
        call(0x84000000, 0, 0, 0);
        break;
      case 5:
        (void)mem32(GICD + 4);
        break;
      case 6:
        asm volatile("wfe\n\tyield");
        break;
      case 7:
        mem64(0x40200000ul + end) = 1;
        end = (end + 4096) & 0x7fffff;
        break;
      case 8:
        call(ATOLL_RING, 0, EVERYBODY, 0);
        break;
    }
  }
}
