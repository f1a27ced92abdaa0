// Stage 2 translation: each fault at each level with each granule, syndromes, permissions, attributes, hardware updates, VMIDs and TLBI.
// QEMU 7.2 agrees but for these: blocks where there are none; faults of cache maintenance; the level of a stage 2 fault of a stage 1 walk, which
// it takes from stage 1; alignment faults of Device memory with stage 1 off; Device of stage 1 with FEAT_S2FWB.
#include "hyp.h"

asm(".arch armv8.6-a\n.include \"stage2.inc\"\n");

struct form {
  const u32 *code;
  const char *name;
  u64 iss;
};
extern const struct form forms[], forms_end[], forms_max[], forms_max_end[];

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_w, "ldr w0, [x1]");
CODE(jump, "br x1");
CODE(nothing, "nop");
CODE(at_s1e1r, "at s1e1r, x1\n isb\n mrs x0, par_el1");

static int max;

// The guest's physical address of the tests, and what it is mapped to: the same offset in blocks of all sizes.
#define IPA 0x80f06000000ul
#define DATA 0x46000000ul
#define DATA2 0x46400000ul
#define HCR_VM bit(0)
#define HCR_PTW bit(2)
#define HCR_DC bit(12)
#define HCR_FWB bit(46)
#define HCR (bit(31) | (max ? bit(40) | bit(41) : 0))

// Stage 2 descriptors.
#define AF bit(10)
#define SH (3ul << 8)
#define S2AP(n) ((u64)(n) << 6)
#define MEMATTR(n) ((u64)(n) << 2)
#define XN(n) ((u64)(n) << 53)
#define DBM bit(51)
#define RWX (AF | SH | S2AP(3) | MEMATTR(15))

// Data Abort fault status codes.
enum { ADDRESS_SIZE = 0, TRANSLATION = 4, ACCESS_FLAG = 8, PERMISSION = 12 };
#define S1PTW bit(7)
#define WNR bit(6)
#define ISS_LOAD (bit(24) | 3ul << 22 | bit(15))

struct stage2 {
  u64 vttbr;
  int granule, start, bits;
};
static struct stage2 now;
static const char *title;

#define POOL 0x46800000ul
static u64 free_table;

static u64 shift_of(int level) {
  return now.granule + (3 - level) * (now.granule - 3);
}
static u64 allocate(u64 size) {
  free_table = (free_table + size - 1) & -size;
  u64 table = free_table;
  free_table += size;
  for (u64 i = 0; i < size; i += 8) mem64(table + i) = 0;
  return table;
}

static u64 vtcr(void) {
  u64 tg = now.granule == 12 ? 0 : now.granule == 16 ? 1 : 2;
  u64 sl = (now.granule == 12 ? 2 : 3) - now.start;
  u64 ps = get(id_aa64mmfr0_el1) & 15;
  return bit(31) | ps << 16 | tg << 14 | 3 << 12 | 1 << 10 | 1 << 8 | sl << 6 | (64 - now.bits);
}

/** The address of the descriptor of a level for an intermediate physical address; tables above it are made. */
static u64 entry(u64 ipa, int level) {
  u64 table = now.vttbr & 0xfffffffffffful;
  for (int l = now.start;; l++) {
    u64 index = ipa >> shift_of(l) & ((1ul << (now.granule - 3)) - 1);
    if (l == now.start) index = (ipa & ((1ul << now.bits) - 1)) >> shift_of(l);
    u64 at = table + 8 * index;
    if (l == level) return at;
    if ((mem64(at) & 3) != 3) mem64(at) = allocate(1ul << now.granule) | 3;
    table = mem64(at) & 0xffffffffffff & -(1ul << now.granule);
  }
}
static void flush(void) {
  asm volatile("dsb sy\n\ttlbi vmalls12e1\n\tdsb sy\n\tisb" ::: "memory");
}
static u64 leaf(int level, u64 pa, u64 attributes) {
  return (pa & -(1ul << shift_of(level))) | attributes | (level == 3 ? 3 : 1);
}
static void map(u64 ipa, int level, u64 descriptor) {
  mem64(entry(ipa, level)) = descriptor;
  flush();
}

