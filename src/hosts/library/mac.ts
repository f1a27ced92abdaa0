import { DEFAULT_MAC } from "../../network/plan.ts";
import { entropy } from "./clocks.ts";

/** On a switch each machine has its own: three bytes of QEMU's range, and three by chance. */
export function randomMac(): Uint8Array {
  const mac = DEFAULT_MAC.slice();
  entropy.fill(mac.subarray(3));
  return mac;
}

/** The address that a definition gives, if it gives one. */
export function macOf({ mac }: { readonly mac?: string | undefined }): Uint8Array | undefined {
  return mac === undefined ? undefined : Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16));
}

/** An address as definitions have it. */
export function macText(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
