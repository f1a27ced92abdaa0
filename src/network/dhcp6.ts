// Stateless DHCPv6 (RFC 8415, 18.3.6): the name server, for who does not read it in router advertisements.

import { endsOf } from "./icmp.ts";
import type { Outbox } from "./outbox.ts";
import type { Packet } from "./packet.ts";
import { DNS6, GATEWAY_MAC, ROUTER6 } from "./plan.ts";
import { datagramPayload, writeDatagram } from "./udp.ts";

export const DHCP6_SERVER_PORT = 547;
const CLIENT_PORT = 546;
const INFORMATION_REQUEST = 11;
const REPLY = 7;
const CLIENT_ID = 1;
const SERVER_ID = 2;
const NAME_SERVERS = 23;
/** A DUID has 130 bytes at most (RFC 8415, 11.1). */
const CLIENT_ID_MAX = 130;

/** Answers a datagram to DHCP6_SERVER_PORT. */
export function answerDhcp6(packet: Packet, outbox: Outbox): void {
  const request = datagramPayload(packet);
  if (request.length < 4 || request[0] !== INFORMATION_REQUEST) return;
  const client = optionOf(request, CLIENT_ID);
  const reply: number[] = [REPLY, ...request.subarray(1, 4)];
  const option = (code: number, value: Uint8Array): void => {
    reply.push(code >> 8, code & 0xff, value.length >> 8, value.length & 0xff, ...value);
  };
  if (client !== undefined && client.length <= CLIENT_ID_MAX) option(CLIENT_ID, client);
  // A DUID of the link-layer address alone, of Ethernet.
  option(SERVER_ID, Uint8Array.of(0, 3, 0, 1, ...GATEWAY_MAC));
  option(NAME_SERVERS, DNS6);
  const bytes = Uint8Array.from(reply);
  const { mac, guest } = endsOf(packet);
  outbox.write((frame) => writeDatagram(frame, { mac, guest, peer: ROUTER6 }, DHCP6_SERVER_PORT, CLIENT_PORT, bytes));
}

function optionOf(message: Uint8Array, wanted: number): Uint8Array | undefined {
  for (let at = 4; at + 4 <= message.length; ) {
    const code = ((message[at] as number) << 8) | (message[at + 1] as number);
    const length = ((message[at + 2] as number) << 8) | (message[at + 3] as number);
    if (at + 4 + length > message.length) return undefined;
    if (code === wanted) return message.slice(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}
