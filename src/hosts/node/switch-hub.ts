import { DESTINATION, MAC_BYTES, SOURCE } from "./switch-wire.ts";

/** Addresses that are remembered. */
const ADDRESSES_MAX = 4096;

/** Where a machine is connected. */
export interface SwitchPort {
  /** A message for it; it may be lost. */
  deliver(message: Buffer): void;
}

/** A switch that learns which address is behind which port (IEEE 802.1D, 7.8 and 7.9). */
export class SwitchHub {
  readonly #ports = new Set<SwitchPort>();
  readonly #addresses = new Map<string, SwitchPort>();

  add(port: SwitchPort): void {
    this.#ports.add(port);
  }

  remove(port: SwitchPort): void {
    this.#ports.delete(port);
    for (const [address, at] of this.#addresses) if (at === port) this.#addresses.delete(address);
  }

  forward(message: Buffer, from: SwitchPort): void {
    if (message.length < SOURCE + MAC_BYTES) return;
    if (((message[SOURCE] as number) & 1) === 0) this.#learn(addressAt(message, SOURCE), from);
    const group = ((message[DESTINATION] as number) & 1) !== 0;
    const known = group ? undefined : this.#addresses.get(addressAt(message, DESTINATION));
    if (known === from) return;
    if (known !== undefined) known.deliver(message);
    else for (const port of this.#ports) if (port !== from) port.deliver(message);
  }

  #learn(address: string, port: SwitchPort): void {
    if (this.#addresses.get(address) === port) return;
    this.#addresses.delete(address);
    this.#addresses.set(address, port);
    const oldest = this.#addresses.size > ADDRESSES_MAX ? this.#addresses.keys().next().value : undefined;
    if (oldest !== undefined) this.#addresses.delete(oldest);
  }
}

function addressAt(message: Buffer, at: number): string {
  return message.toString("latin1", at, at + MAC_BYTES);
}