/** New tables that map this image, and nothing else, to itself. */
static void fresh(int granule, int start, int bits, u64 vmid) {
  now = (struct stage2){0, granule, start, bits};
  u64 entries = 1ul << (bits - shift_of(start));
  now.vttbr = allocate(entries * 8 > (1ul << granule) ? entries * 8 : 1ul << granule) | vmid << 48;
  set(vttbr_el2, now.vttbr);
  set(vtcr_el2, vtcr());
  set(hcr_el2, HCR | HCR_VM);
  map(0x40000000, 2, leaf(2, 0x40000000, RWX));
}

static void fault(const char *what, u64 esr, u64 address, u64 ipa) {
  static char name[100];
  char *to = name;
  for (const char *from = title; *from;) *to++ = *from++;
  *to++ = ',';
  *to++ = ' ';
  for (const char *from = what; *from;) *to++ = *from++;
  *to = 0;
  check2(name, "ESR", seen.esr, esr);
  check2(name, "FAR", seen.far, address);
  check2(name, "HPFAR", seen.hpfar, ipa >> 12 << 4);
}
static void reaches(const char *what, const void *code, int el) {
  check2(title, what, completed(code, el) ? 0 : seen.esr, 0);
}
static void at_ipa(const void *code, u64 ipa) {
  regs[1] = ipa;
  regs[0] = 0x1122334455667788;
  run(code, EL1);
}
#define LOAD_ABORT(status) ESR(0x24, ISS_LOAD | (status))
#define STORE_ABORT(status) ESR(0x24, ISS_LOAD | WNR | (status))
#define FETCH_ABORT(status) ESR(0x20, status)

static char *number(const char *text, int n) {
  static char line[80];
  char *to = line;
  while (*text) *to++ = *text++;
  *to++ = '0' + n;
  *to = 0;
  return line;
}

static void levels(int granule, int start, int bits, u64 ipa) {
  for (int level = start; level <= 3; level++) {
    fresh(granule, start, bits, 1);
    map(ipa, level, 0);
    at_ipa(load, ipa);
    fault(number("translation, load, level ", level), LOAD_ABORT(TRANSLATION + level), ipa, ipa);
    at_ipa(store, ipa + 8);
    fault(number("translation, store, level ", level), STORE_ABORT(TRANSLATION + level), ipa + 8, ipa);
    at_ipa(jump, ipa);
    fault(number("translation, fetch, level ", level), FETCH_ABORT(TRANSLATION + level), ipa, ipa);
    // What would be a block where there are none is reserved. QEMU 7.2 has such blocks at levels 0 (4K) and 1 (16K, 64K).
    int blocks = level == 2 || (level == 1 && granule == 12);
    if (!blocks) {
      map(ipa, level, (DATA & -(1ul << shift_of(level))) | RWX | 1);
      at_ipa(load, ipa);
      fault(number("reserved descriptor, level ", level), LOAD_ABORT(TRANSLATION + level), ipa, ipa);
    }
    // An output address above VTCR_EL2.PS, which is 44 bits.
    set(vtcr_el2, (vtcr() & ~(7ul << 16)) | 4ul << 16);
    map(ipa, level, bit(45) | RWX | (blocks ? 1 : 3));
    at_ipa(load, ipa);
    fault(number("address size, level ", level), LOAD_ABORT(ADDRESS_SIZE + level), ipa, ipa);
    set(vtcr_el2, vtcr());
    if (!blocks && level != 3) continue;
    mem64(DATA) = 0x5555aaaa1234567;
    map(ipa, level, leaf(level, DATA, RWX));
    at_ipa(load, ipa);
    reaches("load", load, 1);
    check2(title, number("loaded, level ", level), regs[0], 0x5555aaaa1234567);
    map(ipa, level, leaf(level, DATA, RWX & ~AF));
    at_ipa(load, ipa);
    fault(number("access flag, load, level ", level), LOAD_ABORT(ACCESS_FLAG + level), ipa, ipa);
    at_ipa(store, ipa);
    fault(number("access flag, store, level ", level), STORE_ABORT(ACCESS_FLAG + level), ipa, ipa);
    at_ipa(jump, ipa);
    fault(number("access flag, fetch, level ", level), FETCH_ABORT(ACCESS_FLAG + level), ipa, ipa);
    mem32(DATA) = 0xd4000022;  // hvc #1
    asm volatile("dsb sy\n\tic iallu\n\tdsb sy\n\tisb");
    for (int ap = 0; ap < 4; ap++) {
      map(ipa, level, leaf(level, DATA, (RWX & ~S2AP(3)) | S2AP(ap)));
      at_ipa(load_w, ipa);
      if (ap & 1) reaches("readable", load_w, 1);
      else fault(number("permission, load, level ", level), ESR(0x24, bit(24) | 2 << 22 | (PERMISSION + level)), ipa, ipa);
      regs[0] = 0xd4000022;
      at_ipa(store, ipa + 8);
      if (ap & 2) reaches("writable", store, 1);
      else fault(number("permission, store, level ", level), STORE_ABORT(PERMISSION + level), ipa + 8, ipa);
    }
    for (int xn = 0; xn < 4; xn++) {
      // Without FEAT_XNX, bit 53 is RES0.
      if (!max && xn & 1) continue;
      map(ipa, level, leaf(level, DATA, RWX | XN(xn)));
      at_ipa(jump, ipa);
      if (xn == 0 || xn == 3) check_call(number("executable at EL1, level ", level), 1);
      else fault(number("permission, fetch at EL1, level ", level), FETCH_ABORT(PERMISSION + level), ipa, ipa);
      regs[1] = ipa;
      run(jump, EL0);
      if (xn < 2) check_call(number("executable at EL0, level ", level), 0x108);
      else fault(number("permission, fetch at EL0, level ", level), FETCH_ABORT(PERMISSION + level), ipa, ipa);
    }
  }
  // Above the size of the intermediate physical addresses.
  fresh(granule, granule == 12 ? 1 : 2, 34, 1);
  at_ipa(load, bit(35));
  fault("above the input size", LOAD_ABORT(TRANSLATION), bit(35), bit(35));
}

