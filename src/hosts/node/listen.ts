import type { Server } from "node:net";
import { BadInput } from "../../machine/runnable.ts";
import { reasonOf } from "./files.ts";

/** Where something is served over TCP. */
export interface TcpAddress {
  /** An address or a name. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** As people write it, IPv6 addresses in brackets. */
export function addressText({ host, port }: TcpAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Begins to listen at an address, or at the path of a Unix socket. @returns the port, 0 for a path. @throws BadInput when it cannot be had. */
export async function listenAt(server: Server, at: TcpAddress | string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const shown = typeof at === "string" ? at : addressText(at);
    server.once("error", (error) => reject(new BadInput(`cannot listen at ${shown}: ${reasonOf(error)}`)));
    server.listen(typeof at === "string" ? { path: at } : { ...at }, resolve);
  });
  server.removeAllListeners("error");
  // A client whose connection could not be accepted must not end the process.
  server.on("error", () => {});
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
