// Loops that walk through memory, up and down, over pages' ends, into pages that cannot be written and into holes: translated, they are
// checked once a page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecoder } from "../../src/a64/decoder.ts";
import { encodingOf } from "../../src/a64/encoding.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import { CPU_MODELS, modelFeatures } from "../../src/arch/cpu-models.ts";
import { Random } from "../vectors/inputs.ts";
import { addImm, b, bCond, cbz, mov64, msr, NOP, SYSREG, subImm, WFI } from "./assembler.ts";
import { CODE } from "./environment.ts";
import { dataAddress, makeContext, type Program } from "./program.ts";
import { makeRig, statistic } from "./rig.ts";
import { differences, listing, minimize, run } from "./tiers.ts";

const decoder = createDecoder(ALL_ROWS, modelFeatures(CPU_MODELS.max, { el2: false, el3: false, gicv3: true }));
/** What loops over arrays are made of. */
const MEMORY = ALL_ROWS.filter(({ id }) => /^(LDR|STR|LDP|STP|LDUR|STUR)(_|$)/.test(id) && !/lit/.test(id));
const BASES = [20, 21, 22, 23];
const [INDEX, LAST, COUNTER] = [24, 25, 28];
/** SUBS Xd, Xn, #imm; CMP Xn, Xm; and computations that change data and flags: FADD, FMUL, ADD of vectors, ADD, ADCS. */
const subsImm = (rd: number, rn: number, imm: number): number => (0xf1000000 | (imm << 10) | (rn << 5) | rd) >>> 0;
const OTHERS = [0x1e602800, 0x1e600800, 0x4ee08400, 0x8b000000, 0xba000000] as const;

function memory(random: Random): number {
  for (;;) {
    const row = random.pick(MEMORY);
    const { mask, value } = encodingOf(row);
    const free = (field: number, to: number): number => (word & ~(field & ~mask)) | (to & field & ~mask);
    let word = value | (random.u32() & ~mask);
    word = free(31 << 5, random.pick(BASES) << 5);
    word = free(31, random.below(8));
    if (/^(LDP|STP)/.test(row.id)) word = free(31 << 10, random.below(8) << 10);
    if (row.ops.m !== undefined) word = free(31 << 16, INDEX << 16);
    // Offsets of unsigned 12 bits reach far: mostly near ones.
    if (/uimm/.test(row.id) && random.below(4) !== 0) word = free(0xff << 14, 0);
    const decoded = decoder.decode(word);
    if (decoded?.row === row && !(word >>> 10 === 0)) return word | 0;
  }
}

function loop(random: Random): number[] {
  const body: number[] = [];
  for (let i = 1 + random.below(4); i > 0; i--) {
    body.push(memory(random));
    if (random.below(3) === 0) {
      const register = (): number => random.below(8);
      body.push(random.pick(OTHERS) | (register() << 16) | (register() << 5) | register());
    }
    if (random.below(12) === 0) body.push(msr(random.pick([SYSREG.FPCR, SYSREG.FPSR]), random.below(8)));
    if (random.below(3) === 0) {
      const base = random.pick([...BASES, INDEX]);
      const by = base === INDEX ? 1 + random.below(2) : random.pick([1, 4, 8, 16, 24, 32, 64, 160, 1024, 2048]);
      body.push(random.below(3) === 0 ? subImm(base, base, by) : addImm(base, base, by));
    }
  }
  const back = (size: number): number => -(body.length + size - 1);
  const end = random.below(3);
  const turns = [...mov64(COUNTER, 1 + random.below(random.pick([4, 300, 3000]))), ...mov64(INDEX, random.below(64))];
  if (end === 0) body.push(subsImm(COUNTER, COUNTER, 1), bCond(1, back(2)));
  else if (end === 1) body.push(subImm(COUNTER, COUNTER, 1), cbz(COUNTER, back(2), true));
  // Goes on while it is not to go out.
  else body.push(subImm(COUNTER, COUNTER, 1), cbz(COUNTER, 2), b(back(3)));
  return [...turns, ...body];
}

function program(seed: number): Program {
  const random = new Random(seed);
  const words = Array.from({ length: 3 }, () => [
    ...BASES.flatMap((register) => mov64(register, dataAddress(random))),
    ...mov64(LAST, dataAddress(random)),
    ...loop(random),
  ]).flat();
  const environment = {
    mmu: true,
    alignmentCheck: random.below(16) === 0,
    patience: 6,
    el0: random.below(4) === 0,
    devices: false,
  };
  return {
    start: CODE + 4 * random.below(2048),
    words: [...words, NOP, WFI, b(-1)],
    environment,
    context: makeContext(random, 1),
    dataSeed: random.u32(),
  };
}

for (const tier of ["translator", "auto"] as const) {
  test(`loops that walk through memory end alike, ${tier}`, { timeout: 300_000 }, async () => {
    const interpreter = await makeRig({ tier: "interpreter" });
    const other = await makeRig({ tier });
    let turns = 0;
    let exceptions = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const p = program(seed);
      const outcome = run(interpreter, p, 300);
      assert.ok(outcome.ended, `seed ${seed} does not end`);
      turns += outcome.instructions;
      exceptions += outcome.exceptions;
      const found = differences(outcome, run(other, p, 300));
      if (found.length === 0) continue;
      const least = minimize(p, (q) => differences(run(interpreter, q, 300), run(other, q, 300)).length > 0);
      throw new Error(`interpreter and ${tier} differ, seed ${seed}\n${found.join("\n")}\n${listing(least)}`);
    }
    assert.ok(turns > 1e6, `${turns} instructions`);
    assert.ok(exceptions > 1000, `${exceptions} exceptions`);
    if (tier === "translator") assert.ok(statistic(other, "regions compiled") > 1000);
  });
}
