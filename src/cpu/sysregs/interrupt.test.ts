import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SYSREG_NAMES, sysregId } from "../../arch/sysreg-names.ts";
import { HCR_FMO, HCR_IMO, SCR_FIQ, SCR_IRQ, SCR_NS } from "../levels.ts";
import {
  type InterruptSysregs,
  VIEW_EL3,
  VIEW_FIQ_TO_EL3,
  VIEW_IRQ_TO_EL3,
  VIEW_NONSECURE,
  VIEW_VIRTUAL,
} from "../ports.ts";
import { SECURE } from "../state-layout.ts";
import { HCR_EL2, SCR_EL3 } from "../sysreg-layout.ts";
import { INTERRUPT_REGISTERS } from "./interrupt-traps.ts";
import { Bench } from "./test-host.ts";

// ICH_HCR_EL2.
const TC = 1 << 10;
const TALL0 = 1 << 11;
const TALL1 = 1 << 12;
const TDIR = 1 << 14;

interface Setting {
  readonly hcr?: number;
  readonly ich?: number;
  readonly scr?: number;
  /** Levels whose ICC_SRE_ELx.Enable is clear. */
  readonly disabled?: readonly number[];
  readonly secure?: boolean;
}

/** A PE with EL2 and EL3 whose interrupt controller has every register, and notes the view of the last access. */
class Cpu {
  readonly pe: Bench;
  view = -1;

  constructor({ hcr = 0, ich = 0, scr = SCR_NS, disabled = [], secure = false }: Setting = {}, el3 = true) {
    const interrupts: InterruptSysregs = {
      ...{ low: 7, high: 0 },
      read: (_cpu, _id, view) => this.#seen(view),
      write: (_cpu, _id, _low, _high, view) => this.#seen(view),
      hypervisorControl: () => ich,
      sreEnabled: (_cpu, el) => !disabled.includes(el),
    };
    this.pe = new Bench({ el2: true, el3, interrupts });
    this.pe.state.set64(HCR_EL2, hcr, 0);
    this.pe.state.setWord(SCR_EL3, secure ? scr & ~SCR_NS : scr);
    this.pe.state.setWord(SECURE, secure ? 1 : 0);
  }

  #seen(view: number): true {
    this.view = view;
    return true;
  }

  /** An access: "done", "virtual" when it is to the ICV_* register, or the exception. */
  access(name: string, el: number, write = WRITTEN.test(name)): string {
    this.view = -1;
    this.pe.at(el);
    const result = write ? this.pe.msr(name, 0) : this.pe.mrs(name);
    if (this.view < 0) return result;
    return this.view & VIEW_VIRTUAL ? "virtual" : "done";
  }
}

/** Registers that are written only. */
const WRITTEN = /_EOIR|_DIR|SGI\dR/;

/** A trapped MRS X3 or MSR X4, by ESR_ELx's ISS for EC 0x18. */
function trapOf(name: string, target: number): string {
  const id = sysregId(name);
  const field = (shift: number, mask: number): number => (id >> shift) & mask;
  const write = WRITTEN.test(name);
  const fields = [
    [field(14, 3), 20],
    [field(0, 7), 17],
    [field(11, 7), 14],
    [field(7, 15), 10],
    [write ? 4 : 3, 5],
    [field(3, 15), 1],
    [write ? 0 : 1, 0],
  ] as const;
  const iss = fields.reduce((sum, [value, shift]) => sum + value * 2 ** shift, 0);
  return `EC 18 ISS ${iss.toString(16)} to EL${target}`;
}

const COMMON = ["ICC_PMR_EL1", "ICC_RPR_EL1", "ICC_CTLR_EL1"];
const SGI = ["ICC_SGI0R_EL1", "ICC_SGI1R_EL1", "ICC_ASGI1R_EL1"];
const GROUP0 = ["ICC_IAR0_EL1", "ICC_EOIR0_EL1", "ICC_HPPIR0_EL1", "ICC_BPR0_EL1", "ICC_AP0R0_EL1", "ICC_IGRPEN0_EL1"];
const GROUP1 = GROUP0.map((name) => name.replace("0_EL1", "1_EL1").replace("AP0R1", "AP1R0"));
const TO_EL3 = SCR_NS | SCR_IRQ | SCR_FIQ;

