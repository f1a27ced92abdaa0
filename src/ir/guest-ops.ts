// The operations of the IR that touch the guest: its registers, its memory, the ways out. With their effects as columns,
// so that every pass asks the table and none lists opcodes.

export interface Effects {
  /** Reads guest registers or flags. */
  readonly reads?: true;
  /** Writes guest registers or flags: must not be dropped unless overwritten before any op that may leave. */
  readonly writes?: true;
  /** May leave the instruction with the state as it was before it. Everything with `writes` must come after it. */
  readonly mayFault?: true;
  /** Reads or writes guest memory. */
  readonly memory?: true;
  /** Ends the basic block. */
  readonly ends?: true;
}

/**
 * Row: result type ("" for none), argument types, effects. Attributes (Inst.attrs) are listed in the comment.
 */
export const GUEST_OPS = {
  // Constants and operands. attrs: {lo, hi} / {bytes: 16 numbers} / {operand}
  const: ["any", "", {}],
  operand: ["any", "", {}],
  // Registers. attrs: {reg}. Slots as in cpu/state-layout.ts.
  getX: ["i64", "", { reads: true }],
  setX: ["", "i64", { writes: true }],
  getV: ["v128", "", { reads: true }],
  setV: ["", "v128", { writes: true }],
  // Address of this instruction.
  pc: ["i64", "", {}],
  // A 32-bit word of the PE's block, by offset. attrs: {offset}. Only for state that the running code may read or write itself.
  getWord: ["i32", "", { reads: true }],
  setWord: ["", "i32", { writes: true }],
  // A 64-bit slot of the PE's block (a system register without side effects), by offset operand.
  getSlot: ["i64", "i32", { reads: true }],
  setSlot: ["", "i32 i64", { writes: true }],
  // Flags. attrs: {bits: 32 | 64}. Flag producers keep their operands, so that a later `cond` can compare them directly.
  flagsAdd: ["", "any any", { writes: true }],
  flagsSub: ["", "any any", { writes: true }],
  flagsLogic: ["", "any", { writes: true }],
  flagsAdc: ["", "any any i32", { writes: true }],
  // NZCV of FPCompare(). attrs: {bits}. Operands as bit patterns, then signalAllNaNs. Sets FPSR, too: needed even if no flag is.
  flagsFloat: ["", "any any i32", { writes: true }],
  // NZCV as an i32 in bits 31:28.
  getNZCV: ["i32", "", { reads: true }],
  setNZCV: ["", "i32", { writes: true }],
  getC: ["i32", "", { reads: true }],
  // ConditionHolds. attrs: {cond: 0..15}. 0 or 1.
  cond: ["i32", "", { reads: true }],
  select: ["any", "any any i32", {}],
  shuffle: ["v128", "v128 v128", {}],
  lane: ["any", "any", {}],
  // Memory. attrs: {bytes, align, acc}. Little-endian. `acc` is a bit set of the ACC_* flags. A vector may be of 4 or 8 bytes, too: its
  // low part, with zeros above.
  load: ["any", "i64", { memory: true, mayFault: true }],
  // The second value of a load of a pair (attrs.pair): its first is the load's own. One access, but two loads of the host's, because a load
  // that spans two stores waits until both are in its cache.
  second: ["i64", "i64", {}],
  // With a third argument, two doublewords next to each other, as one access.
  store: ["", "i64 any *", { memory: true, mayFault: true }],
  // Makes sure that a following store of `bytes` cannot fault. attrs: {bytes, align, acc}
  probeWrite: ["", "i64", { mayFault: true }],
  // Calls. attrs: {name}. The callee and its effects are a row of ir/helpers.ts.
  call: ["any", "*", {}],
  // Structured control flow inside an instruction, for effects only (values go through `select` or registers).
  if: ["", "i32", {}],
  else: ["", "", {}],
  end: ["", "", {}],
  // Leaves with the UNDEFINED exception if the condition holds. attrs: {ec, iss}: another class.
  trapIf: ["", "i32", { mayFault: true }],
  // Ends.
  // attrs: {}: to PC + arg (bytes, i32).
  branch: ["", "i32", { ends: true }],
  // to PC + arg1 if arg0.
  branchIf: ["", "i32 i32", { ends: true }],
  // attrs: {btype, kind: "jump" | "call" | "return"}
  branchTo: ["", "i64", { ends: true }],
  // A synchronous exception at this instruction (ELR = its address). attrs: {ec}; arg: ISS. `after`: ELR = the next address.
  exception: ["", "i32", { ends: true }],
  // The host executes this instruction: saves PC, calls the named host helper with up to four i32 arguments, returns to the dispatcher.
  // The helper advances PC itself (or takes an exception). attrs: {name}
  host: ["", "*", { ends: true }],
  // The host executes this instruction in place of what follows if arg0 is not zero. Comes before any write. attrs: {name}
  hostIf: ["", "i32 *", { mayFault: true }],
} as const satisfies Record<string, readonly [string, string, Effects]>;

/** Access as EL0 would (LDTR, STTR). */
export const ACC_UNPRIV = 1;
/** A load that is followed by a store to the same place: needs write permission, too. */
export const ACC_RMW = 2;
/** Must be naturally aligned for `align` bytes whatever SCTLR_ELx.A says (exclusive, atomic, ordered accesses). */
export const ACC_ALIGNED = 4;