/** Controls that do not allow a walk: the fetch itself fails, at level 0. */
static void controls(void) {
  title = "controls";
  fresh(12, 1, 40, 1);
  set(vtcr_el2, (vtcr() & ~(7ul << 16)) | 4ul << 16);
  set(vttbr_el2, now.vttbr | bit(45));
  flush();
  at_ipa(load, 0x40000000);
  fault("VTTBR_EL2 above VTCR_EL2.PS", FETCH_ABORT(ADDRESS_SIZE), (u64)load, (u64)load);
  set(vttbr_el2, now.vttbr);
  set(vtcr_el2, vtcr() | 3 << 6);
  flush();
  at_ipa(load, 0x40000000);
  fault("VTCR_EL2.SL0 of 3", FETCH_ABORT(TRANSLATION), (u64)load, (u64)load);
  set(vtcr_el2, (vtcr() & ~63ul) | 20);
  flush();
  at_ipa(load, 0x40000000);
  fault("VTCR_EL2.SL0 of 1 for 44 bits", FETCH_ABORT(TRANSLATION), (u64)load, (u64)load);
  set(vtcr_el2, (vtcr() & ~(3ul << 6 | 63)) | 2 << 6 | 35);
  flush();
  at_ipa(load, 0x40000000);
  fault("VTCR_EL2.SL0 of 2 for 29 bits", FETCH_ABORT(TRANSLATION), (u64)load, (u64)load);
  set(vtcr_el2, vtcr());
}

static void syndromes(void) {
  title = "syndrome";
  fresh(12, 1, 40, 1);
  for (const struct form *f = forms; f != forms_max_end; f++) {
    if (f >= forms_max && !max) break;
    for (int i = 0; i < 31; i++) regs[i] = 0;
    regs[1] = 0x5000000ul + 0x10;
    map(0x5000000, 3, 0);
    run(f->code, EL1);
    fault(f->name, ESR(0x24, f->iss | (TRANSLATION + 3)), 0x5000010, 0x5000000);
    check2(f->name, "ELR", seen.elr, (u64)f->code);
    check2(f->name, "address register", regs[1], 0x5000010);
  }
  // An access over the end of a page: FAR is the first byte that faults. Unaligned, so of Normal memory, by HCR_EL2.DC.
  title = "crossing";
  set(hcr_el2, HCR | HCR_DC);
  map(0x5000000, 3, leaf(3, DATA, RWX));
  map(0x5001000, 3, 0);
  at_ipa(load, 0x5000ffc);
  check("crossing a page: ESR", seen.esr, LOAD_ABORT(TRANSLATION + 3));
  check("crossing a page: FAR", seen.far >= 0x5000ffc && seen.far <= 0x5001000, 1);
  check("crossing a page: HPFAR", seen.hpfar, 0x50010);
}

