import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt, guest, memAttr, pending, S2R, S2W } from "../../test/support/stage2.ts";
import { AF, DEVICE, RAM } from "../../test/support/vmsa.ts";
import { ARG0 } from "../cpu/state-layout.ts";
import { HCR_EL2, MAIR_EL1, PAR_EL1 } from "../cpu/sysreg-layout.ts";

// How the memory types of both stages combine (Arm ARM D8.6.5 and D8.6.6), as AT S12E1R tells.

const VA = 0x12_3456_0000n;
const IPA = 0x34_5600_0000n;
const HCR_DC = 1n << 12n;
const HCR_CD = 1n << 32n;
const HCR_ID = 1n << 33n;
const HCR_FWB = 1n << 46n;

// A model in words, of which the table of the manual is made.
const DEVICES = ["nGnRnE", "nGnRE", "nGRE", "GRE"] as const;
type Cacheability = "NC" | "WT" | "WB";
interface Half {
  readonly cache: Cacheability;
  readonly hints: number;
  readonly transient: boolean;
}
type Type = { readonly device: (typeof DEVICES)[number] } | { readonly outer: Half; readonly inner: Half };
type Shareability = "none" | "inner" | "outer";

const ORDER: readonly Cacheability[] = ["NC", "WT", "WB"];
const lesser = (a: Cacheability, b: Cacheability): Cacheability => (ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b);

function decodeHalf(nibble: number): Half {
  if (nibble === 4) return { cache: "NC", hints: 0, transient: false };
  return { cache: nibble & 4 ? "WB" : "WT", hints: nibble & 3, transient: nibble < 8 };
}
function encodeHalf({ cache, hints, transient }: Half): number {
  if (cache === "NC") return 4;
  return (transient ? 0 : 8) | (cache === "WB" ? 4 : 0) | hints;
}
function encode(type: Type): number {
  if ("device" in type) return DEVICES.indexOf(type.device) << 2;
  return (encodeHalf(type.outer) << 4) | encodeHalf(type.inner);
}
const isNonCacheable = (type: Type): boolean =>
  !("device" in type) && type.outer.cache === "NC" && type.inner.cache === "NC";

const SHAREABILITY: readonly Shareability[] = ["none", "none", "outer", "inner"];
const encodeShareability = (s: Shareability): number => ({ none: 0, outer: 2, inner: 3 })[s];
const effective = (type: Type, s: Shareability): Shareability =>
  "device" in type || isNonCacheable(type) ? "outer" : s;
const stronger = (a: Shareability, b: Shareability): Shareability =>
  a === "outer" || b === "outer" ? "outer" : a === "inner" || b === "inner" ? "inner" : "none";

/** Without FWB. */
function stage2Type(memAttr: number, cacheDisabled: boolean): Type {
  if (memAttr >> 2 === 0) return { device: DEVICES[memAttr & 3] as (typeof DEVICES)[number] };
  const cacheability = (bits: number): Cacheability =>
    (cacheDisabled ? "NC" : (["NC", "NC", "WT", "WB"] as const)[bits]) as Cacheability;
  const half = (bits: number): Half => ({ cache: cacheability(bits), hints: 3, transient: false });
  return { outer: half(memAttr >> 2), inner: half(memAttr & 3) };
}

function combine(s1: Type, s2: Type): Type {
  if ("device" in s1 && "device" in s2) {
    return DEVICES.indexOf(s1.device) < DEVICES.indexOf(s2.device) ? s1 : s2;
  }
  if ("device" in s1) return s1;
  if ("device" in s2) return s2;
  const half = (a: Half, b: Half): Half => ({ ...a, cache: lesser(a.cache, b.cache) });
  return { outer: half(s1.outer, s2.outer), inner: half(s1.inner, s2.inner) };
}

function combineFWB(s1: Type, memAttr: number): Type {
  const strong: Half = { cache: "WB", hints: 3, transient: false };
  const noncacheable: Half = { cache: "NC", hints: 0, transient: false };
  switch (memAttr & 7) {
    case 7:
      return s1;
    case 6: {
      if ("device" in s1) return { outer: strong, inner: strong };
      const half = (h: Half): Half => (h.cache === "NC" ? strong : { ...h, cache: "WB" });
      return { outer: half(s1.outer), inner: half(s1.inner) };
    }
    case 5:
    case 4:
      return "device" in s1 ? s1 : { outer: noncacheable, inner: noncacheable };
    default:
      return combine(s1, { device: DEVICES[memAttr & 3] as (typeof DEVICES)[number] });
  }
}

const anyHalf = fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
const anyType: fc.Arbitrary<Type> = fc.oneof(
  fc.constantFrom(...DEVICES).map((device) => ({ device })),
  fc.tuple(anyHalf, anyHalf).map(([outer, inner]) => ({ outer: decodeHalf(outer), inner: decodeHalf(inner) })),
);

