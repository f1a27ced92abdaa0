import {
  BRANCH_TBI,
  BTYPE,
  BUDGET,
  EXC_EC,
  EXC_ISS,
  EXC_STAGE2,
  EXC_TARGET,
  EXIT,
  EXIT_BUDGET,
  EXIT_EXCEPTION,
  EXIT_FETCH,
  EXIT_RESUME,
  EXIT_STEP,
  FETCH_BASE,
  FETCH_VA,
  ITLB,
  ITLB_BASE,
  ITLB_FLAGS,
  PC,
} from "../cpu/state-layout.ts";
import { PURE_OPS } from "../ir/pure-ops.ts";
import { Code } from "../wasm/code.ts";
import type { DefinedFunction, ModuleWriter } from "../wasm/module.ts";
import type { FunctionType } from "../wasm/types.ts";
import { HEAT, RECORD_BYTES, RECORDS_BYTES } from "./decoded-layout.ts";
import type { RuntimeName } from "./functions.ts";
import { HANDLER_TYPE, RUNTIME } from "./imports.ts";
import { pushItlbEntry, pushItlbHit } from "./itlb.ts";
import { emitDecodeKnown } from "./known-words.ts";
import { LOOK_EVERY } from "./limits.ts";
import { defineSettle } from "./pending-flags.ts";

// The functions through which handlers and regions reach each other, and leave.

/**
 * What an arrival from a region counts: code around hot code becomes hot, and until it is translated, too, each way out of a region that has
 * become one is interpreted.
 */
const FROM_REGION = 2;

const op = (code: Code, name: keyof typeof PURE_OPS): void => code.op(PURE_OPS[name][0]);
const CPU = 0;
/** log2 of a record's bytes per byte of code. */
const RECORD_SHIFT = Math.log2(RECORD_BYTES / 4);

/** Host functions of the engine that the runtime calls. */
export interface EngineImports {
  /** (cpu, record): decodes the instruction at the record. */
  readonly decode: number;
  /** (cpu, record): branches have come to the place LOOK_EVERY times more. */
  readonly hot: number;
  /** (cpu, record): the region at the record was made for another state of the PE. */
  readonly unfit: number;
  /** native.wasm's fetchMiss (cpu, va): the decoded page, or 0. */
  readonly fetchMiss: number;
  /** native.wasm's proceed (cpu): 1 when code runs on from PC, an exception or return behind it. */
  readonly proceed: number;
}
export const PROCEED_TYPE: FunctionType = { params: ["i32"], results: ["i32"] };
export const FETCH_MISS_TYPE: FunctionType = { params: ["i32", "i64"], results: ["i32"] };
const DECODE_KNOWN_TYPE: FunctionType = { params: ["i32"], results: ["i32"] };
export const ENGINE_IMPORT_TYPE: FunctionType = { params: ["i32", "i32"], results: [] };

/** The runtime and the special handlers, declared and defined in a module. */
export interface Runtime {
  readonly functions: Readonly<Record<RuntimeName, DefinedFunction>>;
  /** In the order of HANDLER_DECODE, HANDLER_UNALLOCATED, HANDLER_PAGE_END, HANDLER_STOP. */
  readonly handlers: readonly DefinedFunction[];
  /** (cpu, budget): runs from PC until EXIT is set. */
  readonly enter: DefinedFunction;
  /** The same as the functions of their names, for regions: they settle pending flags first, and arrivals count for more. */
  readonly settled: Readonly<Record<(typeof SETTLED)[number], DefinedFunction>>;
  readonly fromRegion: Readonly<Record<(typeof ARRIVALS)[number], DefinedFunction>>;
  /** known-words.ts */
  readonly decodeKnown: DefinedFunction;
}
const SETTLED = ["leave", "leaveAt", "near", "indirect"] as const;
const ARRIVALS = ["near", "jump", "indirect"] as const;

export function declareRuntime(module: ModuleWriter): Runtime {
  const functions = Object.fromEntries(
    Object.entries(RUNTIME).map(([name, type]) => [name, module.function(type)]),
  ) as Record<RuntimeName, DefinedFunction>;
  const handlers = [1, 2, 3, 4].map(() => module.function(HANDLER_TYPE));
  const enter = module.function({ params: ["i32", "i32"], results: [] });
  const settled = Object.fromEntries(
    SETTLED.map((name) => [name, module.function(RUNTIME[name])]),
  ) as unknown as Runtime["settled"];
  const fromRegion = Object.fromEntries(
    ARRIVALS.map((name) => [name, module.function(RUNTIME[name])]),
  ) as unknown as Runtime["fromRegion"];
  return { functions, handlers, enter, settled, fromRegion, decodeKnown: module.function(DECODE_KNOWN_TYPE) };
}