// Stage 1 of EL1&0: 4K, 39 bits from level 1, tables at STAGE1 in guest physical memory.
#define STAGE1 0x46700000ul
#define S1_AF bit(10)
#define S1_AP(n) ((u64)(n) << 6)
#define S1_UXN bit(54)
#define S1_PXN bit(53)
#define VA 0x7060708000ul
#define VA_L1 (STAGE1 + 8 * (VA >> 30 & 511))
#define VA_L2 (STAGE1 + 0x1000 + 8 * (VA >> 21 & 511))
#define VA_L3 (STAGE1 + 0x2000 + 8 * (VA >> 12 & 511))

static void stage1(u64 leaf_descriptor) {
  for (u64 i = 0; i < 0x3000; i += 8) mem64(STAGE1 + i) = 0;
  mem64(STAGE1 + 8) = 0x40000000 | 1 | S1_AF | 3 << 8;  // this image, Normal
  mem64(VA_L1) = (STAGE1 + 0x1000) | 3;
  mem64(VA_L2) = (STAGE1 + 0x2000) | 3;
  mem64(VA_L3) = leaf_descriptor;
  set(ttbr0_el1, STAGE1);
  set(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | bit(23) | 2ul << 32);
  // 0: Normal, Write-Back. 1: Device-nGnRE. 2: Normal, Non-cacheable.
  set(mair_el1, 0x4404ff);
  set(sctlr_el1, 0x30d00801 | bit(2) | bit(12));
  flush();
}
static void stage1_off(void) {
  set(sctlr_el1, 0x30d00800);
}
static u64 par(int which, u64 va) {
  switch (which) {
    case 0: asm volatile("at s12e1r, %0\n\tisb" ::"r"(va)); break;
    case 1: asm volatile("at s12e1w, %0\n\tisb" ::"r"(va)); break;
    case 2: asm volatile("at s12e0r, %0\n\tisb" ::"r"(va)); break;
    case 3: asm volatile("at s12e0w, %0\n\tisb" ::"r"(va)); break;
    case 4: asm volatile("at s1e1r, %0\n\tisb" ::"r"(va)); break;
  }
  return get(par_el1);
}

