// Runs A64 instructions, one or a few, under qemu-aarch64 (user mode) and reports what they did: the oracle of the instruction vectors.
// Standard input: records of struct request; standard output: a struct answer for each. See ../generate.ts, which drives it.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CODE 0x10000000ul
#define MEMORY 0x20001000ul
#define STATE 0x30000000ul
#define PAGE 4096
#define CHANGES 160
#define SLOT_WORDS 32

struct state {
  uint64_t x[31], sp;
  uint8_t v[32][16];
  uint64_t nzcv, fpcr, fpsr, host[22];
};
struct request {
  uint32_t words[SLOT_WORDS], seed, pad;
  uint8_t state[792];
};
struct answer {
  uint32_t status, changed;
  uint8_t state[792];
  struct {
    uint16_t offset, value;
  } change[CHANGES];
};

// The same generator as in ../inputs.ts (fillMemory).
static void fill(uint32_t *words, uint32_t seed, int count) {
  uint32_t s = seed | 1;
  for (int i = 0; i < count; i++) {
    s ^= s << 13;
    s ^= s >> 17;
    s ^= s << 5;
    words[i] = s;
  }
}

extern char slot_begin[], slot_end[];
static sigjmp_buf escape;

static void on_signal(int number, siginfo_t *info, void *context) {
  const ucontext_t *where = context;
  (void)info;
  // Signals from elsewhere: it branched away first.
  siglongjmp(escape, where->uc_mcontext.pc == CODE + 0x800 ? number : number | 0x100);
}

static void *map(unsigned long at, size_t bytes, int protection) {
  void *p = mmap((void *)at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (p == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return p;
}

int main(void) {
  stack_t alternate = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGSYS};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);

  uint8_t *code = map(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  uint8_t *memory = map(MEMORY, 4096, PROT_READ | PROT_WRITE);
  struct state *state = map(STATE, 4096, PROT_READ | PROT_WRITE);
  memcpy(code, slot_begin, slot_end - slot_begin);
  // Literals, below and above the slot (../inputs.ts, LITERALS_AT).
  fill((uint32_t *)(code + 0x400), 7, 128);
  fill((uint32_t *)(code + 0xe00), 7, 128);
  uint32_t *slot = (uint32_t *)(code + 0x800);
  uint64_t tls;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tls));

  static struct request request;
  static struct answer answer;
  static uint8_t before[PAGE];
  while (fread(&request, sizeof request, 1, stdin) == 1) {
    memcpy(state, request.state, sizeof request.state);
    fill((uint32_t *)memory, request.seed, PAGE / 4);
    memcpy(before, memory, PAGE);
    memcpy(slot, request.words, sizeof request.words);
    __builtin___clear_cache((char *)slot, (char *)(slot + SLOT_WORDS));
    int caught = sigsetjmp(escape, 1);
    if (caught == 0) {
      ((void (*)(void))code)();
    } else {
      __asm__ volatile("msr tpidr_el0, %0\n\tmsr fpcr, xzr" : : "r"(tls));
    }
    answer.status = caught;
    memcpy(answer.state, state, sizeof answer.state);
    answer.changed = 0;
    for (int i = 0; i < PAGE && answer.changed < CHANGES; i++) {
      if (memory[i] == before[i]) continue;
      answer.change[answer.changed].offset = i;
      answer.change[answer.changed++].value = memory[i];
    }
    fwrite(&answer, sizeof answer, 1, stdout);
    fflush(stdout);
  }
  return 0;
}
