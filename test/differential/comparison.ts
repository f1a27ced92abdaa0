// Runs the same programs on two machines, one of which interprets.

import { Random } from "../vectors/inputs.ts";
import { makeProgram, type Wishes } from "./program.ts";
import { makeRig, statistic } from "./rig.ts";
import { differences, listing, minimize, type Outcome, run } from "./tiers.ts";

export interface Comparison {
  /** Runs the program of a seed. @throws Error that shows the least program with a difference. */
  program(seed: number): Outcome;
  /** Of the interpreter's runs. */
  readonly totals: { programs: number; instructions: number; exceptions: number; unfinished: number };
  /** How many the other machine has compiled. */
  regions(): number;
}

export async function comparison(tier: "translator" | "auto", wishes: Wishes): Promise<Comparison> {
  const interpreter = await makeRig({ cpu: wishes.cpu, tier: "interpreter" });
  const other = await makeRig({ cpu: wishes.cpu, tier });
  const turns = 50 + wishes.repeats / 10;
  const totals = { programs: 0, instructions: 0, exceptions: 0, unfinished: 0 };
  return {
    totals,
    regions: () => statistic(other, "regions compiled"),
    program(seed) {
      const program = makeProgram(new Random(seed), wishes);
      const outcome = run(interpreter, program, turns);
      const found = differences(outcome, run(other, program, turns));
      if (found.length > 0) {
        const least = minimize(program, (p) => {
          const expected = run(interpreter, p, turns);
          return expected.ended && differences(expected, run(other, p, turns)).length > 0;
        });
        const { mmu, alignmentCheck } = program.environment;
        const where = `seed ${seed}, ${wishes.cpu}, MMU ${mmu ? "on" : "off"}, alignment checks ${alignmentCheck ? "on" : "off"}`;
        throw new Error(`interpreter and ${tier} differ, ${where}\n${found.join("\n")}\n${listing(least)}`);
      }
      totals.programs++;
      totals.instructions += outcome.instructions;
      totals.exceptions += outcome.exceptions;
      if (!outcome.ended) totals.unfinished++;
      return outcome;
    },
  };
}
