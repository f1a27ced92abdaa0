// A mix of integer work: a linked list that is sorted and searched, small matrices, a state machine over text, and a CRC.

#include "abench.h"

enum { NODES = 256, SIDE = 16, TEXT = 512 };

struct node {
  struct node *next;
  uint16_t key;
  uint16_t payload;
};

static struct node nodes[NODES];
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];
static char text[TEXT];

static uint16_t crc16(uint16_t crc, uint16_t value) {
  for (int bit = 0; bit < 16; bit++) {
    unsigned out = (crc ^ (value >> bit)) & 1;
    crc = (uint16_t)((crc >> 1) ^ (out ? 0xa001 : 0));
  }
  return crc;
}

static struct node *merge(struct node *a, struct node *b) {
  struct node head, *tail = &head;
  while (a != NULL && b != NULL) {
    struct node **from = a->key <= b->key ? &a : &b;
    tail->next = *from;
    tail = *from;
    *from = tail->next;
  }
  tail->next = a != NULL ? a : b;
  return head.next;
}

// Merge sort, from the bottom up: slot i holds a sorted list of 2^i nodes.
static struct node *sort(struct node *list) {
  struct node *slots[16] = {NULL};
  while (list != NULL) {
    struct node *one = list;
    list = list->next;
    one->next = NULL;
    int i = 0;
    for (; slots[i] != NULL; i++) {
      one = merge(slots[i], one);
      slots[i] = NULL;
    }
    slots[i] = one;
  }
  struct node *all = NULL;
  for (int i = 0; i < 16; i++) all = merge(slots[i], all);
  return all;
}

static struct node *reverse(struct node *list) {
  struct node *done = NULL;
  while (list != NULL) {
    struct node *rest = list->next;
    list->next = done;
    done = list;
    list = rest;
  }
  return done;
}

static uint16_t list_work(uint64_t *random) {
  struct node *list = NULL;
  for (int i = 0; i < NODES; i++) {
    uint64_t r = next_random(random);
    nodes[i] = (struct node){list, (uint16_t)(r >> 48), (uint16_t)(r >> 20)};
    list = &nodes[i];
  }
  list = reverse(sort(list));
  uint16_t crc = 0;
  for (int probe = 0; probe < 16; probe++) {
    uint16_t key = (uint16_t)(probe * 4096);
    struct node *at = list;
    while (at != NULL && at->key > key) at = at->next;
    crc = crc16(crc, at == NULL ? 0 : at->payload);
  }
  return crc;
}

static uint16_t matrix_work(uint64_t *random) {
  int16_t bias = (int16_t)(next_random(random) >> 56);
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      left[i][j] = (int16_t)(i * 7 - j * 3 + bias);
      right[i][j] = (int16_t)(j * 5 - i + bias);
    }
  }
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      int32_t sum = 0;
      for (int k = 0; k < SIDE; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
  }
  uint16_t crc = 0;
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) {
      int32_t v = product[i][j];
      product[i][j] = ((v >> 2) & 0x0f) * ((v >> 5) & 0x7f);
    }
    crc = crc16(crc, (uint16_t)product[i][(i * 5) % SIDE]);
  }
  return crc;
}

enum state { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, BAD, STATES };

static enum state step(enum state state, char c) {
  int digit = c >= '0' && c <= '9';
  int sign = c == '+' || c == '-';
  switch (state) {
    case START: return digit ? WHOLE : sign ? SIGN : c == '.' ? POINT : BAD;
    case SIGN: return digit ? WHOLE : c == '.' ? POINT : BAD;
    case WHOLE: return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case POINT: return digit ? FRACTION : BAD;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : BAD;
    case EXPONENT: return digit ? POWER : sign ? EXPONENT_SIGN : BAD;
    case EXPONENT_SIGN: return digit ? POWER : BAD;
    case POWER: return digit ? POWER : BAD;
    default: return BAD;
  }
}

static uint16_t text_work(uint64_t *random) {
  static const char *const samples[8] = {"5012", "-874", "+122", ".1234500", "-110.700", "1.5e3", "-.123e-2", "0.3e+x"};
  int at = 0;
  for (;;) {
    const char *sample = samples[next_random(random) >> 61];
    int length = 0;
    while (sample[length] != 0) length++;
    if (at + length + 1 > TEXT) break;
    for (int i = 0; i < length; i++) text[at++] = sample[i];
    text[at++] = ',';
  }
  uint16_t ends[STATES] = {0};
  enum state state = START;
  for (int i = 0; i < at; i++) {
    if (text[i] == ',') {
      ends[state]++;
      state = START;
    } else {
      state = step(state, text[i]);
    }
  }
  uint16_t crc = 0;
  for (int i = 0; i < STATES; i++) crc = crc16(crc, ends[i]);
  return crc;
}

struct result bench_integer(void) {
  long turns = work(16000);
  uint64_t random = 7, check = 0;
  double start = seconds();
  for (long i = 0; i < turns; i++) {
    check = fold(check, list_work(&random));
    for (int m = 0; m < 4; m++) check = fold(check, matrix_work(&random));
    for (int t = 0; t < 4; t++) check = fold(check, text_work(&random));
  }
  return (struct result){(double)turns / (seconds() - start), "turns/s", check};
}
