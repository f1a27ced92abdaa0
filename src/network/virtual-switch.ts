import type { NetworkLink } from "./link.ts";
import { MessageLink } from "./message-link.ts";
import { SwitchHub, type SwitchPort } from "./switch-hub.ts";

export interface PortOptions {
  /** The interface's address. */
  readonly mac: Uint8Array;
  /** It may send from other addresses, too: a bridge or router of its own. */
  readonly anyMac: boolean;
  /** See SwitchPort. */
  readonly isolation?: string | undefined;
  /** Called when a frame has come. */
  readonly wake: () => void;
}

/** An interface's place on a switch. */
export interface VirtualPort {
  readonly link: NetworkLink;
  /** Frames that were from an address which is not the port's: they went nowhere. */
  readonly spoofed: number;
  close(): void;
}

/** A switch in this process. Frames that a station has no time for are lost, from 4 MiB on that wait. */
export class VirtualSwitch {
  readonly #hub = new SwitchHub();

  /** Undefined: another port has that address. */
  connect({ mac, anyMac, isolation, wake }: PortOptions): VirtualPort | undefined {
    const hub = this.#hub;
    let spoofed = 0;
    const send = (message: Uint8Array<ArrayBuffer>): void => {
      if (!hub.forward(message, port)) spoofed++;
    };
    const link = new MessageLink(mac, send, wake);
    const port: SwitchPort = {
      deliver: (message) => link.deliver(message),
      mac: anyMac ? undefined : mac,
      isolation,
    };
    if (!hub.add(port)) return undefined;
    return {
      link,
      get spoofed() {
        return spoofed;
      },
      close: () => hub.remove(port),
    };
  }
}
