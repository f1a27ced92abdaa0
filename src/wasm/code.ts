import { ByteWriter } from "./bytes.ts";
import type { FunctionObject } from "./function-object.ts";
import { type FunctionType, TYPE_CODES, type ValueType } from "./types.ts";

/** Loads and stores: opcode and log2 of the natural alignment. */
const MEMORY_OPS = {
  "i32.load": [0x28, 2],
  "i64.load": [0x29, 3],
  "f32.load": [0x2a, 2],
  "f64.load": [0x2b, 3],
  "i32.load8_s": [0x2c, 0],
  "i32.load8_u": [0x2d, 0],
  "i32.load16_s": [0x2e, 1],
  "i32.load16_u": [0x2f, 1],
  "i64.load8_u": [0x31, 0],
  "i64.load16_u": [0x33, 1],
  "i64.load32_s": [0x34, 2],
  "i64.load32_u": [0x35, 2],
  "i32.store": [0x36, 2],
  "i64.store": [0x37, 3],
  "f32.store": [0x38, 2],
  "f64.store": [0x39, 3],
  "i32.store8": [0x3a, 0],
  "i32.store16": [0x3b, 1],
  "i64.store8": [0x3c, 0],
  "i64.store16": [0x3d, 1],
  "i64.store32": [0x3e, 2],
  "v128.load": [0xfd00, 0],
  "v128.store": [0xfd0b, 0],
  "v128.load32_zero": [0xfd5c, 0],
  "v128.load64_zero": [0xfd5d, 0],
  // With a lane number: memoryLane().
  "v128.store32_lane": [0xfd5a, 0],
  "v128.store64_lane": [0xfd5b, 0],
} as const;
export type MemoryOp = keyof typeof MEMORY_OPS;

/** Five bytes, which any integer of 32 bits can be written in (LEB128, with as many bits as it may have). */
const UNKNOWN = [0x80, 0x80, 0x80, 0x80, 0];

/** A block type: nothing, one result, or nothing given. */
export type BlockType = ValueType | "";

/** What a module takes as a function's body. */
export interface FunctionCode {
  /** Writes the entry of the code section: size, locals, instructions, end. */
  encode(out: ByteWriter): void;
  /** Writes the branch hints (WebAssembly branch hinting proposal): a vector of offset from the declarations, size, value. */
  encodeHints(out: ByteWriter): void;
  readonly hasHints: boolean;
}

/** The code of one function: instructions in binary form, and its locals. */
export class Code implements FunctionCode {
  readonly #out = new ByteWriter();
  readonly #locals: ValueType[] = [];
  readonly #params: number;
  #depth = 0;
  /** Places of `if` and `br_if` in the instructions, each with 1 for a condition that mostly holds, 0 for one that mostly does not. */
  readonly #hints: (readonly [number, 0 | 1])[] = [];
  /** In a relocatable function: the places of what it calls, and of addresses, in the instructions, as FunctionObject has them. */
  readonly #calls: number[] | undefined;
  readonly #addresses: number[] = [];

  /** @param relocatable what it calls are numbers that mean something to whoever links it. */
  constructor(type: FunctionType, relocatable = false) {
    this.#params = type.params.length;
    this.#calls = relocatable ? [] : undefined;
  }

  /** Bytes of code so far. */
  get size(): number {
    return this.#out.length;
  }

  /** How many blocks, loops and ifs are open. */
  get depth(): number {
    return this.#depth;
  }

  /** A new local, zero at entry. */
  local(type: ValueType): number {
    return this.#params + this.#locals.push(type) - 1;
  }

  /** An instruction without immediates, by its opcode: a prefixed one as prefix << 8, a SIMD one as prefix << 16. */
  op(opcode: number): void {
    if (opcode > 0xffff) {
      this.#out.byte(opcode >> 16);
      this.#out.u32(opcode & 0xffff);
    } else if (opcode > 0xff) {
      this.#out.byte(opcode >> 8);
      this.#out.u32(opcode & 0xff);
    } else this.#out.byte(opcode);
  }
  /** A SIMD instruction with a lane number. */
  lane(opcode: number, lane: number): void {
    this.op(opcode);
    this.#out.byte(lane);
  }
  shuffle(lanes: readonly number[]): void {
    this.op(0xfd000d);
    this.#out.raw(lanes);
  }

