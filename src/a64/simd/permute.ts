import type { Builder, Reg, V128 } from "../../ir/builder.ts";
import { insn } from "../format.ts";
import { type Row, row } from "../row.ts";
import { esizeOf, fill, vector } from "./encoding.ts";
import { type Arrangement, elements, permute, range, splatConst, write } from "./lanes.ts";
import * as text from "./text.ts";

// Advanced SIMD permute (UZP, TRN, ZIP), extract (EXT) and table lookup (TBL, TBX).

/** `order` gives, for element i of n, the number of an element of m:n; those of m begin at `elements`. */
function permutation(mnemonic: string, opcode: string, order: (i: number, n: number) => number): Row {
  return row({
    id: mnemonic,
    asm: mnemonic,
    bits: fill("0Q001110ZZ0mmmmm0---10nnnnnddddd", opcode),
    fp: true,
    ops: { d: "v", n: "v", m: "v" },
    decode: (f) => (f.Z === 3 && !f.Q ? "unallocated" : {}),
    execute(b, o, s) {
      const a = vector(s.Q, esizeOf(s.Z));
      const n = elements(a);
      const lanes = range(n).map((i) => {
        const from = order(i, n);
        return from < n ? from : 128 / a.esize + from - n;
      });
      write(b, o.d, permute(b, a.esize, b.getV(o.n), b.getV(o.m), lanes), a.datasize);
    },
    text(f) {
      const a = vector(f.Q, esizeOf(f.Z));
      return insn(mnemonic.toLowerCase(), text.v(f.d, a), text.v(f.n, a), text.v(f.m, a));
    },
  });
}

const PERMUTE: readonly Row[] = [0, 1].flatMap((part) => [
  permutation(`UZP${part + 1}`, `${part}01`, (i) => 2 * i + part),
  permutation(`TRN${part + 1}`, `${part}10`, (i, n) => (i & 1) * n + (i & ~1) + part),
  permutation(`ZIP${part + 1}`, `${part}11`, (i, n) => (i & 1) * n + (i >> 1) + (part * n) / 2),
]);

const EXT = row({
  id: "EXT",
  asm: "EXT",
  bits: "0Q101110000mmmmm0IIII0nnnnnddddd",
  fp: true,
  ops: { d: "v", n: "v", m: "v" },
  decode: (f) => (!f.Q && f.I > 7 ? "unallocated" : {}),
  execute(b, o, s) {
    const bytes = s.Q ? 16 : 8;
    const lanes = range(16).map((i) => {
      const from = s.I + i;
      return (from < bytes ? from : 16 + from - bytes) & 31;
    });
    write(b, o.d, b.shuffle(b.getV(o.n), b.getV(o.m), lanes), bytes * 8);
  },
  text(f) {
    const a = vector(f.Q, 8);
    return insn("ext", text.v(f.d, a), text.v(f.n, a), text.v(f.m, a), `#${f.I}`);
  },
});

/** The bytes of the table at the indices; zero for an index beyond it. */
function lookup(b: Builder, table: readonly Reg[], indices: V128): V128 {
  const parts = table.map((r, i) => {
    const local = i === 0 ? indices : b.i8x16.sub(indices, splatConst(b, 8, 16 * i));
    return b.i8x16.swizzle(b.getV(r), local);
  });
  return parts.reduce((x, y) => b.v128.or(x, y));
}

const BYTES = (q: number): Arrangement => vector(q, 8);

function table(mnemonic: "TBL" | "TBX", op: string, length: number): Row {
  return row({
    id: `${mnemonic}_${length}`,
    asm: mnemonic,
    bits: fill("0Q001110000mmmmm0---00nnnnnddddd", (length - 1).toString(2).padStart(2, "0") + op),
    fp: true,
    ops: { d: "v", n: "v", n2: "v", n3: "v", n4: "v", m: "v" },
    decode: (f) => ({ n2: (f.n + 1) % 32, n3: (f.n + 2) % 32, n4: (f.n + 3) % 32 }),
    execute(b, o, s) {
      const indices = b.getV(o.m);
      let r = lookup(b, [o.n, o.n2, o.n3, o.n4].slice(0, length), indices);
      if (mnemonic === "TBX") {
        r = b.v128.bitselect(r, b.getV(o.d), b.i8x16.lt_u(indices, splatConst(b, 8, 16 * length)));
      }
      write(b, o.d, r, s.Q ? 128 : 64);
    },
    text: (f) =>
      insn(mnemonic.toLowerCase(), text.v(f.d, BYTES(f.Q)), text.list(f.n, length, "16b"), text.v(f.m, BYTES(f.Q))),
  });
}

const TABLE: readonly Row[] = [1, 2, 3, 4].flatMap((length) => [table("TBL", "0", length), table("TBX", "1", length)]);

export const PERMUTATIONS: readonly Row[] = [...PERMUTE, EXT, ...TABLE];
