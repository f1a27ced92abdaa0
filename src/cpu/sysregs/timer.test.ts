import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sysregId } from "../../arch/sysreg-names.ts";
import { HCR_HIGH_E2H, HCR_TGE, SCR_EEL2, SCR_NS } from "../levels.ts";
import { SECURE } from "../state-layout.ts";
import { systemIss } from "../syndrome.ts";
import { CNTHCTL_EL2, CNTKCTL_EL1, CNTPOFF_EL2, HCR_EL2, SCR_EL3 } from "../sysreg-layout.ts";
import { COUNTER_HZ } from "../timers.ts";
import { Bench } from "./test-host.ts";

const TICK = 1e9 / COUNTER_HZ;
const FEATURES = ["VHE", "SEL2", "ECV"] as const;
const ALL = 0x3ff;

/** Where an access goes: "" to the register, "to EL2", or "" for EL1 by the routing rules with the syndrome in any case. */
function trapOf(pe: Bench, name: string): string {
  const result = pe.mrs(name);
  if (!result.startsWith("EC")) return result === "UNDEFINED" ? result : "";
  const iss = systemIss(sysregId(name), 3, true).toString(16);
  assert.ok(result.startsWith(`EC 18 ISS ${iss}`), result);
  return result.endsWith("to EL2") ? "EL2" : result.endsWith("to EL3") ? "EL3" : "routed";
}

const PCT = ["CNTPCT_EL0", "CNTPCTSS_EL0"];
const VCT = ["CNTVCT_EL0", "CNTVCTSS_EL0"];
const CNTP = ["CNTP_CTL_EL0", "CNTP_CVAL_EL0", "CNTP_TVAL_EL0"];
const CNTV = ["CNTV_CTL_EL0", "CNTV_CVAL_EL0", "CNTV_TVAL_EL0"];

// HCR_EL2.{E2H,TGE}.
const GUEST = [0, 0] as const;
const GUEST_TGE = [HCR_TGE, 0] as const;
const GUEST_OF_HOST = [0, HCR_HIGH_E2H] as const;
const APPLICATION = [HCR_TGE, HCR_HIGH_E2H] as const;

interface Case {
  readonly names: readonly string[];
  readonly el: number;
  readonly hcr: readonly [number, number];
  readonly control: "CNTKCTL_EL1" | "CNTHCTL_EL2";
  readonly bit: number;
  /** The value of the bit that traps. */
  readonly traps: 0 | 1;
  readonly to: string;
}

const CASES: readonly Case[] = [
  // EL0 of a guest: CNTKCTL_EL1.
  ...[GUEST, GUEST_TGE, GUEST_OF_HOST].flatMap((hcr): Case[] =>
    (
      [
        [PCT, 0],
        [VCT, 1],
        [CNTV, 8],
        [CNTP, 9],
      ] as const
    ).map(([names, bit]) => ({ names, el: 0, hcr, control: "CNTKCTL_EL1", bit, traps: 0, to: "routed" })),
  ),
  // EL0 of a host: CNTHCTL_EL2 has those bits.
  ...(
    [
      [PCT, 0],
      [VCT, 1],
      [CNTV, 8],
      [CNTP, 9],
    ] as const
  ).map(([names, bit]): Case => ({ names, el: 0, hcr: APPLICATION, control: "CNTHCTL_EL2", bit, traps: 0, to: "EL2" })),
  // A guest's EL1 and EL0, in both layouts.
  ...[0, 1].flatMap((el) =>
    (
      [
        [PCT, GUEST, 0, 0],
        [CNTP, GUEST, 1, 0],
        [PCT, GUEST_OF_HOST, 10, 0],
        [CNTP, GUEST_OF_HOST, 11, 0],
        [CNTV, GUEST, 13, 1],
        [CNTV, GUEST_OF_HOST, 13, 1],
        [VCT, GUEST, 14, 1],
        [VCT, GUEST_OF_HOST, 14, 1],
      ] as const
    ).map(([names, hcr, bit, traps]): Case => ({ names, el, hcr, control: "CNTHCTL_EL2", bit, traps, to: "EL2" })),
  ),
];