  get(local: number): void {
    this.#out.byte(0x20);
    this.#out.u32(local);
  }
  set(local: number): void {
    this.#out.byte(0x21);
    this.#out.u32(local);
  }
  tee(local: number): void {
    this.#out.byte(0x22);
    this.#out.u32(local);
  }
  i32(v: number): void {
    this.#out.byte(0x41);
    this.#out.s32(v);
  }
  /** An i32 that is known when the function is linked: the address of `symbol`, and `addend` more. */
  address(symbol: number, addend: number): void {
    this.#out.byte(0x41);
    this.#addresses.push(this.#out.length, symbol, addend);
    this.#out.raw(UNKNOWN);
  }
  i64(lo: number, hi: number): void {
    this.#out.byte(0x42);
    this.#out.s64(lo, hi);
  }
  v128(bytes: readonly number[]): void {
    this.op(0xfd000c);
    this.#out.raw(bytes);
  }
  /** A load or store; the address (and value) are on the stack. */
  memory(op: MemoryOp, offset: number): void {
    const [opcode, align] = MEMORY_OPS[op];
    if (opcode > 0xff) {
      this.#out.byte(opcode >> 8);
      this.#out.u32(opcode & 0xff);
    } else this.#out.byte(opcode);
    this.#out.u32(align);
    this.#out.u32(offset);
  }

  /** Stores a lane of the vector on the stack. */
  memoryLane(op: "v128.store32_lane" | "v128.store64_lane", offset: number, lane: number): void {
    this.memory(op, offset);
    this.#out.byte(lane);
  }

  block(type: BlockType = ""): void {
    this.#structured(0x02, type);
  }
  loop(): void {
    this.#structured(0x03, "");
  }
  if(type: BlockType = ""): void {
    this.#structured(0x04, type);
  }
  else(): void {
    this.#out.byte(0x05);
  }
  end(): void {
    this.#depth--;
    this.#out.byte(0x0b);
  }
  br(depth: number): void {
    this.#out.byte(0x0c);
    this.#out.u32(depth);
  }
  brIf(depth: number): void {
    this.#out.byte(0x0d);
    this.#out.u32(depth);
  }
  brTable(depths: readonly number[], otherwise: number): void {
    this.#out.byte(0x0e);
    this.#out.u32(depths.length);
    for (const d of depths) this.#out.u32(d);
    this.#out.u32(otherwise);
  }
  /** The condition of the `if` or `br_if` that comes next mostly holds. */
  likely(): void {
    this.#hints.push([this.#out.length, 1]);
  }
  /** The condition of the `if` or `br_if` that comes next mostly does not hold. */
  unlikely(): void {
    this.#hints.push([this.#out.length, 0]);
  }
  return(): void {
    this.#out.byte(0x0f);
  }
  unreachable(): void {
    this.#out.byte(0x00);
  }
  drop(): void {
    this.#out.byte(0x1a);
  }
  select(type: ValueType): void {
    if (type === "v128") {
      this.#out.raw([0x1c, 1, TYPE_CODES[type]]);
    } else this.#out.byte(0x1b);
  }
  call(f: number): void {
    this.#out.byte(0x10);
    this.#function(f);
  }
  returnCall(f: number): void {
    this.#out.byte(0x12);
    this.#function(f);
  }
  callIndirect(typeIndex: number): void {
    this.#out.byte(0x11);
    this.#out.u32(typeIndex);
    this.#out.byte(0);
  }
  returnCallIndirect(typeIndex: number): void {
    this.#out.byte(0x13);
    this.#out.u32(typeIndex);
    this.#out.byte(0);
  }

  encode(out: ByteWriter): void {
    const head = this.#declarations();
    out.u32(head.length + this.#out.length + 1);
    out.append(head);
    out.append(this.#out);
    out.byte(0x0b);
  }

  encodeHints(out: ByteWriter): void {
    const { length } = this.#declarations();
    out.u32(this.#hints.length);
    for (const [at, value] of this.#hints) {
      out.u32(length + at);
      out.byte(1);
      out.byte(value);
    }
  }
  get hasHints(): boolean {
    return this.#hints.length > 0;
  }

  /** A relocatable function, complete. */
  object(): FunctionObject {
    const body = this.#declarations();
    const start = body.length;
    body.append(this.#out);
    body.byte(0x0b);
    return {
      body: body.view().slice(),
      hints: Int32Array.from(this.#hints.flatMap(([at, value]) => [start + at, value])),
      calls: Int32Array.from(this.#calls ?? [], (n, i) => (i % 2 === 0 ? start + n : n)),
      addresses: Int32Array.from(this.#addresses, (n, i) => (i % 3 === 0 ? start + n : n)),
    };
  }

  #function(f: number): void {
    if (this.#calls === undefined) this.#out.u32(f);
    else {
      this.#calls.push(this.#out.length, f);
      this.#out.raw(UNKNOWN);
    }
  }

  #declarations(): ByteWriter {
    const head = new ByteWriter();
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    head.u32(runs.length);
    for (const [n, type] of runs) {
      head.u32(n);
      head.byte(TYPE_CODES[type]);
    }
    return head;
  }

  #structured(opcode: number, type: BlockType): void {
    this.#depth++;
    this.#out.byte(opcode);
    this.#out.byte(type === "" ? 0x40 : TYPE_CODES[type]);
  }
}