static void two_stages(void) {
  title = "two stages";
  u64 page = 0x5008000, s1 = page | S1_AF | 3 | 3 << 8;
  fresh(12, 1, 40, 1);
  map(STAGE1, 2, leaf(2, STAGE1, RWX));
  stage1(s1);
  map(page, 3, leaf(3, DATA, RWX));
  mem64(DATA) = 77;
  at_ipa(load, VA);
  reaches("load through both", load, 1);
  check("two stages: loaded", regs[0], 77);

  // Stage 2 faults of the walk, by the level of the walk, at levels of stage 2.
  for (int l = 1; l <= 3; l++) {
    u64 table = STAGE1 + (l - 1) * 0x1000ul;
    for (int kind = 0; kind < 3; kind++) {
      fresh(12, 1, 40, 1);
      map(page, 3, leaf(3, DATA, RWX));
      map(0x46800000, 2, 0);
      // The image is in other blocks of 2M than the tables of stage 1, which are each mapped by their pages.
      for (int t = 0; t < 3; t++) map(STAGE1 + t * 0x1000ul, 3, leaf(3, STAGE1 + t * 0x1000ul, RWX));
      static const char *const names[] = {"translation fault of the walk, level ", "access flag fault of the walk, level ",
                                          "permission fault of the walk, level "};
      static const int status[] = {TRANSLATION + 3, ACCESS_FLAG + 3, PERMISSION + 3};
      map(table, 3, kind == 0 ? 0 : kind == 1 ? leaf(3, table, RWX & ~AF) : leaf(3, table, RWX & ~S2AP(1)));
      u64 ipa = table;
      if (l == 1) {
        // The fetch itself is what fails.
        at_ipa(load, VA);
        fault(number(names[kind], l), FETCH_ABORT(S1PTW | status[kind]), (u64)load, ipa);
        continue;
      }
      at_ipa(load, VA);
      fault(number(names[kind], l), ESR(0x24, S1PTW | status[kind]), VA, ipa);
      at_ipa(jump, VA);
      fault(number(names[kind], l), FETCH_ABORT(S1PTW | status[kind]), VA, ipa);
      // AT S1E1R at EL1 is a Data Abort of cache maintenance kind; at EL2 it is in PAR_EL1.
      at_ipa(at_s1e1r, VA);
      fault(number("AT S1E1R at EL1, level ", l), ESR(0x24, S1PTW | bit(8) | WNR | status[kind]), VA, ipa);
      check(number("two stages: AT S1E1R at EL2, level ", l), par(4, VA), 1 | (u64)status[kind] << 1 | bit(8) | bit(9) | bit(11));
      check(number("two stages: AT S12E1R of the walk, level ", l), par(0, VA), 1 | (u64)status[kind] << 1 | bit(8) | bit(9) | bit(11));
    }
  }
  // HCR_EL2.PTW: a walk of what stage 2 says is Device memory is a permission fault.
  fresh(12, 1, 40, 1);
  map(page, 3, leaf(3, DATA, RWX));
  for (int t = 0; t < 3; t++) map(STAGE1 + t * 0x1000ul, 3, leaf(3, STAGE1 + t * 0x1000ul, t == 2 ? RWX & ~MEMATTR(15) : RWX));
  at_ipa(load, VA);
  reaches("a walk of Device memory", load, 1);
  set(hcr_el2, HCR | HCR_VM | HCR_PTW);
  flush();
  at_ipa(load, VA);
  fault("HCR_EL2.PTW", ESR(0x24, S1PTW | (PERMISSION + 3)), VA, STAGE1 + 0x2000);

  // Permissions of both: stage 1's fault is EL1's, and comes first.
  fresh(12, 1, 40, 1);
  map(STAGE1, 2, leaf(2, STAGE1, RWX));
  struct {
    const char *name;
    u64 s1, s2;
    int to1, to2;
  } static const rows[] = {
    {"stage 1 read-only, stage 2 writable", S1_AP(2), S2AP(3), 1, 0},
    {"stage 1 writable, stage 2 read-only", 0, S2AP(1), 0, 1},
    {"stage 1 read-only, stage 2 read-only", S1_AP(2), S2AP(1), 1, 0},
    {"stage 1 writable, stage 2 writable", 0, S2AP(3), 0, 0},
  };
  for (int i = 0; i < 4; i++) {
    stage1(s1 | rows[i].s1);
    map(page, 3, leaf(3, DATA, (RWX & ~S2AP(3)) | rows[i].s2));
    at_ipa(store, VA);
    if (rows[i].to1) {
      check_call(rows[i].name, 0x104);
      check2(rows[i].name, "ESR_EL1", get(esr_el1), ESR(0x25, WNR | (PERMISSION + 3)));
      check2(rows[i].name, "FAR_EL1", get(far_el1), VA);
    } else if (rows[i].to2) {
      fault(rows[i].name, STORE_ABORT(PERMISSION + 3), VA, page);
    } else {
      reaches(rows[i].name, store, 1);
    }
  }
  stage1(s1 | S1_PXN);
  map(page, 3, leaf(3, DATA, RWX | XN(2)));
  at_ipa(jump, VA);
  check_call("PXN and stage 2's XN", 0x104);
  check("PXN and stage 2's XN: ESR_EL1", get(esr_el1), ESR(0x21, PERMISSION + 3));
  stage1(s1);
  at_ipa(jump, VA);
  fault("stage 2's XN", FETCH_ABORT(PERMISSION + 3), VA, page);

  // Translation faults: stage 1's is EL1's, whatever stage 2 says of the address.
  stage1(0);
  at_ipa(load, VA);
  check_call("stage 1 translation fault", 0x104);
  check("stage 1 translation fault: ESR_EL1", get(esr_el1), ESR(0x25, TRANSLATION + 3));

  // AT S12E*: what both say, and which stage did.
  stage1(s1 | S1_AP(1));
  map(page, 3, leaf(3, DATA, RWX));
  for (int w = 0; w < 4; w++) check2("AT S12E*", "translated", par(w, VA + 0x123) & 0xff00fffffffff001, 0xff00000000000000 | DATA);
  map(page, 3, leaf(3, DATA, RWX & ~S2AP(2)));
  for (int w = 0; w < 4; w++)
    check2("AT S12E*, stage 2 read-only", w & 1 ? "write" : "read", par(w, VA) & 0xfff,
           w & 1 ? 1 | (PERMISSION + 3) << 1 | bit(9) | bit(11) : par(w, VA) & 0xffe);
  map(page, 3, 0);
  check("AT S12E1R, stage 2 translation fault", par(0, VA), 1 | (TRANSLATION + 3) << 1 | bit(9) | bit(11));
  check("AT S1E1R, stage 2 translation fault of the result", par(4, VA) & 0xfffffffff001, page);
  map(page, 3, leaf(3, DATA, RWX & ~AF));
  check("AT S12E1R, stage 2 access flag fault", par(0, VA), 1 | (ACCESS_FLAG + 3) << 1 | bit(9) | bit(11));
  map(page, 3, leaf(3, DATA, RWX));
  stage1(s1 | S1_AP(2));
  check("AT S12E1W, stage 1 read-only", par(1, VA), 1 | (PERMISSION + 3) << 1 | bit(11));
  check("AT S12E0R, stage 1 of EL1's", par(2, VA), 1 | (PERMISSION + 3) << 1 | bit(11));
  stage1(0);
  check("AT S12E1R, stage 1 translation fault", par(0, VA), 1 | (TRANSLATION + 3) << 1 | bit(11));

  // Memory attributes: stage 1, stage 2, PAR_EL1.ATTR.
  struct {
    u64 s1, s2, attr;
  } static const combine[] = {
    {0, 15, 0xff}, {0, 5, 0x44}, {0, 10, 0xbb}, {0, 0, 0x00}, {0, 1, 0x04}, {0, 2, 0x08}, {0, 3, 0x0c},
    {1, 15, 0x04}, {1, 5, 0x04}, {1, 0, 0x00}, {1, 3, 0x04}, {2, 15, 0x44}, {2, 10, 0x44}, {2, 1, 0x04},
  }, forced[] = {
    // FEAT_S2FWB: 0..3 Device as without; 5 Normal Non-cacheable; 6 Write-Back whatever stage 1 says; 7 stage 1's.
    {0, 0, 0x00}, {0, 1, 0x04}, {1, 3, 0x04}, {0, 5, 0x44}, {2, 5, 0x44}, {1, 5, 0x04},
    {0, 6, 0xff}, {1, 6, 0xff}, {2, 6, 0xff}, {0, 7, 0xff}, {1, 7, 0x04}, {2, 7, 0x44},
  };
  for (u64 i = 0; i < sizeof combine / sizeof *combine; i++) {
    stage1(s1 | combine[i].s1 << 2);
    map(page, 3, leaf(3, DATA, (RWX & ~MEMATTR(15)) | MEMATTR(combine[i].s2)));
    check2("combined attributes", number("stage 1 ", combine[i].s1), par(0, VA) >> 56, combine[i].attr);
  }
  if (max) {
    set(hcr_el2, HCR | HCR_VM | HCR_FWB);
    map(STAGE1, 2, leaf(2, STAGE1, (RWX & ~MEMATTR(15)) | MEMATTR(6)));
    for (u64 i = 0; i < sizeof forced / sizeof *forced; i++) {
      stage1(s1 | forced[i].s1 << 2);
      map(page, 3, leaf(3, DATA, (RWX & ~MEMATTR(15)) | MEMATTR(forced[i].s2)));
      check2("HCR_EL2.FWB", number("stage 2 ", forced[i].s2), par(0, VA) >> 56, forced[i].attr);
    }
  }
  stage1_off();
}