describe("access to the generic timer", () => {
  for (const { names, el, hcr, control, bit, traps, to } of CASES) {
    const [low, high] = hcr;
    const state = `E2H ${high ? 1 : 0}, TGE ${low ? 1 : 0}`;
    it(`${names[0]} at EL${el} with ${state}: ${control} bit ${bit} = ${traps} traps it, and nothing else`, () => {
      const pe = new Bench({ model: "max", el2: true, features: FEATURES });
      pe.state.set64(HCR_EL2, low, high);
      // All enabled, and then all that matters not disabled.
      const slot = control === "CNTKCTL_EL1" ? CNTKCTL_EL1 : CNTHCTL_EL2;
      pe.state.setWord(CNTKCTL_EL1, ALL);
      pe.state.setWord(CNTHCTL_EL2, 0xfff);
      for (const name of names) {
        assert.equal(trapOf(pe.at(el), name), "");
        pe.state.setWord(slot, (slot === CNTKCTL_EL1 ? ALL : 0xfff) ^ (1 << bit));
        assert.equal(trapOf(pe.at(el), name), to);
        assert.equal(trapOf(pe.at(2), name), "", "never at EL2");
        pe.state.setWord(slot, slot === CNTKCTL_EL1 ? ALL : 0xfff);
      }
    });
  }

  it("an application of a host is not under CNTKCTL_EL1, nor a guest's traps", () => {
    const pe = new Bench({ model: "max", el2: true, features: FEATURES });
    pe.state.set64(HCR_EL2, ...APPLICATION);
    pe.state.setWord(CNTKCTL_EL1, 0);
    // The EL0 bits; EL1TVT and EL1TVCT; EL1PCTEN and EL1PTEN clear.
    pe.state.setWord(CNTHCTL_EL2, ALL | (3 << 13));
    for (const name of [...PCT, ...VCT, ...CNTP, ...CNTV]) assert.equal(trapOf(pe.at(0), name), "", name);
  });

  it("CNTFRQ_EL0 at EL0 needs one of the counters", () => {
    const pe = new Bench({ model: "max", el2: true, features: FEATURES });
    for (const [bits, expected] of [
      [0, "routed"],
      [1, ""],
      [2, ""],
    ] as const) {
      pe.state.setWord(CNTKCTL_EL1, bits);
      assert.equal(trapOf(pe.at(0), "CNTFRQ_EL0"), expected);
    }
    pe.state.set64(HCR_EL2, ...APPLICATION);
    pe.state.setWord(CNTHCTL_EL2, 0);
    assert.equal(trapOf(pe.at(0), "CNTFRQ_EL0"), "EL2");
  });

  it("names of FEAT_ECV are UNDEFINED without it, and EL2's virtual timer without FEAT_VHE", () => {
    const pe = new Bench({ el2: true }).at(2);
    for (const name of ["CNTPCTSS_EL0", "CNTVCTSS_EL0", "CNTPOFF_EL2", "CNTHV_CTL_EL2", "CNTHPS_CTL_EL2"]) {
      assert.equal(pe.mrs(name), "UNDEFINED", name);
    }
  });

  it("Secure EL2's timers are for it, and for EL3 while SCR_EL3.EEL2", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true, features: FEATURES });
    for (const name of ["CNTHPS_CTL_EL2", "CNTHPS_CVAL_EL2", "CNTHPS_TVAL_EL2", "CNTHVS_CTL_EL2", "CNTHVS_CVAL_EL2"]) {
      pe.state.setWord(SECURE, 0);
      pe.state.setWord(SCR_EL3, SCR_NS);
      assert.equal(trapOf(pe.at(2), name), "UNDEFINED");
      assert.equal(trapOf(pe.at(3), name), "UNDEFINED");
      pe.state.setWord(SECURE, 1);
      pe.state.setWord(SCR_EL3, SCR_EEL2);
      assert.equal(trapOf(pe.at(2), name), "");
      assert.equal(trapOf(pe.at(3), name), "");
      assert.equal(trapOf(pe.at(1), name), "UNDEFINED");
    }
  });

  it("CNTPS_* is for EL3, and by SCR_EL3.ST for Secure EL1 without Secure EL2", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true, features: FEATURES });
    pe.state.setWord(SECURE, 1);
    for (const [scr, el, expected] of [
      [0, 3, ""],
      [0, 1, "EL3"],
      [1 << 11, 1, ""],
      [(1 << 11) | SCR_EEL2, 1, "UNDEFINED"],
      [(1 << 11) | SCR_EEL2, 2, "UNDEFINED"],
    ] as const) {
      pe.state.setWord(SCR_EL3, scr);
      assert.equal(trapOf(pe.at(el), "CNTPS_CTL_EL1"), expected);
    }
  });

  it("CNTPOFF_EL2 traps to EL3 while SCR_EL3.ECVEn is clear", () => {
    const pe = new Bench({ model: "max", el2: true, el3: true, features: FEATURES });
    pe.state.setWord(SCR_EL3, SCR_NS);
    assert.equal(trapOf(pe.at(2), "CNTPOFF_EL2"), "EL3");
    assert.equal(trapOf(pe.at(3), "CNTPOFF_EL2"), "");
    pe.state.setWord(SCR_EL3, SCR_NS | (1 << 28));
    assert.equal(trapOf(pe.at(2), "CNTPOFF_EL2"), "");
  });
});

