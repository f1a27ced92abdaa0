import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FPCR_FZ, FPCR_RMODE_SHIFT, patterns } from "../../test/support/floating-point.ts";
import { loadNative } from "../../test/support/native.ts";
import { DOUBLE, SINGLE } from "../../test/support/rational.ts";
import { CF, FPCR, FPSR, NF, V, VF, ZF } from "../cpu/state-layout.ts";
import { Builder, type I32, type I64, type V128, type Value } from "../ir/builder.ts";
import { HELPERS } from "../ir/helpers.ts";
import { Code } from "../wasm/code.ts";
import { ModuleWriter } from "../wasm/module.ts";
import { lowerFloat } from "./float-fast.ts";
import { hasFusedMultiplyAdd } from "./fused.ts";
import { HandlerLowering } from "./handler-lowering.ts";
import { declareImports, HANDLER_TYPE } from "./imports.ts";

// Every in-line form against the scalar helper: results and FPSR, over operands that find mistakes, in several modes of FPCR.

const CPU = 0x8000;
const RESULT = 5;
const native = loadNative();
const { view } = native;

/** What the element of a vector helper is, and where its operands and results are. */
interface Shape {
  readonly scalar: string;
  readonly elements: number;
  readonly from: 32 | 64;
  readonly to: 32 | 64;
}

function shapeOf(name: string): Shape {
  const conversion = /^(fpConvert|fpToFixed|fixed)(32|64)to(?:Fp)?(32|64)(x2)?$/.exec(name);
  if (conversion) {
    const [, , from, to, pair] = conversion;
    const scalar = pair ? name.slice(0, -2) : name;
    return { scalar, elements: pair ? 2 : 1, from: Number(from) as 32, to: Number(to) as 32 };
  }
  const [, base, size, elements] = /^(\w+?)(32|64)(?:x(\d))?$/.exec(name) as RegExpExecArray;
  const w = Number(size) as 32 | 64;
  const names: Record<string, string> = { fpToFixed: "fpToFixed32to32", fixedToFp: "fixed32toFp32" };
  return { scalar: names[base as string] ?? `${base}${w}`, elements: Number(elements ?? 1), from: w, to: w };
}

/** Immediate arguments after the floating-point ones, for the helpers that have any. */
function immediates(name: string): readonly (readonly number[])[] {
  const roundings = [-1, 0, 1, 2, 3, 4];
  if (name.startsWith("fpRoundInt")) return roundings.flatMap((r) => [0, 1].map((exact) => [r, exact]));
  if (name.startsWith("fpToFixed"))
    return [0, 5].flatMap((f) => roundings.flatMap((r) => [0, 1].map((unsigned) => [f, unsigned, r])));
  if (name.startsWith("fixed")) return [0, 5, 32].flatMap((f) => [0, 1].map((unsigned) => [f, unsigned]));
  return [[]];
}

interface Case extends Shape {
  readonly name: string;
  readonly immediates: readonly number[];
  /** Helpers' arguments that are operands. */
  readonly operands: number;
  readonly fused: boolean;
  readonly export: string;
}

/** Everything that is done in line, and the whole-vector helpers when they are called. */
function findCases(): Case[] {
  const names = Object.keys(HELPERS).filter(
    (n) => /^(fp|fixed)/.test(n) && !/16|N\d|Odd|Fast|JS|Order|Compare|Estimate|RecpX/.test(n),
  );
  const cases: Case[] = [];
  for (const name of names) {
    for (const list of immediates(name)) {
      for (const fused of hasFusedMultiplyAdd() ? [false, true] : [false]) {
        const operands = (HELPERS[name]?.args.length ?? 0) - list.length;
        cases.push({ ...shapeOf(name), name, immediates: list, operands, fused, export: `${name}(${list}) ${fused}` });
      }
    }
  }
  return cases;
}

type Handler = (cpu: number, record: number, budget: number) => void;

