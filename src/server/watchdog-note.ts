import type { WatchdogAction } from "../contract/limits.ts";

/** What a console shows of its guest's watchdog when that expired. */
export function watchdogNote(action: WatchdogAction): string {
  return `\r\n[atoll: the watchdog expired: ${action}]\r\n`;
}
