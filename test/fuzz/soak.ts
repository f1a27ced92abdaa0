// Random tests for as long as one likes: node test/fuzz/soak.ts --minutes N [--seed N] [--only code|devices|tiers|boot]
// Every run takes seeds of its own, and shows the first one; what fails is shown with its seed and does not stop the rest.

import { parseArgs } from "node:util";
import { boot } from "../differential/boot.ts";
import { type Comparison, comparison } from "../differential/comparison.ts";
import { Random } from "../vectors/inputs.ts";
import { makeBoardFuzzer } from "./board-fuzzer.ts";
import { codeFuzzer } from "./code-fuzzer.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" }, only: { type: "string" } },
});
const firstSeed = Number(values.seed ?? Date.now() % 1_000_000_000);
const end = performance.now() + Number(values.minutes) * 60_000;

interface Kind {
  readonly name: string;
  readonly group: "code" | "devices" | "tiers" | "boot";
  /** Makes what is needed; gives the test of one seed. */
  readonly prepare: () => Promise<(seed: number) => void | Promise<void>>;
}

const tiers = (name: string, make: () => Promise<Comparison>): Kind => ({
  ...{ name, group: "tiers" },
  prepare: async () => {
    const compare = await make();
    return (seed) => void compare.program(seed);
  },
});

const kinds: Kind[] = [
  ...(["max", "cortex-a72"] as const).flatMap((cpu) => [
    ...(["interpreter", "translator", "auto"] as const).flatMap((tier) =>
      ([1, 2] as const).map((cpus) => ({
        ...{ name: `random code, ${cpu}, ${tier}, ${cpus} PEs`, group: "code" as const },
        prepare: async () => {
          const fuzzer = await codeFuzzer({ cpu, tier, cpus });
          return (seed: number) => fuzzer.guest(new Random(seed));
        },
      })),
    ),
    tiers(`programs, ${cpu}`, () => comparison("translator", { cpu, repeats: 1, length: 30 })),
    tiers(`long programs, ${cpu}`, () => comparison("translator", { cpu, repeats: 1, length: 1500 })),
    tiers(`hot programs, ${cpu}`, () => comparison("auto", { cpu, repeats: 5000, length: 40 })),
  ]),
  ...([2, 3] as const).map((gicVersion) => ({
    ...{ name: `devices, GICv${gicVersion}`, group: "devices" as const },
    prepare: async () => {
      const fuzzer = makeBoardFuzzer(gicVersion);
      return (seed: number) => {
        fuzzer.burst(new Random(seed));
        const damage = seed % 10_000 === 0 ? fuzzer.damage() : undefined;
        if (damage !== undefined) throw new Error(`damage: ${damage}`);
      };
    },
  })),
  {
    name: "boot with all code translated",
    group: "boot",
    prepare: async () => async () => {
      const timeless = (text: string): string => text.replace(/^\[ *[0-9.]+\] /gm, "");
      const interpreted = await boot({ tier: "interpreter", cpus: 1 }, "poweroff\n", 100);
      const translated = await boot({ tier: "translator", cpus: 1 }, "poweroff\n", 100);
      if (timeless(interpreted.console) !== timeless(translated.console)) {
        throw new Error(`consoles differ:\n${interpreted.console}\n${translated.console}`);
      }
    },
  },
];

/** Each kind has its turn for a while, with machines of its own, so that all memory is given back. */
const TURN = 20_000;
const done = new Map<string, number>();
let failures = 0;
console.log(`first seed ${firstSeed}`);
for (let round = 0; performance.now() < end; round++) {
  for (const { name, group, prepare } of kinds) {
    if ((values.only !== undefined && values.only !== group) || (group === "boot" && round > 0)) continue;
    if (performance.now() >= end) break;
    const stop = Math.min(end, performance.now() + TURN);
    let test = await prepare();
    while (performance.now() < stop) {
      const count = done.get(name) ?? 0;
      done.set(name, count + 1);
      try {
        await test(firstSeed + count);
      } catch (error) {
        failures++;
        console.log(`${name}, seed ${firstSeed + count}:`, error);
        test = await prepare();
      }
      if (group === "boot") break;
    }
  }
}
for (const [name, count] of done) console.log(`${String(count).padStart(9)}  ${name}`);
console.log(`${failures} failures`);
process.exitCode = failures > 0 ? 1 : 0;
