// The addresses of the user-mode network: those that QEMU's has, so that what was written for it works.

import { address, formatAddress, isAddress } from "./address.ts";

export const GATEWAY_MAC = Uint8Array.of(0x52, 0x55, 0x0a, 0x00, 0x02, 0x02);
/** What QEMU gives to a machine's first interface. */
export const DEFAULT_MAC = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);
export const BROADCAST_MAC = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

export const NETWORK4 = address("10.0.2.0");
export const NETMASK4 = address("255.255.255.0");
export const GATEWAY4 = address("10.0.2.2");
export const DNS4 = address("10.0.2.3");
/** The first address that DHCP gives; the guest's. */
export const GUEST4 = address("10.0.2.15");
export const BROADCAST4 = address("255.255.255.255");

/** fec0::/64. */
export const PREFIX6 = address("fec0::");
export const PREFIX6_BYTES = 8;
export const GATEWAY6 = address("fec0::2");
export const DNS6 = address("fec0::3");
/** The router's own address on the link. */
export const ROUTER6 = address("fe80::2");
export const ALL_NODES6 = address("ff02::1");

/** What an address that the guest sends to stands for. */
export type Destination = { readonly kind: "host"; readonly address: string } | { readonly kind: "dns" } | undefined;

const LOOPBACK4: Destination = { kind: "host", address: "127.0.0.1" };
const LOOPBACK6: Destination = { kind: "host", address: "::1" };
const DNS: Destination = { kind: "dns" };

/** The gateway is the host's loopback interface; addresses that are nobody's out there, or of this network, are undefined. */
export function destinationOf(bytes: Uint8Array, at: number, length: 4 | 16): Destination {
  if (length === 4) {
    if (isAddress(bytes, at, GATEWAY4)) return LOOPBACK4;
    if (isAddress(bytes, at, DNS4)) return DNS;
    const first = bytes[at] as number;
    if (first === 0 || first === 127 || first >= 224 || isAddress(bytes, at, NETWORK4.subarray(0, 3))) return undefined;
  } else {
    if (isAddress(bytes, at, GATEWAY6) || isAddress(bytes, at, ROUTER6)) return LOOPBACK6;
    if (isAddress(bytes, at, DNS6)) return DNS;
    // Global unicast (2000::/3) and unique local addresses (fc00::/7) are others'.
    const first = bytes[at] as number;
    if ((first & 0xe0) !== 0x20 && (first & 0xfe) !== 0xfc) return undefined;
  }
  return { kind: "host", address: formatAddress(bytes, at, length) };
}

/** Whether an address is one that this network answers for. */
export function isOurs(bytes: Uint8Array, at: number, length: 4 | 16): boolean {
  return length === 4
    ? isAddress(bytes, at, GATEWAY4) || isAddress(bytes, at, DNS4)
    : isAddress(bytes, at, GATEWAY6) || isAddress(bytes, at, DNS6) || isAddress(bytes, at, ROUTER6);
}
