// Flags of V8 that are set while a program runs. V8 takes no code from a cache that was made under other flags, and the next program starts
// without these: what is kept for it is made as if they were not set (bin/atoll.js).

import { setFlagsFromString } from "node:v8";

/** What was set, and what sets it as it was. */
const changed = new Map<string, string>();

/** @param before the flag as it is by default */
export function setFlag(flag: string, before: string): void {
  changed.set(flag, before);
  setFlagsFromString(flag);
}

/** Does something at once under another flag. @param before the flag as it is by default, and now */
export function withFlag<T>(flag: string, before: string, action: () => T): T {
  setFlagsFromString(flag);
  try {
    return action();
  } finally {
    setFlagsFromString(before);
  }
}

/** Does something at once under the flags that the program was started with. */
export function withStartFlags<T>(action: () => T): T {
  for (const before of changed.values()) setFlagsFromString(before);
  try {
    return action();
  } finally {
    for (const flag of changed.keys()) setFlagsFromString(flag);
  }
}
