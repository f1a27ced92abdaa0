import type { Connection } from "./connection.ts";

type ByGuestPort = Map<number, Connection>;

/** The connections of a device, by who is at the other end, its port, and the guest's. */
export class Connections {
  readonly #peers = new Map<number, Map<number, ByGuestPort>>();
  count = 0;

  find(cid: number, port: number, guestPort: number): Connection | undefined {
    return this.#peers.get(cid)?.get(port)?.get(guestPort);
  }

  /** One that is not there. */
  add(connection: Connection): void {
    const { cid, hostPort, guestPort } = connection;
    const ports = this.#peers.get(cid) ?? new Map<number, ByGuestPort>();
    this.#peers.set(cid, ports);
    const own = ports.get(hostPort) ?? new Map<number, Connection>();
    ports.set(hostPort, own);
    own.set(guestPort, connection);
    this.count++;
  }

  remove({ cid, hostPort, guestPort }: Connection): void {
    const ports = this.#peers.get(cid);
    const own = ports?.get(hostPort);
    if (own?.delete(guestPort)) this.count--;
    if (own?.size === 0) ports?.delete(hostPort);
    if (ports?.size === 0) this.#peers.delete(cid);
  }

  /** All of them, which are then not there any more. */
  clear(): Connection[] {
    const all = [...this.#peers.values()].flatMap((ports) => [...ports.values()].flatMap((own) => [...own.values()]));
    this.#peers.clear();
    this.count = 0;
    return all;
  }
}
