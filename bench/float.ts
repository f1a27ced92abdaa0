// Floating point alone: loops of a few instructions on the translating tier, without a guest. `node bench/float.ts [NAME]` prints
// nanoseconds of processor time a turn of each loop takes, and instructions a second.

import { Bench } from "../test/vectors/bench.ts";
import { FPSR_AT, MEMORY_ADDRESS, STATE_BYTES, V_AT } from "../test/vectors/inputs.ts";

interface Loop {
  readonly name: string;
  /** FPSR at the start; bit 4: Inexact has happened before. */
  readonly fpsr: number;
  readonly scale: number;
  readonly words: readonly number[];
}

/** Each ends with `subs x0, x0, #1; b.ne` to its start. */
const LOOPS: readonly Loop[] = [
  // fmul d4,d0,d1; fadd d5,d5,d4; fmul d6,d2,d1; fadd d7,d7,d6
  {
    name: "scalar double: fmul, fadd",
    fpsr: 16,
    scale: 8,
    words: [0x1e610804, 0x1e6428a5, 0x1e610846, 0x1e6628e7, 0xf1000400, 0x54ffff61],
  },
  // fmul s4,s0,s1; fadd s5,s5,s4; fmul s6,s2,s1; fadd s7,s7,s6
  {
    name: "scalar single: fmul, fadd",
    fpsr: 16,
    scale: 4,
    words: [0x1e210804, 0x1e2428a5, 0x1e210846, 0x1e2628e7, 0xf1000400, 0x54ffff61],
  },
  // fmadd d4,d0,d1,d4; fmadd d5,d2,d1,d5; fmsub d6,d0,d2,d6; fmadd d7,d2,d2,d7
  {
    name: "scalar double: fmadd",
    fpsr: 16,
    scale: 8,
    words: [0x1f411004, 0x1f411445, 0x1f429806, 0x1f421c47, 0xf1000400, 0x54ffff61],
  },
  // fmadd s4,s0,s1,s4; fmadd s5,s2,s1,s5; fmsub s6,s0,s2,s6; fmadd s7,s2,s2,s7
  {
    name: "scalar single: fmadd",
    fpsr: 16,
    scale: 4,
    words: [0x1f011004, 0x1f011445, 0x1f029806, 0x1f021c47, 0xf1000400, 0x54ffff61],
  },
  // fdiv d4,d0,d1; fsqrt d5,d2; fdiv d6,d4,d1; fsqrt d7,d4
  {
    name: "scalar double: fdiv, fsqrt",
    fpsr: 16,
    scale: 8,
    words: [0x1e611804, 0x1e61c045, 0x1e611886, 0x1e61c087, 0xf1000400, 0x54ffff61],
  },
  // fmul v4.2d,v0.2d,v1.2d; fadd v5.2d,v5.2d,v4.2d; fmul v6.2d,v2.2d,v1.2d; fadd v7.2d,v7.2d,v6.2d
  {
    name: "vector 2D: fmul, fadd",
    fpsr: 16,
    scale: 8,
    words: [0x6e61dc04, 0x4e64d4a5, 0x6e61dc46, 0x4e66d4e7, 0xf1000400, 0x54ffff61],
  },
  // fmul v4.4s,v0.4s,v1.4s; fadd v5.4s,v5.4s,v4.4s; fmul v6.4s,v2.4s,v1.4s; fadd v7.4s,v7.4s,v6.4s
  {
    name: "vector 4S: fmul, fadd",
    fpsr: 16,
    scale: 4,
    words: [0x6e21dc04, 0x4e24d4a5, 0x6e21dc46, 0x4e26d4e7, 0xf1000400, 0x54ffff61],
  },
  // fmla v4.2d,v0.2d,v1.2d; fmla v5.2d,v2.2d,v1.2d; fmls v6.2d,v0.2d,v2.2d; fmla v7.2d,v2.2d,v2.2d
  {
    name: "vector 2D: fmla",
    fpsr: 16,
    scale: 8,
    words: [0x4e61cc04, 0x4e61cc45, 0x4ee2cc06, 0x4e62cc47, 0xf1000400, 0x54ffff61],
  },
  // fmla v4.4s,v0.4s,v1.4s; fmla v5.4s,v2.4s,v1.4s; fmls v6.4s,v0.4s,v2.4s; fmla v7.4s,v2.4s,v2.4s
  {
    name: "vector 4S: fmla",
    fpsr: 16,
    scale: 4,
    words: [0x4e21cc04, 0x4e21cc45, 0x4ea2cc06, 0x4e22cc47, 0xf1000400, 0x54ffff61],
  },
  // fcmp d0,d1; b.gt 2f; fcmpe d2,d0; b.mi 2f; 2: fcmp d1,#0.0; csel x3,x4,x5,gt
  {
    name: "compare and branch",
    fpsr: 16,
    scale: 8,
    words: [0x1e612000, 0x5400006c, 0x1e602050, 0x54000024, 0x1e602028, 0x9a85c083, 0xf1000400, 0x54ffff21],
  },
  // scvtf d4,x0; fadd d4,d4,d0; fcvtzs x3,d4; scvtf d5,w0; fcvtzs w4,d5
  {
    name: "integer to double and back",
    fpsr: 16,
    scale: 8,
    words: [0x9e620004, 0x1e602884, 0x9e780083, 0x1e620005, 0x1e7800a4, 0xf1000400, 0x54ffff41],
  },
  // fcvt s4,d0; fcvt d5,s4; fcvt s6,d2; fcvt d7,s6
  {
    name: "double to single and back",
    fpsr: 16,
    scale: 8,
    words: [0x1e624004, 0x1e22c085, 0x1e624046, 0x1e22c0c7, 0xf1000400, 0x54ffff61],
  },
  // ldr d4,[x1]; ldr d5,[x1,#512]; fmsub d4,d0,d5,d4; str d4,[x1]
  {
    name: "memory: ldr, fmadd, str",
    fpsr: 16,
    scale: 8,
    words: [0xfd400024, 0xfd410025, 0x1f459004, 0xfd000024, 0xf1000400, 0x54ffff61],
  },
  // ldp q4,q5,[x1]; ldp q6,q7,[x1,#512]; fmla v4.2d,v0.2d,v6.2d; fmla v5.2d,v0.2d,v7.2d; stp q4,q5,[x1]
  {
    name: "memory: ldp q, fmla, stp q",
    fpsr: 16,
    scale: 8,
    words: [0xad401424, 0xad501c26, 0x4e66cc04, 0x4e67cc05, 0xad001424, 0xf1000400, 0x54ffff41],
  },
  // fadd d4,d4,d0; fadd d5,d5,d0; fmul d6,d0,d2; fadd d7,d6,d2
  {
    name: "exact sums, Inexact clear",
    fpsr: 0,
    scale: 8,
    words: [0x1e602884, 0x1e6028a5, 0x1e620806, 0x1e6228c7, 0xf1000400, 0x54ffff61],
  },
];

