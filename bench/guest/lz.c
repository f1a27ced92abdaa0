// Compression in the manner of xz: LZ77 with hash chains, its output coded by an adaptive binary arithmetic coder; and back.

#include "abench.h"

#include <string.h>

enum {
  HASH_BITS = 15,
  CHAIN = 24,
  SHORTEST = 4,
  LONGEST = SHORTEST + 255,
  PROBABILITY_BITS = 12,
  ADAPTATION = 5,
};

// All bit probabilities (that the bit is 1), by what is coded. Bit trees have the root at 1.
struct model {
  uint16_t match[256];
  uint16_t literal[256][256];
  uint16_t length[256];
  uint16_t slot[32];
};

struct coder {
  uint32_t low, high, code;
  uint8_t *at;
};

static void reset(struct model *model) {
  uint16_t *p = (uint16_t *)model;
  for (size_t i = 0; i < sizeof *model / sizeof *p; i++) p[i] = 1 << (PROBABILITY_BITS - 1);
}

static void adapt(uint16_t *p, int bit) {
  if (bit) *p += (uint16_t)((1 << PROBABILITY_BITS) - *p) >> ADAPTATION;
  else *p -= *p >> ADAPTATION;
}

static uint32_t split(const struct coder *c, uint16_t p) {
  return c->low + ((c->high - c->low) >> PROBABILITY_BITS) * p;
}

static void encode(struct coder *c, uint16_t *p, int bit) {
  uint32_t middle = split(c, *p);
  if (bit) c->high = middle;
  else c->low = middle + 1;
  adapt(p, bit);
  while (((c->low ^ c->high) >> 24) == 0) {
    *c->at++ = (uint8_t)(c->high >> 24);
    c->low <<= 8;
    c->high = c->high << 8 | 0xff;
  }
}

static int decode(struct coder *c, uint16_t *p) {
  uint32_t middle = split(c, *p);
  int bit = c->code <= middle;
  if (bit) c->high = middle;
  else c->low = middle + 1;
  adapt(p, bit);
  while (((c->low ^ c->high) >> 24) == 0) {
    c->low <<= 8;
    c->high = c->high << 8 | 0xff;
    c->code = c->code << 8 | *c->at++;
  }
  return bit;
}

static void encode_tree(struct coder *c, uint16_t *tree, int bits, uint32_t value) {
  uint32_t node = 1;
  while (bits-- > 0) {
    int bit = value >> bits & 1;
    encode(c, &tree[node], bit);
    node = node << 1 | (uint32_t)bit;
  }
}

static uint32_t decode_tree(struct coder *c, uint16_t *tree, int bits) {
  uint32_t node = 1;
  for (int i = 0; i < bits; i++) node = node << 1 | (uint32_t)decode(c, &tree[node]);
  return node - (1u << bits);
}

static struct model model;

static uint32_t hash(const uint8_t *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word * 2654435761u >> (32 - HASH_BITS);
}

static size_t compress(const uint8_t *in, size_t size, uint8_t *out, int32_t *previous) {
  static int32_t newest[1 << HASH_BITS];
  struct coder c = {0, UINT32_MAX, 0, out};
  memset(newest, 0xff, sizeof newest);
  reset(&model);
  size_t at = 0;
  while (at < size) {
    size_t most = size - at < LONGEST ? size - at : LONGEST, best = 0;
    uint32_t distance = 0;
    if (most >= SHORTEST) {
      int32_t candidate = newest[hash(in + at)];
      for (int tries = CHAIN; candidate >= 0 && tries > 0; tries--, candidate = previous[candidate]) {
        const uint8_t *old = in + candidate;
        if (best >= most || old[best] != in[at + best]) continue;
        size_t length = 0;
        while (length < most && old[length] == in[at + length]) length++;
        if (length > best) {
          best = length;
          distance = (uint32_t)(at - (size_t)candidate);
        }
      }
    }
    uint8_t context = at > 0 ? in[at - 1] : 0;
    size_t taken = 1;
    if (best >= SHORTEST) {
      // Distance as in Elias' gamma code: how many bits, then the bits below the highest, nearly evenly distributed.
      int bits = 31 - __builtin_clz(distance);
      encode(&c, &model.match[context], 1);
      encode_tree(&c, model.length, 8, (uint32_t)(best - SHORTEST));
      encode_tree(&c, model.slot, 5, (uint32_t)bits);
      while (bits-- > 0) {
        uint16_t even = 1 << (PROBABILITY_BITS - 1);
        encode(&c, &even, distance >> bits & 1);
      }
      taken = best;
    } else {
      encode(&c, &model.match[context], 0);
      encode_tree(&c, model.literal[context], 8, in[at]);
    }
    for (; taken > 0; taken--, at++) {
      if (size - at < SHORTEST) continue;
      uint32_t h = hash(in + at);
      previous[at] = newest[h];
      newest[h] = (int32_t)at;
    }
  }
  for (int i = 0; i < 4; i++, c.low <<= 8) *c.at++ = (uint8_t)(c.high >> (24 - 8 * i));
  return (size_t)(c.at - out);
}

static void decompress(uint8_t *in, uint8_t *out, size_t size) {
  struct coder c = {0, UINT32_MAX, 0, in};
  reset(&model);
  for (int i = 0; i < 4; i++) c.code = c.code << 8 | *c.at++;
  size_t at = 0;
  while (at < size) {
    uint8_t context = at > 0 ? out[at - 1] : 0;
    if (!decode(&c, &model.match[context])) {
      out[at++] = (uint8_t)decode_tree(&c, model.literal[context], 8);
      continue;
    }
    size_t length = decode_tree(&c, model.length, 8) + SHORTEST;
    int bits = (int)decode_tree(&c, model.slot, 5);
    uint32_t distance = 1;
    while (bits-- > 0) {
      uint16_t even = 1 << (PROBABILITY_BITS - 1);
      distance = distance << 1 | (uint32_t)decode(&c, &even);
    }
    if (distance > at || length > size - at) fail("lz: damaged");
    for (; length > 0; length--, at++) out[at] = out[at - distance];
  }
}

struct result bench_lz(void) {
  size_t size = (size_t)work(2 << 20);
  uint8_t *text = allocate(size), *packed = allocate(size * 2 + 16), *back = allocate(size);
  int32_t *previous = allocate(size * sizeof *previous);
  fill_text(text, size);
  double start = seconds();
  size_t length = compress(text, size, packed, previous);
  decompress(packed, back, size);
  double time = seconds() - start;
  if (memcmp(text, back, size) != 0) fail("lz: what came back differs");
  return (struct result){(double)size / time * 1e-6, "MB/s", fold_bytes(length, packed, length)};
}
