import { HEADER_BYTES } from "./frame-message.ts";

/** Addresses that are remembered. */
const ADDRESSES_MAX = 4096;

/** Of a message of frame-message.ts: the addresses of its frame. */
const DESTINATION = HEADER_BYTES;
const SOURCE = HEADER_BYTES + 6;
const MAC_BYTES = 6;
/** Of an address' first byte: it is a group's. */
const GROUP = 1;

/** Where a machine is connected. */
export interface SwitchPort {
  /** A message for it, which others have, too; it may be lost. */
  deliver(message: Uint8Array): void;
  /** The one address that it may send from; absent: it may send from any, which the switch learns. */
  readonly mac?: Uint8Array | undefined;
  /** Ports of one isolation group do not reach each other (as a private VLAN's isolated ports). */
  readonly isolation?: string | undefined;
}

/**
 * A switch that learns which address is behind which port (IEEE 802.1D, 7.8 and 7.9). Frames are messages of frame-message.ts. The address
 * of a port that has one is known from the start: nobody else can have its frames by sending from that address.
 */
export class SwitchHub {
  readonly #ports = new Set<SwitchPort>();
  readonly #fixed = new Map<number, SwitchPort>();
  readonly #learned = new Map<number, SwitchPort>();

  /** False: another port has that address. */
  add(port: SwitchPort): boolean {
    if (port.mac !== undefined) {
      const address = addressAt(port.mac, 0);
      if (this.#fixed.has(address)) return false;
      this.#fixed.set(address, port);
      this.#learned.delete(address);
    }
    this.#ports.add(port);
    return true;
  }

  remove(port: SwitchPort): void {
    this.#ports.delete(port);
    for (const addresses of [this.#fixed, this.#learned])
      for (const [address, at] of addresses) if (at === port) addresses.delete(address);
  }

  /** False: it is from an address that is not the port's, and went nowhere. */
  forward(message: Uint8Array, from: SwitchPort): boolean {
    if (message.length < SOURCE + MAC_BYTES) return true;
    const source = addressAt(message, SOURCE);
    if (from.mac !== undefined) {
      if (this.#fixed.get(source) !== from) return false;
    } else if (((message[SOURCE] as number) & GROUP) === 0 && !this.#fixed.has(source)) this.#learn(source, from);
    const destination = addressAt(message, DESTINATION);
    const known = this.#fixed.get(destination) ?? this.#learned.get(destination);
    if (((message[DESTINATION] as number) & GROUP) !== 0) {
      for (const port of this.#ports) if (reaches(from, port)) port.deliver(message);
    } else if (known !== undefined) {
      if (reaches(from, known)) known.deliver(message);
    } else {
      // Behind a port with an address of its own is nobody else.
      for (const port of this.#ports) if (port.mac === undefined && reaches(from, port)) port.deliver(message);
    }
    return true;
  }

  #learn(address: number, port: SwitchPort): void {
    if (this.#learned.get(address) === port) return;
    this.#learned.delete(address);
    this.#learned.set(address, port);
    const oldest = this.#learned.size > ADDRESSES_MAX ? this.#learned.keys().next().value : undefined;
    if (oldest !== undefined) this.#learned.delete(oldest);
  }
}

function reaches(from: SwitchPort, to: SwitchPort): boolean {
  return from !== to && (from.isolation === undefined || from.isolation !== to.isolation);
}

function addressAt(bytes: Uint8Array, at: number): number {
  let address = 0;
  for (let i = 0; i < MAC_BYTES; i++) address = address * 256 + (bytes[at + i] as number);
  return address;
}
