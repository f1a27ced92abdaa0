// How long an input took: processor time, as a computer that does other things makes anything slow by the clock.

/** An input that takes more has a fault. */
export const SLOW_MILLISECONDS = 5000;

/** Of this thread, since some time in the past. */
export function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
