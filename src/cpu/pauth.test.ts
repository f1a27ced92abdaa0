import assert from "node:assert/strict";
import { test } from "node:test";
import { Pe } from "../../test/support/vmsa.ts";
import { EXC_TARGET, SECURE } from "./state-layout.ts";
import {
  APGAKEYHI_EL1,
  APIAKEYHI_EL1,
  APIAKEYLO_EL1,
  FEATURE_EL2,
  FEATURE_EL3,
  FEATURE_FPAC,
  FEATURE_PAUTH,
  FEATURE_PAUTH_QARMA5,
  HCR_EL2,
  PE_FEATURES,
  SCR_EL3,
  SCTLR_EL1,
  SCTLR_EL2,
  SCTLR_EL3,
  TCR_EL1,
  TCR_EL2,
} from "./sysreg-layout.ts";

const ENABLES = [31n, 30n, 27n, 13n];
const LOW = 0x12_3456_7890n;
const HIGH = 0xffff_8012_3456_7890n;
const MODIFIER = 0xfb62_3599_da6e_8127n;
const TBI = 3n << 37n;
const TBID = 3n << 51n;
const DATA_KEY = 2;

function machine(features: number, tcr = 0n): Pe {
  const pe = new Pe(FEATURE_PAUTH | features);
  pe.set(TCR_EL1, tcr | 16n | (16n << 16n));
  pe.set(
    SCTLR_EL1,
    ENABLES.reduce((all, bit) => all | (1n << bit), 0n),
  );
  for (let key = 0; key < 5; key++) {
    pe.set(APIAKEYLO_EL1 + key * 16, 0xec28_02d4_e0a4_88e9n + BigInt(key));
    pe.set(APIAKEYHI_EL1 + key * 16, 0x84be_85ce_9804_e94bn);
  }
  pe.changed();
  return pe;
}

const unsigned = (x: number | bigint): bigint => BigInt.asUintN(64, x as bigint);
const add = (pe: Pe, p: bigint, m: bigint, key: number): bigint => unsigned(pe.call("addPAC", p, m, key));
const auth = (pe: Pe, p: bigint, m: bigint, key: number): bigint => unsigned(pe.call("authPAC", p, m, key));
const strip = (pe: Pe, p: bigint, data: number): bigint => unsigned(pe.call("stripPAC", p, data));

for (const [features, name] of [
  [0, "implementation defined"],
  [FEATURE_PAUTH_QARMA5, "QARMA5"],
] as const) {
  for (const [tcr, layout] of [
    [0n, "no TBI"],
    [TBI, "TBI"],
    [TBI | TBID, "TBI for data"],
  ] as const) {
    test(`${name}, ${layout}: signed, authenticated and stripped pointers`, () => {
      const pe = machine(features, tcr);
      for (const pointer of [LOW, HIGH]) {
        for (let key = 0; key < 4; key++) {
          const tagged = tcr === TBI || (tcr !== 0n && key >= DATA_KEY);
          const signed = add(pe, pointer, MODIFIER, key);
          assert.notEqual(signed, pointer);
          assert.equal(signed & 0x0080_ffff_ffff_ffffn, pointer & 0x0080_ffff_ffff_ffffn);
          if (tagged) assert.equal(signed >> 56n, pointer >> 56n);
          else assert.notEqual(signed >> 56n, pointer >> 56n);
          assert.equal(auth(pe, signed, MODIFIER, key), pointer);
          assert.equal(strip(pe, signed, Number(key >= DATA_KEY)), pointer);
        }
      }
    });

    test(`${name}, ${layout}: failures put the error code into the pointer`, () => {
      const pe = machine(features, tcr);
      for (const pointer of [LOW, HIGH]) {
        for (let key = 0; key < 4; key++) {
          const tagged = tcr === TBI || (tcr !== 0n && key >= DATA_KEY);
          const bad = auth(pe, add(pe, pointer, MODIFIER, key), MODIFIER ^ 1n, key);
          const at = tagged ? 53n : 61n;
          const expected = (pointer & ~(3n << at)) | (BigInt((key & 1) + 1) << at);
          assert.equal(bad, expected);
          assert.equal(pe.fault(), undefined);
        }
      }
    });
  }
}

test("keys and modifiers matter", () => {
  const pe = machine(0);
  const signed = new Set([0, 1, 2, 3].map((key) => add(pe, LOW, MODIFIER, key)));
  assert.equal(signed.size, 4);
  assert.notEqual(add(pe, LOW, MODIFIER, 0), add(pe, LOW, MODIFIER + 1n, 0));
});

test("a pointer whose extension bits are neither all zeros nor all ones gets a code that does not authenticate", () => {
  const pe = machine(0);
  const bad = LOW | (1n << 60n);
  const signed = add(pe, bad, MODIFIER, 0);
  assert.notEqual(auth(pe, signed, MODIFIER, 0), LOW);
});

test("a smaller address space leaves more bits for the code", () => {
  const pe = machine(0, 0n);
  pe.set(TCR_EL1, 25n | (25n << 16n));
  pe.changed();
  const signed = add(pe, LOW, MODIFIER, 0);
  assert.equal(signed & 0x7f_ffff_ffffn, LOW & 0x7f_ffff_ffffn);
  assert.equal(auth(pe, signed, MODIFIER, 0), LOW);
  assert.notEqual((signed >> 39n) & 0xffffn, 0n);
});

