import { type Fields, hex, type Saved } from "../../snapshot/fields.ts";
import type { Outbox } from "../outbox.ts";
import { TCP } from "../packet.ts";
import { type Ends, leaveChecksum, writeIp } from "../writer.ts";
import { ACK, RST, TCP_BYTES, TCP_CHECKSUM } from "./header.ts";

const MAC_BYTES = 6;
const PORT_MAX = 0xffff;

/** A connection that the guest has and nobody else: the host's end did not come along when the guest was restored. */
export interface Orphan extends Ends {
  readonly guestPort: number;
  readonly peerPort: number;
  /** What the guest should expect next of its peer, and what it is to send next. */
  readonly sequence: number;
  readonly expected: number;
}

/** As a snapshot has it. */
export function saveOrphan({ mac, guest, peer, guestPort, peerPort, sequence, expected }: Orphan): Saved {
  const ends = { mac: hex(mac), guest: hex(guest), peer: hex(peer), guestPort, peerPort };
  return { ...ends, sequence: sequence >>> 0, expected: expected >>> 0 };
}

function readOrphan(state: Fields): Orphan {
  const guest = state.bytes("guest", 16, 4);
  const peer = state.bytes("peer", 16, 4);
  if (guest.length !== peer.length || (guest.length !== 4 && guest.length !== 16)) throw state.wrong("guest");
  return {
    ...{ guest, peer, mac: state.bytes("mac", MAC_BYTES, MAC_BYTES) },
    guestPort: state.whole("guestPort", PORT_MAX),
    peerPort: state.whole("peerPort", PORT_MAX),
    sequence: state.whole("sequence") | 0,
    expected: state.whole("expected") | 0,
  };
}

/** The orphans of a restored guest: each gets a reset, one after the other. */
export class Orphans {
  readonly #outbox: Outbox;
  #left: Orphan[] = [];

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get left(): readonly Orphan[] {
    return this.#left;
  }

  clear(): void {
    this.#left = [];
  }

  restore(states: readonly Fields[]): void {
    this.#left = states.map(readOrphan);
    this.#resetNext();
  }

  /**
   * RFC 5961, 3.2: the guest takes a reset whose sequence number it expects. Where something was lost on the way it acknowledges instead, and
   * the answer to that, as to any segment that fits no connection, is a reset which does.
   */
  #resetNext(): void {
    if (this.#left.length === 0) return;
    this.#outbox.write((frame) => {
      const orphan = this.#left.shift();
      if (orphan === undefined) return;
      const { view } = frame;
      const tcp = writeIp(frame, orphan, TCP, TCP_BYTES);
      view.setUint16(tcp, orphan.peerPort);
      view.setUint16(tcp + 2, orphan.guestPort);
      view.setInt32(tcp + 4, orphan.sequence);
      view.setInt32(tcp + 8, orphan.expected);
      view.setUint16(tcp + 12, (TCP_BYTES << 10) | RST | ACK);
      view.setUint16(tcp + 14, 0);
      view.setUint32(tcp + 16, 0);
      leaveChecksum(frame, tcp, TCP_CHECKSUM, TCP);
      this.#resetNext();
    });
  }
}
