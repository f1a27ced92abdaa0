import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeMachine } from "../../../test/support/whole-machine.ts";
import { encodeSysreg, sysregId } from "../../arch/sysreg-names.ts";
import type { MachineParts } from "../runnable.ts";
import { TRACE_KINDS, type TraceOptions } from "./options.ts";

const START = 0x4008_0000;

const system = (id: number, rt: number, read = false): number =>
  (0xd500_0000 | (read ? 1 << 21 : 0) | (id << 5) | rt) >>> 0;
const msr = (name: string, rt: number): number => system(sysregId(name), rt);
const mrs = (rt: number, name: string): number => system(sysregId(name), rt, true);
const movz = (rd: number, value: number, shift = 0): number =>
  (0xd280_0000 | ((shift / 16) << 21) | (value << 5) | rd) >>> 0;
const movk = (rd: number, value: number, shift = 0): number =>
  (0xf280_0000 | ((shift / 16) << 21) | (value << 5) | rd) >>> 0;
const load = (rd: number, value: number): number[] => [movz(rd, value & 0xffff), movk(rd, value >>> 16, 16)];
const svc = (imm: number): number => (0xd400_0001 | (imm << 5)) >>> 0;
const ERET = 0xd69f_03e0;
const HVC = 0xd400_0002;
const SMC = 0xd400_0003;
const off = (call: number): number[] => [...load(0, 0x8400_0008), call];

/** Runs code at START and gives the lines of its trace, without their times. `at`: code at offsets from START. */
async function traced(
  code: readonly number[],
  options: Partial<TraceOptions>,
  changes: Partial<MachineParts> = {},
  at: Readonly<Record<number, readonly number[]>> = {},
): Promise<string[]> {
  const image = new Uint32Array(0x1000);
  image.set(code);
  for (const [offset, words] of Object.entries(at)) image.set(words, Number(offset) / 4);
  let time = 0;
  let text = "";
  const write = (more: string): void => {
    text += more;
  };
  const { machine } = await wholeMachine([...image], {
    tier: "interpreter",
    monotonic: () => (time += 1000),
    trace: { kinds: new Set(TRACE_KINDS), levels: new Set(), cpus: new Set(), symbols: [], write, ...options },
    ...changes,
  });
  for (let i = 0; i < 100 && machine.run(1).kind !== "off"; i++);
  assert.match(text, /^(\d+\.\d{9} .*\n)*$/);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => line.replace(/^\S+ /, ""));
}

const place = (offset: number): string => (START + offset).toString(16).padStart(16, "0");

for (const tier of ["interpreter", "translator"] as const) {
  test(`an access to a device is told with the instruction that makes it (${tier})`, async () => {
    // str w2, [x1]; ldr w3, [x1, #0x18]; strb w2, [x1]
    const code = [movz(1, 0x900, 16), movz(2, 0x41), 0xb900_0022, 0xb940_1823, 0x3900_0022, ...off(HVC)];
    assert.deepEqual(await traced(code, { kinds: new Set(["mmio"]) }, { tier }), [
      `cpu0 EL1 ${place(8)} - mmio: pl011+0x0 write 4 0x00000041`,
      `cpu0 EL1 ${place(12)} - mmio: pl011+0x18 read 4 0x00000097`,
      `cpu0 EL1 ${place(16)} - mmio: pl011+0x0 write 1 0x41`,
    ]);
  });

  test(`registers that running code accesses by itself are traced like all others (${tier})`, async () => {
    const code = [
      ...[
        ...[...load(6, START + 0x800), msr("VBAR_EL1", 6)],
        movz(6, 7),
        msr("TPIDR_EL1", 6),
        mrs(4, "SP_EL0"),
        mrs(5, "CURRENTEL"),
        msr("ELR_EL1", 6),
        mrs(31, "ELR_EL1"),
      ],
      ...[mrs(5, "DAIF"), mrs(1, "HCR_EL2")],
    ];
    const lines = await traced(code, { kinds: new Set(["sysreg"]) }, { tier }, { 2560: off(HVC) });
    assert.deepEqual(lines, [
      `cpu0 EL1 ${place(8)} - sysreg: MSR VBAR_EL1, x6 = 0x40080800`,
      `cpu0 EL1 ${place(16)} - sysreg: MSR TPIDR_EL1, x6 = 0x7`,
      `cpu0 EL1 ${place(20)} - sysreg: MRS x4, SP_EL0 = 0x0`,
      `cpu0 EL1 ${place(24)} - sysreg: MRS x5, CURRENTEL = 0x4`,
      `cpu0 EL1 ${place(28)} - sysreg: MSR ELR_EL1, x6 = 0x7`,
      `cpu0 EL1 ${place(32)} - sysreg: MRS xzr, ELR_EL1`,
      `cpu0 EL1 ${place(36)} - sysreg: MRS x5, DAIF = 0x3c0`,
      `cpu0 EL1 ${place(40)} - sysreg: MRS x1, HCR_EL2, not done`,
    ]);
  });
}

test("exceptions, returns and firmware calls", async () => {
  // At the vectors of the same level: eret.
  const code = [...load(6, START + 0x800), msr("VBAR_EL1", 6), svc(5), ...off(HVC)];
  const lines = await traced(code, { kinds: new Set(["exceptions"]) }, {}, { 2560: [ERET] });
  assert.deepEqual(lines, [
    `cpu0 EL1 ${place(16)} - exceptions: EL1 -> EL1 SVC: #0x5, ESR 0x56000005, vector 0x200`,
    `cpu0 EL1 ${place(16)} - exceptions: return EL1 -> EL1, SPSR 0x3c5`,
    `cpu0 EL1 ${place(28)} - exceptions: HVC #0x0 to firmware, X0 0x84000008, done with X0 0x84000008`,
  ]);
});

