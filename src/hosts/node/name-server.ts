// The host's resolver, asked as a program of its own would ask it: by the servers that it is configured with.

import { createSocket } from "node:dgram";
import { getServers } from "node:dns";

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

const DNS_PORT = 53;
/** Milliseconds until the next server is asked. */
const PATIENCE = 2500;

/** The servers of the host's configuration, the first one first. */
export function hostNameServers(): SocketAddress[] {
  return getServers().map((text) => {
    const [, bracketed, port] = /^\[(.*)\]:(\d+)$/.exec(text) ?? /^([^:]*):(\d+)$/.exec(text) ?? [];
    return { address: bracketed ?? text, port: Number(port ?? DNS_PORT) };
  });
}

/** Asks one server after the other, over UDP, until one answers. */
export function ask(
  servers: readonly SocketAddress[],
  query: Uint8Array,
  done: (answer: Uint8Array | undefined) => void,
): void {
  const [server, ...others] = servers;
  if (server === undefined) {
    setImmediate(done, undefined);
    return;
  }
  const socket = createSocket(server.address.includes(":") ? "udp6" : "udp4");
  let over = false;
  const finish = (answer: Uint8Array | undefined): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket.close();
    if (answer === undefined && others.length > 0) ask(others, query, done);
    else done(answer);
  };
  const timer = setTimeout(finish, PATIENCE, undefined).unref();
  socket.unref();
  socket.on("error", () => finish(undefined));
  socket.on("message", (answer) => {
    if (answer[0] === query[0] && answer[1] === query[1]) finish(answer);
  });
  // Connected: only the server's answers come, and its port being closed is an error.
  socket.connect(server.port, server.address, () => {
    if (!over) socket.send(query, () => {});
  });
}