/** Defines what declareRuntime declared. */
export function defineRuntime(module: ModuleWriter, runtime: Runtime, engine: EngineImports): void {
  const { functions } = runtime;
  const call = (name: RuntimeName): number => functions[name].index;
  const handlerType = module.type(HANDLER_TYPE);
  const define = (name: RuntimeName, body: (code: Code) => void): void => {
    const code = new Code(RUNTIME[name]);
    body(code);
    functions[name].code = code;
  };
  const dispatch = (code: Code, record: number, budget: number): void => {
    code.get(CPU);
    code.get(record);
    code.get(budget);
    code.get(record);
    code.memory("i32.load16_u", 0);
    code.returnCallIndirect(handlerType);
  };

  define("pcOf", (code) => {
    code.get(CPU);
    code.memory("i64.load", FETCH_VA);
    code.get(1);
    code.get(CPU);
    code.memory("i32.load", FETCH_BASE);
    op(code, "i32.sub");
    code.i32(RECORD_SHIFT);
    op(code, "i32.shr_s");
    op(code, "i64.extend_i32_s");
    op(code, "i64.add");
  });

  define("settle", defineSettle);
  for (const name of SETTLED) {
    const code = new Code(RUNTIME[name]);
    code.get(CPU);
    code.call(call("settle"));
    for (let i = 0; i < RUNTIME[name].params.length; i++) code.get(i);
    code.returnCall(name === "leave" || name === "leaveAt" ? call(name) : runtime.fromRegion[name].index);
    runtime.settled[name].code = code;
  }

  define("unfit", (code) => {
    code.get(CPU);
    code.call(call("settle"));
    code.get(CPU);
    code.get(1);
    code.call(engine.unfit);
    dispatch(code, 1, 2);
  });

  define("leave", (code) => {
    code.get(CPU);
    code.get(CPU);
    code.get(1);
    code.call(call("pcOf"));
    code.get(2);
    code.returnCall(call("leaveAt"));
  });

  define("leaveAt", (code) => {
    code.get(CPU);
    code.get(1);
    code.memory("i64.store", PC);
    code.get(CPU);
    code.get(2);
    code.memory("i32.store", BUDGET);
  });

  // (cpu, class, ISS)
  define("except", (code) => {
    setException(
      code,
      () => code.get(1),
      () => code.get(2),
    );
  });

  define("raise", (code) => {
    const [, RECORD, BUDGET_LEFT, EC, ISS] = [0, 1, 2, 3, 4];
    setException(
      code,
      () => code.get(EC),
      () => code.get(ISS),
    );
    code.get(CPU);
    code.get(RECORD);
    code.get(BUDGET_LEFT);
    code.returnCall(call("leave"));
  });

  /** Where branches arrive; an arrival adds `weight` to the heat of the place. */
  const defineArrivals = (to: Runtime["fromRegion"], weight: number): void => {
    const defineOne = (name: (typeof ARRIVALS)[number], body: (code: Code) => void): void => {
      const code = new Code(RUNTIME[name]);
      body(code);
      to[name].code = code;
    };
    defineOne("near", (code) => {
      const [, RECORD, LEFT] = [0, 1, 2];
      const heat = code.local("i32");
      code.get(RECORD);
      code.get(CPU);
      code.memory("i32.load", FETCH_BASE);
      op(code, "i32.sub");
      code.i32(RECORDS_BYTES);
      op(code, "i32.ge_u");
      code.if();
      code.get(CPU);
      code.get(CPU);
      code.get(RECORD);
      code.call(call("pcOf"));
      code.get(LEFT);
      code.returnCall(to.jump.index);
      code.end();
      leaveIfSpent(code, LEFT, () => {
        code.get(CPU);
        code.get(RECORD);
        code.call(call("pcOf"));
      });
      // heat: more, and a call now and then
      code.get(RECORD);
      code.get(RECORD);
      code.memory("i32.load16_u", HEAT);
      code.i32(weight);
      op(code, "i32.add");
      code.tee(heat);
      code.memory("i32.store16", HEAT);
      code.get(heat);
      code.i32(LOOK_EVERY - 1);
      op(code, "i32.and");
      code.i32(weight);
      op(code, "i32.lt_u");
      code.if();
      code.get(CPU);
      code.get(RECORD);
      code.call(engine.hot);
      code.end();
      dispatch(code, RECORD, LEFT);
    });

    defineOne("jump", (code) => {
      const [, VA, LEFT] = [0, 1, 2];
      const entry = code.local("i32");
      const base = code.local("i32");
      const target = (): void => code.get(VA);
      leaveIfSpent(code, LEFT, target);
      code.get(VA);
      op(code, "i32.wrap_i64");
      code.i32(3);
      op(code, "i32.and");
      code.if();
      leaveAt(code, LEFT, target, EXIT_FETCH);
      code.end();
      // another page?
      code.get(VA);
      code.i64(~0xfff, -1);
      op(code, "i64.and");
      code.get(CPU);
      code.memory("i64.load", FETCH_VA);
      op(code, "i64.ne");
      code.if();
      pushItlbEntry(code, VA);
      code.set(entry);
      pushItlbHit(code, entry, VA);
      op(code, "i32.eqz");
      code.if();
      code.get(CPU);
      code.get(VA);
      code.call(engine.fetchMiss);
      code.tee(base);
      op(code, "i32.eqz");
      code.if();
      leaveAt(code, LEFT, target, EXIT_FETCH);
      code.end();
      code.else();
      code.get(entry);
      code.memory("i32.load", ITLB + ITLB_BASE);
      code.set(base);
      code.end();
      code.get(CPU);
      code.get(VA);
      code.i64(~0xfff, -1);
      op(code, "i64.and");
      code.memory("i64.store", FETCH_VA);
      setWord(code, FETCH_BASE, () => code.get(base));
      code.end();
      code.get(CPU);
      pushRecord(code, () => {
        code.get(VA);
        op(code, "i32.wrap_i64");
      });
      code.get(LEFT);
      code.returnCall(to.near.index);
    });

    // Arm ARM, shared/functions/registers/BranchTo and AArch64.BranchAddr; D8.4.4 for PSTATE.BTYPE. A branch with a BTYPE into a guarded
    // page, or into one that is not in the instruction TLB, goes through the processing element, which checks the landing pad.
    defineOne("indirect", (code) => {
      const [, VA, LEFT, TYPE] = [0, 1, 2, 3];
      const entry = code.local("i32");
      const from = code.local("i64");
      code.get(CPU);
      code.memory("i32.load", BRANCH_TBI);
      code.if();
      code.get(CPU);
      code.memory("i32.load", BRANCH_TBI);
      code.get(VA);
      code.i64(55, 0);
      op(code, "i64.shr_u");
      op(code, "i32.wrap_i64");
      code.i32(1);
      op(code, "i32.and");
      op(code, "i32.shr_u");
      code.i32(1);
      op(code, "i32.and");
      code.if();
      code.get(VA);
      code.i64(8, 0);
      op(code, "i64.shl");
      code.i64(8, 0);
      op(code, "i64.shr_s");
      code.set(VA);
      code.end();
      code.end();
      code.get(TYPE);
      code.if();
      pushItlbEntry(code, VA);
      code.set(entry);
      pushItlbHit(code, entry, VA);
      code.if();
      code.get(entry);
      code.memory("i32.load", ITLB + ITLB_FLAGS);
      code.i32(1);
      op(code, "i32.and");
      code.if();
      // A branch through a register other than X16 and X17 from a page that is not guarded may land on any pad of a jump or call.
      code.get(TYPE);
      code.i32(3);
      op(code, "i32.eq");
      code.if();
      code.get(CPU);
      code.memory("i64.load", FETCH_VA);
      code.set(from);
      pushItlbEntry(code, from);
      code.memory("i32.load", ITLB + ITLB_FLAGS);
      code.i32(1);
      op(code, "i32.and");
      op(code, "i32.eqz");
      code.if();
      code.i32(1);
      code.set(TYPE);
      code.end();
      code.end();
      setWord(code, BTYPE, () => code.get(TYPE));
      leaveAt(code, LEFT, () => code.get(VA), EXIT_RESUME);
      code.end();
      code.else();
      setWord(code, BTYPE, () => code.get(TYPE));
      leaveAt(code, LEFT, () => code.get(VA), EXIT_FETCH);
      code.end();
      code.end();
      code.get(CPU);
      code.get(VA);
      code.get(LEFT);
      code.returnCall(to.jump.index);
    });
  };
  defineArrivals(functions, 1);
  defineArrivals(runtime.fromRegion, FROM_REGION);

  const [decode, unallocated, pageEnd, stop] = runtime.handlers as [
    DefinedFunction,
    DefinedFunction,
    DefinedFunction,
    DefinedFunction,
  ];
  const handler = (f: DefinedFunction, body: (code: Code) => void): void => {
    const code = new Code(HANDLER_TYPE);
    body(code);
    f.code = code;
  };
  const decodeKnown = new Code(DECODE_KNOWN_TYPE);
  emitDecodeKnown(decodeKnown, (name) => op(decodeKnown, name));
  runtime.decodeKnown.code = decodeKnown;
  handler(decode, (code) => {
    code.get(1);
    code.call(runtime.decodeKnown.index);
    op(code, "i32.eqz");
    code.if();
    code.get(CPU);
    code.get(1);
    code.call(engine.decode);
    code.end();
    dispatch(code, 1, 2);
  });
  handler(unallocated, (code) => {
    code.get(CPU);
    code.get(1);
    code.get(2);
    code.i32(0);
    code.i32(0);
    code.returnCall(call("raise"));
  });
  handler(pageEnd, (code) => {
    code.get(CPU);
    code.get(CPU);
    code.get(1);
    code.call(call("pcOf"));
    code.get(2);
    code.returnCall(call("jump"));
  });
  handler(stop, (code) => {
    setWord(code, EXIT, () => code.i32(EXIT_STEP));
    code.get(CPU);
    code.get(1);
    code.get(2);
    code.returnCall(call("leave"));
  });

  const enter = new Code({ params: ["i32", "i32"], results: [] });
  enter.loop();
  setWord(enter, EXIT, () => enter.i32(0));
  const record = enter.local("i32");
  enter.get(CPU);
  pushRecord(enter, () => {
    enter.get(CPU);
    enter.memory("i32.load", PC);
  });
  enter.tee(record);
  enter.get(1);
  enter.get(record);
  enter.memory("i32.load16_u", 0);
  enter.callIndirect(handlerType);
  enter.get(CPU);
  enter.call(engine.proceed);
  enter.get(CPU);
  enter.memory("i32.load", BUDGET);
  enter.set(1);
  enter.brIf(0);
  enter.end();
  runtime.enter.code = enter;
}