const HCR_TVM = 2 ** 26;
const HCR_RW = 2 ** 31;
/** Goes to EL1 at 0x200 with HCR_EL2.TVM and TWI; traps end at 0xc00. */
const hypervisor = [
  ...[...load(6, START + 0x800), msr("VBAR_EL2", 6), ...load(6, HCR_RW + HCR_TVM), msr("HCR_EL2", 6)],
  ...[movz(6, 0x3c5), msr("SPSR_EL2", 6), ...load(6, START + 0x200), msr("ELR_EL2", 6), ERET],
];
const guest = { 512: [movz(3, 0x123), msr("TTBR0_EL1", 3)], 3072: off(SMC) };

test("a trap says which instruction it stopped, what it would have written, and which control did it", async () => {
  const lines = await traced(hypervisor, { kinds: new Set(["traps"]) }, { virtualization: true }, guest);
  assert.deepEqual(lines, [
    `cpu0 EL1 ${place(0x204)} - traps: EL1 -> EL2 MSR TTBR0_EL1, x3 = 0x123, by HCR_EL2.TVM, HCR_EL2.TRVM`,
  ]);
});

test("levels and PEs narrow a trace", async () => {
  const run = (options: Partial<TraceOptions>): Promise<string[]> =>
    traced(hypervisor, { kinds: new Set(["sysreg"]), ...options }, { virtualization: true }, guest);
  assert.equal((await run({})).length, 5);
  assert.equal((await run({ levels: new Set([2]) })).length, 4);
  assert.equal((await run({ levels: new Set([1]) })).length, 1);
  assert.equal((await run({ cpus: new Set([1]) })).length, 0);
});

test("TLB maintenance, address spaces, and walks that end in a fault", async () => {
  const tlbi = encodeSysreg(1, 0, 8, 7, 1);
  const code = [
    ...[
      ...load(6, START + 0x800),
      msr("VBAR_EL1", 6),
      movz(5, 0x480),
      movk(5, 3, 48),
      msr("TTBR1_EL1", 5),
      system(tlbi, 5),
    ],
    // Nothing is at 0x3f000000: no walk, so that this is no line. str w2, [x1]
    ...[movz(1, 0x3f00, 16), 0xb900_0022],
  ];
  const lines = await traced(code, { kinds: new Set(["tlb"]) }, {}, { 2560: off(HVC) });
  assert.deepEqual(lines, [
    `cpu0 EL1 ${place(20)} - tlb: MSR TTBR1_EL1, x5 = 0x3000000000480`,
    `cpu0 EL1 ${place(24)} - tlb: TLBI VAE1, x5 = 0x3000000000480: VA 0x480000, ASID 3`,
  ]);
});

test("names come from the tables of symbols", async () => {
  const symbols = [{ slide: 0n, symbols: [{ address: BigInt(START) + 8n, size: 16n, name: "print", code: true }] }];
  const code = [movz(1, 0x900, 16), movz(2, 0x41), 0xb900_0022, 0xb900_0022, ...off(HVC)];
  const lines = await traced(code, { kinds: new Set(["mmio"]), symbols });
  assert.deepEqual(
    lines.map((line) => line.split(" ")[3]),
    ["print", "print+0x4"],
  );
});

test("interrupts: inputs, outputs and what the CPU interface is told", async () => {
  // A GICv2's distributor and CPU interface on, then SGI 3 to this PE, acknowledged and ended.
  const store = (rt: number, rn: number, offset: number): number =>
    (0xb900_0000 | ((offset / 4) << 10) | (rn << 5) | rt) >>> 0;
  const code = [
    ...[
      movz(1, 0x800, 16),
      movz(2, 0x801, 16),
      movz(3, 1),
      movz(4, 0xf0),
      movz(5, 0xffff),
      store(3, 1, 0),
      store(4, 2, 4),
      store(5, 1, 0x100),
    ],
    ...[store(3, 2, 0), ...load(6, 0x0001_0003), store(6, 1, 0xf00), 0xb940_0c47, store(7, 2, 0x10), ...off(HVC)],
  ];
  const lines = await traced(code, { kinds: new Set(["gic"]) }, { gicVersion: 2 });
  assert.deepEqual(
    lines.map((line) => line.replace(/^.*(gic: )/, "$1")),
    [
      "gic: output IRQ high",
      "gic: gic.distributor+0xf00 write 4 0x00010003: SGI 3 to CPU mask 0x1",
      "gic: output low",
      "gic: gic.cpu-interface+0xc read 4 0x00000003: acknowledge 3",
      "gic: gic.cpu-interface+0x10 write 4 0x00000003: end of interrupt 3",
    ],
  );
});

test("a guest that makes many events at once is traced in pieces of bounded size", async () => {
  const pieces: number[] = [];
  // ldr w3, [x1, #0x18]; subs x8, x8, #1; b.ne .-8: all of it in one slice.
  const code = [movz(1, 0x900, 16), movz(8, 5000), 0xb940_1823, 0xf100_0508, 0x54ff_ffc1, ...off(HVC)];
  await traced(code, { kinds: new Set(["mmio"]), write: (text) => pieces.push(text.split("\n").length - 1) });
  assert.deepEqual(pieces, [2048, 2048, 904]);
});
