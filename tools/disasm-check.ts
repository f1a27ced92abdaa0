// Compares src/a64 with GNU objdump (Debian: binutils-aarch64-linux-gnu) on random instruction words: what is allocated, and what the
// disassembly says. Usage: node tools/disasm-check.ts [words a row, default 200] [random words, default 100000] [only ids matching]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDecoder } from "../src/a64/decoder.ts";
import { disassemble } from "../src/a64/disassembler.ts";
import { encodingOf, insertField } from "../src/a64/encoding.ts";
import { ALL_ROWS } from "../src/a64/index.ts";
import { FEATURES } from "../src/arch/features.ts";
import { difference } from "./disasm-differences.ts";

const perRow = Number(process.argv[2] ?? 200);
const anywhere = Number(process.argv[3] ?? 100_000);
const only = new RegExp(process.argv[4] ?? "");

let seed = 0x9e3779b9;
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return t ^ (t >>> 14);
}

/** Words of a row: random fields, every third one all ones or zero, so that register 31 and edge immediates are common. */
function* wordsOfRows(): Generator<number> {
  for (const row of ALL_ROWS.filter((r) => only.test(r.id))) {
    const { mask, value, fields } = encodingOf(row);
    for (let i = 0; i < perRow; i++) {
      // Ignored bits: as the Arm ARM prints them, (1) or (0), which random bits would not be.
      let word = value | (random() & ~mask & 0);
      for (const field of fields) word = insertField(field, word, [random(), random(), random(), random(), 0, -1][(random() >>> 8) % 6] as number);
      yield word | shouldBeOne(row.bits);
    }
  }
}

/** Ignored register fields are (1)(1)(1)(1)(1); shorter ignored fields are (0). */
function shouldBeOne(bits: string): number {
  let ones = 0;
  for (const m of bits.matchAll(/-{5}/g)) ones |= 31 << (27 - m.index);
  return ones;
}

const words = [...wordsOfRows(), ...Array.from({ length: anywhere }, random)];

function objdump(list: readonly number[]): Map<number, string> {
  const folder = mkdtempSync(join(tmpdir(), "disasm-"));
  try {
    const file = join(folder, "words.bin");
    writeFileSync(file, new Uint8Array(Int32Array.from(list).buffer));
    const out = execFileSync("aarch64-linux-gnu-objdump", ["-D", "-z", "-b", "binary", "-m", "aarch64", file], {
      maxBuffer: 2 ** 30,
      encoding: "latin1",
    });
    const texts = new Map<number, string>();
    for (const m of out.matchAll(/^\s*([0-9a-f]+):\t[0-9a-f]{8} \t(.*)$/gm)) texts.set(parseInt(m[1] as string, 16) / 4, m[2] as string);
    return texts;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const decoder = createDecoder(ALL_ROWS, new Set(FEATURES));
const theirs = objdump(words);
const report = new Map<string, { count: number; examples: string[] }>();
let same = 0;
words.forEach((word, i) => {
  const their = theirs.get(i) ?? "";
  const our = disassemble(word, i * 4);
  const verdict = difference(our, their, i * 4);
  if (verdict === undefined) {
    same++;
    return;
  }
  const key = `${verdict}: ${decoder.rowOf(word)?.id ?? their.split(/\s/)[0]}`;
  const entry = report.get(key) ?? { count: 0, examples: [] };
  report.set(key, entry);
  entry.count++;
  if (entry.examples.length < 3) entry.examples.push(`${(word >>> 0).toString(16).padStart(8, "0")}  ${our.replace("\t", " ")}  |  ${their.replace("\t", " ")}`);
});
for (const [key, { count, examples }] of [...report].sort()) {
  console.log(`${key} (${count})`);
  for (const example of examples) console.log(`    ${example}`);
}
console.log(`${words.length} words, ${same} the same, ${words.length - same} not`);
process.exitCode = report.size === 0 ? 0 : 1;
