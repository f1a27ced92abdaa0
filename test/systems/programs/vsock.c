// A guest's end of vsock streams for tests, without a C library: Linux's system calls on 64-bit Arm.
//   vsock connect CID PORT   what comes from standard input goes to the stream, what comes from the stream to standard output
//   vsock listen PORT        the same with the first one who connects
//   vsock discard PORT       takes a stream to its end, and prints how many bytes there were
//   vsock supply CID PORT N  connects and sends N MiB

typedef unsigned long u64;
typedef unsigned int u32;

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
enum { READ = 63, WRITE = 64, CLOSE = 57, PPOLL = 73, EXIT = 93, SOCKET = 198, BIND = 200, LISTEN = 201, ACCEPT = 202, CONNECT = 203, SHUTDOWN = 210 };
enum { AF_VSOCK = 40, SOCK_STREAM = 1, ANY = 0xffffffff };

struct address { unsigned short family, reserved; u32 port, cid; unsigned char flags[4]; };
struct pollfd { int fd; short events, revents; };

static char buffer[0x10000];

static void quit(int status) { call(EXIT, status, 0, 0, 0, 0, 0); }
static u64 length(const char *s) { u64 n = 0; while (s[n]) n++; return n; }
static void say(int fd, const char *s) { call(WRITE, fd, (long)s, length(s), 0, 0, 0); }
static void check(long result, const char *what) {
  if (result >= 0) return;
  say(2, what);
  say(2, ": failed\n");
  quit(1);
}
static u64 number(const char *s) { u64 n = 0; while (*s) n = n * 10 + (*s++ - '0'); return n; }
static void print(u64 n) {
  char text[24];
  int at = 24;
  text[--at] = '\n';
  do text[--at] = '0' + n % 10; while (n /= 10);
  call(WRITE, 1, (long)(text + at), 24 - at, 0, 0, 0);
}
static void writeAll(int fd, const char *from, long bytes) {
  while (bytes > 0) {
    long done = call(WRITE, fd, (long)from, bytes, 0, 0, 0);
    check(done, "write");
    from += done;
    bytes -= done;
  }
}
static int connectTo(u32 cid, u32 port) {
  struct address to = {AF_VSOCK, 0, port, cid, {0}};
  int fd = call(SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0, 0);
  check(fd, "socket");
  check(call(CONNECT, fd, (long)&to, sizeof to, 0, 0, 0), "connect");
  return fd;
}
static int acceptAt(u32 port) {
  struct address at = {AF_VSOCK, 0, port, ANY, {0}};
  int fd = call(SOCKET, AF_VSOCK, SOCK_STREAM, 0, 0, 0, 0);
  check(fd, "socket");
  check(call(BIND, fd, (long)&at, sizeof at, 0, 0, 0), "bind");
  check(call(LISTEN, fd, 4, 0, 0, 0, 0), "listen");
  say(1, "listening\n");
  int stream = call(ACCEPT, fd, 0, 0, 0, 0, 0);
  check(stream, "accept");
  return stream;
}
static void relay(int stream) {
  struct pollfd fds[2] = {{0, 1, 0}, {stream, 1, 0}};
  for (;;) {
    check(call(PPOLL, (long)fds, 2, 0, 0, 0, 0), "ppoll");
    if (fds[0].revents) {
      long bytes = call(READ, 0, (long)buffer, sizeof buffer, 0, 0, 0);
      if (bytes > 0) writeAll(stream, buffer, bytes);
      else {
        call(SHUTDOWN, stream, 1, 0, 0, 0, 0);
        fds[0].fd = -1;
        fds[0].revents = 0;
      }
    }
    if (fds[1].revents) {
      long bytes = call(READ, stream, (long)buffer, sizeof buffer, 0, 0, 0);
      if (bytes <= 0) break;
      writeAll(1, buffer, bytes);
    }
  }
  call(CLOSE, stream, 0, 0, 0, 0, 0);
}
static void discard(int stream) {
  u64 all = 0;
  long bytes;
  while ((bytes = call(READ, stream, (long)buffer, sizeof buffer, 0, 0, 0)) > 0) all += bytes;
  print(all);
}
static void supply(int stream, u64 mib) {
  for (u64 i = 0; i < mib * 16; i++) writeAll(stream, buffer, sizeof buffer);
  call(SHUTDOWN, stream, 1, 0, 0, 0, 0);
  // Until the other end has it all.
  call(READ, stream, (long)buffer, 1, 0, 0, 0);
}

__attribute__((used)) static void start(long *stack) {
  char **argument = (char **)(stack + 1);
  switch (argument[1][0]) {
    case 'c': relay(connectTo(number(argument[2]), number(argument[3]))); break;
    case 'l': relay(acceptAt(number(argument[2]))); break;
    case 'd': discard(acceptAt(number(argument[2]))); break;
    case 's': supply(connectTo(number(argument[2]), number(argument[3])), number(argument[4])); break;
  }
  quit(0);
}
asm(".globl _start\n_start: mov x0, sp\n b start\n");
