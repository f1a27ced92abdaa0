// Makes new instruction sequences with the oracle (see generate.ts). Writes data/sequences/max.br.
//
//   node test/vectors/generate-sequences.ts [how many, default 10000] [seed]

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDecoder } from "../../src/a64/decoder.ts";
import { encodingOf, insertField } from "../../src/a64/encoding.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import { operandField, operandKind, type Row } from "../../src/a64/row.ts";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import { ACC_ALIGNED } from "../../src/ir/guest-ops.ts";
import { deviationOf } from "./deviations.ts";
import { fillMemory, MEMORY_BYTES, Random } from "./inputs.ts";
import { ask, SLOT_WORDS } from "./oracle/oracle.ts";
import { effectsOf, excluded } from "./selection.ts";
import {
  ALIGNED_BASE,
  BASE,
  digestOf,
  INDEX,
  LOOP_COUNTER,
  packSequences,
  type Sequence,
  sequenceInput,
} from "./sequences.ts";

const count = Number(process.argv[2] ?? 10_000);
const random = new Random(Number(process.argv[3] ?? 1));
const decoder = createDecoder(ALL_ROWS, CPU_MODELS.max.features);

/** Registers that instructions use: few, so that they depend on each other. */
const X_REGISTERS = [0, 1, 2, 3, 4, 5, 31];
const V_REGISTERS = [0, 1, 2, 3, 4];

/** Rows by what they are for: the common ones (integers, flags, memory) must not drown in SIMD. */
const usable = ALL_ROWS.filter(
  (row) =>
    excluded(row) === undefined &&
    !effectsOf(row).placed &&
    // Status registers take what only AArch32 knows; FJCVTZS: deviations.ts; unscaled ordered accesses may be unaligned.
    !/^(MSR_FPCR|MSR_FPSR|DC_ZVA|FJCVTZS|LDAPUR|LDAPURS|STLUR)/.test(row.id),
);
const INTEGER = usable.filter((row) => !row.fp && !effectsOf(row).memory);
const MEMORY = usable.filter((row) => effectsOf(row).memory);
const SIMD = usable.filter((row) => row.fp && !effectsOf(row).memory);

function isAligned(row: Row): boolean {
  return effectsOf(row).insts.some((i) => ((i.attrs.acc ?? 0) & ACC_ALIGNED) !== 0) || /^STL?X/.test(row.id);
}

/** A word of the row with registers of the sequence. */
function wordOf(row: Row): number | undefined {
  const { value, fields } = encodingOf(row);
  const { memory } = effectsOf(row);
  let word = value;
  for (const field of fields) word = insertField(field, word, random.u32());
  for (const m of row.bits.matchAll(/-{5}/g)) word |= 31 << (27 - m.index);
  for (const [name, spec] of Object.entries(row.ops)) {
    const kind = operandKind(spec);
    const field = fields.find((f) => f.name === operandField(name, spec));
    if (field?.width !== 5) continue;
    let register: number | undefined;
    if (kind === "v") register = random.pick(V_REGISTERS);
    else if (memory && kind === "sp") register = isAligned(row) ? ALIGNED_BASE : BASE;
    else if (memory && field.name === "m") register = INDEX;
    else if (kind === "xr" || kind === "xw" || kind === "sp") register = random.pick(X_REGISTERS);
    if (register !== undefined) word = insertField(field, word, register);
  }
  // LDR and STR (unsigned offset): not beyond the page.
  if (memory && ["111001", "111101"].includes(row.bits.slice(2, 8))) word &= ~(0xff0 << 10);
  word >>>= 0;
  if (decoder.decode(word)?.row !== row) return undefined;
  return deviationOf(row, word, sequenceInput(1)) ? undefined : word;
}

function instruction(): number {
  for (;;) {
    const kind = random.below(10);
    const word = wordOf(random.pick(kind < 5 ? INTEGER : kind < 8 ? MEMORY : SIMD));
    if (word !== undefined) return word;
  }
}

/** A conditional or unconditional branch `distance` instructions forward. */
function branch(distance: number): number {
  const register = random.below(6);
  const kind = random.below(8);
  if (kind < 4) return (0x54000000 | (distance << 5) | random.below(16)) >>> 0;
  if (kind < 6)
    return (0x34000000 | (random.below(2) << 31) | (random.below(2) << 24) | (distance << 5) | register) >>> 0;
  if (kind < 7)
    return (0x36000000 | (random.below(2) << 24) | (random.below(32) << 19) | (distance << 5) | register) >>> 0;
  return (0x14000000 | distance) >>> 0;
}

function body(length: number): number[] {
  return Array.from({ length }, (_, i) => {
    const left = length - i;
    return left > 1 && random.below(5) === 0 ? branch(1 + random.below(left)) : instruction();
  });
}

/** MOVZ X26, #times; the body; a decrement; a branch back. */
function loop(): number[] {
  const inner = body(2 + random.below(10));
  const back = -(inner.length + 1) & 0x7ffff;
  const start = (0xd2800000 | ((1 + random.below(4)) << 5) | LOOP_COUNTER) >>> 0;
  const flags = random.below(2);
  const decrement = ((flags ? 0xf1000400 : 0xd1000400) | (LOOP_COUNTER << 5) | LOOP_COUNTER) >>> 0;
  const again = flags ? (0x54000001 | (back << 5)) >>> 0 : (0xb5000000 | (back << 5) | LOOP_COUNTER) >>> 0;
  return [start, ...inner, decrement, again];
}

function sequence(): number[] {
  const words = body(2 + random.below(8));
  if (random.below(2)) words.push(...loop());
  words.push(...body(1 + random.below(6)));
  return words;
}

/** Exclusives of different sizes: whether the store succeeds is CONSTRAINED UNPREDICTABLE (Arm ARM B2.12.5). */
function mixesExclusives(words: readonly number[]): boolean {
  const exclusive = words.filter((w) => (w & 0x3f800000) === 0x08000000);
  return new Set(exclusive.map((w) => w & 0xc0200000)).size > 1;
}

/** A sequence whose outcome the architecture says. */
function definedSequence(): number[] {
  for (;;) {
    const words = sequence();
    if (!mixesExclusives(words)) return words;
  }
}

const asked = Array.from({ length: count }, (_, i) => ({
  words: definedSequence(),
  seed: 1 + i,
  state: sequenceInput(1 + i),
}));
if (asked.some(({ words }) => words.length > SLOT_WORDS)) throw new Error("a sequence is too long");
const answers = await ask("max", asked);
const page = new Uint32Array(MEMORY_BYTES / 4);
const bytes = new Uint8Array(page.buffer);
const sequences: Sequence[] = [];
answers.forEach((answer, i) => {
  const { words, seed } = asked[i] as (typeof asked)[number];
  if (answer?.signal !== 0 || !answer.changes) return;
  fillMemory(page, seed);
  for (const [at, value] of answer.changes) bytes[at] = value;
  sequences.push({ words, seed, digest: digestOf(answer.state, bytes) });
});
const folder = join(import.meta.dirname, "data", "sequences");
mkdirSync(folder, { recursive: true });
const packed = packSequences(sequences);
writeFileSync(join(folder, "max.br"), packed);
const total = sequences.reduce((n, s) => n + s.words.length, 0);
console.log(`${sequences.length} sequences of ${count}, ${total} instructions, ${packed.length} bytes`);
