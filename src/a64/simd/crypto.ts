import type { Feature } from "../../arch/features.ts";
import type { Builder, I32, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { fill, vector } from "./encoding.ts";
import * as text from "./text.ts";

// Cryptographic AES, two-register SHA and three-register SHA.

const bytes = (n: number) => text.v(n, vector(1, 8));
const words = (n: number) => text.v(n, vector(1, 32));

function aes(mnemonic: string, opcode: string, op: (b: Builder, d: () => V128, n: V128) => V128): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0100111000 10100 ----- 10 nnnnn ddddd", opcode),
    feat: "AES",
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o) =>
      b.setV(
        o.d,
        op(b, () => b.getV(o.d), b.getV(o.n)),
      ),
    text: (f) => insn(mnemonic.toLowerCase(), bytes(f.d), bytes(f.n)),
  });
}

/** SHA1SU1, SHA256SU0. */
function sha2(mnemonic: string, feat: Feature, opcode: string): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0101111000 10100 ----- 10 nnnnn ddddd", opcode),
    feat,
    fp: true,
    ops: { d: "v", n: "v" },
    execute: (b, o) => b.setV(o.d, b.call<"v128">(mnemonic.toLowerCase(), b.getV(o.d), b.getV(o.n))),
    text: (f) => insn(mnemonic.toLowerCase(), words(f.d), words(f.n)),
  });
}

/** The fixed rotate: ROL(n, 30). */
const SHA1H = row({
  id: "SHA1H",
  asm: "SHA1H",
  bits: "0101111000 10100 00000 10 nnnnn ddddd",
  feat: "SHA1",
  fp: true,
  ops: { d: "v", n: "v" },
  execute: (b, o) => b.setS(o.d, b.i32.rotl(b.getS(o.n), b.const32(30))),
  text: (f) => insn("sha1h", text.s(f.d, 32), text.s(f.n, 32)),
});

/** How the registers are used: all as vectors; Q, S and vector; Q, Q and vector. */
type Registers = "vvv" | "qsv" | "qqv";

function sha3(mnemonic: string, feat: Feature, opcode: string, registers: Registers): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0101111000 0 mmmmm 0 --- 00 nnnnn ddddd", opcode),
    feat,
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    execute(b, o) {
      const n: I32 | V128 = registers === "qsv" ? b.getS(o.n) : b.getV(o.n);
      b.setV(o.d, b.call<"v128">(mnemonic.toLowerCase(), b.getV(o.d), n, b.getV(o.m)));
    },
    text(f) {
      const d = registers === "vvv" ? words(f.d) : text.s(f.d, 128);
      const n = { vvv: words(f.n), qsv: text.s(f.n, 32), qqv: text.s(f.n, 128) }[registers];
      return insn(mnemonic.toLowerCase(), d, n, words(f.m));
    },
  });
}

export const CRYPTO: readonly Row[] = [
  aes("AESE", "00100", (b, d, n) => b.call("aese", d(), n)),
  aes("AESD", "00101", (b, d, n) => b.call("aesd", d(), n)),
  aes("AESMC", "00110", (b, _d, n) => b.call("aesmc", n)),
  aes("AESIMC", "00111", (b, _d, n) => b.call("aesimc", n)),
  SHA1H,
  sha2("SHA1SU1", "SHA1", "00001"),
  sha2("SHA256SU0", "SHA256", "00010"),
  sha3("SHA1C", "SHA1", "000", "qsv"),
  sha3("SHA1P", "SHA1", "001", "qsv"),
  sha3("SHA1M", "SHA1", "010", "qsv"),
  sha3("SHA1SU0", "SHA1", "011", "vvv"),
  sha3("SHA256H", "SHA256", "100", "qqv"),
  sha3("SHA256H2", "SHA256", "101", "qqv"),
  sha3("SHA256SU1", "SHA256", "110", "vvv"),
];
