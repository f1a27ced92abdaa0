// Makes new instruction vectors with qemu-aarch64 (user mode) as the oracle.
//
//   node test/vectors/generate.ts [vectors per shape] [seed]
//
// Needs Debian's qemu-user-static and gcc-aarch64-linux-gnu. Writes data/max-*.br and data/undefined-a72.br.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDecoder } from "../../src/a64/decoder.ts";
import { ALL_ROWS } from "../../src/a64/index.ts";
import type { Row } from "../../src/a64/row.ts";
import { CPU_MODELS } from "../../src/arch/cpu-models.ts";
import { difference, type Kind, pack, type Vector } from "./format.ts";
import { fillState, NEXT_WORD, NOP, Random, SLOT_ADDRESS, STATE_BYTES } from "./inputs.ts";
import { effectsOf, excluded } from "./selection.ts";

const REQUEST = 16 + STATE_BYTES;
const CHANGES = 160;
const ANSWER = 8 + STATE_BYTES + CHANGES * 4;

interface Case {
  readonly word: number;
  readonly seed: number;
  readonly kind: Kind;
}

const here = dirname(fileURLToPath(import.meta.url));
const oracle = join(mkdtempSync(join(tmpdir(), "oracle-")), "oracle");
const built = spawnSync(
  "aarch64-linux-gnu-gcc",
  ["-O1", "-static", "-o", oracle, join(here, "oracle", "oracle.c"), join(here, "oracle", "slot.S")],
  { stdio: "inherit" },
);
if (built.status !== 0) throw new Error("the oracle did not build: install gcc-aarch64-linux-gnu and qemu-user-static");

/** The input of a case; for a branch, its base register points past the next instruction. */
export function input(c: Case): Uint8Array {
  const state = new Uint8Array(STATE_BYTES);
  const view = new DataView(state.buffer);
  fillState(view, c.word, c.seed, c.kind === "memory");
  const n = (c.word >>> 5) & 31;
  if (c.kind === "branch" && n < 31) view.setBigUint64(n * 8, BigInt(SLOT_ADDRESS + 8), true);
  return state;
}

async function ask(cpu: string, cases: readonly Case[]): Promise<(Vector | undefined)[]> {
  const child = spawn("qemu-aarch64-static", ["-cpu", cpu, oracle], { stdio: ["pipe", "pipe", "inherit"] });
  const chunks: Uint8Array[] = [];
  child.stdout.on("data", (d: Uint8Array) => chunks.push(d));
  const closed = new Promise((resolve) => child.on("close", resolve));
  const inputs = cases.map(input);
  const requests = new Uint8Array(cases.length * REQUEST);
  const view = new DataView(requests.buffer);
  cases.forEach((c, i) => {
    view.setUint32(i * REQUEST, c.word, true);
    view.setUint32(i * REQUEST + 4, c.kind === "branch" ? NEXT_WORD : NOP, true);
    view.setUint32(i * REQUEST + 8, c.seed, true);
    requests.set(inputs[i] as Uint8Array, i * REQUEST + 16);
  });
  child.stdin.end(requests);
  await closed;
  const out = Buffer.concat(chunks);
  if (out.length !== cases.length * ANSWER) {
    throw new Error(`the oracle stopped at case ${Math.floor(out.length / ANSWER)} of ${cases.length}`);
  }
  return cases.map((c, i) => {
    const at = i * ANSWER;
    const status = out.readUInt32LE(at);
    if (status === 4) return { ...c, undefined: true, state: [], memory: [] };
    if (status !== 0) return undefined;
    const changed = out.readUInt32LE(at + 4);
    if (changed >= CHANGES) return undefined;
    const after = out.subarray(at + 8, at + 8 + STATE_BYTES);
    const memory = Array.from({ length: changed }, (_, k) => {
      const p = at + 8 + STATE_BYTES + k * 4;
      return [out.readUInt16LE(p), out.readUInt16LE(p + 2)] as const;
    });
    return { ...c, undefined: false, state: difference(inputs[i] as Uint8Array, after), memory };
  });
}

const random = new Random(Number(process.argv[3] ?? 1));
const perShape = Number(process.argv[2] ?? 50);

/** A random word of the row's pattern. */
function sample(row: Row): number {
  let word = 0;
  let bits = 0;
  for (let i = 0; i < 32; i++) {
    if (i % 16 === 0) bits = random.u32();
    const c = row.bits[i] as string;
    const bit = c === "0" || c === "1" ? Number(c) : (bits >>> (i % 16)) & 1;
    word = ((word << 1) | bit) >>> 0;
  }
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
  if (literal) return put(word, 5, 19, 0);
  if (branches === "imm26") return put(word, 0, 26, 2);
  if (branches === "imm19") return put(word, 5, 19, 2);
  if (branches === "imm14") return put(word, 5, 14, 2);
  const scaled = row.bits.slice(2, 8) === "111001" || row.bits.slice(2, 8) === "111101";
  if (memory && scaled && random.below(8) !== 0) return put(word, 10, 12, random.below(24));
  return word;
}

const max = createDecoder(ALL_ROWS, CPU_MODELS.max.features);
const files = new Map<string, Vector[]>();
let dropped = 0;
for (const row of ALL_ROWS) {
  if (excluded(row) !== undefined) continue;
  const effects = effectsOf(row);
  const kind: Kind = effects.memory && !effects.literal ? "memory" : effects.branches ? "branch" : "plain";
  const cases: Case[] = [];
  const seen = new Map<number, number>();
  const want = perShape * (row.fp && !effects.memory ? 2 : 1);
  const limit = want * 4000;
  let dry = 0;
  for (let tries = 0; tries < limit && dry < 3000; tries++) {
    const word = tame(row, sample(row));
    const insn = max.decode(word);
    if (insn?.row !== row) {
      dry++;
      continue;
    }
    const count = seen.get(insn.handlerKey) ?? 0;
    if (count >= want) {
      dry++;
      continue;
    }
    dry = 0;
    seen.set(insn.handlerKey, count + 1);
    cases.push({ word, seed: random.u32(), kind });
  }
  const group = row.fp
    ? effects.memory
      ? "max-simd-memory"
      : "max-simd"
    : effects.memory
      ? "max-memory"
      : "max-integer";
  const answers = cases.length > 0 ? await ask("max", cases) : [];
  const good = answers.filter((v): v is Vector => v !== undefined);
  dropped += answers.length - good.length;
  files.set(group, [...(files.get(group) ?? []), ...good]);
  const undef = good.filter((v) => v.undefined).length;
  if (undef > 0)
    console.log(
      `${row.id}: the oracle calls ${undef} of ${good.length} undefined, e.g. ${good.find((v) => v.undefined)?.word.toString(16)}`,
    );
}

mkdirSync(join(here, "data"), { recursive: true });
let total = 0;
for (const [name, vectors] of files) {
  const bytes = pack(vectors);
  writeFileSync(join(here, "data", `${name}.br`), bytes);
  console.log(`${name}: ${vectors.length} vectors, ${bytes.length} bytes`);
  total += vectors.length;
}
console.log(`${total} vectors; ${dropped} dropped (they left the memory page)`);
