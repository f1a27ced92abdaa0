// What the kernel does: system calls, pipes, processes, page faults; and busybox's programs.

#include "abench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) fail("a child failed");
}

struct result bench_syscall(void) {
  long calls = work(1500000);
  pid_t parent = getppid();
  double start = seconds();
  for (long i = 0; i < calls; i++) {
    if (syscall(SYS_getppid) != parent) fail("syscall: another parent");
  }
  return (struct result){(double)calls / (seconds() - start) * 1e-6, "Mcalls/s", 0};
}

struct result bench_pipe(void) {
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) fail("no pipe");
  long turns = work(20000);
  pid_t child = fork();
  if (child < 0) fail("no process");
  uint32_t ball = 0;
  if (child == 0) {
    close(there[1]);
    while (read(there[0], &ball, sizeof ball) == sizeof ball) {
      ball++;
      if (write(back[1], &ball, sizeof ball) != sizeof ball) _exit(1);
    }
    _exit(0);
  }
  double start = seconds();
  for (long i = 0; i < turns; i++) {
    if (write(there[1], &ball, sizeof ball) != sizeof ball) fail("pipe: write");
    if (read(back[0], &ball, sizeof ball) != sizeof ball) fail("pipe: read");
  }
  double time = seconds() - start;
  close(there[1]);
  wait_for(child);
  return (struct result){(double)turns / time * 1e-3, "kturns/s", ball};
}

struct result bench_exec(void) {
  long turns = work(600);
  double start = seconds();
  for (long i = 0; i < turns; i++) {
    pid_t child = fork();
    if (child < 0) fail("no process");
    if (child == 0) {
      execl("/proc/self/exe", "abench", "nothing", (char *)NULL);
      _exit(1);
    }
    wait_for(child);
  }
  return (struct result){(double)turns / (seconds() - start), "execs/s", 0};
}

struct result bench_mmap(void) {
  enum { SIZE = 4 << 20, PAGE = 4096 };
  long turns = work(150);
  uint64_t check = 0;
  double start = seconds();
  for (long t = 0; t < turns; t++) {
    uint8_t *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) fail("mmap: no memory");
    for (size_t at = 0; at < SIZE; at += PAGE) check += ++area[at];
    if (munmap(area, SIZE) != 0) fail("munmap");
  }
  return (struct result){(double)turns * (SIZE / PAGE) / (seconds() - start) * 1e-3, "kpages/s", check};
}

// Runs busybox with its input and output as given; returns the seconds that took.
static double busybox(const char *input, const char *output, const char *const *arguments) {
  double start = seconds();
  pid_t child = fork();
  if (child < 0) fail("no process");
  if (child == 0) {
    dup2(open(input, O_RDONLY), 0);
    dup2(open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    execv("/bin/busybox", (char *const *)arguments);
    _exit(1);
  }
  wait_for(child);
  return seconds() - start;
}

// Check sum of a file, which is removed.
static uint64_t take_file(const char *name) {
  static uint8_t part[65536];
  uint64_t check = 0;
  int file = open(name, O_RDONLY);
  for (ssize_t got; (got = read(file, part, sizeof part)) > 0;) check = fold_bytes(check, part, (size_t)got);
  close(file);
  unlink(name);
  return check;
}

struct result bench_shell(void) {
  long turns = work(100000);
  char script[128];
  snprintf(script, sizeof script, "i=0; while [ $i -lt %ld ]; do i=$((i+1)); done; echo $i", turns);
  double time = busybox("/dev/null", "/tmp/out", (const char *const[]){"sh", "-c", script, NULL});
  return (struct result){(double)turns / time * 1e-3, "kturns/s", take_file("/tmp/out")};
}

struct result bench_awk(void) {
  long turns = work(160000);
  char script[160];
  snprintf(script, sizeof script, "BEGIN { for (i = 0; i < %ld; i++) { k = i %% 101; a[k] += i; s = s + a[k] / 3 } printf \"%%.6g\\n\", s }",
           turns);
  double time = busybox("/dev/null", "/tmp/out", (const char *const[]){"awk", script, NULL});
  return (struct result){(double)turns / time * 1e-3, "kturns/s", take_file("/tmp/out")};
}

struct result bench_gzip(void) {
  size_t size = (size_t)work(8 << 20);
  uint8_t *text = allocate(size);
  fill_text(text, size);
  int file = open("/tmp/in", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (write(file, text, size) != (ssize_t)size) fail("gzip: no room for the input");
  close(file);
  double time = busybox("/tmp/in", "/tmp/out", (const char *const[]){"gzip", "-c", NULL});
  unlink("/tmp/in");
  return (struct result){(double)size / time * 1e-6, "MB/s", take_file("/tmp/out")};
}
