// Counters of a machine, for people.

import type { PeState } from "../cpu/pe-state.ts";
import {
  COUNT_DATA_MISSES,
  COUNT_EXCEPTIONS,
  COUNT_FETCH_MISSES,
  COUNT_FIQ,
  COUNT_IRQ,
  COUNT_SERROR,
  COUNT_TRANSLATED,
  COUNT_WALKS,
  INSTRUCTIONS,
} from "../cpu/state-layout.ts";
import type { EngineStats } from "../engine/engine.ts";
import type { Statistic } from "./runnable.ts";

/** Exception classes (Arm ARM D19.2.37, ESR_EL1.EC). Classes without a name are shown by number. */
const CLASSES: Readonly<Record<number, string>> = {
  0: "unknown reason",
  1: "WFI, WFE",
  7: "SVE, SIMD, FP access",
  9: "pointer authentication",
  13: "branch target",
  14: "illegal execution state",
  21: "SVC",
  22: "HVC",
  23: "SMC",
  24: "system register",
  32: "instruction abort, lower EL",
  33: "instruction abort, same EL",
  34: "PC alignment",
  36: "data abort, lower EL",
  37: "data abort, same EL",
  38: "SP alignment",
  47: "SError",
  48: "breakpoint, lower EL",
  49: "breakpoint, same EL",
  50: "software step, lower EL",
  51: "software step, same EL",
  52: "watchpoint, lower EL",
  53: "watchpoint, same EL",
  60: "BRK",
};
const CLASS_COUNT = 64;

export interface StatisticsInput {
  readonly states: readonly PeState[];
  readonly engine: EngineStats;
  /** What answers on the bus, and how often it was asked. */
  readonly windows: readonly { readonly name: string; readonly accesses: number }[];
  /** Nanoseconds since power-on, and those of them in which the machine ran. */
  readonly elapsed: number;
  readonly running: number;
  /** Nanoseconds by tier, where samples were taken. */
  readonly tiers: { readonly interpreted: number; readonly translated: number } | undefined;
}

/** What counters say since power-on, of all PEs together. */
export function statisticsOf({ states, engine, windows, elapsed, running, tiers }: StatisticsInput): Statistic[] {
  const sum = (offset: number): number => states.reduce((total, state) => total + state.number(offset), 0);
  const count = (section: string, name: string, value: number): Statistic => ({ section, name, value, unit: "count" });
  const time = (name: string, nanoseconds: number): Statistic => ({
    ...{ section: "time", name, value: nanoseconds / 1e9 },
    unit: "seconds",
  });
  const instructions = sum(INSTRUCTIONS);
  const translated = sum(COUNT_TRANSLATED);
  const exceptions = Array.from({ length: CLASS_COUNT }, (_, ec) =>
    count("exceptions", CLASSES[ec] ?? `class 0x${ec.toString(16)}`, sum(COUNT_EXCEPTIONS + 8 * ec)),
  );
  return [
    time("since power-on", elapsed),
    time("running", running),
    ...(tiers ? [time("interpreter", tiers.interpreted), time("translated code", tiers.translated)] : []),
    time("translation", engine.translationMilliseconds * 1e6),
    time("translation in its own thread", engine.otherThreadMilliseconds * 1e6),
    count("instructions", "all", instructions),
    ...states.map((state, index) => count("instructions", `CPU ${index}`, state.number(INSTRUCTIONS))),
    ...(tiers
      ? [
          count("instructions", "interpreted", Math.max(0, instructions - translated)),
          count("instructions", "translated", translated),
        ]
      : []),
    count("instructions", "decoded", engine.decodedInstructions),
    count("memory", "data TLB misses", sum(COUNT_DATA_MISSES)),
    count("memory", "instruction TLB misses", sum(COUNT_FETCH_MISSES)),
    count("memory", "table walks", sum(COUNT_WALKS)),
    count("exceptions", "IRQ", sum(COUNT_IRQ)),
    count("exceptions", "FIQ", sum(COUNT_FIQ)),
    count("exceptions", "SError", sum(COUNT_SERROR)),
    ...exceptions.filter(({ value }) => value > 0),
    ...[...accessesByDevice(windows)].map(([name, accesses]) => count("device accesses", name, accesses)),
    count("code cache", "regions compiled", engine.regions),
    count("code cache", "regions of earlier runs", engine.keptRegions),
    count("code cache", "regions dropped", engine.regionsDropped),
    count("code cache", "regions held", engine.regions - engine.regionsDropped),
    count("code cache", "instructions translated", engine.translatedInstructions),
    { section: "code cache", name: "size", value: engine.translatedBytes - engine.droppedBytes, unit: "bytes" },
    count("code cache", "evictions of decoded pages", engine.evictions),
  ];
}

/** Devices that guests have accessed, those of one kind (name.0, name.1) together. */
function accessesByDevice(windows: StatisticsInput["windows"]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, accesses } of windows) {
    const kind = name.replace(/\.\d+$/, "");
    if (accesses > 0) sums.set(kind, (sums.get(kind) ?? 0) + accesses);
  }
  return sums;
}

const FORMATS: Readonly<Record<Statistic["unit"], (value: number) => string>> = {
  count: (value) => String(Math.round(value)),
  seconds: (value) => `${value.toFixed(3)} s`,
  bytes: (value) => (value < 10 * 1024 ** 2 ? `${Math.ceil(value / 1024)} KiB` : `${Math.ceil(value / 1024 ** 2)} MiB`),
};

/** Sections with one counter a line. */
export function formatStatistics(statistics: readonly Statistic[]): string {
  const lines: string[] = [];
  for (const section of new Set(statistics.map((s) => s.section))) {
    lines.push(section);
    for (const { name, value, unit } of statistics.filter((s) => s.section === section)) {
      lines.push(`  ${name.padEnd(32)}${FORMATS[unit](value).padStart(18)}`);
    }
  }
  return lines.join("\n");
}