/** What a setting makes of accesses from EL1, EL2 and EL3, "2" and "3" being a trap to that level. */
const CASES: readonly (readonly [string, readonly string[], Setting, readonly [string, string, string]])[] = [
  ["nothing set", [...COMMON, ...SGI, "ICC_DIR_EL1", ...GROUP0, ...GROUP1], {}, ["done", "done", "done"]],
  ["HCR_EL2.IMO", [...COMMON, "ICC_DIR_EL1", ...GROUP1], { hcr: HCR_IMO }, ["virtual", "done", "done"]],
  ["HCR_EL2.IMO", GROUP0, { hcr: HCR_IMO }, ["done", "done", "done"]],
  ["HCR_EL2.FMO", [...COMMON, "ICC_DIR_EL1", ...GROUP0], { hcr: HCR_FMO }, ["virtual", "done", "done"]],
  ["HCR_EL2.FMO", GROUP1, { hcr: HCR_FMO }, ["done", "done", "done"]],
  ["HCR_EL2.IMO", SGI, { hcr: HCR_IMO }, ["2", "done", "done"]],
  ["HCR_EL2.FMO", SGI, { hcr: HCR_FMO }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TC", [...COMMON, ...SGI, "ICC_DIR_EL1"], { ich: TC, hcr: HCR_IMO }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TC, not virtual", [...COMMON, ...SGI, "ICC_DIR_EL1"], { ich: TC }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TC", [...GROUP0, ...GROUP1], { ich: TC }, ["done", "done", "done"]],
  ["ICH_HCR_EL2.TALL0", GROUP0, { ich: TALL0, hcr: HCR_FMO }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TALL0", [...GROUP1, ...COMMON], { ich: TALL0 }, ["done", "done", "done"]],
  ["ICH_HCR_EL2.TALL1", GROUP1, { ich: TALL1, hcr: HCR_IMO }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TALL1", [...GROUP0, ...COMMON], { ich: TALL1 }, ["done", "done", "done"]],
  ["ICH_HCR_EL2.TDIR", ["ICC_DIR_EL1"], { ich: TDIR, hcr: HCR_IMO }, ["2", "done", "done"]],
  ["ICH_HCR_EL2.TDIR", [...COMMON, ...GROUP0, ...GROUP1], { ich: TDIR }, ["done", "done", "done"]],
  ["SCR_EL3.FIQ", GROUP0, { scr: SCR_NS | SCR_FIQ }, ["3", "3", "done"]],
  ["SCR_EL3.FIQ", [...GROUP1, ...COMMON, ...SGI], { scr: SCR_NS | SCR_FIQ }, ["done", "done", "done"]],
  ["SCR_EL3.FIQ and HCR_EL2.FMO", GROUP0, { scr: SCR_NS | SCR_FIQ, hcr: HCR_FMO }, ["virtual", "3", "done"]],
  ["SCR_EL3.IRQ", GROUP1, { scr: SCR_NS | SCR_IRQ }, ["3", "3", "done"]],
  ["SCR_EL3.IRQ", [...GROUP0, ...COMMON, ...SGI], { scr: SCR_NS | SCR_IRQ }, ["done", "done", "done"]],
  ["SCR_EL3.IRQ and HCR_EL2.IMO", GROUP1, { scr: SCR_NS | SCR_IRQ, hcr: HCR_IMO }, ["virtual", "3", "done"]],
  ["SCR_EL3.{IRQ,FIQ}", [...COMMON, ...SGI, "ICC_DIR_EL1"], { scr: TO_EL3 }, ["3", "3", "done"]],
  [
    "SCR_EL3.{IRQ,FIQ}, HCR_EL2.IMO",
    [...COMMON, "ICC_DIR_EL1"],
    { scr: TO_EL3, hcr: HCR_IMO },
    ["virtual", "3", "done"],
  ],
  ["SCR_EL3.{IRQ,FIQ}, HCR_EL2.IMO", SGI, { scr: TO_EL3, hcr: HCR_IMO }, ["2", "3", "done"]],
  ["ICC_SRE_EL2.Enable clear", ["ICC_SRE_EL1"], { disabled: [2] }, ["2", "done", "done"]],
  ["ICC_SRE_EL3.Enable clear", ["ICC_SRE_EL1"], { disabled: [3] }, ["3", "3", "done"]],
  ["both Enables clear", ["ICC_SRE_EL1"], { disabled: [2, 3] }, ["2", "3", "done"]],
  ["ICC_SRE_EL2.Enable clear", ["ICC_SRE_EL2"], { disabled: [2] }, ["UNDEFINED", "done", "done"]],
  ["ICC_SRE_EL3.Enable clear", ["ICC_SRE_EL2"], { disabled: [3] }, ["UNDEFINED", "3", "done"]],
  ["every trap", ["ICH_HCR_EL2", "ICH_LR0_EL2"], { ich: -1, scr: TO_EL3 }, ["UNDEFINED", "done", "done"]],
  ["every trap", ["ICC_CTLR_EL3", "ICC_IGRPEN1_EL3"], { ich: -1 }, ["UNDEFINED", "UNDEFINED", "done"]],
  [
    "Secure: EL2 rules nothing",
    [...COMMON, ...SGI, ...GROUP0],
    { secure: true, ich: -1, hcr: -1 },
    ["done", "done", "done"],
  ],
];

describe("access to the CPU interface", () => {
  for (const [what, names, setting, expected] of CASES) {
    it(`${what}: ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}`, () => {
      for (const name of names) {
        for (const [i, result] of expected.entries()) {
          const el = i + 1;
          // Secure EL2 is another matter.
          if (setting.secure && el !== 1) continue;
          const want = /^\d$/.test(result) ? trapOf(name, Number(result)) : result;
          assert.equal(new Cpu(setting).access(name, el), want, `${name} at EL${el}`);
        }
        assert.equal(new Cpu(setting).access(name, 0), "UNDEFINED", `${name} at EL0`);
      }
    });
  }

  it("without EL3 nothing traps to it, and EL2's traps are the same", () => {
    assert.equal(new Cpu({ scr: TO_EL3, disabled: [3] }, false).access("ICC_SRE_EL1", 1), "done");
    assert.equal(new Cpu({ scr: TO_EL3 }, false).access("ICC_IAR1_EL1", 1), "done");
    assert.equal(new Cpu({ ich: TALL1 }, false).access("ICC_IAR1_EL1", 1), trapOf("ICC_IAR1_EL1", 2));
  });

  it("tells the interrupt controller whose registers are meant", () => {
    const seen = (setting: Setting, el: number, el3 = true): number => {
      const cpu = new Cpu(setting, el3);
      cpu.access("ICC_IAR1_EL1", el);
      return cpu.view;
    };
    assert.equal(seen({}, 1, false), VIEW_NONSECURE);
    assert.equal(seen({ hcr: HCR_IMO }, 1, false), VIEW_NONSECURE | VIEW_VIRTUAL);
    assert.equal(seen({ scr: SCR_NS | SCR_FIQ }, 2), VIEW_NONSECURE | VIEW_FIQ_TO_EL3);
    assert.equal(seen({ scr: SCR_NS | SCR_IRQ }, 3), VIEW_NONSECURE | VIEW_IRQ_TO_EL3 | VIEW_EL3);
    assert.equal(seen({ scr: 0 }, 3), VIEW_EL3);
    assert.equal(seen({ scr: 0, secure: true }, 1), 0);
  });

  it("finds zeros at EL3 where there is no EL2", () => {
    const interrupts: InterruptSysregs = {
      ...{ low: 7, high: 7 },
      ...{ read: () => true, write: () => true, hypervisorControl: () => 0, sreEnabled: () => true },
    };
    const pe = new Bench({ el3: true, interrupts }).at(3);
    assert.equal(pe.mrs("ICH_VTR_EL2"), "0".repeat(16));
    assert.equal(pe.msr("ICH_HCR_EL2", 1), "");
  });

  it("knows every register that is named in its part of the space", () => {
    const named = [...SYSREG_NAMES.values()].filter((name) => /^IC[CH]_/.test(name));
    assert.deepEqual([...INTERRUPT_REGISTERS.keys()].sort(), named.sort());
  });
});