CODE(unaligned, "ldr x0, [x1]");

static void default_cacheable(void) {
  title = "HCR_EL2.DC";
  fresh(12, 1, 40, 1);
  map(0x5000000, 3, leaf(3, DATA, RWX));
  at_ipa(unaligned, 0x5000011);
  check_call("unaligned without HCR_EL2.DC", 0x104);
  check("unaligned without HCR_EL2.DC: ESR_EL1", get(esr_el1), ESR(0x25, 0x21));
  set(hcr_el2, HCR | HCR_DC);
  flush();
  at_ipa(unaligned, 0x5000011);
  reaches("unaligned", unaligned, 1);
  // It makes VM count as 1, and SCTLR_EL1.M as 0.
  at_ipa(load, 0x6000000);
  fault("VM counts as 1", LOAD_ABORT(TRANSLATION + 2), 0x6000000, 0x6000000);
  check("HCR_EL2.DC: PAR_EL1.ATTR", par(0, 0x5000000) >> 56, 0xff);
  set(sctlr_el1, 0x30d00801);
  set(ttbr0_el1, 0);
  flush();
  at_ipa(load, 0x5000000);
  reaches("SCTLR_EL1.M counts as 0", load, 1);
  stage1_off();
}

/** FEAT_HAFDBS, for stage 2. */
static void updates(void) {
  title = "VTCR_EL2.HA, HD";
  fresh(12, 1, 40, 1);
  set(vtcr_el2, vtcr() | bit(21));
  u64 ipa = 0x5000000, at = entry(ipa, 3);
  map(ipa, 3, leaf(3, DATA, RWX & ~AF));
  at_ipa(load, ipa);
  reaches("load", load, 1);
  check("VTCR_EL2.HA: AF is set", mem64(at), leaf(3, DATA, RWX));
  map(ipa, 3, leaf(3, DATA, (RWX & ~S2AP(2)) | DBM));
  at_ipa(store, ipa);
  fault("DBM without HD", STORE_ABORT(PERMISSION + 3), ipa, ipa);
  set(vtcr_el2, vtcr() | bit(21) | bit(22));
  flush();
  at_ipa(load, ipa);
  check("VTCR_EL2.HD: clean after a load", mem64(at), leaf(3, DATA, (RWX & ~S2AP(2)) | DBM));
  at_ipa(store, ipa);
  reaches("store", store, 1);
  check("VTCR_EL2.HD: dirty after a store", mem64(at), leaf(3, DATA, RWX | DBM));
  map(ipa, 3, leaf(3, DATA, (RWX & ~S2AP(2) & ~AF) | DBM));
  at_ipa(store, ipa);
  reaches("store", store, 1);
  check("VTCR_EL2.HA and HD at once", mem64(at), leaf(3, DATA, RWX | DBM));
  map(ipa, 3, leaf(3, DATA, RWX & ~S2AP(2)));
  at_ipa(store, ipa);
  fault("HD without DBM", STORE_ABORT(PERMISSION + 3), ipa, ipa);
}

