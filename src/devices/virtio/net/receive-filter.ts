import { type Fields, hex, type Saved } from "../../../snapshot/fields.ts";

/** Entries of the table that a driver sets; of a longer one, all frames of its kind pass (virtio 1.2, 5.1.6.5.2). */
const TABLE_MAX = 64;
const MAC_BYTES = 6;

/** Which frames reach the driver (virtio 1.2, 5.1.6.5.1 and 5.1.6.5.2). */
export class ReceiveFilter {
  readonly mac = new Uint8Array(MAC_BYTES);
  promiscuous = true;
  allMulticast = false;
  allUnicast = false;
  noMulticast = false;
  noUnicast = false;
  noBroadcast = false;
  #unicast: readonly Uint8Array[] = [];
  #multicast: readonly Uint8Array[] = [];
  #tableOverflow = { unicast: false, multicast: false };

  /** As after a reset: a driver that knows nothing of filters gets everything. */
  reset(mac: Uint8Array): void {
    this.mac.set(mac);
    this.promiscuous = true;
    this.allMulticast = this.allUnicast = this.noMulticast = this.noUnicast = this.noBroadcast = false;
    this.#unicast = this.#multicast = [];
    this.#tableOverflow = { unicast: false, multicast: false };
  }

  save(): Saved {
    const { promiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast } = this;
    return {
      ...{ promiscuous, allMulticast, allUnicast, noMulticast, noUnicast, noBroadcast },
      mac: hex(this.mac),
      unicast: this.#unicast.map(hex),
      multicast: this.#multicast.map(hex),
      unicastOverflow: this.#tableOverflow.unicast,
      multicastOverflow: this.#tableOverflow.multicast,
    };
  }

  restore(state: Fields): void {
    this.mac.set(state.bytes("mac", MAC_BYTES, MAC_BYTES));
    this.promiscuous = state.flag("promiscuous");
    this.allMulticast = state.flag("allMulticast");
    this.allUnicast = state.flag("allUnicast");
    this.noMulticast = state.flag("noMulticast");
    this.noUnicast = state.flag("noUnicast");
    this.noBroadcast = state.flag("noBroadcast");
    this.#unicast = state.hexes("unicast", TABLE_MAX, MAC_BYTES);
    this.#multicast = state.hexes("multicast", TABLE_MAX, MAC_BYTES);
    const flag = (name: string): boolean => state.flag(name);
    this.#tableOverflow = { unicast: flag("unicastOverflow"), multicast: flag("multicastOverflow") };
  }

  /** VIRTIO_NET_CTRL_MAC_TABLE_SET: two tables, each a number of entries and the entries. False when they are not all there. */
  setTables(data: Uint8Array): boolean {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const tables: Uint8Array[][] = [];
    const overflow: boolean[] = [];
    let at = 0;
    for (let table = 0; table < 2; table++) {
      if (at + 4 > data.length) return false;
      const count = view.getUint32(at, true);
      at += 4;
      if (count * MAC_BYTES > data.length - at) return false;
      overflow.push(count > TABLE_MAX);
      const entries: Uint8Array[] = [];
      for (let i = 0; i < Math.min(count, TABLE_MAX); i++) {
        entries.push(data.slice(at + i * MAC_BYTES, at + (i + 1) * MAC_BYTES));
      }
      tables.push(entries);
      at += count * MAC_BYTES;
    }
    this.#unicast = tables[0] as Uint8Array[];
    this.#multicast = tables[1] as Uint8Array[];
    this.#tableOverflow = { unicast: overflow[0] as boolean, multicast: overflow[1] as boolean };
    return true;
  }

  passes(frame: Uint8Array): boolean {
    if (this.promiscuous) return true;
    if ((frame[0] as number) & 1) {
      if (isBroadcast(frame)) return !this.noBroadcast;
      if (this.noMulticast) return false;
      return this.allMulticast || this.#tableOverflow.multicast || this.#multicast.some((mac) => isTo(frame, mac));
    }
    if (this.noUnicast) return false;
    if (this.allUnicast || this.#tableOverflow.unicast || isTo(frame, this.mac)) return true;
    return this.#unicast.some((mac) => isTo(frame, mac));
  }
}

function isTo(frame: Uint8Array, mac: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (frame[i] !== mac[i]) return false;
  return true;
}

function isBroadcast(frame: Uint8Array): boolean {
  for (let i = 0; i < MAC_BYTES; i++) if (frame[i] !== 0xff) return false;
  return true;
}
