// Makes new instruction vectors with qemu-aarch64 (user mode) as the oracle.
//
//   node test/vectors/generate.ts [how many, default 1] [seed, default 1] [folder]
//
// Needs Debian's qemu-user-static and gcc-aarch64-linux-gnu. Writes *.br to the folder
// (default: data).

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDecoder } from "../../src/a64/decoder.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import type { Row } from "../../src/a64/row.ts";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import { deviationOf } from "./deviations.ts";
import { difference, type Kind, pack, type Vector } from "./format.ts";
import { inputOf, LITERAL_BYTES, LITERALS_AT, NEXT_WORD, Random, SLOT_ADDRESS } from "./inputs.ts";
import { ask, type Question } from "./oracle/oracle.ts";
import { effectsOf, excluded } from "./selection.ts";

const SIGILL = 4;
const data = process.argv[4] ?? join(import.meta.dirname, "data");

interface Case {
  readonly word: number;
  readonly seed: number;
  readonly kind: Kind;
}

/** What the oracle says of cases: a vector each, or undefined for one that left the memory page. */
async function vectorsOf(cpu: string, cases: readonly Case[]): Promise<(Vector | undefined)[]> {
  const questions = cases.map(({ word, seed, kind }) => ({
    words: kind === "placed" ? [word, NEXT_WORD] : [word],
    seed,
    state: inputOf(word, seed, kind),
  }));
  const answers = await ask(cpu, questions);
  return cases.map((c, i) => {
    const answer = answers[i];
    if (!answer) return undefined;
    const { signal, own, state, changes } = answer;
    if (signal === SIGILL && own) return { ...c, undefined: true, state: [], memory: [] };
    if (signal !== 0 || !changes) return undefined;
    const before = (questions[i] as Question).state;
    return { ...c, undefined: false, state: difference(before, state), memory: runsOf(changes) };
  });
}

/** Changed bytes as runs. */
function runsOf(changes: readonly (readonly [number, number])[]): [number, Uint8Array][] {
  const runs: [number, number[]][] = [];
  for (const [at, value] of changes) {
    const last = runs.at(-1);
    if (last && last[0] + last[1].length === at) last[1].push(value);
    else runs.push([at, [value]]);
  }
  return runs.map(([at, values]) => [at, Uint8Array.from(values)]);
}

/** Words per shape, and inputs per word: many words where operands matter most, many inputs where values do. */
function counts(row: Row): readonly [number, number] {
  const { memory, insts } = effectsOf(row);
  if (row.fp && memory) return [6, 3];
  if (memory) return [15, 3];
  if (insts.some((i) => i.op === "flagsFloat" || /^(fp|fixed|recip|rsqrt)/.test(i.attrs.name ?? ""))) return [12, 10];
  return row.fp ? [12, 4] : [20, 4];
}
const scale = Number(process.argv[2] ?? 1);
const random = new Random(Number(process.argv[3] ?? 1));

/** A random word of the row's pattern. Ignored bits are as the Arm ARM prints them: fields of registers (1), others (0). */
function sample(row: Row): number {
  let word = 0;
  const bits = random.u32();
  for (let i = 0; i < 32; i++) {
    const c = row.bits[i] as string;
    const bit = c === "0" || c === "1" ? Number(c) : c === "-" ? 0 : (bits >>> i) & 1;
    word = ((word << 1) | bit) >>> 0;
  }
  for (const m of row.bits.matchAll(/-{5}/g)) word = (word | (31 << (27 - m.index))) >>> 0;
  return word;
}

/** Sets a run of bits. */
function put(word: number, at: number, width: number, value: number): number {
  const mask = ((1 << width) - 1) << at;
  return ((word & ~mask) | ((value << at) & mask)) >>> 0;
}

/** Immediates that reach the memory page, offsets that reach the slot. */
function tame(row: Row, word: number): number {
  const { branches, memory, literal } = effectsOf(row);
  if (literal) {
    const place = random.pick(LITERALS_AT) + 4 * random.below(LITERAL_BYTES / 4 - 3);
    return put(word, 5, 19, (place - (SLOT_ADDRESS % 4096)) / 4);
  }
  if (branches === "imm26") return put(word, 0, 26, 2);
  if (branches === "imm19") return put(word, 5, 19, 2);
  if (branches === "imm14") return put(word, 5, 14, 2);
  const scaled = row.bits.slice(2, 8) === "111001" || row.bits.slice(2, 8) === "111101";
  if (memory && scaled && random.below(8) !== 0) return put(word, 10, 12, random.below(24));
  return word;
}

/** Words of every shape of a row. */
function wordsOf(row: Row, perShape: number): number[] {
  const words: number[] = [];
  const seen = new Map<number, number>();
  for (let dry = 0; dry < 3000; dry++) {
    const word = tame(row, sample(row));
    const insn = max.decode(word);
    const count = seen.get(insn?.handlerKey ?? -1) ?? 0;
    if (insn?.row !== row || count >= perShape) continue;
    dry = 0;
    seen.set(insn.handlerKey, count + 1);
    words.push(word);
  }
  return words;
}

const max = createDecoder(ALL_ROWS, CPU_MODELS.max.features);
const files = new Map<string, Vector[]>();
let dropped = 0;
const deviating = new Map<string, number>();
let seed = random.u32() >>> 1;
for (const row of ALL_ROWS) {
  const why = excluded(row);
  if (why !== undefined) {
    console.log(`${row.id}: left out: ${why}`);
    continue;
  }
  const { memory, literal, placed } = effectsOf(row);
  const kind: Kind = placed ? "placed" : memory ? "memory" : "plain";
  const [wordsPerShape, inputsPerWord] = counts(row);
  const words = wordsOf(row, Math.ceil(wordsPerShape * scale));
  const all = words.flatMap((word) => Array.from({ length: inputsPerWord }, () => ({ word, seed: seed++, kind })));
  const cases = all.filter((c) => {
    const deviation = deviationOf(row, c.word, inputOf(c.word, c.seed, kind));
    if (deviation) deviating.set(deviation.reason, (deviating.get(deviation.reason) ?? 0) + 1);
    return !deviation;
  });
  const group = `${row.fp ? "simd" : "integer"}${memory && !literal ? "-memory" : ""}`;
  // DC ZVA: this machine's block is that of the Cortex-A72, 64 bytes.
  const answers = cases.length > 0 ? await vectorsOf(row.id === "DC_ZVA" ? "cortex-a72" : "max", cases) : [];
  const good = answers.filter((v) => v !== undefined);
  dropped += answers.length - good.length;
  files.set(group, [...(files.get(group) ?? []), ...good]);
  const undef = good.filter((v) => v.undefined);
  if (undef.length > 0) {
    console.log(
      `${row.id}: the oracle: ${undef.length} of ${good.length} undefined, e.g. ${undef[0]?.word.toString(16)}`,
    );
  }
}

mkdirSync(data, { recursive: true });
let total = 0;
for (const [name, vectors] of files) {
  const bytes = pack(vectors);
  writeFileSync(join(data, `${name}.br`), bytes);
  console.log(`${name}: ${vectors.length} vectors, ${bytes.length} bytes`);
  total += vectors.length;
}
console.log(`${total} vectors; ${dropped} dropped (they left the memory page)`);
for (const [reason, n] of deviating) console.log(`${n} not asked: ${reason}`);