/** A module with a handler for each: operands from V0 on, the result to V5, in line or, if that cannot be, by a call. */
function build(cases: readonly Case[]): {
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly inLine: Set<string>;
} {
  const module = new ModuleWriter();
  const imports = declareImports(
    module,
    Object.keys(HELPERS).filter((n) => HELPERS[n]?.from === "native"),
  );
  const inLine = new Set<string>();
  const define = (name: string, fused: boolean, make: (b: Builder) => void): void => {
    const code = new Code(HANDLER_TYPE);
    const b = new Builder();
    make(b);
    const list = b.take();
    const functions = { ...imports, fused };
    const call = list.find((i) => i.op === "call");
    if (call && lowerFloat(new HandlerLowering(new Code(HANDLER_TYPE), functions, []), call)) inLine.add(name);
    new HandlerLowering(code, functions, []).lower(list);
    const f = module.function(HANDLER_TYPE);
    f.code = code;
    module.export(name, f);
  };
  for (const c of cases) {
    define(c.export, c.fused, (b) => {
      const types = HELPERS[c.name]?.args ?? [];
      const args = types.map((t, i): Value => {
        if (i >= c.operands) return b.const32(c.immediates[i - c.operands] as number);
        if (t === "v128") return b.getV(b.vreg(i));
        return t === "i64" ? b.getD(b.vreg(i)) : b.getS(b.vreg(i));
      });
      const r = b.call(c.name, ...args);
      if (r.type === "v128") b.setV(b.vreg(RESULT), r as V128);
      else if (r.type === "i64") b.setD(b.vreg(RESULT), r as I64);
      else b.setS(b.vreg(RESULT), r as I32);
    });
  }
  for (const w of [32, 64] as const) {
    for (const signal of [0, 1]) {
      define(`compare${w} ${signal}`, false, (b) => {
        const get = (n: number) => (w === 64 ? b.getD(b.vreg(n)) : b.getS(b.vreg(n)));
        b.flagsFloat(w, get(0), get(1), b.const32(signal));
        // Conditions straight from the operands, too: bit n is condition n.
        let all: I32 = b.const32(0);
        for (let cond = 0; cond < 14; cond++) all = b.i32.or(all, b.i32.shl(b.cond(cond), b.const32(cond)));
        b.setS(b.vreg(RESULT), all);
      });
    }
  }
  const compiled = new WebAssembly.Module(module.finish() as Uint8Array<ArrayBuffer>);
  const given: Record<string, Record<string, unknown>> = {
    env: { memory: native.memory },
    native: {},
    engine: {},
  };
  for (const i of WebAssembly.Module.imports(compiled)) {
    if (i.module === "native") (given.native as Record<string, unknown>)[i.name] = native.get(i.name);
    if (i.module === "engine")
      (given.engine as Record<string, unknown>)[i.name] = () => assert.fail(`${i.name} is called`);
  }
  const { exports } = new WebAssembly.Instance(
    compiled,
    given as ConstructorParameters<typeof WebAssembly.Instance>[1],
  );
  return { handlers: exports as unknown as Record<string, Handler>, inLine };
}

const CASES = findCases();
const { handlers, inLine } = build(CASES);

const at = (register: number, w: number, i: number): number => CPU + V + 16 * register + (w / 8) * i;
const read = (register: number, w: number, i: number): bigint =>
  w === 64 ? view.getBigUint64(at(register, 64, i), true) : BigInt(view.getUint32(at(register, 32, i), true));

function setMode(fpcr: number, fpsr: number): void {
  view.setUint32(CPU + FPCR, fpcr, true);
  view.setUint32(CPU + FPSR, fpsr, true);
  native.get("fpUpdateFast")(CPU);
}
const flags = (): number => view.getUint32(CPU + FPSR, true);

/** Calls a native function of operands and immediates of one element. */
function callScalar(name: string, w: number, operands: readonly bigint[], rest: readonly number[]): bigint {
  const result = native.get(name)(
    CPU,
    ...operands.map((o) => (w === 64 ? BigInt.asIntN(64, o) : Number(o) | 0)),
    ...rest,
  );
  return typeof result === "bigint" ? BigInt.asUintN(64, result) : BigInt(result >>> 0);
}

/** Integers near the ends of their types, and where floating point begins to round. */
const integers = (w: number): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.bigInt(0n, (1n << BigInt(w)) - 1n),
    fc.tuple(fc.nat({ max: w - 1 }), fc.integer({ min: -2, max: 2 }), fc.boolean()).map(([n, d, negative]) => {
      const v = (1n << BigInt(n)) + BigInt(d);
      return BigInt.asUintN(w, negative ? -v : v);
    }),
  );

/** Sixteen bytes of elements, as they lie. Neighbours in value are likely. */
function registers(c: Shape, count: number): fc.Arbitrary<bigint[][]> {
  const w = c.from;
  const value = c.scalar.startsWith("fixed")
    ? integers(w)
    : fc.oneof(patterns(w === 64 ? DOUBLE : SINGLE), near(w), edges(w));
  return fc.array(fc.array(value, { minLength: 128 / w, maxLength: 128 / w }), { minLength: count, maxLength: count });
}

/** The smallest and the largest normal number, and factors next to one that bring a result just over an edge. */
function edges(w: 32 | 64): fc.Arbitrary<bigint> {
  const [one, smallest, infinity] =
    w === 64
      ? [0x3ff0000000000000n, 0x0010000000000000n, 0x7ff0000000000000n]
      : [0x3f800000n, 0x00800000n, 0x7f800000n];
  return fc.constantFrom(one - 1n, one - 2n, one, one + 1n, smallest - 1n, smallest, smallest + 1n, infinity - 1n);
}

