// node test/fuzz/migration.ts [--count N] [--seed S]: hostile sources of migrations.

import { parseArgs } from "node:util";
import { MigrationFuzzer } from "./migration-fuzzer.ts";

const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
const count = Number(values.count ?? 1000);
const first = Number(values.seed ?? 1);
const fuzzer = new MigrationFuzzer();
for (let i = 0; i < count; i++) {
  try {
    await fuzzer.once(first + i);
  } catch (error) {
    process.stderr.write(`seed ${first + i}\n`);
    throw error;
  }
  if (i % 100 === 99) process.stdout.write(`${i + 1}: ${JSON.stringify(fuzzer.counts)}\n`);
}
fuzzer.close();
