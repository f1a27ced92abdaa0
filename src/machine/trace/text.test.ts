import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSysreg, sysregId } from "../../arch/sysreg-names.ts";
import { gicAccessText, gicV2AccessText } from "./gic-text.ts";
import { accessText, syndromeText, systemId, systemOperand } from "./syndrome.ts";
import { tlbiText } from "./tlb-text.ts";

const esr = (ec: number, iss: number): number => (ec << 26) | (1 << 25) | iss;

test("syndromes are class and fields", () => {
  const cases: readonly (readonly [number, number, string])[] = [
    [0x15, 7, "SVC: #0x7"],
    [0x01, 0x1e00001, "WFI or WFE: WFE"],
    [0x24, 0x07, "data abort, lower level: translation fault, level 3, read"],
    [0x25, 0x4f, "data abort, same level: permission fault, level 3, write"],
    [0x24, 0x1c38146, "data abort, lower level: translation fault, level 2, write, 8 bytes from x3, cache maintenance"],
    [0x24, 0x93820007, "data abort, lower level: translation fault, level 3, read, 4 bytes to w2"],
    [0x20, 0x84, "instruction abort, lower level: translation fault, level 0, on a stage 1 walk"],
    [0x24, 0x10, "data abort, lower level: external abort, read"],
    [0x0d, 2, "branch target: BTYPE 2"],
    [0x1a, 3, "ERET: ERETAB"],
    [0x00, 0, "unknown reason"],
    [0x3f, 5, "EC 0x3f: ISS 0x5"],
    [0x09, 0, "pointer authentication"],
  ];
  for (const [ec, iss, text] of cases) assert.equal(syndromeText(esr(ec, iss & 0x1ffffff)), text);
});

test("a trapped system instruction is the instruction that was trapped", () => {
  // Op0 3, Op2 0, Op1 0, CRn 1, Rt 3, CRm 0: MSR SCTLR_EL1, x3.
  const iss = (3 << 20) | (1 << 10) | (3 << 5);
  assert.equal(systemId(iss), sysregId("SCTLR_EL1"));
  assert.deepEqual(systemOperand(iss), { rt: 3, isRead: true });
  assert.equal(syndromeText(esr(0x18, iss)), "MSR, MRS or system instruction: MSR SCTLR_EL1, x3");
  assert.equal(syndromeText(esr(0x18, iss | 1)), "MSR, MRS or system instruction: MRS x3, SCTLR_EL1");
  assert.equal(accessText(encodeSysreg(1, 0, 8, 3, 1), 9, true), "TLBI VAE1IS, x9");
  assert.equal(accessText(encodeSysreg(1, 0, 8, 7, 0), 31, true), "TLBI VMALLE1");
  assert.equal(accessText(encodeSysreg(0, 3, 4, 2, 6), 31, true), "MSR DAIFSet, #2");
});

test("a TLBI says what it invalidates", () => {
  const cases: readonly (readonly [string, bigint, string])[] = [
    ["VMALLE1IS", 0n, ""],
    ["ALLE2", 0n, ""],
    ["VAE1IS", (5n << 48n) | 0xff80000887en, "VA 0xffff80000887e000, ASID 5"],
    ["vaale1is", 0x480n, "VA 0x480000"],
    ["VALE1", (3n << 44n) | 0x480n, "VA 0x480000, ASID 0, TTL 3"],
    ["ASIDE1", 7n << 48n, "ASID 7"],
    ["IPAS2E1IS", 0x40000n, "IPA 0x40000000"],
    ["RVAE1IS", (1n << 48n) | (1n << 46n) | (3n << 39n) | 0x10n, "VA 0x10000, 0x8000 bytes, ASID 1"],
    ["RIPAS2E1", 0x10n, "nothing: TG is reserved"],
  ];
  for (const [operation, value, text] of cases) assert.equal(tlbiText(operation, value), text, operation);
});

test("accesses to CPU interfaces say what they do", () => {
  const cases: readonly (readonly [string, boolean, bigint, string])[] = [
    ["ICC_IAR1_EL1", false, 27n, "acknowledge 27"],
    ["ICC_IAR1_EL1", false, 1023n, "nothing to acknowledge"],
    ["ICC_EOIR1_EL1", true, 27n, "end of interrupt 27"],
    ["ICC_DIR_EL1", true, 27n, "deactivate 27"],
    ["ICC_SGI1R_EL1", true, (3n << 24n) | (1n << 16n) | 5n, "SGI 3 to 0.0.1.0 0.0.1.2"],
    ["ICC_SGI1R_EL1", true, (3n << 24n) | (1n << 40n), "SGI 3 to all others"],
    ["ICC_PMR_EL1", true, 0xf0n, ""],
    ["ICH_LR0_EL2", true, 0n, "empty"],
    ["ICH_LR3_EL2", true, 0x70a0_001b_0000_001bn, "pending 27, group 1, priority 0xa0, hardware 27"],
  ];
  for (const [name, write, value, text] of cases) assert.equal(gicAccessText(name, write, value), text);
  assert.equal(gicV2AccessText("gic.cpu-interface", 0xc, false, 0x1e), "acknowledge 30");
  assert.equal(gicV2AccessText("gic.cpu-interface", 0x10, true, 0x1e), "end of interrupt 30");
  assert.equal(gicV2AccessText("gic.distributor", 0xf00, true, 0x20001), "SGI 1 to CPU mask 0x2");
  assert.equal(gicV2AccessText("gic.distributor", 0x100, true, 1), undefined);
  assert.equal(
    gicV2AccessText("gic.hypervisor-interface", 0x104, true, 0x1a00001b | 0),
    "list register 1: pending 27, priority 0xa0",
  );
});
