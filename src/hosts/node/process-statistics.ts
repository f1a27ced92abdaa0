import { resourceUsage } from "node:process";
import type { Statistic } from "../../machine/runnable.ts";

/** What this process has taken of the host: getrusage(2). */
export function processStatistics(): Statistic[] {
  const { userCPUTime, systemCPUTime, maxRSS } = resourceUsage();
  const time = (name: string, microseconds: number): Statistic => ({
    ...{ section: "host", name, value: microseconds / 1e6 },
    unit: "seconds",
  });
  return [
    time("user CPU time", userCPUTime),
    time("system CPU time", systemCPUTime),
    { section: "host", name: "largest resident set", value: maxRSS * 1024, unit: "bytes" },
  ];
}