function setWord(code: Code, offset: number, push: () => void): void {
  code.get(CPU);
  push();
  code.memory("i32.store", offset);
}

/** Makes a synchronous exception pending, routed by the rules: its class and ISS. */
export function setException(code: Code, ec: () => void, iss: () => void): void {
  setWord(code, EXC_EC, ec);
  setWord(code, EXC_ISS, iss);
  setWord(code, EXC_TARGET, () => code.i32(0));
  setWord(code, EXC_STAGE2, () => code.i32(0));
  setWord(code, EXIT, () => code.i32(EXIT_EXCEPTION));
}

/** Sets PC and EXIT, and returns. */
function leaveAt(code: Code, budget: number, pc: () => void, reason: number): void {
  code.get(CPU);
  pc();
  code.memory("i64.store", PC);
  setWord(code, BUDGET, () => code.get(budget));
  setWord(code, EXIT, () => code.i32(reason));
  code.return();
}

function leaveIfSpent(code: Code, budget: number, pc: () => void): void {
  code.get(budget);
  code.i32(0);
  op(code, "i32.le_s");
  code.if();
  leaveAt(code, budget, pc, EXIT_BUDGET);
  code.end();
}

/** The record in the page at FETCH_BASE of the address whose low 32 bits `low` pushes. */
function pushRecord(code: Code, low: () => void): void {
  code.get(CPU);
  code.memory("i32.load", FETCH_BASE);
  low();
  code.i32(0xffc);
  op(code, "i32.and");
  code.i32(RECORD_SHIFT);
  op(code, "i32.shl");
  op(code, "i32.add");
}
