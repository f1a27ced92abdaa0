import { closeSync, openSync, readSync } from "node:fs";
import type { EntropySource } from "../../bus/device.ts";
import { entropy as webEntropy } from "../library/clocks.ts";

/** random(4), which needs none of the 6 ms that Node takes to load its Web Cryptography API; that is for hosts without such a file. */
const DEVICE = "/dev/urandom";

/** The host's cryptographic random numbers. */
export const entropy: EntropySource = {
  fill(into) {
    if (!readDevice(into)) webEntropy.fill(into);
  },
};

/** False: the device is not there, or did not give all. */
function readDevice(into: Uint8Array): boolean {
  let file: number;
  try {
    file = openSync(DEVICE, "r");
  } catch {
    return false;
  }
  try {
    for (let at = 0; at < into.length; ) {
      const read = readSync(file, into, at, into.length - at, null);
      if (read === 0) return false;
      at += read;
    }
    return true;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}