/** Turns of one measurement: so many run before the budget of a call is used up. */
const TURNS = 1_000_000;
const LEAST_MILLISECONDS = 400;

/** A state in which d0, d1, d2 or s0, s1, s2, in every element, are ordinary numbers; X1 is an address. */
function stateOf(loop: Loop, turns: number): Uint8Array {
  const state = new Uint8Array(STATE_BYTES);
  const view = new DataView(state.buffer);
  view.setBigUint64(0, BigInt(turns), true);
  view.setBigUint64(8, BigInt(MEMORY_ADDRESS), true);
  const exact = (loop.fpsr & 0x10) === 0;
  const values = exact ? [1, 2, 3] : [0.1, 1.37, 0.7];
  values.forEach((v, i) => {
    for (let at = V_AT + 16 * i; at < V_AT + 16 * i + 16; at += loop.scale) {
      if (loop.scale === 8) view.setFloat64(at, v, true);
      else view.setFloat32(at, v, true);
    }
  });
  view.setUint32(FPSR_AT, loop.fpsr, true);
  return state;
}

function measure(loop: Loop): number {
  const bench = new Bench("translator");
  bench.page.fill(0x3f800000);
  bench.load(new Map([[0, loop.words]]));
  bench.translate([0]);
  const run = (turns: number): number => {
    const started = process.threadCpuUsage();
    bench.run(0, stateOf(loop, turns), turns * loop.words.length + 1000);
    const { user, system } = process.threadCpuUsage(started);
    return (user + system) / 1000;
  };
  // The host's compilers have several tiers.
  for (let i = 0; i < 20; i++) run(TURNS / 20);
  let turns = TURNS;
  let time = run(turns);
  while (time < LEAST_MILLISECONDS) {
    turns *= 2;
    time = run(turns);
  }
  return (Math.min(time, run(turns)) * 1e6) / turns;
}

const only = process.argv[2];
console.log("ns a turn   million instructions a second");
for (const loop of LOOPS) {
  if (only && !loop.name.includes(only)) continue;
  const ns = measure(loop);
  const rate = (loop.words.length / ns) * 1000;
  console.log(`${ns.toFixed(2).padStart(9)} ${rate.toFixed(0).padStart(9)}   ${loop.name}`);
}