/** Small integers and halves, whose sums, products and quotients are often exact. */
function near(w: 32 | 64): fc.Arbitrary<bigint> {
  const buffer = new DataView(new ArrayBuffer(8));
  return fc.integer({ min: -40, max: 40 }).map((n) => {
    if (w === 64) buffer.setFloat64(0, n / 2);
    else buffer.setFloat32(0, n / 2);
    return w === 64 ? buffer.getBigUint64(0) : BigInt(buffer.getUint32(0));
  });
}

const MODES = [0, FPCR_FZ, ...[1, 2, 3].map((m) => m << FPCR_RMODE_SHIFT)] as const;
/** Most vectors have the default mode and Inexact set, where results are taken. */
const modes = fc.oneof(
  { weight: 5, arbitrary: fc.constant([0, 0x10] as const) },
  { weight: 2, arbitrary: fc.constant([0, 0] as const) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...MODES), fc.constantFrom(0, 0x10)) },
);

function put(operands: readonly (readonly bigint[])[], w: number): void {
  operands.forEach((elements, r) => {
    elements.forEach((v, i) => {
      if (w === 64) view.setBigUint64(at(r, 64, i), v, true);
      else view.setUint32(at(r, 32, i), Number(v), true);
    });
  });
}

test("in line, each operation gives the helper's result and flags", () => {
  for (const c of CASES) {
    const isMask = /Cmp..\d\dx/.test(c.name);
    fc.assert(
      fc.property(registers(c, c.operands), modes, (operands, [fpcr, fpsr]) => {
        setMode(fpcr, fpsr);
        const expected = Array.from({ length: c.elements }, (_, i) => {
          const elements = operands.map((o) => o[i] as bigint);
          const r = callScalar(c.scalar, c.from, elements, c.immediates);
          return isMask ? BigInt.asUintN(c.to, -r) : r;
        });
        const expectedFlags = flags();
        setMode(fpcr, fpsr);
        put(operands, c.from);
        (handlers[c.export] as Handler)(CPU, 0, 0);
        assert.deepEqual(
          expected.map((_, i) => read(RESULT, /Cmp..\d\d$/.test(c.name) ? 32 : c.to, i)),
          expected,
          c.export,
        );
        assert.equal(flags(), expectedFlags, `${c.export}: FPSR`);
      }),
      { numRuns: 400 },
    );
  }
});

test("comparisons give FPCompare()'s flags, and conditions that agree with them", () => {
  const holds = (n: boolean, z: boolean, c: boolean, v: boolean): boolean[] =>
    [z, c, n, v, c && !z, n === v, n === v && !z].flatMap((x) => [x, !x]);
  for (const w of [32, 64] as const) {
    for (const signal of [0, 1]) {
      fc.assert(
        fc.property(
          registers({ scalar: "", elements: 1, from: w, to: w }, 2),
          fc.boolean(),
          modes,
          (given, same, mode) => {
            const operands = same ? [given[0] as bigint[], given[0] as bigint[]] : given;
            setMode(mode[0], mode[1]);
            const nzcv = Number(
              callScalar(
                `fpCompare${w}`,
                w,
                operands.map((o) => o[0] as bigint),
                [signal],
              ),
            );
            const expectedFlags = flags();
            setMode(mode[0], mode[1]);
            put(operands, w);
            (handlers[`compare${w} ${signal}`] as Handler)(CPU, 0, 0);
            assert.equal(flags(), expectedFlags, "FPSR");
            const word = (offset: number): number => view.getInt32(CPU + offset, true);
            const found = (word(NF) < 0 ? 8 : 0) | (word(ZF) === 0 ? 4 : 0) | (word(CF) << 1) | (word(VF) < 0 ? 1 : 0);
            assert.equal(found, nzcv);
            const conditions = holds((nzcv & 8) !== 0, (nzcv & 4) !== 0, (nzcv & 2) !== 0, (nzcv & 1) !== 0);
            assert.equal(
              Number(read(RESULT, 32, 0)),
              conditions.reduce((bits, h, i) => bits | (h ? 1 << i : 0), 0),
            );
          },
        ),
        { numRuns: 2000 },
      );
    }
  }
});

test("arithmetic, comparisons and conversions are in line", () => {
  const by = (name: string): boolean => CASES.some((c) => c.name === name && inLine.has(c.export));
  const missing = [...new Set(CASES.map((c) => c.name))].filter((n) => !by(n));
  assert.deepEqual(
    missing.filter((n) => hasFusedMultiplyAdd() || !/MulAdd|Step/.test(n)),
    [],
  );
});
