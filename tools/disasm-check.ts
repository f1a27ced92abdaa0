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
import type { Row } from "../src/a64/row.ts";
import { FEATURES } from "../src/arch/features.ts";
import { difference } from "./disasm-differences.ts";

const OBJDUMP = "aarch64-linux-gnu-objdump";
/** Where the words are, so that PC-relative addresses are positive. */
const START = 2 ** 36;

export interface DisassemblyDifference {
  /** What kind of difference, and of which row. */
  readonly key: string;
  readonly example: string;
}

function* randomNumbers(): Generator<number, never> {
  for (let seed = 0x9e3779b9; ; ) {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    yield t ^ (t >>> 14);
  }
}

/** Words of a row: random fields, some of them all ones or zero, so that register 31 and edge immediates are common. */
function wordOf(row: Row, random: () => number): number {
  const { value, fields } = encodingOf(row);
  let word = value;
  for (const field of fields) {
    const edge = (random() >>> 8) % 6;
    word = insertField(field, word, edge === 0 ? 0 : edge === 1 ? -1 : random());
  }
  return word | shouldBeOne(row.bits);
}

/** Ignored bits as the Arm ARM prints them: register fields are (1)(1)(1)(1)(1); shorter ignored fields are (0). */
function shouldBeOne(bits: string): number {
  let ones = 0;
  for (const m of bits.matchAll(/-{5}/g)) ones |= 31 << (27 - m.index);
  return ones;
}

function objdump(words: readonly number[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "disasm-"));
  try {
    const file = join(folder, "words.bin");
    writeFileSync(file, new Uint8Array(Int32Array.from(words).buffer));
    const options = ["-D", "-z", "-b", "binary", "-m", "aarch64", `--adjust-vma=${START}`];
    const out = execFileSync(OBJDUMP, [...options, file], { maxBuffer: 2 ** 30, encoding: "latin1" });
    const texts: string[] = [];
    for (const m of out.matchAll(/^\s*([0-9a-f]+):\t[0-9a-f]{8} \t(.*)$/gm)) {
      texts[(parseInt(m[1] as string, 16) - START) / 4] = m[2] as string;
    }
    return texts;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function hasObjdump(): boolean {
  try {
    execFileSync(OBJDUMP, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** Compares `perRow` words of every row whose id matches, and `anywhere` random words. */
export function compareWithObjdump(perRow: number, anywhere: number, only = /./): DisassemblyDifference[] {
  const numbers = randomNumbers();
  const random = (): number => numbers.next().value;
  const rows = ALL_ROWS.filter((r) => only.test(r.id));
  const words = [
    ...rows.flatMap((row) => Array.from({ length: perRow }, () => wordOf(row, random))),
    ...Array.from({ length: anywhere }, random),
  ];
  const decoder = createDecoder(ALL_ROWS, new Set(FEATURES));
  const theirs = objdump(words);
  const found: DisassemblyDifference[] = [];
  words.forEach((word, i) => {
    const their = theirs[i] ?? "";
    const our = disassemble(word, START + i * 4);
    const row = decoder.rowOf(word);
    const kind = difference(word, row, our, their);
    if (kind === undefined) return;
    const hex = (word >>> 0).toString(16).padStart(8, "0");
    const example = `${hex}  ${our.replace("\t", " ")}  |  ${their.replace("\t", " ")}`;
    found.push({ key: `${kind}: ${row?.id ?? their.split(/\s/)[0]}`, example });
  });
  return found;
}

if (import.meta.main) {
  const [perRow = "200", anywhere = "100000", only = "."] = process.argv.slice(2);
  const found = compareWithObjdump(Number(perRow), Number(anywhere), new RegExp(only));
  const groups = [...Map.groupBy(found, ({ key }) => key)].sort();
  for (const [key, list] of groups) {
    console.log(`${key} (${list.length})`);
    for (const { example } of list.slice(0, 3)) console.log(`    ${example}`);
  }
  console.log(`${found.length} differences`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
