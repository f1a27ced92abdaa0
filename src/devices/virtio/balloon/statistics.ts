/** Statistics of a guest's memory (virtio 1.2, 5.5.6.4), each at the number of its tag. Those that are no counts are in bytes. */
export const STATISTICS = [
  "swap in",
  "swap out",
  "major faults",
  "minor faults",
  "free",
  "total",
  "available",
  "disk caches",
  "huge pages allocated",
  "huge pages failed",
] as const;

export type StatisticName = (typeof STATISTICS)[number];

/** Those that are counts. */
export const COUNTS: ReadonlySet<StatisticName> = new Set([
  "major faults",
  "minor faults",
  "huge pages allocated",
  "huge pages failed",
]);
