import type { SymbolFile } from "../profiling/symbolizer.ts";

/** What a trace can have lines of. */
export const TRACE_KINDS = ["exceptions", "traps", "tlb", "gic", "sysreg", "mmio"] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

/** Which events are traced. */
export interface TraceSelection {
  readonly kinds: ReadonlySet<TraceKind>;
  /** Only what happens at these exception levels; empty: at all. */
  readonly levels: ReadonlySet<number>;
  /** Only what these PEs do; empty: all. */
  readonly cpus: ReadonlySet<number>;
}

export interface TraceOptions extends TraceSelection {
  /** Names of the guest's functions. A Linux kernel's own are found in its memory, where no file has them. */
  readonly symbols: readonly SymbolFile[];
  /** Takes whole lines. What it throws, it throws out of the machine. */
  readonly write: (text: string) => void;
}
