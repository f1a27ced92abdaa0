// Minds its own business, and tells when somebody else does not: its memory must stay as it is, only its own timer may interrupt it, and a deadline of
// a timer each millisecond is kept. Where it is a member of a channel it answers the doorbell. Ends when a byte comes on its console, and says what it saw.
#include "domain.h"

#define PATTERN 0x5a17c0de5a17c0deul
#define BYTES 0x200000ul
static u64 doorbell, rings;
static u64 ticks, strange, latest, due, late[5];
static u64 data[BYTES / 8] __attribute__((aligned(4096)));

static void arm(u64 at) {
  due = at;
  set(cntv_cval_el0, at);
  set(cntv_ctl_el0, 1);
}

void interrupt(u32 intid) {
  if (doorbell && intid == doorbell) {
    rings++;
    call(ATOLL_TAKE, 0, 0, 0);
    return;
  }
  if (intid != 27) {
    strange++;
    return;
  }
  u64 now = get(cntvct_el0);
  u64 delay = (now - due) * 16 / 1000;
  if (delay > latest) latest = delay;
  late[delay < 100 ? 0 : delay < 1000 ? 1 : delay < 5000 ? 2 : delay < 20000 ? 3 : 4]++;
  ticks++;
  arm(now + 62500);
}

void program(void) {
  for (u64 i = 0; i < BYTES / 8; i++) data[i] = PATTERN ^ i;
  enable_interrupts(27);
  registers_t bell = call_all(ATOLL_CHANNEL_DOORBELL, 0, 0, 0, 0, 0, 0);
  if (bell.x[0] == 0) enable_shared(doorbell = bell.x[1]);
  arm(get(cntvct_el0) + 62500);
  u64 work = 0, spoiled = 0;
  u64 begin = get(cntvct_el0);
  puts("victim is up\n");
  while (mem32(UART + 0x18) & 0x10) {
    // Half of its time it computes, by its own clock; the other half it sleeps from tick to tick.
    for (u64 i = 0; i < BYTES / 8; i += 64) spoiled += data[i] != (PATTERN ^ i);
    work++;
    if (ARGUMENT == 0) asm volatile("wfi");
  }
  asm volatile("msr daifset, #2");
  for (u64 i = 0; i < BYTES / 8; i++) spoiled += data[i] != (PATTERN ^ i);
  puts("victim spoiled=");
  put_hex(spoiled);
  puts(" strange=");
  put_hex(strange);
  puts(" exceptions=");
  put_hex(seen.count);
  puts(" ticks=");
  put_hex(ticks);
  puts(" work=");
  put_hex(work);
  puts(" microseconds=");
  put_hex((get(cntvct_el0) - begin) * 16 / 1000);
  puts(" rings=");
  put_hex(rings);
  puts(" latest=");
  put_hex(latest);
  puts(" late=");
  for (u32 i = 0; i < 5; i++) {
    put_hex(late[i]);
    put(i < 4 ? ',' : '\n');
  }
}
