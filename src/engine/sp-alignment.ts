import { SLOT_SP } from "../cpu/state-layout.ts";
import { EC_SP_ALIGNMENT } from "../cpu/syndrome.ts";
import type { Inst, Value } from "../ir/builder.ts";
import type { Block } from "./region.ts";
import type { Structure } from "./structure.ts";

// CheckSPAlignment() once, and again only where SP has become something unknown: a quarter of a function's accesses are off SP.

const isCheck = (inst: Inst): boolean => inst.op === "trapIf" && inst.attrs.ec === EC_SP_ALIGNMENT;

/** Is a value SP plus or minus a multiple of 16? */
function isAligned({ inst }: Value): boolean {
  if (inst.op === "getX") return inst.attrs.reg?.slot === SLOT_SP;
  if (inst.op !== "i64.add" && inst.op !== "i64.sub") return false;
  const [a, b] = inst.args as readonly [Value, Value];
  return b.inst.op === "const" && ((b.inst.attrs.lo as number) & 15) === 0 && isAligned(a);
}

/** Whether SP is known to pass the check after an instruction, if that was known before or not. */
export function checkedAfter(ir: readonly Inst[], before: boolean): boolean {
  let checked = before;
  for (const inst of ir) {
    if (isCheck(inst)) checked = true;
    else if (inst.op === "setX" && inst.attrs.reg?.slot === SLOT_SP && !isAligned(inst.args[0] as Value))
      checked = false;
  }
  return checked;
}

/** An instruction without the check, where SP is known to pass it. */
export function withoutCheck(ir: readonly Inst[]): readonly Inst[] {
  return ir.some(isCheck) ? ir.filter((inst) => !isCheck(inst)) : ir;
}

/** By block: does SP pass the check at its start, whichever way leads there? */
export function checkedBefore(blocks: readonly Block[], { order }: Structure): readonly boolean[] {
  const before = blocks.map((_, n) => n !== 0);
  const effect = ({ insns }: Block, known: boolean): boolean =>
    insns.reduce((checked, { ir }) => checkedAfter(ir, checked), known);
  const after = blocks.map((block) => ({ known: effect(block, true), unknown: effect(block, false) }));
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order) {
      const passes = after[n]?.[before[n] ? "known" : "unknown"];
      for (const s of (blocks[n] as Block).successors) {
        if (s < 0 || passes || !before[s]) continue;
        before[s] = false;
        changed = true;
      }
    }
  }
  return before;
}
