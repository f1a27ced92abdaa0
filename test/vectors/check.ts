// Runs vectors on one tier of the engine and compares with what the oracle said.

import { createDecoder } from "../../src/a64/decoder.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import { EXIT_EXCEPTION } from "../../src/cpu/state-layout.ts";
import { Bench } from "./bench.ts";
import { UNITS, unitName, type Vector } from "./format.ts";
import {
  fillMemory,
  inputOf,
  LITERALS_AT,
  literals,
  MEMORY_BYTES,
  NEXT_WORD,
  SLOT_ADDRESS,
  STATE_BYTES,
} from "./inputs.ts";

/** A slot: the instruction, and the one that ends it. */
const SLOT_BYTES = 8;
const PLACE = SLOT_ADDRESS % 4096;
const RUNS = 4096 / SLOT_BYTES;

export interface Mismatch {
  readonly vector: Vector;
  readonly what: string;
}

/** Vectors of as many words as fit in the code page. */
function* batches(vectors: readonly Vector[]): Generator<Map<number, Vector[]>> {
  let batch = new Map<number, Vector[]>();
  let placed = false;
  for (const v of vectors) {
    const known = batch.get(v.word);
    if (!known && batch.size > 0 && (batch.size === RUNS || placed || v.kind === "placed")) {
      yield batch;
      batch = new Map();
    }
    placed = v.kind === "placed";
    if (known) known.push(v);
    else batch.set(v.word, [v]);
  }
  if (batch.size > 0) yield batch;
}

/** Runs all vectors; returns those that went otherwise. Throws when the translator did not translate what it runs. */
export function check(vectors: readonly Vector[], tier: "interpreter" | "translator"): Mismatch[] {
  const bench = new Bench(tier);
  const mismatches: Mismatch[] = [];
  const actual = new Uint8Array(STATE_BYTES);
  const expectedPage = new Int32Array(MEMORY_BYTES / 4);
  const expectedBytes = new Uint8Array(expectedPage.buffer);
  for (const batch of batches(vectors)) {
    const placed = [...batch.values()][0]?.[0]?.kind === "placed";
    const slots = new Map([...batch.keys()].map((word, i) => [placed ? PLACE : i * SLOT_BYTES, word]));
    const code = new Map([...slots].map(([at, word]) => [at, placed ? [word, NEXT_WORD] : [word]]));
    if (placed) for (const at of LITERALS_AT) code.set(at, [...literals()]);
    bench.load(code);
    if (tier === "translator") bench.translate(slots.keys());
    for (const [offset, word] of slots) {
      for (const vector of batch.get(word) as Vector[]) {
        if (tier === "translator" && !vector.undefined && !bench.isTranslated(offset)) {
          mismatches.push({ vector, what: "not translated" });
          continue;
        }
        const input = inputOf(word, vector.seed, vector.kind);
        if (vector.kind === "memory") bench.fillMemory(vector.seed);
        const { exit, exceptionClass, pc } = bench.run(offset, input);
        const end = vector.undefined ? 0 : placed ? 8 : 4;
        if (exit !== EXIT_EXCEPTION || exceptionClass !== 0 || pc !== end) {
          const seen = `exit ${exit}, class ${exceptionClass} at +${pc}`;
          mismatches.push({ vector, what: `${seen}, should have ${vector.undefined ? "been undefined" : "ended"}` });
          continue;
        }
        if (vector.undefined) continue;
        bench.state(actual);
        for (const [at, value] of vector.state) input.set(value, at);
        const wrong = differences(input, actual);
        if (vector.kind === "memory") {
          fillMemory(expectedPage, vector.seed);
          for (const [at, value] of vector.memory) expectedBytes.set(value, at);
          if (expectedPage.some((w, i) => w !== bench.page[i])) wrong.push("memory");
        }
        if (wrong.length > 0) mismatches.push({ vector, what: wrong.join("; ") });
      }
    }
  }
  return mismatches;
}

function differences(expected: Uint8Array, actual: Uint8Array): string[] {
  if (Buffer.compare(expected, actual) === 0) return [];
  const hex = (b: Uint8Array): string => Buffer.from(b).reverse().toString("hex");
  return UNITS.filter(
    ([at, n]) => Buffer.compare(expected.subarray(at, at + n), actual.subarray(at, at + n)) !== 0,
  ).map(
    ([at, n]) =>
      `${unitName(at)} is ${hex(actual.subarray(at, at + n))}, should be ${hex(expected.subarray(at, at + n))}`,
  );
}

const decoder = createDecoder(ALL_ROWS, CPU_MODELS.max.features);

/** Mismatches for people: by row, with an example each. */
export function describe(mismatches: readonly Mismatch[]): string {
  const rows = Map.groupBy(mismatches, ({ vector }) => decoder.rowOf(vector.word)?.id ?? "no row");
  return [...rows]
    .map(([id, list]) => {
      const { vector, what } = list[0] as Mismatch;
      return `${id}: ${list.length}, e.g. ${vector.word.toString(16)} with seed ${vector.seed}: ${what}`;
    })
    .join("\n");
}
