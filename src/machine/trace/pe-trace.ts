import { LINE_SERROR, LINE_VSERROR } from "../../cpu/interrupts.ts";
import type { PeObserver } from "../../cpu/pe-options.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { EL, EXC_STAGE2, PC, PSTATE_IL, SECURE, X } from "../../cpu/state-layout.ts";
import * as slots from "../../cpu/sysreg-layout.ts";
import { bits64 } from "../profiling/guest-view.ts";
import { controlsOf } from "./controls.ts";
import { ELR, ESR, INTERRUPTS } from "./exception-registers.ts";
import type { TraceKind } from "./options.ts";
import { classOf, EC, syndromeText, systemId, systemOperand } from "./syndrome.ts";
import type { Tracer } from "./tracer.ts";

// Of exception levels 0..3; 0 is never used.
const FAR = [0, slots.FAR_EL1, slots.FAR_EL2, slots.FAR_EL3] as const;
const SPSR = [0, slots.SPSR_EL1, slots.SPSR_EL2, slots.SPSR_EL3] as const;
const SCR_NS = 1;
const SPSR_IL = 1n << 20n;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Traces the exceptions of one PE. */
export class PeTrace implements PeObserver {
  alone = false;
  together = false;
  putOff = false;
  readonly #tracer: Tracer;
  readonly #index: number;
  readonly #state: PeState;

  constructor(tracer: Tracer, index: number) {
    this.#tracer = tracer;
    this.#index = index;
    this.#state = tracer.state(index);
  }

  taken(from: number, line: number): void {
    const s = this.#state;
    const target = s.word(EL);
    const esr = s.word(ESR[target] as number);
    const levels = `EL${from} -> EL${target}`;
    const kind = line === 0 && isTrap(esr, from, target) ? ("traps" as const) : ("exceptions" as const);
    if (kind === "traps" && this.#tracer.traces("traps")) {
      this.#at("traps", from, target, `${levels} ${this.#trapText(esr)}`);
      return;
    }
    const isFault = line === 0 && isTranslationFault(esr);
    const called = this.#tracer.kindOf("exceptions", ...(isFault ? (["tlb"] as const) : []));
    if (called === undefined) return;
    const vector = `vector 0x${(s.word(PC) & 0x7ff).toString(16)}`;
    const what = line === 0 ? this.#synchronousText(esr, target) : this.#interruptText(line, target);
    this.#at(called, from, target, `${levels} ${what}, ${vector}`);
  }

  returned(from: number): void {
    if (!this.#tracer.traces("exceptions")) return;
    const s = this.#state;
    const spsr = bits64(s, SPSR[from] as number);
    const how = s.word(PSTATE_IL) !== 0 && !(spsr & SPSR_IL) ? "illegal return" : "return";
    this.#tracer.atPc("exceptions", this.#index, `${how} EL${from} -> EL${s.word(EL)}, SPSR ${hex(spsr)}`);
  }

  /** At the preferred return address: of the instruction that was not done, or, for a call, of the next one. */
  #at(kind: TraceKind, from: number, target: number, text: string): void {
    const s = this.#state;
    const secure = from === 3 || (target === 3 ? !(s.word(slots.SCR_EL3) & SCR_NS) : s.word(SECURE) !== 0);
    this.#tracer.at(kind, this.#index, from, secure, bits64(s, ELR[target] as number), text);
  }

  #interruptText(line: number, target: number): string {
    const name = INTERRUPTS[line] ?? "interrupt";
    const hasSyndrome = line === LINE_SERROR || line === LINE_VSERROR;
    return hasSyndrome ? `${name}, ESR ${hex(bits64(this.#state, ESR[target] as number))}` : name;
  }

  #synchronousText(esr: number, target: number): string {
    const s = this.#state;
    const parts = [syndromeText(esr), `ESR ${hex(bits64(s, ESR[target] as number))}`];
    const pair = classOf(esr) & ~1;
    if (pair === EC.instructionAbort || pair === EC.dataAbort || pair === EC.watchpoint || pair === EC.pcAlignment) {
      parts.push(`FAR ${hex(bits64(s, FAR[target] as number))}`);
    }
    if (target === 2 && s.word(EXC_STAGE2)) {
      const hpfar = bits64(s, slots.HPFAR_EL2);
      parts.push(`HPFAR ${hex(hpfar)} (IPA ${hex((hpfar & 0xffff_ffff_fff0n) << 8n)})`);
    }
    return parts.join(", ");
  }

  /** What was trapped, with the value that it would have written, and what may have trapped it. */
  #trapText(esr: number): string {
    const text = syndromeText(esr).replace(/^[^:]*: (?=[A-Z])/, "");
    if (classOf(esr) !== EC.system) return `${text}, ESR ${hex(BigInt(esr >>> 0))}`;
    const iss = esr & 0x1ffffff;
    const { rt, isRead } = systemOperand(iss);
    const value = isRead && rt !== 31 ? ` = ${hex(bits64(this.#state, X + 8 * rt))}` : "";
    const controls = controlsOf(systemId(iss), this.#state.word(EL));
    return `${text}${value}${controls === "" ? "" : `, by ${controls}`}`;
  }
}

/** A control bit of a higher exception level's stopped the instruction. An SMC at EL2 is a trap (HCR_EL2.TSC), at EL3 a call. */
function isTrap(esr: number, from: number, target: number): boolean {
  if (target < 2 || from > target) return false;
  switch (classOf(esr)) {
    case EC.wfx:
    case EC.fp:
    case EC.pauth:
    case EC.system:
    case EC.sve:
    case EC.eret:
      return true;
    case EC.smc:
      return target === 2;
    default:
      return false;
  }
}

/** A walk did not find a translation that allows the access. */
function isTranslationFault(esr: number): boolean {
  const pair = classOf(esr) & ~1;
  const status = esr & 0x3f;
  return (pair === EC.instructionAbort || pair === EC.dataAbort) && (status < 0x10 || (status & 0x3c) === 0x14);
}
