import type { DecodedInsn, Decoder } from "../a64/decoder.ts";
import type { Imm64 } from "../a64/row.ts";
import { Builder, type I32, type I64, type Inst, type Reg } from "../ir/builder.ts";
import { GUEST_OPS } from "../ir/guest-ops.ts";
import { MAX_WORDS_READ } from "./limits.ts";
import type { Ending, RegionInsn } from "./region.ts";

/** An instruction word's IR, and how it ends a block, wherever it is: its targets are distances. */
interface ReadWord {
  readonly ir: readonly Inst[];
  readonly fp: boolean;
  readonly ending: Ending | undefined;
}

/** Builds the IR of instructions with their operands known. What was read is kept: much of it is read again, for other regions. */
export class InsnReader {
  readonly #decoder: Decoder;
  readonly #builder = new Builder();
  readonly #words = new Map<number, ReadWord | undefined>();

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** The instruction `word` at `index`; undefined: unallocated. */
  read(index: number, word: number): RegionInsn | undefined {
    if (!this.#words.has(word)) {
      if (this.#words.size >= MAX_WORDS_READ) this.#words.clear();
      const decoded = this.#decoder.decode(word);
      this.#words.set(word, decoded && this.#build(decoded));
    }
    const read = this.#words.get(word);
    return read && { index, word, ir: read.ir, fp: read.fp, ending: read.ending && placed(read.ending, index) };
  }

  #build(decoded: DecodedInsn): ReadWord {
    const ir = this.#builder;
    const operands: Record<string, unknown> = {};
    decoded.layout.forEach(({ name, kind }, i) => {
      const v = decoded.operands[i] as number | Imm64;
      if (kind === "v") operands[name] = { file: "v", slot: v as number, name };
      else if (kind === "xr" || kind === "xw" || kind === "sp") operands[name] = { file: "x", slot: v as number, name };
      else if (kind === "i64") operands[name] = ir.const64((v as Imm64).lo, (v as Imm64).hi);
      else operands[name] = ir.const32(v as number);
    });
    decoded.row.execute(ir, operands as Record<string, Reg & I32 & I64>, decoded.shape);
    const insts = ir.take();
    return { ir: insts, fp: decoded.row.fp, ending: endingOf(insts) };
  }
}

/** The ending of an instruction at `index` whose targets are distances from it. */
function placed(ending: Ending, index: number): Ending {
  switch (ending.kind) {
    case "branch":
    case "call":
      return { kind: ending.kind, to: index + ending.to };
    case "branchIf":
      return { kind: "branchIf", to: index + ending.to, otherwise: index + ending.otherwise };
    default:
      return ending;
  }
}

function endingOf(insts: readonly Inst[]): Ending | undefined {
  const last = insts.at(-1);
  if (!last || !isEnd(last)) return undefined;
  const distance = (offset: Inst | undefined): number | undefined =>
    offset?.op === "const" ? (offset.attrs.lo as number) / 4 : undefined;
  if (last.op === "branch") {
    const to = distance(last.args[0]?.inst);
    const isCall = insts.some((i) => i.op === "setX");
    if (to !== undefined) return { kind: isCall ? "call" : "branch", to };
  }
  if (last.op === "branchIf") {
    const to = distance(last.args[1]?.inst);
    if (to !== undefined) return { kind: "branchIf", to, otherwise: 1 };
  }
  if (last.op === "branchTo" && last.attrs.kind === "return") return { kind: "return", to: -1 };
  return { kind: "leaves" };
}

function isEnd(inst: Inst): boolean {
  return inst.op in GUEST_OPS && "ends" in GUEST_OPS[inst.op as keyof typeof GUEST_OPS][2];
}