static void invalidate(int how, u64 ipa) {
  u64 page = ipa >> 12;
  asm volatile("dsb sy");
  switch (how) {
    case 0: asm volatile("tlbi ipas2e1, %0\n\tdsb sy\n\ttlbi vmalle1" ::"r"(page)); break;
    case 1: asm volatile("tlbi ipas2e1is, %0\n\tdsb sy\n\ttlbi vmalle1is" ::"r"(page)); break;
    case 2: asm volatile("tlbi ipas2le1, %0\n\tdsb sy\n\ttlbi vmalle1" ::"r"(page)); break;
    case 3: asm volatile("tlbi ipas2le1is, %0\n\tdsb sy\n\ttlbi vmalle1is" ::"r"(page)); break;
    case 4: asm volatile("tlbi vmalls12e1"); break;
    case 5: asm volatile("tlbi vmalls12e1is"); break;
    case 6: asm volatile("tlbi alle1"); break;
    case 7: asm volatile("tlbi alle1is"); break;
    // RIPAS2E1 and RIPAS2E1IS: TG 4K, NUM 0, SCALE 0; and the outer shareable ones.
    case 8: asm volatile("sys #4, c8, c4, #2, %0\n\tdsb sy\n\ttlbi vmalle1" ::"r"(page | bit(46))); break;
    case 9: asm volatile("sys #4, c8, c0, #2, %0\n\tdsb sy\n\ttlbi vmalle1is" ::"r"(page | bit(46))); break;
    case 10: asm volatile("sys #4, c8, c4, #0, %0\n\tdsb sy\n\ttlbi vmalle1os" ::"r"(page)); break;
    case 11: asm volatile("tlbi vmalls12e1os"); break;
    case 12: asm volatile("tlbi alle1os"); break;
    // FEAT_TTL: a hint of granule 4K and level 3.
    case 13: asm volatile("tlbi ipas2e1, %0\n\tdsb sy\n\ttlbi vmalle1" ::"r"(page | 7ul << 44)); break;
  }
  asm volatile("dsb sy\n\tisb");
}