const { pe, s2 } = guest();

/** ATTR and SH of PAR_EL1 after AT S12E1R of VA. */
function report(type: Type, sh: number, flags: bigint, hcr: bigint): { attr: number; sh: number } {
  pe.set(HCR_EL2, 1n | hcr);
  pe.set(MAIR_EL1, BigInt(encode(type)));
  pe.map(VA, IPA, AF | (BigInt(sh) << 8n));
  s2.map(IPA, RAM, AF | S2R | S2W | flags);
  s2.mapRAM(AF | S2R | S2W | memAttr(hcr & HCR_FWB ? 6 : 15));
  pe.set(ARG0, VA);
  pe.call("addressTranslate", 1, 1, 0, 0, 2);
  assert.equal(pe.fault(), undefined);
  const par = pe.get(PAR_EL1);
  assert.equal(par & 1n, 0n);
  assert.equal(par & 0xffff_ffff_f000n, RAM);
  return { attr: Number(par >> 56n), sh: Number((par >> 7n) & 3n) };
}

const stage2Bits = (bits: number, sh: number): bigint => memAttr(bits) | (BigInt(sh) << 8n);
const four = fc.integer({ min: 0, max: 3 });
const sixteen = fc.integer({ min: 0, max: 15 });

test("memory types and shareability combine", () => {
  fc.assert(
    fc.property(anyType, four, sixteen, four, fc.boolean(), (s1, sh1, bits, sh2, cacheDisabled) => {
      const type = stage2Type(bits, cacheDisabled);
      const both = combine(s1, type);
      const sh = stronger(
        effective(s1, SHAREABILITY[sh1] as Shareability),
        effective(type, SHAREABILITY[sh2] as Shareability),
      );
      assert.deepEqual(report(s1, sh1, stage2Bits(bits, sh2), cacheDisabled ? HCR_CD : HCR_ID), {
        attr: encode(both),
        sh: encodeShareability(effective(both, sh)),
      });
    }),
    { numRuns: 600 },
  );
});

test("HCR_EL2.FWB: stage 2 decides", () => {
  fc.assert(
    fc.property(anyType, four, fc.integer({ min: 0, max: 7 }), four, (s1, sh1, bits, sh2) => {
      const both = combineFWB(s1, bits);
      const sh = stronger(effective(s1, SHAREABILITY[sh1] as Shareability), SHAREABILITY[sh2] as Shareability);
      assert.deepEqual(report(s1, sh1, stage2Bits(bits, sh2), HCR_FWB), {
        attr: encode(both),
        sh: encodeShareability(effective(both, sh)),
      });
    }),
    { numRuns: 600 },
  );
});

test("HCR_EL2.DC: stage 1 gives Normal Write-Back, not shareable", () => {
  const fresh = guest();
  fresh.pe.set(HCR_EL2, HCR_DC);
  fresh.pe.changed();
  for (const [bits, attr, sh] of [
    [15, 0xff, 0n],
    [5, 0x44, 2n],
    [0, 0, 2n],
    [10, 0xbb, 0n],
  ] as const) {
    fresh.s2.map(IPA, RAM, AF | S2R | memAttr(bits));
    fresh.pe.set(ARG0, IPA);
    fresh.pe.call("addressTranslate", 1, 1, 0, 0, 2);
    const par = fresh.pe.get(PAR_EL1);
    assert.equal(Number(par >> 56n), attr);
    assert.equal((par >> 7n) & 3n, sh);
  }
});

test("unaligned accesses to Device memory fault at the stage that makes it Device", () => {
  for (const [s1, bits, hcr, stage] of [
    [0n, 15, 0n, undefined],
    [DEVICE, 15, 0n, 1],
    [0n, 1, 0n, 2],
    [DEVICE, 1, 0n, 1],
    [DEVICE, 6, HCR_FWB, undefined],
    [0n, 1, HCR_FWB, 2],
  ] as const) {
    const fresh = guest({ hcr });
    fresh.s2.mapRAM(AF | S2R | S2W | memAttr(hcr ? 6 : 15));
    fresh.pe.map(VA, IPA, AF | s1);
    fresh.s2.map(IPA, RAM, AF | S2R | S2W | memAttr(bits));
    assert.equal(attempt(fresh.pe, VA), undefined);
    fresh.pe.load(VA + 1n, 4);
    const abort = pending(fresh.pe, VA + 1n);
    assert.equal(abort?.stage, stage);
    if (abort) assert.equal(abort.status, 0x21);
    fresh.pe.call("zeroBlock", VA);
    assert.equal(pending(fresh.pe, VA)?.stage, stage);
  }
});