describe("CNTPOFF_EL2", () => {
  it("is what EL0 and EL1 find the physical counter behind by", () => {
    const pe = new Bench({ model: "max", el2: true, features: FEATURES });
    pe.state.setWord(CNTKCTL_EL1, ALL);
    pe.state.setWord(CNTHCTL_EL2, 3 | (1 << 12));
    pe.state.set64(CNTPOFF_EL2, 0x1001, 0x12);
    for (const name of PCT) {
      for (const el of [0, 1]) assert.equal(pe.at(el).mrs(name), "0000000fffffffff");
      assert.equal(pe.at(2).mrs(name), "0000002200001000");
    }
    pe.state.setWord(CNTHCTL_EL2, 3);
    assert.equal(pe.at(1).mrs("CNTPCT_EL0"), "0000002200001000");
  });
  it("and CNTVOFF_EL2 move the timers' lines when they are written", () => {
    const pe = new Bench({ model: "max", el2: true, features: FEATURES });
    pe.now = 1000 * TICK;
    for (const [offset, timer, ppi] of [
      ["CNTPOFF_EL2", "CNTP", 30],
      ["CNTVOFF_EL2", "CNTV", 27],
    ] as const) {
      pe.at(2).msr("CNTHCTL_EL2", 3 | (1 << 12));
      pe.msr(`${timer}_CVAL_EL0`, 900);
      pe.msr(`${timer}_CTL_EL0`, 1);
      assert.equal(pe.lines.get(ppi), true);
      pe.msr(offset, 200);
      assert.equal(pe.lines.get(ppi), false);
    }
    // Without ECV, the physical offset does not count.
    pe.msr("CNTHCTL_EL2", 3);
    assert.equal(pe.lines.get(30), true);
    pe.msr("CNTHCTL_EL2", 3 | (1 << 12));
    assert.equal(pe.lines.get(30), false);
    // Nor for a host.
    pe.msr("HCR_EL2", ...APPLICATION);
    assert.equal(pe.lines.get(30), true);
  });
});

describe("CNTHCTL_EL2 and CNTKCTL_EL1", () => {
  it("have the bits of their features", () => {
    const max = new Bench({ model: "max", el2: true, features: FEATURES }).at(2);
    const a72 = new Bench({ el2: true }).at(2);
    for (const pe of [max, a72]) for (const name of ["CNTHCTL_EL2", "CNTKCTL_EL1"]) pe.msr(name, -1, -1);
    assert.equal(max.mrs("CNTHCTL_EL2"), "000000000003ffff");
    assert.equal(max.mrs("CNTKCTL_EL1"), "00000000000203ff");
    assert.equal(a72.mrs("CNTHCTL_EL2"), "00000000000000ff");
    assert.equal(a72.mrs("CNTKCTL_EL1"), "00000000000003ff");
  });
});