static void vmids(void) {
  static const char *const names[] = {
    "IPAS2E1", "IPAS2E1IS", "IPAS2LE1", "IPAS2LE1IS", "VMALLS12E1", "VMALLS12E1IS", "ALLE1", "ALLE1IS",
    "RIPAS2E1", "RIPAS2E1IS", "IPAS2E1OS", "VMALLS12E1OS", "ALLE1OS", "IPAS2E1 with TTL",
  };
  title = "VMIDs";
  // 16 bits where there are, then 8.
  u64 other = max ? 0x101 : 2;
  fresh(12, 1, 40, 1);
  struct stage2 one = now;
  map(0x5000000, 3, leaf(3, DATA, RWX));
  fresh(12, 1, 40, other);
  struct stage2 two = now;
  map(0x5000000, 3, leaf(3, DATA2, RWX));
  mem64(DATA) = 1;
  mem64(DATA2) = 2;
  if (max) {
    set(vtcr_el2, vtcr() | bit(19));
    flush();
  }
  for (int i = 0; i < 4; i++) {
    set(vttbr_el2, i & 1 ? two.vttbr : one.vttbr);
    at_ipa(load, 0x5000000);
    check2("VMIDs", i & 1 ? "the second" : "the first", regs[0], i & 1 ? 2 : 1);
  }
  now = one;
  set(vttbr_el2, one.vttbr);
  for (int how = 0; how < (max ? 14 : 8); how++) {
    mem64(entry(0x5000000, 3)) = leaf(3, DATA, RWX);
    invalidate(how, 0x5000000);
    at_ipa(load, 0x5000000);
    check2(names[how], "before", regs[0], 1);
    mem64(entry(0x5000000, 3)) = leaf(3, DATA2, RWX);
    invalidate(how, 0x5000000);
    at_ipa(load, 0x5000000);
    check2(names[how], "after", regs[0], 2);
    mem64(entry(0x5000000, 3)) = 0;
    invalidate(how, 0x5000000);
    at_ipa(load, 0x5000000);
    check2(names[how], "unmapped", seen.esr, LOAD_ABORT(TRANSLATION + 3));
  }
  // ALLE1 is for each VMID.
  now = two;
  set(vttbr_el2, two.vttbr);
  at_ipa(load, 0x5000000);
  check("ALLE1: the other VMID before", regs[0], 2);
  mem64(entry(0x5000000, 3)) = leaf(3, DATA, RWX);
  set(vttbr_el2, one.vttbr);
  invalidate(6, 0);
  set(vttbr_el2, two.vttbr);
  at_ipa(load, 0x5000000);
  check("ALLE1: the other VMID after", regs[0], 1);
}

void tests(void) {
  max = get(id_aa64mmfr1_el1) >> 8 & 15;
  set(cptr_el2, 0x33ff);
  set(cpacr_el1, 3 << 20);
  stage1_off();
  struct {
    const char *name;
    int granule, start, bits;
    u64 ipa;
  } static const geometries[] = {
    {"4K", 12, 0, 44, IPA},
    {"4K, concatenated", 12, 1, 40, 0x8006000000},
    {"4K, level 2", 12, 2, 33, 0x146000000},
    {"64K", 16, 1, 44, IPA},
    {"64K, concatenated", 16, 2, 44, IPA},
    {"16K", 14, 1, 44, IPA},
    {"16K, concatenated", 14, 2, 40, 0xff06000000},
  };
  for (u64 i = 0; i < sizeof geometries / sizeof *geometries; i++) {
    if (geometries[i].granule == 14 && !max) continue;
    free_table = POOL;
    title = geometries[i].name;
    levels(geometries[i].granule, geometries[i].start, geometries[i].bits, geometries[i].ipa);
  }
  free_table = POOL;
  controls();
  syndromes();
  two_stages();
  default_cacheable();
  free_table = POOL;
  if (max) updates();
  vmids();
  set(hcr_el2, bit(31));
}
