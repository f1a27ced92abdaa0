// Compares build/native.wasm's floating point with an oracle, instruction by instruction, results and flags.
//   node tools/fp-oracle/compare.ts [cases] [seed] [native.wasm]
// Needs aarch64-linux-gnu-gcc, and qemu-aarch64-static unless the machine is an Arm one.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { FPCR, FPSR } from "../../src/cpu/state-layout.ts";

const RECORD_BYTES = 48;
const CPU = 0x4000;
const IXC = 1n << 4n;
const IDC = 1n << 7n;

const [cases = "1000000", seed = "1", module = join(import.meta.dirname, "../../build/native.wasm")] =
  process.argv.slice(2);

function fail(what: string): never {
  console.error(`fp-oracle: ${what}`);
  process.exit(1);
}

function buildOracle(): string[] {
  const program = join(mkdtempSync(join(tmpdir(), "fp-oracle-")), "oracle");
  const source = join(import.meta.dirname, "oracle.c");
  const flags = ["-O2", "-static", "-march=armv8.5-a+fp16", source, "-o", program];
  if (spawnSync("aarch64-linux-gnu-gcc", flags, { stdio: "inherit" }).status !== 0) fail("cannot build oracle.c");
  return arch() === "arm64" ? [program] : ["qemu-aarch64-static", "-cpu", "max", program];
}

type Native = (...args: (number | bigint)[]) => number | bigint;
interface Operation {
  readonly name: string;
  readonly call: (operands: Record<string, bigint>) => bigint;
}

const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(module)), { env: { memory } });
const native = instance.exports as unknown as Record<string, Native>;
const view = new DataView(memory.buffer);

/** An operation from its line of `oracle --names`. Whether an argument is 32 or 64 bits wide shows in the function's name. */
function operation(line: string): Operation {
  const [name = "", ...args] = line.split(" ");
  const f = native[name] ?? fail(`native.wasm has no ${name}`);
  const wide = /^(fp\D+|fpToFixed|fpConvert|fixed)64/.test(name) || name === "fpToJS";
  const call = (operands: Record<string, bigint>): bigint => {
    const values = args.map((x) => {
      const operand = operands[x];
      return operand === undefined ? Number(x) : wide ? operand : Number(BigInt.asIntN(32, operand));
    });
    const result = f(CPU, ...values);
    return typeof result === "bigint" ? BigInt.asUintN(64, result) : BigInt(result >>> 0);
  };
  return { name: line, call };
}

const [program = "", ...programArgs] = buildOracle();
const names = spawnSync(program, [...programArgs, "--names"], { encoding: "utf8" });
if (names.status !== 0) fail("the oracle does not run");
const operations = names.stdout.trim().split("\n").map(operation);

let done = 0;
let wrong = 0;
const hex = (x: bigint | number): string => x.toString(16);

function check(r: DataView): void {
  const { name, call } = operations[r.getUint32(0, true)] ?? fail("bad record");
  const fpcr = r.getUint32(4, true);
  const [a, b, c, result] = [8, 16, 24, 32].map((at) => r.getBigUint64(at, true)) as [bigint, bigint, bigint, bigint];
  const fpsr = BigInt(r.getUint32(40, true));
  // QEMU before 9.1 forgets that a denormal which FZ flushed is no integer to FJCVTZS.
  if (name === "fpToJS a" && (fpsr & IDC) !== 0n) return void done++;
  // Once with FPSR clear, once as code runs that has set Inexact before, which opens the fast paths.
  for (const before of [0n, IXC]) {
    view.setUint32(CPU + FPCR, fpcr, true);
    view.setUint32(CPU + FPSR, Number(before), true);
    native.fpUpdateFast?.(CPU);
    const got = call({ a, b, c });
    const flags = BigInt(view.getUint32(CPU + FPSR, true));
    if (got === result && flags === (fpsr | before)) continue;
    if (wrong++ < 50) {
      console.log(
        `${name}: a ${hex(a)} b ${hex(b)} c ${hex(c)} FPCR ${hex(fpcr)}: ` +
          `${hex(got)} FPSR ${hex(flags)}, expected ${hex(result)} FPSR ${hex(fpsr | before)}`,
      );
    }
    break;
  }
  done++;
}

const oracle = spawn(program, [...programArgs, seed, cases], { stdio: ["ignore", "pipe", "inherit"] });
let rest = Buffer.alloc(0);
for await (const chunk of oracle.stdout) {
  const bytes = Buffer.concat([rest, chunk as Buffer]);
  let at = 0;
  for (; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES)
    check(new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_BYTES));
  rest = bytes.subarray(at);
}
console.log(`${done} cases of ${operations.length} operations, ${wrong} differ`);
process.exit(wrong || done !== Number(cases) ? 1 : 0);
