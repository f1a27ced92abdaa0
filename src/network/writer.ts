// Headers of what the user-mode network sends to its guest.

import { checksum, fold, sumWords } from "./checksum.ts";
import { ETHERNET_BYTES, type Frame } from "./frame.ts";
import { ETHERTYPE_IP4, ETHERTYPE_IP6, IP6_BYTES } from "./packet.ts";
import { GATEWAY_MAC } from "./plan.ts";

const HOP_LIMIT = 64;

/** Numbers IPv4 packets, so that their fragments are told apart. */
let identification = 0;

/** Two ends of a conversation, as the guest sees them. Addresses have 4 or 16 bytes, both the same. */
export interface Ends {
  /** Of the station behind the link. */
  readonly mac: Uint8Array;
  readonly guest: Uint8Array;
  readonly peer: Uint8Array;
}

export function writeEthernet(frame: Frame, to: Uint8Array, type: number): void {
  frame.bytes.set(to, 0);
  frame.bytes.set(GATEWAY_MAC, 6);
  frame.view.setUint16(12, type);
}

/** Writes all headers up to that of `protocol`, for so many bytes of it. Returns where it starts; the frame is complete but for that. */
export function writeIp(
  frame: Frame,
  { mac, guest, peer }: Ends,
  protocol: number,
  bytes: number,
  hopLimit = HOP_LIMIT,
): number {
  const { view } = frame;
  const ip = ETHERNET_BYTES;
  if (guest.length === 4) {
    writeEthernet(frame, mac, ETHERTYPE_IP4);
    const end = ip + 20;
    view.setUint16(ip, 0x4500);
    view.setUint16(ip + 2, 20 + bytes);
    identification = (identification + 1) & 0xffff;
    view.setUint16(ip + 4, identification);
    view.setUint16(ip + 6, 0);
    view.setUint8(ip + 8, hopLimit);
    view.setUint8(ip + 9, protocol);
    view.setUint16(ip + 10, 0);
    frame.bytes.set(peer, ip + 12);
    frame.bytes.set(guest, ip + 16);
    view.setUint16(ip + 10, checksum(view, ip, end));
    frame.complete(end + bytes);
    return end;
  }
  writeEthernet(frame, mac, ETHERTYPE_IP6);
  view.setUint32(ip, 0x6000_0000);
  view.setUint16(ip + 4, bytes);
  view.setUint8(ip + 6, protocol);
  view.setUint8(ip + 7, hopLimit);
  frame.bytes.set(peer, ip + 8);
  frame.bytes.set(guest, ip + 24);
  frame.complete(ip + IP6_BYTES + bytes);
  return ip + IP6_BYTES;
}

/** Leaves the checksum at `start + offset` to the guest's driver, or to its device where the driver does not do that. */
export function leaveChecksum(frame: Frame, start: number, offset: number, protocol: number): void {
  frame.view.setUint16(start + offset, fold(pseudoSum(frame, start, protocol)));
  frame.checksumStart = start;
  frame.checksumOffset = offset;
}

/** Writes a checksum with the pseudo-header in it. The field holds 0. */
export function writeChecksum(frame: Frame, start: number, offset: number, protocol: number): void {
  const sum = checksum(frame.view, start, frame.length, pseudoSum(frame, start, protocol));
  frame.view.setUint16(start + offset, sum === 0 ? 0xffff : sum);
}

function pseudoSum({ view, length }: Frame, start: number, protocol: number): number {
  const addresses = view.getUint16(12) === ETHERTYPE_IP4 ? start - 8 : start - 32;
  return sumWords(view, addresses, start) + protocol + (length - start);
}
