import { endsOf } from "./icmp.ts";
import type { Outbox } from "./outbox.ts";
import type { Packet } from "./packet.ts";
import type { NetworkHost } from "./ports.ts";
import { datagramPayload, writeDatagram } from "./udp.ts";

export const DNS_PORT = 53;
const HEADER_BYTES = 12;
const QUERIES_MAX = 128;
const RESPONSE = 0x80;
const RECURSION_AVAILABLE = 0x80;
const SERVER_FAILURE = 2;

/** Passes queries (RFC 1035) on to the host's resolver. */
export class DnsProxy {
  readonly #outbox: Outbox;
  readonly #host: NetworkHost;
  readonly #wake: () => void;
  #queries = 0;

  constructor(outbox: Outbox, host: NetworkHost, wake: () => void) {
    this.#outbox = outbox;
    this.#host = host;
    this.#wake = wake;
  }

  /** A datagram to the name server's port. */
  receive(packet: Packet): void {
    const query = datagramPayload(packet).slice();
    if (query.length < HEADER_BYTES || (query[2] as number) & RESPONSE || this.#queries >= QUERIES_MAX) return;
    const ends = endsOf(packet);
    const port = packet.view.getUint16(packet.payload);
    this.#queries++;
    this.#host.resolve(query, (answer) => {
      this.#queries--;
      const bytes = answer ?? failure(query);
      this.#outbox.write((frame) => writeDatagram(frame, ends, DNS_PORT, port, bytes));
      this.#wake();
    });
  }
}

/** The query with SERVFAIL. */
function failure(query: Uint8Array): Uint8Array {
  const answer = query.slice();
  answer[2] = (query[2] as number) | RESPONSE;
  answer[3] = RECURSION_AVAILABLE | SERVER_FAILURE;
  return answer;
}
