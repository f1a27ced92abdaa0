import { sysregName } from "../../a64/system-names.ts";
import type { SystemRegisters } from "../../cpu/pe-options.ts";
import type { PeState } from "../../cpu/pe-state.ts";
import { EXIT, EXIT_EXCEPTION, X } from "../../cpu/state-layout.ts";
import { bits64 } from "../profiling/guest-view.ts";
import { gicAccessText } from "./gic-text.ts";
import type { TraceKind } from "./options.ts";
import { accessText } from "./syndrome.ts";
import { tlbiText } from "./tlb-text.ts";
import type { Tracer } from "./tracer.ts";

const SYSL = 0x10000;
/** TLBI is SYS with CRn = 8. */
const isTlbi = (id: number): boolean => ((id >> 7) & 0x1ff) === ((1 << 7) | 8 | (((id >> 11) & 7) << 4));
/** Registers that say which address space runs. */
const ADDRESS_SPACE = /^(V?S?TTBR[01]?_EL\d|CONTEXTIDR_EL\d)\d?$/;

/** System registers of one PE, each access of which makes a line. */
export class SysregTrace implements SystemRegisters {
  readonly #inner: SystemRegisters;
  readonly #tracer: Tracer;
  readonly #index: number;
  readonly #state: PeState;

  constructor(inner: SystemRegisters, tracer: Tracer, index: number) {
    this.#inner = inner;
    this.#tracer = tracer;
    this.#index = index;
    this.#state = tracer.state(index);
  }

  reset(): void {
    this.#inner.reset();
  }

  read(id: number, rt: number): boolean {
    const done = this.#inner.read(id, rt);
    this.#register(id, rt, false, rt === 31 ? undefined : bits64(this.#state, X + 8 * rt));
    return done;
  }

  write(id: number, rt: number): boolean {
    const value = this.#operand(rt);
    const done = this.#inner.write(id, rt);
    this.#register(id, rt, true, value);
    return done;
  }

  system(id: number, rt: number): boolean {
    const value = this.#operand(rt);
    const done = this.#inner.system(id, rt);
    const kind = this.#tracer.kindOf(...(isTlbi(id) ? (["tlb", "sysreg"] as const) : (["sysreg"] as const)));
    if (kind === undefined) return done;
    const text = accessText(id & 0xffff, rt, (id & SYSL) === 0);
    const operands = kind === "tlb" ? tlbiText(/^TLBI (\w+)/.exec(text)?.[1] ?? "", value) : "";
    this.#line(
      kind,
      `${text}${rt === 31 ? "" : ` = 0x${value.toString(16)}`}${operands === "" ? "" : `: ${operands}`}`,
    );
    return done;
  }

  #operand(rt: number): bigint {
    return rt === 31 ? 0n : bits64(this.#state, X + 8 * rt);
  }

  #register(id: number, rt: number, write: boolean, value: bigint | undefined): void {
    const name = sysregName(id).toUpperCase();
    const special: TraceKind[] = /^IC[CHV]_/.test(name) ? ["gic"] : write && ADDRESS_SPACE.test(name) ? ["tlb"] : [];
    const kind = this.#tracer.kindOf(...special, "sysreg");
    if (kind === undefined) return;
    const meaning = kind === "gic" && value !== undefined && !this.#failed ? gicAccessText(name, write, value) : "";
    const shown = value === undefined || (!write && this.#failed) ? "" : ` = 0x${value.toString(16)}`;
    this.#line(kind, `${accessText(id, rt, write)}${shown}${meaning === "" ? "" : `: ${meaning}`}`);
  }

  get #failed(): boolean {
    return this.#state.word(EXIT) === EXIT_EXCEPTION;
  }

  #line(kind: TraceKind, text: string): void {
    this.#tracer.atPc(kind, this.#index, this.#failed ? `${text}, not done` : text);
  }
}