test("SCTLR_EL1.EnIA, EnIB, EnDA and EnDB: a disabled key does nothing", () => {
  const pe = machine(0);
  for (const [key, bit] of ENABLES.entries()) {
    pe.set(
      SCTLR_EL1,
      ENABLES.filter((b) => b !== bit).reduce((all, b) => all | (1n << b), 0n),
    );
    pe.changed();
    for (let other = 0; other < 4; other++) {
      assert.equal(add(pe, LOW, MODIFIER, other) === LOW, other === key);
      assert.equal(auth(pe, LOW, MODIFIER, other) === LOW, other === key);
    }
  }
});

test("each range of addresses has its own field, which TBI of the other one does not shorten", () => {
  const pe = machine(0);
  pe.set(TCR_EL1, 16n | (33n << 16n) | (1n << 38n));
  pe.changed();
  const high = 0xffff_ffff_9234_5678n;
  assert.equal(add(pe, high, MODIFIER, 0) & 0xff80_0000_7fff_ffffn, high & 0xff80_0000_7fff_ffffn);
  assert.notEqual((add(pe, LOW, MODIFIER, 0) >> 56n) & 0xffn, 0n);
  assert.equal(add(pe, LOW, MODIFIER, 0) & 0xffff_ffff_ffffn, LOW);
  for (const pointer of [LOW, high]) assert.equal(auth(pe, add(pe, pointer, MODIFIER, 0), MODIFIER, 0), pointer);
});

test("an exception level has its regime's keys and fields at once", () => {
  const pe = machine(FEATURE_EL2 | FEATURE_EL3);
  pe.set(SCR_EL3, 1n | (1n << 17n));
  pe.set(HCR_EL2, 1n << 41n);
  pe.set(TCR_EL2, 16n | (1n << 20n));
  pe.enter(1);
  assert.notEqual(add(pe, LOW, MODIFIER, 0) >> 56n, 0n);
  pe.enter(2);
  assert.equal(add(pe, LOW, MODIFIER, 0), LOW, "disabled in SCTLR_EL2");
  pe.set(SCTLR_EL2, 1n << 31n);
  pe.changed();
  assert.notEqual(add(pe, LOW, MODIFIER, 0), LOW);
  assert.equal(add(pe, LOW, MODIFIER, 0) >> 56n, 0n, "TBI");
  pe.enter(1);
  assert.notEqual(add(pe, LOW, MODIFIER, 0) >> 56n, 0n);
});

test("FEAT_FPAC: failures are exceptions, keys in the ISS", () => {
  const pe = machine(FEATURE_FPAC);
  for (const pointer of [LOW, HIGH]) {
    for (let key = 0; key < 4; key++) {
      const signed = add(pe, pointer, MODIFIER, key);
      assert.equal(auth(pe, signed, MODIFIER, key), pointer);
      assert.equal(pe.fault(), undefined);
      auth(pe, signed, MODIFIER ^ 2n, key);
      const fault = pe.fault();
      assert.equal(fault?.ec, 0x1c);
      assert.equal(fault?.iss, key);
    }
  }
});

test("PACGA: 32 bits at the top, from its own key", () => {
  const pe = machine(0);
  const first = unsigned(pe.call("pacGeneric", LOW, MODIFIER));
  assert.equal(first & 0xffff_ffffn, 0n);
  assert.notEqual(first, 0n);
  pe.set(APGAKEYHI_EL1, 1n);
  assert.notEqual(unsigned(pe.call("pacGeneric", LOW, MODIFIER)), first);
});

test("without FEAT_PAuth pointers stay what they are", () => {
  const pe = machine(0);
  pe.set(PE_FEATURES, 0n);
  pe.changed();
  for (const name of ["addPAC", "authPAC"]) assert.equal(unsigned(pe.call(name, HIGH, MODIFIER, 0)), HIGH);
  assert.equal(strip(pe, LOW | (0x5n << 56n), 0), LOW | (0x5n << 56n));
});

test("instructions that need a key trap by HCR_EL2.API and SCR_EL3.API, where SCTLR_ELx enables them", () => {
  const API_EL2 = 1n << 41n;
  const API_EL3 = 1n << 17n;
  const NS = 1n;
  for (const [el, hcr, scr, target] of [
    [0, 0n, NS | API_EL3, 2],
    [1, 0n, NS | API_EL3, 2],
    [1, 0n, NS, 2],
    [1, API_EL2, NS, 3],
    [1, API_EL2, NS | API_EL3, 0],
    [1, 0n, API_EL3, 0],
    [2, 0n, NS | API_EL3, 0],
    [2, 0n, NS, 3],
    [3, 0n, 0n, 0],
  ] as const) {
    for (const name of ["addPAC", "authPAC", "pacGeneric"]) {
      const pe = machine(FEATURE_EL2 | FEATURE_EL3);
      pe.set(HCR_EL2, hcr);
      pe.set(SCR_EL3, scr);
      pe.setWord(SECURE, scr & NS ? 0 : 1);
      pe.set(SCTLR_EL2, pe.get(SCTLR_EL1));
      pe.set(SCTLR_EL3, pe.get(SCTLR_EL1));
      pe.enter(el);
      const call = (): unknown => pe.call(name, LOW, MODIFIER, ...(name === "pacGeneric" ? [] : [0]));
      call();
      const trap = pe.fault();
      assert.equal(trap?.ec, target === 0 ? undefined : 9, `${name} at EL${el}`);
      if (target !== 0) assert.equal(pe.word(EXC_TARGET), target);
      pe.set([SCTLR_EL1, SCTLR_EL1, SCTLR_EL2, SCTLR_EL3][el] as number, 0n);
      pe.changed();
      call();
      assert.equal(pe.fault() !== undefined, target !== 0 && name === "pacGeneric", "disabled, they do nothing");
    }
  }
});
