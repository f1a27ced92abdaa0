import type { AddressInfo, Server } from "node:net";

/** The port that a server of this computer's listens at, one that was free. */
export function listening(server: Server, host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)));
}
